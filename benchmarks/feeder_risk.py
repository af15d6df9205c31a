"""Time and memory of ranking made-up feeders by risk: quantiles in, both tables out.

python benchmarks/feeder_risk.py --feeders 100000
"""

import argparse
import resource
import time

import numpy as np
import polars as pl

from loadproof.features.windows import Inputs
from loadproof.feeders.assets import limits_of
from loadproof.feeders.risk import risk_of_quantiles
from loadproof.forecaster import make_forecast
from loadproof.schema import LEVELS
from loadproof.seeds import rng_for

__all__ = ["main", "measure"]

HORIZON_STEPS = 48


def measure(feeders: int, *, rng: np.random.Generator) -> dict[str, float]:
    """Rank so many feeders by the risk of one fuse each and return seconds and peak memory."""
    names = np.char.add("f", np.arange(feeders).astype(str).astype("<U7"))
    t0 = np.full(feeders, np.datetime64("2024-01-15T00:00", "us"))
    inputs = Inputs(np.ones((feeders, 1), dtype=np.float32), t0, names, HORIZON_STEPS, 30)
    load_kwh = rng.gamma(4, 4, (feeders, 1, 1)).astype(np.float32)
    spread = np.linspace(0.6, 1.5, len(LEVELS), dtype=np.float32)
    day = 1 + 0.5 * np.sin(np.arange(HORIZON_STEPS, dtype=np.float32) / 7.6)[None, :, None]
    quantiles = load_kwh * day * spread
    forecast = make_forecast(quantiles, LEVELS, quantiles[..., 3])
    levels = dict.fromkeys(names.tolist(), "feeder")
    begin, busy = time.perf_counter(), time.process_time()
    limits = limits_of(levels, usual="pole_100kva")
    limited = time.perf_counter()
    found = risk_of_quantiles(forecast, inputs, limits, levels, model="made")
    done, busy_s = time.perf_counter(), time.process_time() - busy
    assert found.ranked.height == feeders
    assert found.ranked["any_low"].is_sorted(descending=True)
    assert found.steps.select(pl.len()).item() == feeders * HORIZON_STEPS
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = {"limits_s": limited - begin, "risk_s": done - limited, "processor_s": busy_s}
    return {"feeders": feeders, **times, "peak_mb": peak_mb}


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeders", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--seed", type=int, default=2024)
    given = parser.parse_args()
    for feeders in given.feeders:
        found = measure(feeders, rng=rng_for(given.seed, "feeder risk"))
        print(", ".join(f"{name} {value:,.2f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
