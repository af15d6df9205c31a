"""From scores at rest to alerts: each day by the threshold that stands beside them. Nothing here meets a detector."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from loadproof.anomaly.scores_at_rest import judged_of_scores
from loadproof.anomaly.sweep import Sweep
from loadproof.anomaly.watch import Judged, Told, count_kinds, tell
from loadproof.config import ExperimentConfig
from loadproof.errors import SchemaError
from loadproof.runner.blocks import data_facts, read_all
from loadproof.runner.track import Track
from loadproof.schema import Dataset
from loadproof.seeds import rng_for
from loadproof.store import Store

__all__ = ["CutAlerts", "cut_alerts", "cut_runs"]


class CutAlerts(NamedTuple):
    """The alerts of one detector, how many of each kind, and what stands beside them."""

    told: Told
    kinds: dict[str, int]
    facts: dict[str, Any]


def cut_alerts(days: Sweep, judged: Judged, facts: Mapping[str, Any], *, draws: int, seed: int) -> CutAlerts:
    """Return the alerts of days that were judged.

    Args:
        days: The days.
        judged: What was made of them.
        facts: What stands beside the scores.
        draws: Resamples for the rate's interval.
        seed: Of those.
    """
    rate = judged.rate(draws=draws, rng=rng_for(seed, "anomaly/rate"))
    told = Told(tell(days, judged, detector=facts["detector"]), rate)
    kinds = count_kinds(told.alerts)
    return CutAlerts(told, kinds, {**facts, "rate": rate.as_json(), "kinds": kinds})


def _require_same(path: Path, facts: Mapping[str, Any], wanted: Mapping[str, Any], digests: Sequence[str]) -> None:
    unlike = [name for name, value in wanted.items() if facts.get(name) != value]
    if facts.get("data_sha256") not in digests:
        unlike.append("data_sha256")
    if unlike:
        raise SchemaError(
            f"{path}: its scores are of another {unlike[0]} than is asked for; run the training stages again"
        )


def cut_runs(
    store: Store, dataset: Dataset, runs: Sequence[Path], output_dir: Path, config: ExperimentConfig,
    track: Track,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Cut the alerts of every table of scores in some runs, write them, and return what stands beside each.

    Args:
        store: Where the readings are.
        dataset: Whose.
        runs: Folders with ``scores/``.
        output_dir: ``alerts/`` goes below it.
        config: Which days, and how sure the rates shall be.
        track: What shows progress.

    Raises:
        SchemaError: If scores are of other readings, days or seed.
    """
    first, until = config.forecast.test_from, config.forecast.test_until
    wanted = {"dataset": dataset, "first": first.isoformat(), "until": until.isoformat(), "seed": config.seed}
    digests = [data_facts(store, dataset, with_weather=known)["data_sha256"] for known in (False, True)]
    days, found = Sweep(read_all(store, dataset), first, until), {}
    names = [(run, name) for run in runs for name in store.detectors(run, "scores")]
    for run, name in track(names, "alerting", len(names)):
        scores, facts = store.read_watch(run, "scores", name)
        _require_same(store.watch_path(run, "scores", name), facts, wanted, digests)
        judged = judged_of_scores(days, scores, facts["odd_from_p_value"])
        cut = cut_alerts(days, judged, facts, draws=config.evaluation.bootstrap_draws, seed=config.seed)
        store.write_watch(output_dir, name, alerts=(cut.told.alerts, cut.facts))
        found[name] = cut.facts
    return found
