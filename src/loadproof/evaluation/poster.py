"""The numbers for a poster: each a query on tables of ``METRICS``, with its interval, unit and how to make it again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import polars as pl

from loadproof.errors import SchemaError

__all__ = ["POSTER", "Ask", "PosterNumber", "answer", "as_table", "as_text"]


class Ask(NamedTuple):
    """A number that is wanted: its name, a sentence around it, and one row of ``metrics`` or ``alarms``."""

    name: str
    sentence: str
    metric: str
    subject: str | None = None
    slice: str = "all"
    table: str = "metrics"

    @property
    def query(self) -> str:
        """The row that answers, in SQL that polars and DuckDB speak; without a subject, of the one with the least."""
        whose = "" if self.subject is None else f" AND subject = '{self.subject}'"
        return (
            f"SELECT subject, dataset, value, low, high, n, unit FROM {self.table} WHERE metric = '{self.metric}'"
            f"{whose} AND slice = '{self.slice}' AND entity_id IS NULL ORDER BY value, subject LIMIT 1"
        )


@dataclass(frozen=True)
class PosterNumber:
    """A number with what it rests on: 95 % interval, ``n`` measured, the hashes of sources and table, the command."""

    name: str
    sentence: str
    subject: str
    dataset: str
    value: float
    low: float
    high: float
    unit: str
    n: int
    table: str
    query: str
    command: str
    data_sha256: str
    table_sha256: str


POSTER: Final = (
    Ask("best_crps", "A day ahead, {subject} forecasts a home's half hours with a CRPS of", "crps"),
    Ask("best_mase", "The mean error of {subject} as a multiple of that of repeating the day before (MASE):", "mase"),
    Ask(
        "patchtst_to_persistence",
        "The CRPS of {subject} as a multiple of that of the bar, the persistence ensemble:",
        "crps_ratio_to:persistence_ensemble",
        "patchtst",
    ),
    Ask(
        "lightgbm_to_persistence",
        "The CRPS of {subject} as a multiple of that of the bar, the persistence ensemble:",
        "crps_ratio_to:persistence_ensemble",
        "lightgbm",
    ),
    Ask(
        "selfplay_to_patchtst",
        "The CRPS of {subject}, which met hard days in training, as a multiple of that of patchtst, which did not:",
        "crps_ratio_to:patchtst",
        "selfplay",
    ),
    Ask("patchtst_coverage_80", "Share of half hours within the 80 % band of {subject}:", "coverage_80", "patchtst"),
    Ask(
        "patchtst_coverage_80_evening",
        "Share of half hours at 18:00 within the 80 % band of {subject}:",
        "coverage_80",
        "patchtst",
        "half_hour=18:00",
    ),
    Ask(
        "patchtst_homes_within_5_points",
        "Share of homes whose own 80 % band of {subject} holds within 5 points of 80 %:",
        "homes_within_5_points_80",
        "patchtst",
    ),
    Ask(
        "ensemble_alarms",
        "Alerts of the {subject} detector per home and week, each taken for false:",
        "alerts_per_home_week",
        "ensemble",
        table="alarms",
    ),
)  # fmt: skip
"""What the poster says, in its order."""


def _unsupported(ask: Ask, why: str) -> SchemaError:
    return SchemaError(
        f"poster number {ask.name}: {why}; make the {ask.table} table again with 'loadproof run evaluate_models', or "
        f"take the number off the poster. The query: {ask.query}"
    )


def _row(ask: Ask, tables: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    if ask.table not in tables:
        raise _unsupported(ask, f"there is no table {ask.table}")
    found = pl.SQLContext({ask.table: tables[ask.table]}).execute(ask.query, eager=True).to_dicts()
    if not found:
        raise _unsupported(ask, f"no row of {ask.table} supports it")
    row = found[0]
    for name in ("value", "low", "high"):
        if row[name] is None or not math.isfinite(row[name]):
            raise _unsupported(ask, f"its {'value' if name == 'value' else '95 % interval'} is missing")
    if not row["low"] <= row["high"] or not row["n"]:
        raise _unsupported(ask, f"it rests on {row['n'] or 'no'} measurements from {row['low']} to {row['high']}")
    return row


def answer(
    asks: Sequence[Ask],
    tables: Mapping[str, pl.DataFrame],
    *,
    digests: Mapping[str, str],
    data_sha256: str,
    command: str,
) -> list[PosterNumber]:
    """Return the number of every ask.

    Args:
        asks: What is wanted.
        tables: Frames of ``METRICS`` by name.
        digests: SHA-256 of each table's file.
        data_sha256: SHA-256 of the sources' digests.
        command: What makes the number.

    Raises:
        SchemaError: If a number has no row, no value, no interval or nothing measured in the tables.
    """
    numbers = []
    for ask in asks:
        row = _row(ask, tables)
        said = ask.sentence.format(subject=row["subject"])
        rests = PosterNumber(
            name=ask.name, sentence=said, table=ask.table, query=ask.query, command=command, data_sha256=data_sha256,
            table_sha256=digests[ask.table], **row,
        )  # fmt: skip
        numbers.append(rests)
    return numbers


def as_table(numbers: Sequence[PosterNumber]) -> pl.DataFrame:
    """Return the numbers as a frame, a row each."""
    return pl.DataFrame([number.__dict__ for number in numbers])


def _figure(number: PosterNumber) -> str:
    unit = "" if number.unit == "1" else f" {number.unit}"
    return f"**{number.value:.3g}**{unit} [{number.low:.3g}, {number.high:.3g}]"


def as_text(numbers: Sequence[PosterNumber], *, provenance: Mapping[str, str]) -> str:
    """Return the numbers as a Markdown page that says of each what it rests on."""
    simulated = provenance.get("input") == "samples"
    lines = ["# Poster numbers", ""]
    if simulated:
        lines += ["Simulated homes: these figures show that the pipeline runs, and nothing of real loads.", ""]
    lines += ["In brackets are 95 % intervals, over homes crossed with weeks.", "", "| number | n |", "|---|---|"]
    lines += [f"| {number.sentence} {_figure(number)} | {number.n:,} |" for number in numbers]
    lines += ["", "| made from | |", "|---|---|"]
    lines += [f"| {name} | `{value}` |" for name, value in provenance.items()]
    lines += ["", "Each is one row of a table, by this query:", ""]
    lines += [f"* `{number.name}`: `{number.query}`" for number in numbers]
    return "\n".join(lines) + "\n"
