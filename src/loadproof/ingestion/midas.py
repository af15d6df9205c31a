"""Met Office MIDAS Open, UK hourly weather observations: one station and year a file, BADC-CSV, UTC.

``ob_time`` is the nominal time of the report. Temperature is that of the minute, wind the mean of the ten minutes
before; automatic stations take them up to ten minutes before the hour. Sunshine is that of the hour that ends there.

Source: MIDAS Open User Guide (help.ceda.ac.uk/article/4982), CEDA's table WH and its page QC_J_flags.
"""

import logging
import re
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from loadproof.errors import SourceError
from loadproof.ingestion.badc import BadcTable, read_badc
from loadproof.ingestion.hours import UNITS, HourlyRows, Resolved, Scale, hour_fault, read_values, resolve

__all__ = ["MESSAGES", "read_midas"]

logger = logging.getLogger(__name__)


class _Element(NamedTuple):
    """One field of the file, our column for it, and the quality flags that it hangs on."""

    column: str
    field: str
    flags: tuple[str, ...]


# Humidity has no flag of its own: the Met Office calculates it from the two temperatures. Sunshine may come from three
# instruments; the first that has a value counts: electronic sensor, Campbell-Stokes recorder, derived from radiation.
_ELEMENTS: Final = (
    _Element("temperature_degc", "air_temperature", ("air_temperature_q",)),
    _Element("dewpoint_degc", "dewpoint", ("dewpoint_q",)),
    _Element("relative_humidity_pct", "rltv_hum", ("air_temperature_q", "dewpoint_q")),
    _Element("wind_speed_m_per_s", "wind_speed", ("wind_speed_q",)),
    _Element("wind_direction_deg", "wind_direction", ("wind_direction_q",)),
    _Element("pressure_hpa", "msl_pressure", ("msl_pressure_q",)),
    _Element("cloud_oktas", "cld_ttl_amt_id", ("cld_ttl_amt_id_q",)),
    _Element("sunshine_hours", "wmo_hr_sun_dur", ("wmo_hr_sun_dur_q",)),
    _Element("sunshine_hours", "cs_hr_sun_dur", ("cs_hr_sun_dur_q",)),
    _Element("sunshine_hours", "drv_hr_sun_dur", ("drv_hr_sun_dur_q",)),
)
_COLUMNS: Final = tuple(dict.fromkeys(element.column for element in _ELEMENTS))

_NEEDED: Final = ("ob_time", "src_id", "version_num", "rec_st_ind", "met_domain_name")
_ALWAYS: Final = ("air_temperature", "dewpoint", "rltv_hum", "wind_speed", "wind_direction", "msl_pressure")
"""Columns of every published file: without one, it would be a column of nulls that nobody was told of."""

_STATION: Final = re.compile(r"[0-9]{1,6}")
_USEFUL: Final = ("id", "id_type", "meto_stmp_time")

# Source: comments on REC_ST_IND in the Met Office's MIDAS schema. 40, 60, 80, 110: marked for deletion; 1013: the
# checked version was killed; 1029: a correction of the key, marked for deletion.
_DELETED: Final = ("40", "60", "80", "110", "1013", "1029")

MESSAGES: Final = ("METAR", "HCM", "NCM", "AWSHRLY", "SYNOP")
"""Message types from the least to the most trusted where two are equally full: METARs round to whole degrees."""


def read_midas(path: Path, *, keep_suspect: bool) -> HourlyRows:
    """Return the hours of one station and year.

    A flag is up to five digits MESQL: marker, estimate, **status**, query, level. A status other than 0 is the Met
    Office's reason to suspect the value, which is set aside; estimates and corrections are theirs and stay, and so
    does what was not checked. The letters in ``_j`` tell how a value was had and set nothing aside.

    An hour's rows: of one message, the checked version (``version_num`` 1), then the later state (``rec_st_ind``),
    then the later receipt counts; of several messages the fullest, then the order of ``MESSAGES``.

    Raises:
        SourceError: If the file is cut off, lacks a column, or states a unit that is unknown.
    """
    fields = [element.field for element in _ELEMENTS]
    flags = [flag for element in _ELEMENTS for flag in element.flags]
    file = read_badc(path, {*_NEEDED, *_USEFUL, *fields, *flags})
    station = file.fact("midas_station_id") or ""
    if not _STATION.fullmatch(station):
        raise SourceError(
            f"{path}: no station number in the fact 'midas_station_id'; take the file as CEDA publishes it"
        )
    absent = [name for name in (*_NEEDED, *_ALWAYS) if name not in file.table.columns]
    if absent:
        raise SourceError(
            f"{path}: lacks the column {absent[0]!r}, so it is not of the hourly weather "
            "observations (uk-hourly-weather-obs); remove it"
        )
    rows = _times(file.table, station)
    lost = rows.filter(pl.col("reason").is_not_null()).select("line", "reason")
    rows = rows.filter(pl.col("reason").is_null()).drop("reason")
    table, aside = _values(rows, file, path, keep_suspect=keep_suspect)
    hours = _one_an_hour(table)
    return HourlyRows(
        table=hours.kept.select("line", "station_id", "ts_utc", *_COLUMNS),
        lost=pl.concat([lost, hours.lost.select("line", "reason")]),
        unread=file.rejected,
        set_aside_values=aside,
        rows_read=file.rows_read,
        edition=f"{file.fact('midas_qc_version_number') or 0} {file.fact('collection_version_number') or ''}",
        text=file.text,
    )


