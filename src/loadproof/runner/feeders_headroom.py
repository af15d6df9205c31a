"""From a year of readings to the winter peaks of feeders, and what still fits below their limits."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadproof import __version__
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.features.calendar import Moment
from loadproof.feeders.aggregate import ScaleUp
from loadproof.feeders.assets import BadRow, limits_of
from loadproof.feeders.headroom import DRAWINGS, headroom
from loadproof.feeders.loads import power_factors
from loadproof.runner.blocks import data_facts
from loadproof.runner.feeders_risk import end_of, read_asset_file, read_loads
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["HeadroomAsked", "HeadroomReport", "measure_headroom"]

YEAR_DAYS: Final = 365
MOST_ENTITIES: Final = 2000
"""Limits at most in one run: each takes a tenth of a second or more."""

ASSUMED: Final = (
    "a home has one car and one heat pump at most; cars are drawn and shaped by the scenario EV_SPIKE, and not managed",
    "a heat pump draws the measured after-diversity 1.7 kW at its morning peak (Love et al. 2017), every winter day",
    "how one winter differs from the next is not in the figures, and a mean over a half hour hides what is above it",
)
"""What headroom rests on, in sentences."""


@dataclass(frozen=True)
class HeadroomAsked:
    """What is asked of a headroom run, besides the config's knobs; ``accept`` are chances per winter."""

    at: Moment | None = None
    assets: Path | None = None
    usual: str | None = None
    scale: ScaleUp = "as_reported"
    entities: tuple[str, ...] = ()
    accept: tuple[float, ...] = (0.05, 0.5)


@dataclass(frozen=True)
class HeadroomReport:
    """What fits, who was left out and why, and what it rests on."""

    dataset: Dataset
    until_utc: dt.datetime
    rows: Sequence[Mapping[str, Any]]
    left_out: Mapping[str, str]
    bad_rows: Sequence[BadRow]
    notes: Sequence[str]
    folder: Path


def measure_headroom(
    store: Store, dataset: Dataset, output_dir: Path, *, config: ExperimentConfig, asked: HeadroomAsked
) -> HeadroomReport:
    """Tell each limit's winter peak in the year before an instant, and how many cars and heat pumps fit.

    Raises:
        ConfigError: If no entity has a limit and a winter of readings: what is missing is said.
        SourceError: If the assets file cannot be read.
    """
    assets, until = read_asset_file(asked.assets), end_of(store, dataset, asked.at)
    loads = read_loads(store, dataset, until, config=config, scale=asked.scale, days=YEAR_DAYS)
    chosen = {name: level for name, level in loads.levels.items() if not asked.entities or name in asked.entities}
    if strange := sorted(set(asked.entities) - set(chosen)):
        raise ConfigError(f"{strange[0]}: has no readings; there are {len(loads.levels)}, such as {min(loads.levels)}")
    factors = power_factors(store.scan_readings(dataset), loads.members) if dataset == "ssen" else {}
    limits = limits_of(
        chosen, assets=assets, usual=asked.usual, power_factors=factors, cyclic_ratio=config.risk.cyclic_ratio,
        interval_mins=loads.panel.interval_mins,
    )  # fmt: skip
    if not 0 < limits.height <= MOST_ENTITIES:
        raise ConfigError(
            f"{limits.height} limits to look at, and it wants 1 to {MOST_ENTITIES}; name some by --entity"
        )
    table, left_out = headroom(
        loads,
        limits,
        accepts=asked.accept,
        draws=config.risk.winter_draws,
        rng=rng_for(config.seed, "feeders/headroom"),
    )
    if table.is_empty():
        first, why = next(iter(sorted(left_out.items())))
        raise ConfigError(
            f"nothing can be concluded: of {len(left_out)} feeder(s) and substation(s) none has a winter of readings "
            f"and a known number of homes ({first}: {why}); ingest November to February, with the lookup"
        )
    notes = [*ASSUMED, f"chances are means over {DRAWINGS} drawings of whose cars they are"]
    if loads.scaled_by == "as_reported":
        notes.append("loads are those of the smart meters that reported, so that more seems to fit than does")
    facts = {
        "dataset": dataset, "until_utc": until.isoformat(), "risk": config.risk.model_dump(mode="json"),
        "usual": asked.usual, "scale": asked.scale, "accept": list(asked.accept), "seed": config.seed,
        "loadproof_version": __version__, "notes": notes, **data_facts(store, dataset),
    }  # fmt: skip
    store.write_table(output_dir, "headroom", table, facts)
    return HeadroomReport(
        dataset, until, table.rows(named=True), left_out, assets.bad if assets else (), notes, output_dir
    )
