"""The rules of a reading, by column, for the bulk path: what is sound, and what is set aside and why."""

from typing import NamedTuple

import polars as pl

from loadproof.schema import DATASETS, ENERGY_LIMIT_KWH, FIRST_TS_UTC, INTERVALS_MINS, LAST_TS_UTC, Dataset

__all__ = ["Checked", "check_readings", "set_repeats_aside"]


class Checked(NamedTuple):
    """The verdict on one frame.

    ``readings`` holds the columns of the candidates less ``fault``; ``rejected`` holds ``line, reason``, and
    ``entity_id, ts_utc`` as far as they could be read.
    """

    readings: pl.DataFrame
    rejected: pl.DataFrame


def check_readings(candidates: pl.DataFrame, dataset: Dataset) -> Checked:
    """Split ``candidates`` into readings and set-aside rows, by the rules of :class:`~loadproof.schema.EnergyReading`.

    Of rows that share entity and time, the first of equal ones is kept and the others are ``duplicate``; where they
    differ nobody can say which is right, so all of them are ``conflict``.

    Args:
        candidates: Columns of ``CANDIDATES``, and any others, which travel along; ``entity_id`` may be categorical.
            A row keeps the fault that its parser found, else gets that of the first rule that it breaks.
        dataset: Whose entity pattern holds.

    Returns:
        ``Checked``; every row is in exactly one of the two frames, in its old order.
    """
    entity, ts, energy = pl.col("entity_id"), pl.col("ts_utc"), pl.col("energy_kwh")
    names = candidates["entity_id"].unique().drop_nulls()
    known = names.filter(names.cast(pl.String).str.contains(DATASETS[dataset].entity_pattern))
    on_grid = (ts.dt.epoch("us") % (pl.col("interval_mins").cast(pl.Int64) * 60_000_000)) == 0
    broken = {
        "entity_unknown": ~entity.is_in(known.implode()).fill_null(value=False),
        "ts_unreadable": ts.is_null(),
        "ts_out_of_range": (ts < FIRST_TS_UTC) | (ts >= LAST_TS_UTC),
        "ts_off_grid": ~pl.col("interval_mins").is_in(INTERVALS_MINS) | ~on_grid,
        "value_unreadable": energy.is_null(),
        "value_not_finite": ~energy.is_finite(),
        "value_negative": energy < 0,
        "value_sentinel": energy >= ENERGY_LIMIT_KWH,
    }
    sound = candidates.select(
        pl.col("fault").is_null() & ~pl.any_horizontal(rule.fill_null(value=False) for rule in broken.values())
    ).to_series()
    reason = pl.coalesce("fault", *(pl.when(rule).then(pl.lit(name)) for name, rule in broken.items()))
    faulty = candidates.filter(~sound).with_columns(reason=reason)
    readings = candidates.filter(sound).drop("fault") if faulty.height else candidates.drop("fault")
    readings, repeated = set_repeats_aside(readings)
    columns = ["line", "reason", "entity_id", "ts_utc"]
    rejected = pl.concat([faulty.select(columns), repeated.select(columns)]).sort("line", maintain_order=True)
    return Checked(readings, rejected)


def set_repeats_aside(readings: pl.DataFrame) -> Checked:
    """Split rows that share ``entity_id, ts_utc`` from the rest; a null ``energy_kwh`` contests its half hour.

    Fast where the rows of an entity stand together in time order, as in every source as published.
    """
    key = ["entity_id", "ts_utc"]
    same = pl.col("entity_id") == pl.col("entity_id").shift()
    facts = readings.select(
        runs=(~same).sum() + 1, backward=(same & (pl.col("ts_utc") < pl.col("ts_utc").shift())).any(),
        repeats=(same & (pl.col("ts_utc") == pl.col("ts_utc").shift())).any(), entities=pl.col("entity_id").n_unique(),
    ).row(0, named=True)  # fmt: skip
    in_order = not facts["backward"] and (facts["runs"] or 1) == facts["entities"]
    if readings.is_empty() or (in_order and not facts["repeats"] and not readings["energy_kwh"].null_count()):
        return Checked(readings, readings.clear().with_columns(reason=pl.lit(None, dtype=pl.String)))
    if in_order:
        like_last = same & (pl.col("ts_utc") == pl.col("ts_utc").shift())
        again = readings.select((like_last | like_last.shift(-1)).fill_null(value=False)).to_series()
    else:
        again = readings.select(pl.struct(key).is_duplicated()).to_series()
    again = again | readings["energy_kwh"].is_null()
    # As they will be at rest, so that the verdict is the same within a batch and across batches.
    contested = (pl.col("energy_kwh").cast(pl.Float32).n_unique() > 1) | pl.col("energy_kwh").is_null().any()
    shared = readings.filter(again).with_columns(
        reason=pl.when(contested).then(pl.lit("conflict"))
        .when(pl.int_range(pl.len()) > 0).then(pl.lit("duplicate"))
        .over(key)
    )  # fmt: skip
    kept = readings.filter((~again).scatter(again.arg_true(), shared["reason"].is_null()))
    return Checked(kept, shared.filter(pl.col("reason").is_not_null()))
