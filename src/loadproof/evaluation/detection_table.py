"""All tables of the board of detectors, from its records."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from loadproof.evaluation.detection_board import ALL, detection_rows, rate_rows
from loadproof.evaluation.detection_events import EVENT_FIGURES, EVENT_SUMS, event_figures
from loadproof.evaluation.vus import RANKINGS
from loadproof.seeds import rng_for

__all__ = ["CHANGES_TABLE", "CLEAN_TABLE", "FAULTS_TABLE", "LEAD_TABLE", "Table", "detection_tables"]

FAULTS_TABLE: Final = "faults"
CHANGES_TABLE: Final = "changes"
CLEAN_TABLE: Final = "clean"
LEAD_TABLE: Final = "lead"

_SUBJECT: Final = "ensemble"

Row = dict[str, Any]


class Table(NamedTuple):
    """A record: whose homes were learned from (or ``lead``), of which event (or ``clean``, or building)."""

    part: str
    kind: str
    frame: pl.DataFrame


def _of_kinds(tables: Sequence[Table], table: str, *, draws: int, seed: int) -> Iterator[Row]:
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
        found = detection_rows(part, kind=kind, strength=strength, subject=_SUBJECT, draws=draws, rng=rng)
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


def detection_tables(tables: Sequence[Table], *, faults: Sequence[str], draws: int, seed: int) -> list[Row]:
    """Return the rows of all tables: ``table``, then those of ``DETECTION_ROW``.

    Args:
        tables: The records.
        faults: Kinds that are faults; other events are changes.
        draws: Resamples of homes.
        seed: Of their chance.
    """
    events = [one for one in tables if one.part != LEAD_TABLE and one.kind != CLEAN_TABLE]
    rows = list(_of_kinds([x for x in events if x.kind in faults], FAULTS_TABLE, draws=draws, seed=seed))
    rows += _of_kinds([x for x in events if x.kind not in faults], CHANGES_TABLE, draws=draws, seed=seed)
    if clean := [one.frame for one in tables if one.kind == CLEAN_TABLE]:
        rng = rng_for(seed, f"anomaly_board/draws/{CLEAN_TABLE}")
        rows += [{"table": CLEAN_TABLE, **row} for row in rate_rows(pl.concat(clean), draws=draws, rng=rng)]
    for one in tables:
        if one.part == LEAD_TABLE:
            rows += _of_lead(one)
    return rows
