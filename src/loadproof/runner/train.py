"""From readings to a model folder: fit on one block, calibrate on the next, and keep what must agree later."""

import hashlib
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from filelock import FileLock, Timeout

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, SchemaError
from loadproof.evaluation.calibration import Calibration, calibrate
from loadproof.features.splits import Split
from loadproof.features.table import FeaturesOf
from loadproof.forecaster import FitReport, Forecaster
from loadproof.model_folder import ModelFacts, StoredModel, read_facts, read_model, write_model
from loadproof.ranks import ALONE, Ranks
from loadproof.runner.blocks import Surroundings, cut_blocks, data_facts, read_all, read_surroundings
from loadproof.runner.forecasters import AT_ONCE, builder_of
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store
from loadproof.tracker import NO_TRACKER, Run, Tracker

__all__ = ["Fitted", "TrainReport", "facts_of", "fit_or_read", "restored", "train"]

logger = logging.getLogger(__name__)

CONTINUES: Final = frozenset({"patchtst"})
"""Models whose fit goes on from the weights that it finds."""

How = Literal["trained", "continued", "kept"]
"""From nothing; from the weights of the model that stood there; or not at all, for it stood there already."""


@dataclass(frozen=True)
class TrainReport:
    """What a training left behind, and how it came about."""

    model: str
    folder: Path
    how: How
    facts: ModelFacts
    fit: FitReport | None


class Fitted(NamedTuple):
    """A forecaster that can be asked, what holds its bands to their levels, and the report on its training."""

    forecaster: Forecaster
    calibration: Calibration
    report: TrainReport


def _settings(model: str, config: ExperimentConfig) -> dict[str, object]:
    """Return the sections that decide what a model becomes, as JSON has them; its own is of its name."""
    own = {"selfplay", "patchtst"} if model == "selfplay" else {model}  # the game is the network's
    values: dict[str, object] = config.model_dump(mode="json", include={"forecast", "features", "calibration"} | own)
    return values


def facts_of(
    store: Store, dataset: Dataset, model: str, split: Split, config: ExperimentConfig, surroundings: Surroundings
) -> ModelFacts:
    """Return the facts of the model that a training on these blocks makes."""
    inputs, knobs = split.train.inputs, config.forecast
    return ModelFacts(
        model=model,
        dataset=dataset,
        interval_mins=inputs.interval_mins,
        known_names=inputs.known_names,
        context_steps=knobs.context_steps,
        horizon_steps=knobs.horizon_steps,
        data_lag_steps=knobs.data_lag_steps,
        seed=config.seed,
        trained_until=knobs.test_from.isoformat(),
        settings=_settings(model, config),
        **data_facts(store, dataset, with_weather=surroundings.weather is not None),
    )


def _may_continue(old: ModelFacts, new: ModelFacts) -> bool:
    """Whether a training may start from an old model's weights.

    They must be of the same kind, and blind to what comes: no weight learned from the new validation block, on which
    bands are calibrated, and nothing at all was chosen on the new test block.
    """
    free = {"data_sha256", "trained_until", "settings"}
    same = old.model_dump(exclude=free) == new.model_dump(exclude=free)
    own = [{key: value for key, value in facts.settings.items() if key != "forecast"} for facts in (old, new)]
    learned_until = [str(facts.settings.get("forecast", {}).get("valid_from", "")) for facts in (old, new)]
    blind = old.trained_until <= new.trained_until and "" < learned_until[0] <= learned_until[1]
    return same and own[0] == own[1] and blind


def _standing(folder: Path) -> StoredModel | None:
    """Return the model that stands there, None where none does that is whole and of this version."""
    try:
        return None if read_facts(folder) is None else read_model(folder)
    except SchemaError as error:
        logger.info("%s; training from nothing", error)
        return None


