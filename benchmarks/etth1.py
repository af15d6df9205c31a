"""What the network makes of ETTh1, beside a closed-form ridge: the paper's split, every window of the test block.

    LOADPROOF_REAL_DATA=... python benchmarks/etth1.py
    python benchmarks/etth1.py --data ETTh1.csv.gz --models ridge

Split of 12, 4 and 4 months of 30 days, z-scores by the training block, the seven channels as series of their own, MSE
and MAE over all windows, steps and channels of the test block: its last batch is not dropped. What is chosen (the
ridge's lookback and penalty, the network's epoch) is chosen on the validation block.

Each run leaves a line in docs/results/etth1.jsonl, and is not run again while its line stands there with the same
knobs and data. The page docs/results/etth1.md is made from the lines by docs/make_network.py.
"""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from loadproof import __version__
from loadproof.models.examples import Batch, SeriesExamples
from loadproof.models.losses import squared
from loadproof.models.patchtst import PatchTST
from loadproof.models.training import Schedule, epochs
from loadproof.seeds import rng_for

__all__ = [
    "BLOCKS",
    "Scores",
    "apply_ridge",
    "cut",
    "fit_ridges",
    "main",
    "read_records",
    "read_series",
    "run_all",
    "run_network",
    "run_ridge",
    "score",
]

RECORDS = Path(__file__).parents[1] / "docs" / "results" / "etth1.jsonl"
ARCHIVE: Final = "ett/ETTh1.csv.gz"
DAYS: Final = 30 * 24
BLOCKS: Final = {"train": (0, 12 * DAYS), "valid": (12 * DAYS, 16 * DAYS), "test": (16 * DAYS, 20 * DAYS)}
"""First and one past the last hour that a block's truth may touch; a context may reach back into the block before."""
HORIZONS_STEPS: Final = (96, 720)
RIDGE_LOOKBACKS_STEPS: Final = (336, 512, 720)
RIDGE_PENALTIES: Final = tuple(float(f"{10**power:.3g}") for power in np.arange(-3, 2.1, 0.5))
SEEDS: Final = (2021, 2022, 2023)
WIDTHS: Final = {"width": 16, "heads": 4, "layers": 3, "feedforward": 128, "dropout": 0.3, "mask": False}
"""The paper's small network. Source: scripts/PatchTST/etth1.sh of its repository; the series have no gaps to mask."""
NETWORKS: Final = {
    (336, 96): Schedule(epochs=3, batch=896, learning_rate=1e-3, weight_decay=0.0),
    (512, 720): Schedule(epochs=2, batch=896, learning_rate=3e-4, weight_decay=0.0),
}
"""By lookback and horizon, in steps. A batch is as large as the paper's, 128 windows of seven channels, but drawn as
896 windows of one channel. Rate and passes had the least validation error of the few tried, with a seed that is none of
``SEEDS``."""
SCHEDULE_KNOBS: Final = ("epochs", "batch", "learning_rate", "rising_share", "weight_decay", "clip")

FloatArray = NDArray[np.float64]


class Scores(NamedTuple):
    """Mean squared and mean absolute error in z-scores, and the windows that they are over."""

    mse: float
    mae: float
    windows: int


def read_series(path: Path) -> tuple[FloatArray, str]:
    """Return the seven series as z-scores by the training block, ``(7, 14400)``, and the digest of the file."""
    table = pl.read_csv(path).drop("date").head(BLOCKS["test"][1])
    series = table.to_numpy().astype(np.float64).T  # (S, T)
    known = series[:, : BLOCKS["train"][1]]
    z_scores = (series - known.mean(axis=1, keepdims=True)) / known.std(axis=1, keepdims=True)
    return z_scores, hashlib.sha256(path.read_bytes()).hexdigest()


