import gzip
import json

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from benchmarks import etth1

DATA_WINDOWS = {96: 2785, 720: 2161}


@pytest.fixture
def series():
    """Two channels over all 14,400 hours: a day's wave and noise."""
    rng = np.random.default_rng(7)
    hours = np.arange(etth1.BLOCKS["test"][1])
    wave = np.sin(2 * np.pi * hours / 24)
    return np.stack([wave + rng.normal(0, 0.1, len(hours)), 2 * wave + rng.normal(0, 0.5, len(hours))])


@pytest.fixture
def file(tmp_path):
    """A file of seven channels in the layout of the real one, with hours after the test block."""
    rng = np.random.default_rng(1)
    lines = ["date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT"]
    lines += [f"hour {at}," + ",".join(f"{x:.3f}" for x in row) for at, row in enumerate(rng.normal(5, 2, (17_420, 7)))]
    path = tmp_path / "ETTh1.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return path


def count(series, block, lookback, horizon):
    return [len(truth) for _, truth in etth1.cut(series, block, lookback, horizon)]


@pytest.mark.parametrize(("horizon", "windows"), DATA_WINDOWS.items())
def test_the_test_block_has_2785_windows_a_channel_at_96_steps_and_2161_at_720(series, horizon, windows):
    for lookback in (336, 512, 720):
        assert count(series, "test", lookback, horizon) == [windows] * len(series)


def test_training_windows_lie_within_the_first_8640_hours(series):
    assert count(series, "train", 336, 96) == [8640 - 336 - 96 + 1] * 2
    assert count(series, "valid", 336, 96) == [2785] * 2


def test_the_first_truth_of_a_block_is_its_first_hour_and_the_last_its_last(series):
    for block, (first, end) in etth1.BLOCKS.items():
        _, truth = next(iter(etth1.cut(series, block, 336, 96)))
        assert truth[0, 0] == series[0, first if block != "train" else 336]
        assert truth[-1, -1] == series[0, end - 1]


