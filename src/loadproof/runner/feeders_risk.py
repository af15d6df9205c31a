"""From readings at rest to the ranked risk of every feeder and substation, and back to rest."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from loadproof import __version__
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, SourceError
from loadproof.features.calendar import Moment, to_instant
from loadproof.features.selection import as_datetime
from loadproof.feeders.aggregate import ScaleUp
from loadproof.feeders.assets import Assets, BadRow, limits_of, read_assets
from loadproof.feeders.loads import Loads, last_common_end, network_loads, power_factors, pseudo_loads, read_between
from loadproof.feeders.lookahead import Ahead, look_ahead
from loadproof.feeders.risk import Risk, risk_of_quantiles
from loadproof.forecaster import forecast_table
from loadproof.runner.blocks import data_facts
from loadproof.runner.forecasters import builder_of
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["RiskAsked", "RiskReport", "read_loads", "risk"]

SHOWN: Final = 50
"""Rows that the report carries; the tables at rest hold all."""


@dataclass(frozen=True)
class RiskAsked:
    """What is asked of a risk run, besides the config's knobs."""

    model: str
    horizon_steps: int
    at: Moment | None = None
    assets: Path | None = None
    usual: str | None = None
    scale: ScaleUp = "as_reported"
    added: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RiskReport:
    """What a risk run found, and what it could not say."""

    dataset: Dataset
    model: str
    t0_utc: dt.datetime
    feeders: int
    substations: int
    left_out: Sequence[str]
    bad_rows: Sequence[BadRow]
    notes: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    folder: Path


def risk(store: Store, dataset: Dataset, output_dir: Path, *, config: ExperimentConfig, asked: RiskAsked) -> RiskReport:
    """Forecast every feeder and substation from one instant, hold them against their limits, and write the ranking.

    Raises:
        ConfigError: If there is too little to say anything, and what is missing; or no one has a limit.
        SourceError: If the assets file cannot be read.
    """
    builder = builder_of(asked.model)
    knobs = config.forecast.model_copy(update={"horizon_steps": asked.horizon_steps})
    config = config.model_copy(update={"forecast": knobs})
    assets = _read_assets(asked.assets)
    t0 = _t0(store, dataset, asked.at)
    loads = read_loads(store, dataset, t0, config=config, scale=asked.scale)
    ahead = look_ahead(
        loads, to_instant(t0), builder(config), knobs=config.forecast, risk=config.risk,
        rng=rng_for(config.seed, f"feeders/{asked.model}"),
    )  # fmt: skip
    named = {name: loads.levels[name] for name in ahead.inputs.entity.tolist()}
    factors = power_factors(store.scan_readings(dataset)) if dataset == "ssen" else {}
    limits = limits_of(
        named, assets=assets, usual=asked.usual, power_factors=factors, cyclic_ratio=config.risk.cyclic_ratio,
        interval_mins=loads.panel.interval_mins,
    )  # fmt: skip
    found = risk_of_quantiles(ahead.forecast, ahead.inputs, limits, named, model=asked.model, tail=config.risk.tail)
    notes = [*_said_of(dataset, loads, asked, len(factors)), *ahead.notes]
    _write(store, dataset, output_dir, found, ahead, asked, config, t0, notes)
    counts = Counter(named.values())
    return RiskReport(
        dataset, asked.model, t0, counts["feeder"], counts["substation"], ahead.left_out, assets.bad if assets else (),
        notes, found.ranked.head(SHOWN).rows(named=True), output_dir,
    )  # fmt: skip


def read_loads(store: Store, dataset: Dataset, t0: dt.datetime, *, config: ExperimentConfig, scale: ScaleUp) -> Loads:
    """Return what feeders and substations used before ``t0``, as far back as a forecaster learns.

    Raises:
        ConfigError: If the dataset has no feeders and makes none, or too few homes.
    """
    if dataset == "ukdale":
        raise ConfigError(
            "ukdale is single houses of different years, of which no feeder can be made; take lcl or ssen"
        )
    knobs = config.risk
    back = dt.timedelta(days=knobs.learn_days, minutes=30 * config.forecast.context_steps)
    readings = read_between(store.scan_readings(dataset), t0 - back, t0)
    if dataset == "lcl":
        return pseudo_loads(
            readings, size=knobs.feeder_homes, min_reporting=knobs.min_reporting, t0=t0,
            rng=rng_for(config.seed, "feeders/pseudo"),
        )  # fmt: skip
    return network_loads(
        readings, store.read_network(), how=scale, min_reporting=knobs.min_metered,
        relative_sd=knobs.device_sd_share,
    )  # fmt: skip


def _t0(store: Store, dataset: Dataset, at: Moment | None) -> dt.datetime:
    if at is not None:
        return as_datetime(to_instant(at))
    end = last_common_end(store.scan_readings(dataset))
    if end is None:
        raise ConfigError(f"{store.root}: holds no reading of {dataset}; run 'loadproof ingest {dataset}' first")
    return end


def _read_assets(path: Path | None) -> Assets | None:
    if path is None:
        return None
    try:
        return read_assets(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read ({error}); give a CSV file in UTF-8") from error


def _said_of(dataset: Dataset, loads: Loads, asked: RiskAsked, measured: int) -> list[str]:
    """Return in sentences what the figures rest on."""
    said = []
    if dataset == "lcl":
        said.append("the feeders are random groups of real homes, and the ratings those of no real feeder")
    if dataset == "ssen" and loads.scaled_by == "as_reported":
        shares = sorted(loads.reported_share.values())
        share = f"in the middle feeder {shares[len(shares) // 2]:.0%} of the MPANs" if shares else "an unknown share"
        said.append(f"loads are those of the smart meters that reported, {share}, so that risk is understated")
    if dataset == "ssen":
        said.append(f"the power factor of {measured} feeder(s) is measured, of the others it is 0.95")
    if asked.usual is not None:
        said.append(f"ratings that no assets file gives are those usual of {asked.usual}, by practice")
    return said


def _write(
    store: Store, dataset: Dataset, folder: Path, found: Risk, ahead: Ahead, asked: RiskAsked,
    config: ExperimentConfig, t0: dt.datetime, notes: Sequence[str],
) -> None:  # fmt: skip
    facts = {
        "dataset": dataset, "model": asked.model, "t0_utc": t0.isoformat(), "horizon_steps": asked.horizon_steps,
        "risk": config.risk.model_dump(mode="json"), "usual": asked.usual, "scale": asked.scale,
        "assets": None if asked.assets is None else asked.assets.name, "added": dict(asked.added),
        "seed": config.seed, "loadproof_version": __version__, "notes": list(notes), **data_facts(store, dataset),
    }  # fmt: skip
    store.write_risk(
        folder, found.ranked, found.steps, forecast_table(asked.model, ahead.forecast, ahead.inputs), facts
    )
