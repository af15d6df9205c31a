"""What a sound file of each source looks like, as text that the bad inputs are cut from."""

import datetime as dt
import gzip
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

UTC = dt.UTC
MIDAS_UNITS = {
    "air_temperature": "degC", "dewpoint": "degC", "rltv_hum": "%", "wind_speed": "knots",
    "wind_direction": "deg true", "msl_pressure": "hPa", "cld_ttl_amt_id": "Oktas", "wmo_hr_sun_dur": "hours",
}  # fmt: skip
MIDAS_KEYS = ("ob_time", "id", "id_type", "met_domain_name", "version_num", "src_id", "rec_st_ind", "meto_stmp_time")
MIDAS_HEAD = (
    "Conventions,G,BADC-CSV,1",
    "midas_station_id,G,00723",
    "midas_qc_version_number,G,1",
    "collection_version_number,G,dataset-version-202507",
    "missing_value,G,NA",
    *(f"long_name,{field},a quantity,{unit}" for field, unit in MIDAS_UNITS.items()),
    "data",
    ",".join([*MIDAS_KEYS, *MIDAS_UNITS]),
)
SSEN_HEAD = (
    "dataset_id,dno_name,dno_alias,secondary_substation_id,secondary_substation_name,lv_feeder_id,lv_feeder_name,"
    "substation_geo_location,aggregated_device_count_active,primary_consumption_active_import,"
    "secondary_consumption_active_import,total_consumption_active_import,aggregated_device_count_reactive,"
    "total_consumption_reactive_import,data_collection_log_timestamp,insert_time,last_modified_time"
)


class Sort(NamedTuple):
    """One form of a source's files.

    ``head`` ends with the line of the columns and is empty where a form has none; ``row`` makes a line of a stamp and
    a value. ``rows`` rows of a sound file become ``kept`` rows in the store.
    """

    name: str
    source: str
    good: str
    bad: str
    row: Callable[[dt.datetime, str], str]
    first: dt.datetime
    step: dt.timedelta
    value: str
    rows: int
    kept: int
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    columns: tuple[str, str] = ("", "")
    """The names of the stamp's and the value's column."""

    def stamps(self, first: dt.datetime | None = None, rows: int | None = None) -> list[dt.datetime]:
        """The times of some rows in order."""
        return [(first or self.first) + n * self.step for n in range(rows or self.rows)]

    def text(self, lines: list[str]) -> bytes:
        """A file of these lines."""
        return "".join(f"{line}\n" for line in [*self.head, *lines, *self.tail]).encode()

    def lines(self, first: dt.datetime | None = None, rows: int | None = None) -> list[str]:
        """Sound lines."""
        return [self.row(stamp, self.value) for stamp in self.stamps(first, rows)]

    @property
    def folder(self) -> str:
        """Where the files lie below the input root."""
        return str(Path(self.bad).parent)


def lcl_row(stamp: dt.datetime, value: str) -> str:
    """A line of the partitioned archive."""
    return f"MAC000002,Std,{stamp:%Y-%m-%d %H:%M:%S}.0000000,{value}"


def ssen_row(stamp: dt.datetime, value: str) -> str:
    """A line in the format of 2024."""
    return (
        f'000200200402,Scottish and Southern Electricity Networks,SSEN,004,DUNCRAIG ROAD,02,"","",15.0,{value},"",'
        f"{value},15.0,84.0,{stamp:%Y-%m-%dT%H:%M:%S}.000Z,2024-02-14T00:07:06.000Z,2024-03-25T12:46:46.298Z"
    )


def dat_row(stamp: dt.datetime, value: str) -> str:
    """A line of a ``channel_M.dat``."""
    return f"{int(stamp.timestamp())} {value}"


def ukdale_csv_row(stamp: dt.datetime, value: str) -> str:
    """A line of the plain CSV."""
    return f"{stamp:%Y-%m-%dT%H:%M:%SZ},2,9,{value}"


def midas_row(stamp: dt.datetime, value: str) -> str:
    """A line of hourly observations."""
    return f"{stamp:%Y-%m-%d %H:%M:%S},5260,DCNN,AWSHRLY,1,723,1011,NA,{value},7.6,90.6,10,210,1013.2,7,NA"


def darksky_row(stamp: dt.datetime, value: str) -> str:
    """A line of Kaggle's weather."""
    return f"10.24,208,partly-cloudy-night,8.86,{stamp:%Y-%m-%d %H:%M:%S},1016.76,{value},10.8,rain,2.77,0.83,x"


MIDAS = "weather/midas-open_uk-hourly-weather-obs_dv-202507_greater-london_00723_kew-gardens_qcv-1_{}.csv"
HALF_HOUR, MINUTE, HOUR = dt.timedelta(minutes=30), dt.timedelta(minutes=1), dt.timedelta(hours=1)

