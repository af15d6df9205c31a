"""Which readings a task wants: of whom, and of when; nothing else is read from disk."""

import datetime as dt
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from loadproof.errors import SchemaError
from loadproof.features.calendar import Instants, local_midnights, to_instant
from loadproof.features.panel import Panel, panel_from_readings

__all__ = ["PANEL_COLUMNS", "Seen", "as_datetime", "midnights_and", "read_panel", "read_seen", "read_span"]

PANEL_COLUMNS: Final = ("entity_id", "ts_utc", "interval_mins", "energy_kwh")


def _collect(frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect(engine="streaming")
    except (pl.exceptions.ComputeError, OSError) as error:
        raise SchemaError(f"the readings cannot be read ({error}); ingest them again") from error


def read_panel(
    readings: pl.LazyFrame, *, entities: Sequence[str] | None = None, since: dt.datetime | None = None,
    until: dt.datetime | None = None, between: tuple[str, str] | None = None,
) -> Panel | None:  # fmt: skip
    """Return the readings of some entities and some time as a panel; None where there are none.

    Args:
        readings: Columns of ``READINGS``.
        entities: Whose; None for all.
        since: First interval start, UTC; None for the first there is.
        until: First interval start no longer wanted, UTC.
        between: The first and the last name wanted; what lies outside need not even be unpacked.

    Raises:
        SchemaError: As :func:`panel_from_readings`, or if a file is damaged.
    """
    wanted = [pl.col("entity_id").is_in(list(entities))] if entities is not None else []
    wanted += [pl.col("ts_utc") >= since] if since is not None else []
    wanted += [pl.col("ts_utc") < until] if until is not None else []
    wanted += [pl.col("entity_id").is_between(pl.lit(between[0]), pl.lit(between[1]))] if between is not None else []
    frame = _collect(readings.filter(*wanted).select(PANEL_COLUMNS))
    return panel_from_readings(frame) if frame.height else None


class Seen(NamedTuple):
    """When the last reading of anybody ends, UTC, and how long each is."""

    end: dt.datetime
    interval_mins: int


def read_seen(readings: pl.LazyFrame, since: dt.datetime, until: dt.datetime) -> Seen | None:
    """Return what there is to see from ``since`` to before ``until``; None where there is no reading."""
    wanted = readings.filter(pl.col("ts_utc") >= since, pl.col("ts_utc") < until)
    last, mins = _collect(wanted.select(pl.col("ts_utc", "interval_mins").max())).row(0)
    return None if last is None else Seen(last + dt.timedelta(minutes=mins), mins)


def read_span(readings: pl.LazyFrame, entity: str) -> tuple[dt.datetime, dt.datetime] | None:
    """Return the first and the last interval start, UTC, of an entity's readings; None where it has none."""
    mine = readings.filter(pl.col("entity_id") == entity)
    span = mine.select(first=pl.col("ts_utc").min(), last=pl.col("ts_utc").max()).collect(engine="streaming")
    first, last = span.row(0)
    return (first, last) if first is not None else None


def as_datetime(instant: np.datetime64) -> dt.datetime:
    """Return a UTC instant as Python's own kind, with its zone."""
    naive: dt.datetime = instant.astype("datetime64[us]").astype(dt.datetime)
    return naive.replace(tzinfo=dt.UTC)


def midnights_and(first: dt.datetime, last: dt.datetime) -> Instants:
    """Return the UK midnights from ``first`` to before ``last``, and ``last`` itself."""
    return np.append(local_midnights(first, last), to_instant(last))