def fit_or_read(
    store: Store, dataset: Dataset, model: str, models_root: Path, *, split: Split, surroundings: Surroundings,
    config: ExperimentConfig, device: str = "cpu", anew: bool = False, tracker: Tracker = NO_TRACKER,
    ranks: Ranks = ALONE, features: FeaturesOf | None = None,
) -> Fitted:  # fmt: skip
    """Return the model of these blocks: read from its folder where it is of the same facts, else trained and kept.

    ``features`` tells those of training windows, where a table of them stands; the model is the same without.
    Of several ranks, the one that leads calls this, and the others :func:`_follow`.
    """
    if config.calibration.kind != "none" and not len(split.valid):
        raise ConfigError(
            f"no window lies between valid_from and test_from ({config.forecast.valid_from}, "
            f"{config.forecast.test_from}), and bands are calibrated there: set the blocks inside the data, or "
            "calibration.kind to none"
        )
    folder = models_root / model
    facts = facts_of(store, dataset, model, split, config, surroundings)
    models_root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(models_root / f".{model}.lock").acquire(timeout=0):
            old = None if anew else _standing(folder)
            _agree(ranks, folder, facts, old)
            if old is not None and old.facts == facts:
                logger.info("%s: is of the same data and knobs already, and kept", folder)
                return Fitted(*restored(old, folder, config, device), TrainReport(model, folder, "kept", facts, None))
            params = {"seed": config.seed, **facts.settings}
            tags = {"dataset": dataset, "data_sha256": facts.data_sha256, "seed": str(config.seed)}
            with tracker.run(f"train {model}", params=params, tags=tags) as run:
                fitted = _fit(store, folder, facts, split, config, device, old, ranks, features)
                _record(run, fitted.report)
            return fitted
    except Timeout as error:
        raise ConfigError(f"{folder}: another process trains it now; wait for it to end") from error


def _record(run: Run, done: TrainReport) -> None:
    """Record how a training went, and the model that it left."""
    if done.fit is not None:
        run.metrics({"train_windows": done.fit.train_windows, "valid_windows": done.fit.valid_windows})
        run.curve(done.fit.records)
    run.tags({"how": done.how})
    run.artifact(done.folder)
    run.artifact(done.folder.with_name(f"{done.folder.name}.fit.json"))


def restored(
    stored: StoredModel, folder: Path, config: ExperimentConfig, device: str
) -> tuple[Forecaster, Calibration]:
    """Return the forecaster and the calibration that a folder holds.

    Raises:
        SchemaError: If what it holds is not what such a model knows, or it has no calibration.
    """
    forecaster = builder_of(stored.facts.model)(config, device)
    if stored.calibration is None:
        raise SchemaError(f"{folder}: has no calibration; train the model again with 'loadproof train --anew'")
    try:
        forecaster.restore(stored.state)
        return forecaster, Calibration.from_state(stored.calibration)
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise SchemaError(
            f"{folder}: is no state of {forecaster.name} ({type(error).__name__}: {str(error)[:200]}); train the model "
            "again with 'loadproof train --anew'"
        ) from error


class _Learned(NamedTuple):
    forecaster: Forecaster
    report: FitReport
    how: How


def _learn(
    folder: Path, facts: ModelFacts, split: Split, config: ExperimentConfig, device: str, old: StoredModel | None,
    ranks: Ranks, features: FeaturesOf | None = None,
) -> _Learned:  # fmt: skip
    """Train, from the old model's weights where that is possible."""
    model = facts.model
    start = old if model in CONTINUES and old is not None and _may_continue(old.facts, facts) else None
    checkpoint_dir = _checkpoint_dir(folder, facts, start)
    if ranks.leads:
        _remove_others(checkpoint_dir)
    forecaster = builder_of(model)(config, device, checkpoint_dir)
    if start is not None:
        logger.info("%s: training starts from its weights; --anew would start from nothing", folder)
        forecaster.restore(start.state)
    if features is not None:
        forecaster.learn_from(features)
    rng = rng_for(config.seed, f"forecast/{model}")
    report = forecaster.fit_together(split.train, split.valid, rng=rng, ranks=ranks)
    return _Learned(forecaster, report, "trained" if start is None else "continued")


