"""Weather values and hours judged: units, what is physically possible, and which of an hour's rows counts."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import polars as pl

from loadproof.ingestion.badc import SmallText
from loadproof.schema import FIRST_TS_UTC, LAST_TS_UTC

__all__ = ["RANGES", "UNITS", "HourlyRows", "Resolved", "Scale", "hour_fault", "read_values", "resolve"]

RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "temperature_degc": (-40.0, 50.0),
    "dewpoint_degc": (-50.0, 40.0),
    "relative_humidity_pct": (0.0, 100.0),
    "wind_speed_m_per_s": (0.0, 75.0),
    "wind_direction_deg": (0.0, 360.0),
    "pressure_hpa": (870.0, 1085.0),
    "cloud_oktas": (0.0, 8.0),
    "sunshine_hours": (0.0, 1.0),
}
"""What can be, with room beyond what was: British records are -27.2 and 40.3 degC, 925.6 and 1054.7 hPa, and gusts
(never an hour's mean) of 63 m/s at low level. Source: Met Office, UK climate extremes. Nine oktas mean a hidden sky,
which is no amount."""


class Scale(NamedTuple):
    """How a stated unit becomes ours: ``value * factor + offset``."""

    factor: float = 1.0
    offset: float = 0.0


_KNOT_M_PER_S: Final = 1852 / 3600  # by definition a nautical mile an hour

UNITS: Final[Mapping[str, Mapping[str, Scale]]] = {
    "degc": {"degc": Scale(), "deg c": Scale(), "celsius": Scale(), "k": Scale(1, -273.15)},
    "pct": {"%": Scale(), "percent": Scale(), "1": Scale(100)},
    "m_per_s": {"knots": Scale(_KNOT_M_PER_S), "knot": Scale(_KNOT_M_PER_S), "kt": Scale(_KNOT_M_PER_S),
                "m/s": Scale(), "m s-1": Scale(), "ms-1": Scale(), "metres per second": Scale()},
    "deg": {"deg true": Scale(), "degrees": Scale(), "degree": Scale(), "deg": Scale()},
    "hpa": {"hpa": Scale(), "mb": Scale(), "pa": Scale(0.01)},
    "oktas": {"oktas": Scale(), "okta": Scale()},
    "hours": {"hours": Scale(), "hour": Scale(), "minutes": Scale(1 / 60), "s": Scale(1 / 3600)},
}  # fmt: skip
"""The end of a column's name to the units that files state for it, in lower case."""


class HourlyRows(NamedTuple):
    """A file's rows: ``table`` (an hour each), ``lost`` (``line, reason``), ``unread`` (``line, reason, raw``).

    ``set_aside_values`` has ``line, column, reason, raw``.
    """

    table: pl.DataFrame
    lost: pl.DataFrame
    unread: pl.DataFrame
    set_aside_values: pl.DataFrame
    rows_read: int
    edition: str
    text: SmallText


class Resolved(NamedTuple):
    """``kept`` has one row a key; ``lost`` has the others and their ``reason``."""

    kept: pl.DataFrame
    lost: pl.DataFrame


def hour_fault(ts: pl.Expr) -> pl.Expr:
    """Return why a time is no hour of the table, or null."""
    return (
        pl.when(ts.is_null()).then(pl.lit("ts_unreadable"))
        .when((ts < FIRST_TS_UTC) | (ts >= LAST_TS_UTC)).then(pl.lit("ts_out_of_range"))
        .when(ts.dt.truncate("1h") != ts).then(pl.lit("ts_off_grid"))
    )  # fmt: skip


def read_values(
    rows: pl.DataFrame, column: str, field: str, scale: Scale, doubt: pl.Expr | None = None
) -> tuple[pl.Series, pl.DataFrame]:
    """Read one field's texts as our ``column``.

    Args:
        rows: Has ``line`` and ``field`` (text, null where missing).
        column: The name of ours, whose range holds.
        field: The file's.
        scale: From its unit to ours.
        doubt: Where the source itself doubts the value.

    Returns:
        The values ``(rows,)``, null where missing or set aside; and ``line, column, reason, raw`` of the latter.
    """
    low, high = RANGES[column]
    number = pl.col(field).cast(pl.Float64, strict=False)
    value = number * scale.factor + scale.offset
    fault = (
        pl.when(pl.col(field).is_null()).then(None)
        .when(number.is_null()).then(pl.lit("value_unreadable"))
        .when(~number.is_finite()).then(pl.lit("value_not_finite"))
        .when((value < low) | (value > high)).then(pl.lit("value_out_of_range"))
        .when(pl.lit(value=False) if doubt is None else doubt).then(pl.lit("qc_suspect"))
    )  # fmt: skip
    judged = rows.select(
        "line", value.alias("value"), fault.cast(pl.String).alias("reason"), pl.col(field).alias("raw")
    )
    aside = judged.filter(pl.col("reason").is_not_null())
    values = judged.select(pl.when(pl.col("reason").is_null()).then(pl.col("value"))).to_series().alias(column)
    return values, aside.select("line", pl.lit(column).alias("column"), "reason", "raw")


def resolve(rows: pl.DataFrame, key: Sequence[str], rank: Sequence[str], values: Sequence[str]) -> Resolved:
    """Leave one row a key: that of the highest rank, by the first of ``rank``, then the next.

    Of equal rank the first in the old order stays if all say the same, and none if they differ (``conflict``). What
    is not kept is a ``duplicate`` of the best where it says the same, else ``superseded`` by it.
    """
    doubled = rows.select(pl.struct(key).is_duplicated()).to_series()
    if not doubled.any():
        return Resolved(rows, rows.clear().with_columns(reason=pl.lit(None, dtype=pl.String)))
    same = pl.struct(values).eq_missing(pl.struct(values).first())
    best = list(rank) or list(key)  # without a rank all rows of a key are equally good
    judged = (
        rows.with_row_index("_at")
        .filter(doubled)
        .sort(*key, *rank, "_at", descending=[False] * len(key) + [True] * len(rank) + [False], nulls_last=True)
        .with_columns(
            _best=pl.struct(best).eq_missing(pl.struct(best).first()).over(key),
            _same=same.over(key),
            _first=(pl.int_range(pl.len()) == 0).over(key),
        )
        .with_columns(_contested=(pl.col("_best") & ~pl.col("_same")).any().over(key))
        .with_columns(
            reason=pl.when(pl.col("_best") & pl.col("_contested")).then(pl.lit("conflict"))
            .when(pl.col("_first")).then(None)
            .when(pl.col("_same")).then(pl.lit("duplicate"))
            .otherwise(pl.lit("superseded"))
        )
        .sort("_at")
    )  # fmt: skip
    kept = pl.concat([
        rows.with_row_index("_at").filter(~doubled),
        judged.filter(pl.col("reason").is_null()).select("_at", *rows.columns),
    ]).sort("_at").drop("_at")  # fmt: skip
    return Resolved(kept, judged.filter(pl.col("reason").is_not_null()).select(*rows.columns, "reason"))