def cut(series: FloatArray, block: str, lookback: int, horizon: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield contexts ``(N, L)`` and truths ``(N, H)`` of all windows of a block, a channel at a time."""
    first, end = BLOCKS[block]
    for channel in series:
        windows = np.lib.stride_tricks.sliding_window_view(channel[max(first - lookback, 0) : end], lookback + horizon)
        yield windows[:, :lookback], windows[:, lookback:]


def score(
    series: FloatArray, block: str, lookback: int, horizon: int, predict: Callable[[FloatArray], FloatArray]
) -> Scores:
    """Return the errors of ``predict``, ``(N, L)`` to ``(N, H)``, over a whole block."""
    squares, absolutes, count, windows = 0.0, 0.0, 0, 0
    for context, truth in cut(series, block, lookback, horizon):
        error = predict(context) - truth  # (N, H)
        squares, absolutes = squares + float((error**2).sum()), absolutes + float(np.abs(error).sum())
        count, windows = count + error.size, windows + len(error)
    return Scores(squares / count, absolutes / count, windows)


def fit_ridges(series: FloatArray, lookback: int, horizon: int, penalties: tuple[float, ...]) -> list[FloatArray]:
    """Return the weights ``(L, H)`` of a ridge for each penalty (per training window), all from one decomposition.

    A window stands on its context's mean: what is learned is how the horizon differs from it.
    """
    gram, cross, rows = np.zeros((lookback, lookback)), np.zeros((lookback, horizon)), 0
    for context, truth in cut(series, "train", lookback, horizon):
        level = context.mean(axis=1, keepdims=True)
        gram += (context - level).T @ (context - level)
        cross += (context - level).T @ (truth - level)
        rows += len(context)
    values, vectors = np.linalg.eigh(gram)
    turned = vectors.T @ cross  # (L, H)
    return [vectors @ (turned / (np.maximum(values, 0) + penalty * rows)[:, None]) for penalty in penalties]


def apply_ridge(weights: FloatArray, context: FloatArray) -> FloatArray:
    """Return the forecast of contexts ``(N, L)``, ``(N, H)``."""
    level = context.mean(axis=1, keepdims=True)
    return np.asarray((context - level) @ weights + level)


def run_ridge(
    series: FloatArray, horizon: int, *, lookbacks: tuple[int, ...] = RIDGE_LOOKBACKS_STEPS,
    penalties: tuple[float, ...] = RIDGE_PENALTIES,
) -> dict[str, Any]:  # fmt: skip
    """Return the figures of the ridge whose lookback and penalty validation likes best."""
    began, tried = time.perf_counter(), []
    for lookback in lookbacks:
        for penalty, weights in zip(penalties, fit_ridges(series, lookback, horizon, penalties), strict=True):
            valid = score(series, "valid", lookback, horizon, partial(apply_ridge, weights))
            tried.append((valid.mse, lookback, penalty, weights))
    valid_mse, lookback, penalty, weights = min(tried, key=lambda one: one[0])
    test = score(series, "test", lookback, horizon, partial(apply_ridge, weights))
    chosen = {"lookback_steps": lookback, "penalty": penalty, "valid_mse": valid_mse}
    return {**chosen, **figures(test, began), "parameters": weights.size}


def figures(test: Scores, began: float) -> dict[str, Any]:
    """Return what every record says of its test block."""
    return {"mse": test.mse, "mae": test.mae, "windows": test.windows, "seconds": time.perf_counter() - began}


def _examples(series: FloatArray, block: str, lookback: int, horizon: int, device: str) -> SeriesExamples:
    first, end = BLOCKS[block]
    starts = torch.arange(max(first - lookback, 0), end - lookback - horizon + 1, device=device)
    rows = torch.arange(len(series), device=device).repeat_interleave(len(starts))
    values = torch.tensor(series, dtype=torch.float32, device=device)
    return SeriesExamples(values, rows, starts.repeat(len(series)), lookback, horizon)


def _squared_errors(network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    loss = squared(batch.truth, network(batch.context))
    return loss.sum(), torch.tensor(float(loss.numel()), device=loss.device)


def run_network(
    series: FloatArray, lookback: int, horizon: int, seed: int, *, schedule: Schedule, device: str = "cpu",
    widths: dict[str, Any] = WIDTHS, told: Callable[[str], None] = print,
) -> dict[str, Any]:  # fmt: skip
    """Train a network with one seed and return its figures; the epoch is the best of the validation block."""
    began, rng = time.perf_counter(), rng_for(seed, f"etth1/{lookback}/{horizon}")
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**31)))
        network = PatchTST(context_steps=lookback, horizon_steps=horizon, **widths).to(device)
    train, valid = (_examples(series, block, lookback, horizon, device) for block in ("train", "valid"))
    records = []
    for record in epochs(network, train, valid, _squared_errors, schedule, rng=rng):
        records.append(record)
        told(f"  epoch {record.epoch}: train {record.train_loss:.4f}, valid {record.valid_loss:.4f}")
    network.eval()

    def predict(context: FloatArray) -> FloatArray:
        with torch.inference_mode():
            parts = torch.tensor(context, dtype=torch.float32, device=device).split(1024)
            return torch.cat([network(part) for part in parts]).double().cpu().numpy()

    test = score(series, "test", lookback, horizon, predict)
    best = min(records, key=lambda one: one.valid_loss)
    facts = {"epochs": len(records), "best_epoch": best.epoch, "valid_mse": best.valid_loss}
    return {**facts, **figures(test, began), "parameters": sum(weight.numel() for weight in network.parameters())}


class Job(NamedTuple):
    """One run: what tells it from the others, its knobs, and how it is done."""

    key: dict[str, Any]
    knobs: dict[str, Any]
    work: Callable[[FloatArray], dict[str, Any]]

    def is_done_by(self, record: dict[str, Any], digest: str) -> bool:
        """Return whether a record is of this very run."""
        return self.is_named_by(record) and (record["data_sha256"], record["knobs"]) == (digest, self.knobs)

    def is_named_by(self, record: dict[str, Any]) -> bool:
        """Return whether a record is of this run, perhaps with other knobs or other data."""
        return self.key.items() <= record.items()


def list_jobs(models: list[str], seeds: list[int], device: str = "cpu") -> list[Job]:
    """Return the runs of some models: the ridge once per horizon, each network once per seed."""
    jobs = []
    for horizon in HORIZONS_STEPS if "ridge" in models else ():
        knobs = {"lookbacks_steps": list(RIDGE_LOOKBACKS_STEPS), "penalties": list(RIDGE_PENALTIES)}
        jobs.append(Job({"model": "ridge", "horizon_steps": horizon}, knobs, partial(run_ridge, horizon=horizon)))
    for (lookback, horizon), schedule in NETWORKS.items() if "patchtst" in models else ():
        knobs = {**WIDTHS, **{name: getattr(schedule, name) for name in SCHEDULE_KNOBS}}
        for seed in seeds:
            sizes = {"lookback": lookback, "horizon": horizon, "seed": seed}
            key = {"model": "patchtst", "lookback_steps": lookback, "horizon_steps": horizon, "seed": seed}
            jobs.append(Job(key, knobs, partial(run_network, **sizes, schedule=schedule, device=device)))
    return jobs


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the lines that stand in the file of records; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def run_all(jobs: list[Job], data: Path, records: Path) -> None:
    """Do each job that has no record with its knobs and this data; a record is in the file as soon as its job is done.

    A record of the same run with other knobs or other data gives way.
    """
    series, digest = read_series(data)
    versions = {"loadproof": __version__, "torch": torch.__version__, "numpy": np.__version__}
    for job in jobs:
        if any(job.is_done_by(record, digest) for record in read_records(records)):
            continue
        print(" ".join(f"{name}={value}" for name, value in job.key.items()), flush=True)
        found = {name: round(x, 5) if isinstance(x, float) else x for name, x in job.work(series).items()}
        record = {**job.key, **found, "versions": versions, "data_sha256": digest, "knobs": job.knobs}
        others = [one for one in read_records(records) if not job.is_named_by(one)]
        records.parent.mkdir(parents=True, exist_ok=True)
        records.write_text("".join(sorted(json.dumps(one) + "\n" for one in (*others, record))))
        print(f"  test MSE {record['mse']:.4f}, MAE {record['mae']:.4f}, {record['seconds']:.0f} s", flush=True)


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = os.environ.get("LOADPROOF_REAL_DATA")
    parser.add_argument("--data", type=Path, default=Path(folder) / ARCHIVE if folder else None)
    parser.add_argument("--models", nargs="+", choices=("ridge", "patchtst"), default=["ridge", "patchtst"])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--records", type=Path, default=RECORDS)
    options = parser.parse_args()
    if options.data is None:
        parser.error("no data: give --data ETTh1.csv.gz, or set LOADPROOF_REAL_DATA")
    torch.set_num_threads(options.threads)
    run_all(list_jobs(options.models, options.seeds, options.device), options.data, options.records)


if __name__ == "__main__":
    main()
