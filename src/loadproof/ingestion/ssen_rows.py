"""Rows of an SSEN usage file: which columns are read, what is wrong with a row, and what goes into its extras.

What repeats (stamps, feeders, device counts) is read as categories and worked out once per distinct text.
"""

import csv
import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from loadproof.ingestion.ssen_lookup import LOOKUP, parts_of, whole_id
from loadproof.ingestion.text import Block, parse_rows, raw_text

__all__ = ["COLUMNS", "FUSE_WH", "OPTIONAL", "TS_CONVENTION", "Extras", "read_candidates"]

TS_CONVENTION: Final = "end"

COLUMNS: Final = {
    "feeder": ("dataset_id",),
    "device_count": ("aggregated_device_count_active",),
    "primary": ("primary_consumption_active_import",),
    "total": ("total_consumption_active_import",),
    "device_count_reactive": ("aggregated_device_count_reactive",),
    "reactive": ("total_consumption_reactive_import",),
    "stamp": ("data_collection_log_timestamp",),
}
OPTIONAL: Final = {"modified": ("last_modified_time",)}

FUSE_WH: Final = 100 * 230 / 2
"""More than this per device and half hour is flagged: the mean of at least five homes, each at its whole fuse.

Source: a single-phase supply of 100 A at 230 V, half an hour.
"""

_SENTINEL: Final = 2**31
_REPEATED: Final = ("feeder", "stamp", "device_count", "device_count_reactive", "reactive")
_STAMP: Final = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-5][0-9])(?:\.([0-9]+))?(?:Z|\+00(?::?00)?)?$"


