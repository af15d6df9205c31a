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
from loadproof.feeders.devices import DEVICES, Device, add_devices
from loadproof.feeders.loads import (
    Loads,
    last_common_end,
    network_loads,
    power_factors,
    pseudo_loads,
    read_between,
    recent_loads,
    tree_at_risk,
)
from loadproof.feeders.lookahead import Ahead, enough_to_learn, look_ahead, past_windows
from loadproof.feeders.risk import Risk, risk_of_quantiles
from loadproof.forecaster import forecast_table
from loadproof.runner.blocks import data_facts
from loadproof.runner.forecasters import AT_ONCE, builder_of
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["RiskAsked", "RiskReport", "end_of", "read_asset_file", "read_loads", "risk"]

DEFAULT_MODELS: Final = ("ridge", "persistence_ensemble")
"""As good as any but for rare limits, and quick (docs/results/feeder_risk.md); and what needs no past to learn from."""

DEVICE_WORDS: Final[dict[Device, str]] = {"ev": "an electric car", "heat_pump": "a heat pump"}

SHOWN: Final = 50
"""Rows that the report carries; the tables at rest hold all."""


@dataclass(frozen=True)
class RiskAsked:
    """What is asked of a risk run, besides the config's knobs; ``DEFAULT_MODELS`` stand in for no model.

    ``added`` is a what-if: which share of homes had such a device all along.
    """

    model: str | None
    horizon_steps: int
    at: Moment | None = None
    assets: Path | None = None
    usual: str | None = None
    scale: ScaleUp = "as_reported"
    added: Mapping[Device, float] = field(default_factory=dict)


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
    if asked.model is not None:
        builder_of(asked.model)  # a wrong name is refused before anything is read
    knobs = config.forecast.model_copy(update={"horizon_steps": asked.horizon_steps})
    config = config.model_copy(update={"forecast": knobs})
    assets = read_asset_file(asked.assets)
    t0 = end_of(store, dataset, asked.at)
    loads = read_loads(store, dataset, t0, config=config, scale=asked.scale)
    if asked.added:
        loads = add_devices(loads, asked.added, rng=rng_for(config.seed, "feeders/devices"))
    model, ahead = _look_ahead(loads, t0, asked.model, config)
    named = {name: loads.levels[name] for name in ahead.inputs.entity.tolist()}
    factors = power_factors(store.scan_readings(dataset), loads.members) if dataset == "ssen" else {}
    limits = limits_of(
        named, assets=assets, usual=asked.usual, power_factors=factors, cyclic_ratio=config.risk.cyclic_ratio,
        interval_mins=loads.panel.interval_mins,
    )  # fmt: skip
    found = risk_of_quantiles(
        ahead.forecast, ahead.inputs, limits, named, model=model, tail=config.risk.tail, ranks=ahead.ranks
    )
    notes = [*_said_of(dataset, loads, asked, len(factors.keys() & named.keys())), *ahead.notes]
    if asked.model is None and model not in DEFAULT_MODELS[:1]:
        notes.append(f"{model} forecast, for {DEFAULT_MODELS[0]} has too few past windows to learn from")
    _write(store, dataset, output_dir, loads, found, ahead, model, asked, config, t0, notes)
    counts = Counter(named.values())
    return RiskReport(
        dataset, model, t0, counts["feeder"], counts["substation"], ahead.left_out, assets.bad if assets else (),
        notes, found.ranked.head(SHOWN).rows(named=True), output_dir,
    )  # fmt: skip


def _look_ahead(loads: Loads, t0: dt.datetime, model: str | None, config: ExperimentConfig) -> tuple[str, Ahead]:
    instant = to_instant(t0)
    past = past_windows(
        loads, instant, knobs=config.forecast, risk=config.risk, rng=rng_for(config.seed, "feeders/past")
    )
    name = model or DEFAULT_MODELS[0 if enough_to_learn(past) else 1]
    ahead = look_ahead(
        loads, instant, builder_of(name)(config), past, knobs=config.forecast, learns=name not in AT_ONCE,
        rng=rng_for(config.seed, f"feeders/{name}"),
    )  # fmt: skip
    return name, ahead


def read_loads(
    store: Store, dataset: Dataset, t0: dt.datetime, *, config: ExperimentConfig, scale: ScaleUp,
    days: int | None = None,
) -> Loads:  # fmt: skip
    """Return what feeders and substations used in so many days before ``t0``; by default what a forecaster learns from.

    Raises:
        ConfigError: If the dataset has no feeders and makes none, or too few homes.
    """
    if dataset == "ukdale":
        raise ConfigError(
            "ukdale is single houses of different years, of which no feeder can be made; take lcl or ssen"
        )
    knobs = config.risk
    learnt = dt.timedelta(days=knobs.learn_days, minutes=30 * config.forecast.context_steps)
    back = learnt if days is None else dt.timedelta(days=days)
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


def end_of(store: Store, dataset: Dataset, at: Moment | None) -> dt.datetime:
    """Return the instant that was named, else the end of what most have reported.

    Raises:
        ConfigError: If there is no reading.
    """
    if at is not None:
        return as_datetime(to_instant(at))
    end = last_common_end(store.scan_readings(dataset))
    if end is None:
        raise ConfigError(f"{store.root}: holds no reading of {dataset}; run 'loadproof ingest {dataset}' first")
    return end


def read_asset_file(path: Path | None) -> Assets | None:
    """Return the ratings of an assets file, None of none.

    Raises:
        ConfigError: If nothing in it is sound.
        SourceError: If it cannot be read.
    """
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
        said.append("the feeders are random groups of homes, and the ratings those of no real feeder")
    if dataset == "ssen" and loads.scaled_by == "as_reported":
        shares = sorted(loads.reported_share.values())
        part = f"in the middle feeder {shares[len(shares) // 2]:.0%} of the MPANs" if shares else "an unknown share"
        said.append(f"loads are those of the smart meters that reported, {part}, so that risk is understated")
    if dataset == "ssen":
        said.append(f"the power factor of {measured} feeder(s) and substation(s) is measured, of the others it is 0.95")
    for device, share in sorted(asked.added.items()):
        said.append(
            f"a what-if: {share:.0%} of the homes have had {DEVICE_WORDS[device]} all along, drawn and shaped by the "
            f"scenario {DEVICES[device]}"
        )
    if asked.usual is not None:
        said.append(f"ratings that no assets file gives are those usual of {asked.usual}, by practice")
    return said


def _write(
    store: Store, dataset: Dataset, folder: Path, loads: Loads, found: Risk, ahead: Ahead, model: str,
    asked: RiskAsked, config: ExperimentConfig, t0: dt.datetime, notes: Sequence[str],
) -> None:  # fmt: skip
    facts = {
        "dataset": dataset, "model": model, "t0_utc": t0.isoformat(), "horizon_steps": asked.horizon_steps,
        "risk": config.risk.model_dump(mode="json"), "usual": asked.usual, "scale": asked.scale,
        "assets": None if asked.assets is None else asked.assets.name, "added": dict(asked.added),
        "seed": config.seed, "loadproof_version": __version__, "notes": list(notes),
        "tree": tree_at_risk(loads, found.ranked["entity_id"].head(SHOWN).to_list()), **data_facts(store, dataset),
    }  # fmt: skip
    table = forecast_table(model, ahead.forecast, ahead.inputs)
    recent = recent_loads(loads, found.ranked["entity_id"].head(SHOWN).to_list(), t0)
    store.write_risk(folder, found.ranked, found.steps, table, recent, facts)