def test_z_scores_are_by_the_8640_training_hours_alone(file):
    series, digest = etth1.read_series(file)
    assert series.shape == (7, 14_400)
    np.testing.assert_allclose(series[:, :8640].mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(series[:, :8640].std(axis=1), 1)
    assert (np.abs(series.mean(axis=1)) > 1e-6).all() and len(digest) == 64


def test_the_ridge_is_sklearns_on_windows_less_their_mean(series):
    lookback, horizon, penalty = 24, 6, 0.3
    pairs = list(etth1.cut(series, "train", lookback, horizon))
    context, truth = (np.concatenate([pair[at] for pair in pairs]) for at in (0, 1))
    level = context.mean(axis=1, keepdims=True)
    twin = Ridge(alpha=penalty * len(context), fit_intercept=False).fit(context - level, truth - level)
    (weights,) = etth1.fit_ridges(series, lookback, horizon, (penalty,))
    np.testing.assert_allclose(weights, twin.coef_.T, rtol=1e-6, atol=1e-9)
    new = series[:1, 12_000 : 12_000 + lookback]
    np.testing.assert_allclose(
        etth1.apply_ridge(weights, new), twin.predict(new - new.mean()) + new.mean(), rtol=1e-6, atol=1e-9
    )


def test_lookback_and_penalty_are_those_with_the_least_validation_error(series):
    found = etth1.run_ridge(series, 6, lookbacks=(12, 48), penalties=(0.01, 100.0))
    errors = {}
    for lookback in (12, 48):
        for penalty, weights in zip((0.01, 100.0), etth1.fit_ridges(series, lookback, 6, (0.01, 100.0)), strict=True):
            errors[lookback, penalty] = etth1.score(
                series, "valid", lookback, 6, lambda context, w=weights: etth1.apply_ridge(w, context)
            ).mse
    assert (found["lookback_steps"], found["penalty"]) == min(errors, key=errors.get)
    assert found["windows"] == 2 * (2880 - 6 + 1)


def test_errors_are_means_over_all_windows_steps_and_channels(series):
    first, end = etth1.BLOCKS["test"]
    errors = [
        channel[first + step : end - 12 + step + 1] - channel[first - 1 : end - 12]
        for channel in series
        for step in range(12)
    ]
    found = etth1.score(series, "test", 48, 12, lambda context: np.repeat(context[:, -1:], 12, axis=1))
    assert found.windows == 2 * 2869
    assert found.mse == pytest.approx(np.mean(np.square(errors)))
    assert found.mae == pytest.approx(np.mean(np.abs(errors)))


def test_a_network_learns_a_wave_and_one_seed_gives_one_figure(series):
    schedule = etth1.Schedule(epochs=1, batch=64, learning_rate=5e-3, epoch_examples=1920)
    widths = {"width": 16, "heads": 2, "layers": 1, "feedforward": 16, "dropout": 0.0, "mask": False}
    ways = {"schedule": schedule, "widths": widths, "told": lambda _: None}
    first, second = (etth1.run_network(series[:1], 48, 12, 3, **ways) for _ in range(2))
    naive = etth1.score(series[:1], "test", 48, 12, lambda context: context[:, -1:].repeat(12, axis=1))
    assert first["mse"] < 0.3 * naive.mse
    assert (first["mse"], first["valid_mse"]) == (second["mse"], second["valid_mse"])
    assert (first["windows"], first["epochs"]) == (2869, 1)


@pytest.fixture
def jobs():
    """Two jobs that count how often they are done."""
    done = []

    def job(seed, knobs):
        def work(series):
            done.append(seed)
            return {"mse": 0.123456789, "mae": 0.2, "windows": 5, "seconds": 1.0}

        return etth1.Job({"model": "patchtst", "seed": seed}, knobs, work)

    return done, job


def test_a_job_with_a_record_is_not_done_again(file, jobs, tmp_path):
    done, job = jobs
    records = tmp_path / "out" / "etth1.jsonl"
    etth1.run_all([job(1, {"epochs": 4})], file, records)
    etth1.run_all([job(1, {"epochs": 4}), job(2, {"epochs": 4})], file, records)
    assert done == [1, 2]
    kept = etth1.read_records(records)
    assert [record["seed"] for record in kept] == [1, 2]
    assert kept[0]["mse"] == 0.12346 and set(kept[0]["versions"]) == {"loadproof", "torch", "numpy"}


@pytest.mark.parametrize("changed", ["knobs", "data"])
def test_a_record_of_other_knobs_or_other_data_gives_way_to_one_new_line(file, jobs, tmp_path, changed):
    done, job = jobs
    records = tmp_path / "etth1.jsonl"
    etth1.run_all([job(1, {"epochs": 4})], file, records)
    if changed == "data":
        file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), mtime=1))
    etth1.run_all([job(1, {"epochs": 5 if changed == "knobs" else 4})], file, records)
    assert done == [1, 1] and len(etth1.read_records(records)) == 1


def test_what_was_done_before_a_job_failed_is_kept(file, jobs, tmp_path):
    _, job = jobs
    records = tmp_path / "etth1.jsonl"
    broken = etth1.Job({"model": "patchtst", "seed": 2}, {}, lambda series: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        etth1.run_all([job(1, {}), broken], file, records)
    assert [record["seed"] for record in etth1.read_records(records)] == [1]


def test_there_are_two_ridges_and_six_networks_and_their_knobs_are_json():
    jobs = etth1.list_jobs(["ridge", "patchtst"], list(etth1.SEEDS))
    assert [job.key["model"] for job in jobs] == ["ridge"] * 2 + ["patchtst"] * 6
    for job in jobs:
        assert json.loads(json.dumps(job.knobs)) == job.knobs


def test_real_data_gives_the_ridge_0_366_at_lookback_512_and_96_steps(real_data):
    series, _ = etth1.read_series(real_data / "ett" / "ETTh1.csv.gz")
    found = etth1.run_ridge(series, 96, lookbacks=(512,), penalties=(0.01,))
    assert (round(found["mse"], 3), round(found["mae"], 3), found["windows"]) == (0.366, 0.391, 7 * 2785)
