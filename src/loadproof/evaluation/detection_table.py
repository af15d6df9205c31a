"""All tables of the board of detectors, from its records."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from loadproof.errors import SchemaError
from loadproof.evaluation.detection_board import ALL, detection_rows, rate_rows
from loadproof.evaluation.detection_events import EVENT_FIGURES, EVENT_SUMS, event_figures
from loadproof.evaluation.vus import RANKINGS
from loadproof.seeds import rng_for

__all__ = [
    "CHANGES_TABLE",
    "CLEAN_TABLE",
    "ENSEMBLE",
    "FAULTS_TABLE",
    "LEAD_TABLE",
    "Table",
    "detection_tables",
    "one_board",
]

FAULTS_TABLE: Final = "faults"
CHANGES_TABLE: Final = "changes"
CLEAN_TABLE: Final = "clean"
LEAD_TABLE: Final = "lead"

ENSEMBLE: Final = "ensemble"

Row = dict[str, Any]


class Table(NamedTuple):
    """A record: whose homes were learned from (or ``lead``), of which event (or ``clean``, or building)."""

    part: str
    kind: str
    frame: pl.DataFrame


def _of_kinds(tables: Sequence[Table], table: str, *, subjects: Sequence[str], draws: int, seed: int) -> Iterator[Row]:
    """Yield the rows of all kinds together, of each kind, and of each kind and strength."""
    if not tables:
        return
    frame = pl.concat([one.frame.with_columns(kind=pl.lit(one.kind)) for one in tables])
    cuts: list[tuple[str, float | None, pl.DataFrame]] = [(ALL, None, frame)]
    for (kind,), part in frame.group_by("kind", maintain_order=True):
        cuts.append((str(kind), None, part))
        cuts += [(str(kind), float(s), some) for (s,), some in part.group_by("strength", maintain_order=True)]
    for kind, strength, part in cuts:
        rng = rng_for(seed, f"anomaly_board/draws/{table}")
        found = detection_rows(part, kind=kind, strength=strength, subjects=subjects, draws=draws, rng=rng)
        yield from ({"table": table, **row} for row in found)


def _of_lead(table: Table) -> Iterator[Row]:
    """Yield one building's figures; there is no interval of one."""
    for row in table.frame.iter_rows(named=True):
        sums = np.array([row[name] for name in EVENT_SUMS], dtype=np.float64)
        figures = {name: row[name] for name in RANKINGS}
        figures |= dict(zip(EVENT_FIGURES, event_figures(sums).tolist(), strict=True))
        about = {"table": LEAD_TABLE, "kind": table.kind, "strength": None, "detector": row["detector"]}
        for metric, value in figures.items():
            yield {**about, "metric": metric, "value": value, "low": np.nan, "high": np.nan, "n": 1}


def one_board(tables: Sequence[Table], beside: Sequence[Table]) -> list[Table]:
    """Return the tables with the rows of detectors that were put on trial apart, on the same homes and events.

    That they are the same shows in the detectors that took part in both: each of their figures must be equal. Ensembles
    are not compared, nor taken from beside: they are of other members.

    Raises:
        SchemaError: When a detector of both did otherwise in the other, or none is in both.
    """
    others = {(one.part, one.kind): one.frame for one in beside}
    return [
        one._replace(frame=_beside(one, others[one.part, one.kind])) if (one.part, one.kind) in others else one
        for one in tables
    ]


def _beside(table: Table, other: pl.DataFrame) -> pl.DataFrame:
    here, there = (set(frame["detector"].to_list()) - {ENSEMBLE} for frame in (table.frame, other))
    of_both = [frame.filter(pl.col("detector").is_in(here & there)) for frame in (table.frame, other)]
    same = [frame.select(table.frame.columns).sort(table.frame.columns) for frame in of_both]
    if not here & there or not same[0].equals(same[1]):
        raise SchemaError(
            f"{table.part}, {table.kind}: the trials beside each other are not of the same homes and events; make the "
            "records of both again with one version"
        )
    new = other.filter(pl.col("detector").is_in(there - here)).select(table.frame.columns)
    return pl.concat([table.frame, new])


def detection_tables(
    tables: Sequence[Table], *, faults: Sequence[str], draws: int, seed: int, subjects: Sequence[str] = (ENSEMBLE,)
) -> list[Row]:
    """Return the rows of all tables: ``table``, then those of ``DETECTION_ROW``.

    Args:
        tables: The records.
        faults: Kinds that are faults; other events are changes.
        draws: Resamples of homes.
        seed: Of their chance.
        subjects: Detectors whose lead over each other one is told.
    """
    events = [one for one in tables if one.part != LEAD_TABLE and one.kind != CLEAN_TABLE]
    rows = list(
        _of_kinds([x for x in events if x.kind in faults], FAULTS_TABLE, subjects=subjects, draws=draws, seed=seed)
    )
    rows += _of_kinds(
        [x for x in events if x.kind not in faults], CHANGES_TABLE, subjects=subjects, draws=draws, seed=seed
    )
    if clean := [one.frame for one in tables if one.kind == CLEAN_TABLE]:
        rng = rng_for(seed, f"anomaly_board/draws/{CLEAN_TABLE}")
        rows += [{"table": CLEAN_TABLE, **row} for row in rate_rows(pl.concat(clean), draws=draws, rng=rng)]
    for one in tables:
        if one.part == LEAD_TABLE:
            rows += _of_lead(one)
    return rows