def _distinct(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the distinct texts of a categorical column, stripped, and each row's place among them (null for null)."""
    codes = column.to_physical().fill_null(0).to_numpy()
    rows = np.flatnonzero(column.is_not_null().to_numpy())
    place = np.full(int(codes.max(initial=0)) + 1, len(codes), dtype=np.uint32)
    place[codes[rows]] = rows
    some_row = np.sort(place[place < len(codes)])
    place[codes[some_row]] = np.arange(len(some_row), dtype=np.uint32)
    places = pl.Series(place[codes])
    if column.null_count():
        places = places.set(column.is_null(), None)
    return column.gather(some_row).cast(pl.String).str.strip_chars(), places


def _spread(column: pl.Series, value: pl.Expr) -> pl.Series:
    """Return ``value``, an expression over the stripped text ``column.name``, for each row."""
    texts, places = _distinct(column)
    return texts.alias(column.name).to_frame().select(value).to_series().gather(places)


def _ts_utc() -> pl.Expr:
    """Return the start of the half hour that ``stamp`` ends; fractions of a second put it off the grid."""
    groups = [pl.col("stamp").str.extract(_STAMP, number) for number in (1, 2, 3)]
    whole = (groups[0] + "T" + groups[1]).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us")
    fraction = pl.when(groups[2].str.contains("[1-9]")).then(pl.duration(microseconds=1)).otherwise(pl.duration())
    return whole.dt.replace_time_zone("UTC") - pl.duration(minutes=30) + fraction


def _at_clock_change(ts: pl.Expr) -> pl.Expr:
    """Tell the two half hours, stamped 01:00 and 01:30 on October's last Sunday, that are published oddly."""
    last_sunday = (ts.dt.month() == 10) & (ts.dt.weekday() == 7) & (ts.dt.day() >= 25)
    return last_sunday & ts.dt.time().is_in([dt.time(0, 30), dt.time(1)])


def _thousandth(column: pl.Series) -> pl.Series:
    """Return a column divided by 1000, to the last bit: by a single number, polars multiplies with the inverse."""
    return column / pl.Series(np.full(len(column), 1000.0))


def _number(column: str, per: int) -> pl.Expr:
    """Return the text of ``column`` as a JSON number, divided by ``per``.

    Null where nothing stands there; the text ``null`` where what stands there is no quantity.
    """
    value = pl.col(column).cast(pl.Float64, strict=False)
    sound = value.is_finite() & (value >= 0) & (value < _SENTINEL)
    value = (value / per).round(6)
    whole = value.cast(pl.Int64, strict=False)
    number = pl.when(value == whole).then(whole.cast(pl.String)).otherwise(value.cast(pl.String))
    return pl.when(pl.col(column) != "").then(pl.when(sound).then(number).otherwise(pl.lit("null")))


def _flag(name: str) -> pl.Expr:
    return pl.lit(f',"{name}":true')


def _pair(name: str, number: pl.Expr) -> pl.Expr:
    return (pl.lit(f',"{name}":') + number).fill_null("")


def _faults(block: Block, rows: pl.DataFrame, ts_utc: pl.Series, width: int) -> pl.Series:
    """Return the parser's fault of each row; a line with a field too many or too few is looked at a second time.

    A surplus field that is empty leaves no trace but what it shifts: a stamp or a total that cannot be read.
    """
    faults = rows.select(pl.when("empty").then(pl.lit("null_value"))).to_series()
    uneven = (rows["uneven"] | ts_utc.is_null() | rows["energy_wh"].is_null()).arg_true()
    if uneven.is_empty():
        return faults
    found: list[str | None] = []
    nothing_read = rows["feeder"].gather(uneven).is_null()
    for text, unread, fault in zip(
        raw_text(block, rows["line"].gather(uneven)), nothing_read, faults.gather(uneven), strict=True
    ):
        try:
            fields = next(csv.reader([text]), [])
        except csv.Error:  # a field of more than 128 KiB, or a bare carriage return: no row of ours either
            fields = []
        if len(fields) != width:
            found.append("fields_count")
        else:
            found.append("text_unreadable" if unread and fields[0] else fault)
    return faults.scatter(uneven, pl.Series(found, dtype=pl.String))


def read_candidates(block: Block, names: Sequence[str]) -> pl.DataFrame:
    """Return the block's rows as ``CANDIDATES`` and, for :class:`Extras`, what else they say.

    Empty consumption is the fault ``null_value``, a wrong number of fields ``fields_count``, a line that is no UTF-8
    ``text_unreadable``; stamps, ids and values that cannot be read are null.
    """
    total = pl.col("total").str.strip_chars()
    rows = parse_rows(
        block,
        names,
        [
            *(pl.col(name).cast(pl.Categorical) for name in _REPEATED),
            total.cast(pl.Float64, strict=False).alias("energy_wh"),
            (total.is_null() | (total == "")).alias("empty"),
            # Equal texts, as nearly always, need no parsing.
            pl.when(pl.col("primary") != pl.col("total")).then(pl.col("primary").str.strip_chars()).alias("primary"),
            (pl.col("_overflow").is_not_null() | pl.col(names[-1]).is_null()).alias("uneven"),
        ],
        quote_char='"',
    )
    feeder = pl.col("feeder")
    entity = pl.format("ssen:{}", whole_id(feeder).fill_null(feeder)).cast(pl.Categorical)
    ts_utc = _spread(rows["stamp"], _ts_utc()).alias("ts_utc")
    return rows.select(
        "line",
        *(name for name in _REPEATED if name != "stamp"),
        pl.when(pl.col("primary").cast(pl.Float64, strict=False).ne_missing(pl.col("energy_wh"))).then("primary"),
        _spread(rows["feeder"], entity).alias("entity_id"),
        ts_utc,
        _faults(block, rows, ts_utc, len(names)).alias("fault"),
        interval_mins=pl.lit(30, dtype=pl.Int16),
        energy_kwh=_thousandth(rows["energy_wh"]),
    )


def _shared(feeders: pl.DataFrame) -> dict[str, str]:
    """Return ``{"primary_substation_id":...`` by the id of each feeder, without the closing brace.

    Args:
        feeders: ``dataset_id``, and what the lookup says: four ids and ``total_mpan_count``, null where it is silent.
    """
    ids = [pl.col(column).fill_null(digits) for column, digits in parts_of(pl.col("dataset_id")).items()]
    facts = pl.struct(ids).struct.json_encode().str.strip_suffix("}")
    mpans = (pl.lit(',"mpan_count":') + pl.col("total_mpan_count").cast(pl.String)).fill_null("")
    text = pl.concat_str(facts, mpans, pl.lit(f',"ts_convention":"{TS_CONVENTION}"'))
    return dict(feeders.select("dataset_id", text).iter_rows())


class Extras:
    """Builds each row's JSON: its feeder's constants, worked out once, then its own facts.

    Args:
        feeders: The table ``LOOKUP``.
    """

    def __init__(self, feeders: pl.DataFrame) -> None:
        self._shared = _shared(feeders)

    def build(self, readings: pl.DataFrame) -> tuple[pl.Series, pl.Series, Counter[str]]:
        """Return ``shared_extras`` and ``extras`` of rows of :func:`read_candidates`, and how many carry each flag."""
        ids, places = _distinct(readings["feeder"])
        devices = _spread(readings["device_count"], pl.col("device_count").cast(pl.Float64, strict=False))
        pieces = [
            *(
                _spread(readings[name], _pair(name, _number(name, 1)))
                for name in ("device_count", "device_count_reactive")
            ),
            _spread(readings["reactive"], _pair("reactive_kvarh", _number("reactive", 1000))),
        ]
        rare = readings.select(
            pl.when(pl.col("primary").is_not_null())
            .then(_pair("primary_kwh", _number("primary", 1000)))
            .alias("primary_kwh"),
            pl.when(_at_clock_change(pl.col("ts_utc"))).then(_flag("clock_change")).alias("clock_change"),
            pl.when(pl.col("energy_kwh") * 1000 > FUSE_WH * devices)
            .then(_flag("implausible_per_device"))
            .alias("implausible_per_device"),
        )
        counts = Counter({column.name: len(column) - column.null_count() for column in rare})
        pieces += [column for column in rare if counts[column.name]]
        counts["id_padded"] = int((ids.str.len_bytes() < 12).gather(places).sum())
        named = pl.DataFrame({str(number): piece for number, piece in enumerate(pieces)})
        own = named.select(extras=pl.concat_str(pl.all(), pl.lit("}"), ignore_nulls=True)).to_series()
        shared = pl.Series("shared_extras", self._of(ids), dtype=pl.Categorical).gather(places)
        return shared, own, counts

    def _of(self, feeders: pl.Series) -> list[str]:
        """Return the constants of feeders by their ids as written."""
        whole = feeders.str.zfill(12)
        unknown = pl.Series([feeder for feeder in whole if feeder not in self._shared], dtype=pl.String)
        if len(unknown):
            silent = [pl.lit(None, dtype=kind).alias(name) for name, kind in LOOKUP.items() if name != "dataset_id"]
            self._shared |= _shared(unknown.unique().alias("dataset_id").to_frame().with_columns(silent))
        padded = zip(feeders, whole, strict=True)
        return [self._shared[key] + ',"id_padded":true' * (key != feeder) for feeder, key in padded]
