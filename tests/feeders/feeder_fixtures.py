import datetime as dt

import polars as pl

from loadproof.schema import READINGS

START = dt.datetime(2013, 1, 7, tzinfo=dt.UTC)  # a Monday


def readings(rows, *, source="made", extras="{}"):
    """Rows of (entity, half hour from START, kWh), and extras if a row has its own."""
    filled = [(*row, extras) if len(row) == 3 else row for row in rows]
    return pl.DataFrame(
        [(name, START + dt.timedelta(minutes=30 * step), 30, kwh, source, text) for name, step, kwh, text in filled],
        schema=READINGS,
        orient="row",
    ).lazy()


def feeder(name, steps, kwh, reporting, devices=None):
    """Rows of FEEDERS: energy and counts per step, as lists or constants."""
    from loadproof.feeders.aggregate import FEEDERS

    n = len(steps)
    many = [x if isinstance(x, list) else [x] * n for x in (kwh, reporting, devices)]
    rows = [
        (name, START + dt.timedelta(minutes=30 * step), 30, *values, None)
        for step, values in zip(steps, zip(*many, strict=True), strict=True)
    ]
    return pl.DataFrame(rows, schema=FEEDERS, orient="row")
