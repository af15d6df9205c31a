"""Feeders: homes to pseudo-feeders, and those held against real ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from loadproof import __version__
from loadproof.feeders.compare import Comparison, compare
from loadproof.feeders.compare_page import comparison_facts, comparison_page
from loadproof.feeders.sides import Source, group_homes, read_side, shapes_of_side
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["ComparisonReport", "compare_feeders"]


@dataclass(frozen=True)
class ComparisonReport:
    """What was compared, what was found, and where page and figures lie."""

    found: Comparison
    facts: dict[str, Any]
    page: Path
    figures: Path


def _scan(store: Store, side: str) -> Source:
    """Return the rows of a dataset in the store, or of a table by its path."""
    for dataset in get_args(Dataset):
        if side == dataset:
            return read_side(store.scan_readings(dataset))
    return read_side(store.scan_table(Path(side)))


def compare_feeders(
    store: Store, pseudo: str, real: str, output_dir: Path, *, size: int | None = None, seed: int
) -> ComparisonReport:
    """Hold pseudo-feeders against real ones; write a page and its figures.

    Args:
        store: Where datasets lie.
        pseudo: A dataset of the store or a table of readings or feeders; homes are grouped.
        real: The same.
        output_dir: Where ``feeders.html`` and ``feeders.json`` go.
        size: Homes per pseudo-feeder; None takes the sizes of the other side's feeders.
        seed: The seed of groups and resamples.

    Raises:
        ConfigError: If homes fill no group.
        SchemaError: If a side is no table of readings or feeders.
    """
    one, two = _scan(store, pseudo), _scan(store, real)
    grouped = group_homes(one, [size] if size else two.sizes, rng=rng_for(seed, "feeders/pseudo"))
    other = group_homes(two, [size] if size else one.sizes, rng=rng_for(seed, "feeders/real"))
    sides = shapes_of_side(grouped), shapes_of_side(other)
    found = compare(*sides, homes_kwh=one.homes_kwh, rng=rng_for(seed, "feeders/compare"))
    about = {"pseudo": pseudo, "real": real, "loadproof": __version__, "seed": str(seed)}
    facts = comparison_facts(found, about)
    page, figures = output_dir / "feeders.html", output_dir / "feeders.json"
    store.write_text(page, comparison_page(found, about))
    store.write_json(figures, facts)
    return ComparisonReport(found, facts, page, figures)
