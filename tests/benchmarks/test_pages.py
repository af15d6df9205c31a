import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_network", ROOT / "docs" / "make_network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(model, horizon, mse, seed=None):
    lookback = {96: 336, 720: 512}[horizon]
    kept = {"model": model, "lookback_steps": lookback, "horizon_steps": horizon, "mse": mse, "mae": 0.4, "windows": 9}
    facts = {"valid_mse": 0.7, "seconds": 3.0, "versions": {"torch": "2"}, "data_sha256": "0" * 64}
    return kept | facts | ({} if seed is None else {"seed": seed})


def speed(ratio):
    ours = {"windows_per_s": 100.0, "windows_per_cpu_s": 50.0}
    peer = ours | {"ratio": ratio, "ratio_min": ratio, "ratio_max": ratio, "cpu_ratio": ratio}
    names = ("ours", "default", "daily", "single", "residual")
    task = {name: ours if name == "ours" else peer for name in names}
    load = {"cpus": 2, "load_before": 0.1}
    shape = dict.fromkeys(
        (
            "layers",
            "width",
            "heads",
            "patch_steps",
            "stride_steps",
            "context_steps",
            "horizon_steps",
            "batch",
            "series",
        ),
        4,
    )
    return {
        "shape": shape | {"series_steps": 400}, "versions": {"torch": "2"}, "training": task, "prediction": task,
        "memory": {name: {"peak_mb": 200, "built_mb": 150} for name in names}, "rounds": 3, "threads": 2,
        "parameters": dict.fromkeys(names, 7), "precision": "fp32", "device": "cpu", **load,
    }  # fmt: skip


def test_an_aim_missed_by_the_mean_of_the_seeds_is_said_by_how_much(make):
    ridge = record("ridge", 96, 0.3663)
    missed = make.etth1_page([ridge, record("patchtst", 96, 0.379, 1), record("patchtst", 96, 0.383, 2)])
    assert "mean of 2 seeds 0.3810: **not reached**, by 0.0020" in missed
    assert "0.3810 (0.3790 to 0.3830)" in missed and "The ridge, 0.3663, lies 3.9% under the network" in missed
    assert "mean of 1 seeds 0.3790: reached" in make.etth1_page([ridge, record("patchtst", 96, 0.379, 1)])


def test_each_network_stands_in_one_line_under_the_ridge_of_its_horizon(make):
    networks = [record("patchtst", horizon, 0.4, seed) for horizon in (720, 96) for seed in (2, 1)]
    page = make.etth1_page([*networks, record("ridge", 720, 0.4), record("ridge", 96, 0.3)])
    rows = [line for line in page.splitlines() if line.startswith(("| ridge", "| PatchTST"))]
    assert [(row.split(" | ")[0][2:5], row.split(" | ")[2]) for row in rows] == [
        ("rid", "96"), ("Pat", "96"), ("rid", "720"), ("Pat", "720")
    ]  # fmt: skip


def test_a_speed_aim_is_judged_against_the_default_loader_and_against_the_closest_form(make):
    figures = speed(4.5)
    figures["training"]["daily"] = figures["training"]["daily"] | {"ratio": 1.5}
    page = make.speed_page(figures)
    assert "training, aim 4: 4.50 against the default loader, reached; 1.50 against the form that comes closest" in page
    assert "(32 series a batch, one window a day alone (`step_size=48`)), **not reached**" in page
    assert "| **ours** | 100 |  | 100 |  | 200 (50) | 7 |" in page


@pytest.mark.parametrize("name", ["etth1", "train_speed"])
def test_the_page_is_made_from_the_kept_figures(make, name):
    results = ROOT / "docs" / "results"
    if name == "etth1":
        page = make.etth1_page([json.loads(line) for line in (results / "etth1.jsonl").read_text().splitlines()])
    else:
        page = make.speed_page(json.loads((results / "train_speed.json").read_text()))
        page += make.ranks_section(json.loads((results / "train_ranks.json").read_text()))
    assert (results / f"{name}.md").read_text() == page


def test_the_section_on_ranks_says_each_way_its_ratio_and_what_a_step_sends(make):
    way = {"windows_per_s": 150.4, "windows_per_cpu_s": 500.0, "ratio": 1.32, "ratio_min": 1.31, "ratio_max": 1.34}
    figures = {"ways": {"two ranks": way}, "parameters": 1_000_000, "shape": {"batch": 512}, "rounds": 2, "cpus": 2}
    text = make.ranks_section(figures | {"load_before": 8.3})
    assert "| two ranks | 150 | 1.32 (1.31 to 1.34) | 500 |" in text
    assert "A step sends 4.0 MB of gradients" in text
