r"""What is gained by spreading the feature table and the forecast of a test block over two processes, on real homes.

    OMP_NUM_THREADS=1 POLARS_MAX_THREADS=1 python benchmarks/spread.py --processed data/processed \
        --json docs/results/spread.json

First where the processor time of a test block goes, in one process: the model asked, its bands calibrated, the table
made. Only the first is spread. How long a model takes to be asked hangs on its size and not on what it learned, so each
is fitted on 2,000 windows, the network for one epoch. Then the clock of both steps, here and on workers that are there
already, and whether the same bytes came out; with these variables each process has one thread a library.
"""

import argparse
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from loadproof import __version__
from loadproof.cluster.engine import engine
from loadproof.config import ExperimentConfig
from loadproof.evaluation.calibration import calibrate
from loadproof.features.splits import Split
from loadproof.forecaster import forecast_table
from loadproof.model_folder import StoredModel, write_model
from loadproof.parts import Map
from loadproof.runner.block_group import HOMES_A_BLOCK, BlockAsked, forecast_block
from loadproof.runner.blocks import Surroundings, cut_blocks, data_facts, read_all, read_surroundings
from loadproof.runner.features import write_features
from loadproof.runner.forecasters import builder_of
from loadproof.runner.train import facts_of
from loadproof.seeds import rng_for
from loadproof.store import Store

MODELS: Final = ("ridge", "lightgbm", "patchtst")
FIT_WINDOWS: Final = 2000
WORKERS: Final = 2
CONFIG: Final = ExperimentConfig.model_validate({"lightgbm": {"threads": 1}, "patchtst": {"epochs": 1}})


def timed(clock: Callable[[], float], work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what some work gives, and its seconds."""
    began = clock()
    done = work()
    return done, round(clock() - began, 2)


def shares(store: Store, name: str, split: Split, around: Surroundings, models_root: Path) -> dict[str, float]:
    """Fit and keep a model, and return the processor seconds of each step of its test block."""
    forecaster, rng = builder_of(name)(CONFIG), rng_for(CONFIG.seed, f"spread/{name}")
    some = split.train.take(np.sort(rng.permutation(len(split.train))[:FIT_WINDOWS]))
    forecaster.fit(some, split.valid, rng=rng)
    valid, test = split.valid, split.test
    calibration = calibrate(forecaster.predict(valid.inputs), valid.inputs, valid.truth_kwh, knobs=CONFIG.calibration)
    facts = facts_of(store, "lcl", name, split, CONFIG, around)
    write_model(models_root / name, StoredModel(facts, forecaster.state(), calibration.state()))
    said, ask_s = timed(time.process_time, lambda: forecaster.predict(test.inputs))
    held, calibrate_s = timed(time.process_time, lambda: calibration.apply(said, test.inputs, test.truth_kwh))
    _, table_s = timed(time.process_time, lambda: forecast_table(name, held, test.inputs))
    return {"ask_cpu_s": ask_s, "calibrate_cpu_s": calibrate_s, "table_cpu_s": table_s}


def features(store: Store, map_: Map) -> str:
    """Make the feature table, and return a digest of its files."""
    folder = write_features(store, "lcl", config=CONFIG, map_=map_).folder
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.parquet")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def block(store: Store, name: str, models_root: Path, homes: list[str], homes_a_task: int, map_: Map) -> str:
    """Ask a model about the test block, and return a digest of what it says."""
    asked = BlockAsked(store, "lcl", name, CONFIG, "cpu", models_root / name)
    said = forecast_block(asked, homes, map_=map_, homes_a_task=homes_a_task)
    return hashlib.sha256(said.quantiles_kwh.tobytes() + said.mean_kwh.tobytes()).hexdigest()


def compare(work: Callable[[Map], str], map_: Map) -> dict[str, Any]:
    """Return the seconds of some work here and on the workers."""
    (here, plain_s), (there, spread_s) = (timed(time.perf_counter, partial(work, one)) for one in (map, map_))
    return {"plain_s": plain_s, "spread_s": spread_s, "same_bytes": here == there}


def measure(processed: Path, work: Path) -> dict[str, Any]:
    """Return the record."""
    for beside in ("summaries", "weather"):
        if (processed.parent / beside).is_dir():
            shutil.copytree(processed.parent / beside, work / beside)
    shutil.copytree(processed, work / "processed")
    store = Store(work / "processed")
    around = read_surroundings(store, CONFIG.features, seed=CONFIG.seed)
    split = cut_blocks(read_all(store, "lcl"), CONFIG.forecast, around).split
    homes = sorted(set(split.test.inputs.entity.tolist()))
    record: dict[str, Any] = {
        "homes": len(homes), "test_windows": len(split.test), "workers": WORKERS, "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "loadproof_version": __version__, "seed": CONFIG.seed, **data_facts(store, "lcl"),
        "shares": {name: shares(store, name, split, around, work / "models") for name in MODELS},
    }  # fmt: skip
    with engine("dask", workers=WORKERS) as map_:
        record["features"] = compare(partial(features, store), map_)
        record["block"] = {}
        for name in MODELS:
            ask = partial(block, store, name, work / "models")
            ask(homes[: 2 * WORKERS], 1, map_)  # workers import what they need, and read the model
            record["block"][name] = compare(partial(ask, homes, HOMES_A_BLOCK), map_)
    return record


def main() -> None:
    """Measure, print, and keep the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processed", type=Path, default=Path("data/processed"))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        record = json.dumps(measure(asked.processed, Path(work)), indent=2, sort_keys=True) + "\n"
    print(record, end="")
    if asked.json:
        asked.json.write_text(record)


if __name__ == "__main__":
    main()