SORTS = {
    sort.name: sort
    for sort in (
        Sort(
            "lcl", "lcl", "lcl/LCL-June2015v2_0.csv", "lcl/LCL-June2015v2_1.csv", lcl_row,
            dt.datetime(2013, 2, 1, tzinfo=UTC), HALF_HOUR, "0.143", 96, 96,
            ("LCLid,stdorToU,DateTime,KWH/hh (per half hour) ",), columns=("DateTime", "KWH/hh (per half hour) "),
        ),
        Sort(
            "ssen", "ssen", "ssen/2024-02-12.csv", "ssen/2024-02-13.csv", ssen_row,
            dt.datetime(2024, 2, 13, tzinfo=UTC), HALF_HOUR, "2331.0", 96, 96, (SSEN_HEAD,),
            columns=("data_collection_log_timestamp", "total_consumption_active_import"),
        ),
        Sort(
            "ukdale text", "ukdale", "ukdale/house_2/channel_8.dat", "ukdale/house_2/channel_9.dat", dat_row,
            dt.datetime(2013, 6, 2, tzinfo=UTC), MINUTE, "300", 1440, 48,
        ),
        Sort(
            "ukdale csv", "ukdale", "ukdale/ukdale_a.csv", "ukdale/ukdale_b.csv", ukdale_csv_row,
            dt.datetime(2013, 6, 2, tzinfo=UTC), MINUTE, "300", 1440, 48, ("timestamp,house_id,meter,value_watts",),
            columns=("timestamp", "value_watts"),
        ),
        Sort(
            "weather midas", "weather", MIDAS.format(2012), MIDAS.format(2013), midas_row,
            dt.datetime(2013, 2, 1, tzinfo=UTC), HOUR, "9.1", 96, 96, MIDAS_HEAD, ("end data",),
            columns=("ob_time", "air_temperature"),
        ),
        Sort(
            "weather kaggle", "weather", MIDAS.format(2012), "weather/weather_hourly_darksky.csv", darksky_row,
            dt.datetime(2013, 2, 1, tzinfo=UTC), HOUR, "9.1", 96, 96,
            ("visibility,windBearing,icon,dewPoint,time,pressure,temperature,windSpeed,precipType,apparent,humidity,x",),
            columns=("time", "temperature"),
        ),
    )
}  # fmt: skip


SORTS["lcl zip"] = SORTS["lcl"]._replace(name="lcl zip", good="lcl/a.zip", bad="lcl/b.zip")
SORTS["ukdale hdf5"] = SORTS["ukdale text"]._replace(name="ukdale hdf5", good="ukdale/a.h5", bad="ukdale/b.h5")
SORTS["weather gzip"] = SORTS["weather midas"]._replace(
    name="weather gzip", good=MIDAS.format(2012) + ".gz", bad=MIDAS.format(2013) + ".gz"
)

BEFORE = dt.timedelta(days=28)
"""How much earlier than the bad file's rows those of the good file lie, of every sort."""

ROW = np.dtype([("index", "<i8"), ("values_block_0", "<f4", (1,))])
ACTIVE = b"(lp0\n(Vpower\np1\nVactive\np2\ntp3\na."


def zipped(path: Path, *members: tuple[str, bytes]) -> None:
    """Write an archive."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, data in members:
                archive.writestr(name, data)


def rows_of(stamps: list[dt.datetime], watts: float = 300) -> np.ndarray:
    """Rows as pandas stores them."""
    rows = np.zeros(len(stamps), ROW)
    rows["index"] = [int(stamp.timestamp()) * 10**9 for stamp in stamps]
    rows["values_block_0"] = watts
    return rows


def write_h5(path: Path, rows: np.ndarray, *, node: str = "/building2/elec/meter9", kind: bytes = ACTIVE) -> None:
    """Write one meter as pandas does, by h5py."""
    with h5py.File(path, "a") as file:
        table = file.create_group(node).create_dataset("table", data=rows, chunks=(256,), compression="gzip")
        table.attrs["index_kind"] = np.bytes_(b"datetime64")
        table.attrs["values_block_0_kind"] = np.bytes_(kind)


def write_good(root: Path, sort: Sort) -> None:
    """Write the sound file that stands beside the bad one."""
    like = SORTS["weather midas"] if sort.source == "weather" else sort
    path = root / sort.good
    path.parent.mkdir(parents=True, exist_ok=True)
    text = like.text(like.lines(sort.first - BEFORE))
    if path.suffix == ".zip":
        zipped(path, (Path(SORTS["lcl"].good).name, text))
    elif path.suffix == ".h5":
        write_h5(path, rows_of(sort.stamps(sort.first - BEFORE)), node="/building2/elec/meter8")
    else:
        path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