def _fit(
    store: Store, folder: Path, facts: ModelFacts, split: Split, config: ExperimentConfig, device: str,
    old: StoredModel | None, ranks: Ranks, features: FeaturesOf | None,
) -> Fitted:  # fmt: skip
    """Train, calibrate, and keep the outcome."""
    forecaster, report, how = _learn(folder, facts, split, config, device, old, ranks, features)
    block = split.valid
    calibration = calibrate(forecaster.predict(block.inputs), block.inputs, block.truth_kwh, knobs=config.calibration)
    seen = {"how": how, "train_windows": report.train_windows, "valid_windows": report.valid_windows}
    store.write_fit(folder, facts.model_dump(mode="json") | seen | {"curve": report.records}, report.pictures)
    write_model(folder, StoredModel(facts, forecaster.state(), calibration.state()))
    shutil.rmtree(_checkpoints_of(folder), ignore_errors=True)
    return Fitted(forecaster, calibration, TrainReport(facts.model, folder, how, facts, report))


def _follow(
    folder: Path, facts: ModelFacts, split: Split, config: ExperimentConfig, device: str, anew: bool, ranks: Ranks
) -> TrainReport:
    """Train beside the rank that leads, which alone keeps anything."""
    old = None if anew else _standing(folder)
    _agree(ranks, folder, facts, old)
    if old is not None and old.facts == facts:
        return TrainReport(facts.model, folder, "kept", facts, None)
    learned = _learn(folder, facts, split, config, device, old, ranks)
    return TrainReport(facts.model, folder, learned.how, facts, learned.report)


def _agree(ranks: Ranks, folder: Path, facts: ModelFacts, old: StoredModel | None) -> None:
    """Make sure that all ranks train the same from the same."""
    ranks.agree(f"{folder}, or its data and knobs", facts.model_dump_json() + _said(old))


def _said(old: StoredModel | None) -> str:
    return old.facts.model_dump_json() if old else ""


def _checkpoints_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.checkpoints")


def _checkpoint_dir(folder: Path, facts: ModelFacts, start: StoredModel | None) -> Path:
    """Return where this very training leaves its checkpoints."""
    said = facts.model_dump_json() + _said(start)
    return _checkpoints_of(folder) / hashlib.sha256(said.encode()).hexdigest()[:16]


def _remove_others(checkpoint_dir: Path) -> None:
    """Remove the checkpoints of any other training of the model."""
    for other in checkpoint_dir.parent.glob("*"):
        if other != checkpoint_dir:
            shutil.rmtree(other, ignore_errors=True)


def train(
    store: Store, dataset: Dataset, model: str, models_root: Path, *, config: ExperimentConfig, device: str = "cpu",
    anew: bool = False, tracker: Tracker = NO_TRACKER, ranks: Ranks = ALONE,
) -> TrainReport:  # fmt: skip
    """Train a model on the blocks before ``test_from`` and keep it as ``models_root/<model>``.

    A training that was killed goes on from its checkpoint. A model that is of the same data and knobs already is kept
    as it is; one of other data is where the training starts, where it can and has not seen the test block.

    Args:
        store: Where the readings are, and the weather if the config wants it.
        dataset: Whose readings.
        model: One of ``FORECASTERS``.
        models_root: Where model folders lie.
        config: All knobs.
        device: ``cpu`` or ``cuda``.
        anew: Start from nothing, whatever is there.
        tracker: What records the training; a model that is kept is none.
        ranks: Who share the training; they share ``models_root`` too, and the one that leads writes there.

    Raises:
        ConfigError: If there is no such model, it learns nothing, the blocks are outside the data, the validation block
            has nothing to calibrate upon, or another process trains it now.
        RanksError: If the ranks do not train the same from the same.
    """
    builder_of(model)(config, device)  # a device that is not there is refused before anything is read
    if model in AT_ONCE:
        raise ConfigError(f"{model} learns nothing that is worth keeping; ask 'loadproof forecast' for it at once")
    surroundings = read_surroundings(store, config.features, seed=config.seed)
    split = cut_blocks(read_all(store, dataset), config.forecast, surroundings, to_judge=False).split
    if ranks.leads:
        report = fit_or_read(
            store, dataset, model, models_root, split=split, surroundings=surroundings, config=config, device=device,
            anew=anew, tracker=tracker, ranks=ranks,
        ).report  # fmt: skip
    else:
        facts = facts_of(store, dataset, model, split, config, surroundings)
        report = _follow(models_root / model, facts, split, config, device, anew, ranks)
    ranks.wait()
    return report