def _times(table: pl.DataFrame, station: str) -> pl.DataFrame:
    """Add ``station_id``, ``ts_utc`` and, where the row is no hour of this station, ``reason``."""
    ts = pl.col("ob_time").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    foreign = pl.col("src_id").cast(pl.Int64, strict=False).eq_missing(int(station)).not_()
    return table.with_columns(
        station_id=pl.lit(f"midas:{int(station):05d}"), ts_utc=ts.dt.replace_time_zone("UTC")
    ).with_columns(
        reason=pl.when(foreign).then(pl.lit("entity_unknown"))
        .when(pl.col("rec_st_ind").is_in(_DELETED)).then(pl.lit("record_deleted"))
        .otherwise(hour_fault(pl.col("ts_utc")))
    )  # fmt: skip


def _values(
    rows: pl.DataFrame, file: BadcTable, path: Path, *, keep_suspect: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return ``rows`` with our columns, and the values set aside."""
    values: dict[str, pl.Series] = {}
    aside = []
    for element in _ELEMENTS:
        if element.field not in rows.columns:
            continue
        flags = [] if keep_suspect else [flag for flag in element.flags if flag in rows.columns]
        doubt = pl.any_horizontal(_suspect(flag) for flag in flags) if flags else None
        scale = _scale(file, element, path)
        series, odd = read_values(rows, element.column, element.field, scale, doubt)
        _warn(path, element.field, series, odd)
        aside.append(odd)
        values[element.column] = values[element.column].fill_null(series) if element.column in values else series
    nothing = pl.Series(dtype=pl.Float64).extend_constant(None, rows.height)
    columns = [values.get(name, nothing).alias(name) for name in _COLUMNS]
    return rows.with_columns(columns), pl.concat(aside).sort("line", maintain_order=True)


def _suspect(flag: str) -> pl.Expr:
    """Return where the status digit, the third from the right, is set; a flag that is no number is one to doubt."""
    number = pl.col(flag).cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
    return (pl.col(flag).is_not_null() & number.is_null()) | (number // 100 % 10 != 0).fill_null(value=False)


def _scale(file: BadcTable, element: _Element, path: Path) -> Scale:
    unit = file.unit(element.field) or ""
    scales = next(scales for end, scales in UNITS.items() if element.column.endswith(f"_{end}"))
    if unit.lower() not in scales:
        raise SourceError(
            f"{path}: states the unit {unit!r} for {element.field}; known are {', '.join(scales)}: check the header"
        )
    return scales[unit.lower()]


def _warn(path: Path, field: str, values: pl.Series, aside: pl.DataFrame) -> None:
    """Say where quality control doubts so much that it may mean the station and not the hour."""
    suspect = aside.filter(pl.col("reason") == "qc_suspect").height
    if suspect > 0.05 * (values.len() - values.null_count() + suspect):
        logger.warning("%s: %d values of %s are flagged suspect and set aside; --keep-suspect keeps them",
                       path.name, suspect, field)  # fmt: skip


def _one_an_hour(table: pl.DataFrame) -> Resolved:
    number = pl.col("version_num", "rec_st_ind").cast(pl.Int64, strict=False).name.suffix("_")
    table = table.with_columns(
        number,
        *(pl.lit(None, dtype=pl.String).alias(name) for name in _USEFUL if name not in table.columns),
        _full=pl.sum_horizontal(pl.col(name).is_not_null() for name in _COLUMNS),
        _message=pl.col("met_domain_name").replace_strict(dict(zip(MESSAGES, range(1, 9), strict=False)), default=0),
    )
    hour = ["station_id", "ts_utc"]
    one = resolve(table, [*hour, "id_type", "id", "met_domain_name"],
                  ["version_num_", "rec_st_ind_", "meto_stmp_time"], _COLUMNS)  # fmt: skip
    best = resolve(one.kept, hour, ["version_num_", "_full", "_message"], _COLUMNS)
    return Resolved(best.kept, pl.concat([one.lost, best.lost]))
