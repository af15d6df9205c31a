import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import homes, panel_of

from loadproof.config import AutoencoderConfig, ExperimentConfig

ROOT = Path(__file__).parents[2]


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bench():
    return _module(ROOT / "benchmarks" / "anomaly.py")


@pytest.fixture(scope="module")
def made(bench):
    energy = homes(4, 70)
    energy[3, : 40 * 48] = np.nan  # a home that was read half the time is not multiplied
    return bench.make_homes(panel_of(energy), 6, 40, rng=np.random.default_rng(0))


def test_6_made_homes_differ_have_28_days_before_40_and_lack_a_day_now_and_then(made):
    assert made.energy_kwh.shape == (6, 68 * 48)
    assert 0 < np.isnan(made.energy_kwh).mean() < 0.05
    assert len({row.tobytes() for row in made.energy_kwh}) == 6


def test_all_tiers_score_every_half_hour_of_the_40_days(bench, made):
    small = ExperimentConfig(autoencoder=AutoencoderConfig(width=8, code=2, epochs=1, batch_days=32))
    told = bench.measure(made, bench.TIERS, threads=2, config=small)
    assert told["rows"] == 6 * 40 * 48
    assert told["rows_per_s"] > 0 and told["peak_mb"] > 0


def test_the_page_has_a_row_a_job():
    page = _module(ROOT / "docs" / "make_benchmarks.py")
    job = {"rows": 17_520_000, "seconds": 100.0, "rows_per_s": 175_200, "rows_per_cpu_s": 90_000, "peak_mb": 900}
    facts = {"homes": 1000, "threads": 2, "cpus": 2, "load_before": 0.1, "versions": {"numpy": "2.4"},
             "jobs": {"physical": job | {"fit_seconds": 1.0}, "peer/sub_pca": job}}  # fmt: skip
    text = page.detectors(json.loads(json.dumps(facts)))
    assert "| `physical` | 17,520,000 | 100.0 | 194.7 | 175,200 | 90,000 | 1.0 | 900 |" in text
    assert "| `peer/sub_pca` | 17,520,000 | 100.0 | 194.7 | 175,200 | 90,000 |  | 900 |" in text
