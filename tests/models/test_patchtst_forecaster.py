from dataclasses import replace

import numpy as np
import pytest

from loadproof.baselines.seasonal import SeasonalNaive
from loadproof.config import PatchTSTConfig
from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.evaluation.losses import pinball
from loadproof.features.panel import Panel
from loadproof.features.splits import split_by_time
from loadproof.features.windows import cut_windows
from loadproof.forecaster import ModelState
from loadproof.models import training
from loadproof.models.patchtst_forecaster import PatchTSTForecaster

START = np.datetime64("2013-01-07", "us")
DAY = np.timedelta64(1, "D")
SMALL = PatchTSTConfig(
    lookback_steps=240, width=16, heads=2, layers=1, feedforward=16, head_width=32, epochs=8, batch_windows=64,
    shifts=2, learning_rate=5e-3,
)  # fmt: skip


def series(n_homes, n_days, seed, signal=1.0):
    """Return loads of which a weekend and an evening are the planted signal, and the rest is noise."""
    rng = np.random.default_rng(seed)
    steps = np.arange(n_days * 48)
    evening = np.exp(-((steps % 48 - 38) ** 2) / 18)
    weekend = np.isin(steps // 48 % 7, (5, 6))
    size = rng.uniform(0.1, 1, (n_homes, 1))
    return (size * (0.3 + signal * evening * (1 + 2 * weekend)) * rng.gamma(4, 0.25, (n_homes, len(steps)))).astype(
        "f4"
    )


def windows_of(energy, *, days, context_steps=288, interval_mins=30, **kwargs):
    energy = np.atleast_2d(np.asarray(energy, dtype=np.float32))
    panel = Panel(np.array([f"h{i:04d}" for i in range(len(energy))]), START, interval_mins, energy)
    cut = {"context_steps": context_steps, "horizon_steps": 24 * 60 // interval_mins}
    return cut_windows(panel, origins=START + np.asarray(days) * DAY, require_truth=False, **{**cut, **kwargs})


def split_of(energy, n_days, **kwargs):
    windows = windows_of(energy, days=np.arange(6, n_days), **kwargs)
    return split_by_time(windows, valid_from=START + (n_days - 14) * DAY, test_from=START + (n_days - 7) * DAY)


@pytest.fixture(scope="module")
def split():
    return split_of(series(10, 56, 1), 56)


@pytest.fixture(scope="module")
def fitted(split):
    forecaster = PatchTSTForecaster(SMALL)
    forecaster.fit(split.train, split.valid, rng=np.random.default_rng(1))
    return forecaster


def mean_pinball(forecaster, windows):
    return float(np.nanmean(pinball(windows.truth_kwh, forecaster.predict(windows.inputs).quantiles_kwh)))


def way_of(forecast):
    return np.array(forecast.hows, dtype=object)[forecast.how]


def test_on_a_planted_weekend_it_beats_the_seasonal_naive_by_over_15_per_cent(split, fitted):
    naive = SeasonalNaive()
    naive.fit(split.train, split.valid, rng=np.random.default_rng(1))
    assert mean_pinball(fitted, split.test) < 0.85 * mean_pinball(naive, split.test)


def test_on_noise_alone_it_is_never_better_than_the_truths_own_quantiles_nor_15_per_cent_worse():
    rng = np.random.default_rng(2)
    split = split_of(rng.gamma(4, 0.25, (8, 42 * 48)), 42)
    forecaster = PatchTSTForecaster(SMALL)
    forecaster.fit(split.train, split.valid, rng=np.random.default_rng(1))
    best = np.quantile(split.test.truth_kwh, (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95))
    bound = float(pinball(split.test.truth_kwh, np.broadcast_to(best, (*split.test.truth_kwh.shape, 7))).mean())
    assert bound * 0.99 < mean_pinball(forecaster, split.test) < bound * 1.15


def test_2_fits_of_1_seed_have_the_same_state_bit_for_bit(split):
    states = []
    for _ in range(2):
        forecaster = PatchTSTForecaster(SMALL.model_copy(update={"epochs": 1}))
        forecaster.fit(split.train, split.valid, rng=np.random.default_rng(4))
        states.append(forecaster.state())
    assert states[0].knobs == states[1].knobs
    assert all(np.array_equal(states[0].arrays[name], value) for name, value in states[1].arrays.items())


def test_a_restored_forecaster_forecasts_the_same_and_says_when_a_state_is_anothers(split, fitted):
    other = PatchTSTForecaster(PatchTSTConfig())
    other.restore(fitted.state())
    np.testing.assert_array_equal(
        other.predict(split.test.inputs).quantiles_kwh, fitted.predict(split.test.inputs).quantiles_kwh
    )
    with pytest.raises(SchemaError, match="train it again"):
        other.restore(ModelState({}, {}, {}))


@pytest.mark.parametrize(
    ("knob", "value", "message"),
    [
        ("lookback_steps", 10**15, "Error.*; train it again"),
        ("horizon_steps", 10**12, "Error.*; train it again"),
        ("interval_mins", 0, "its lookback, horizon and interval are"),
        ("interval_mins", "30", "its lookback, horizon and interval are"),
        ("known_names", ["local_weekday"], "no mean and spread of each of its 1 features"),
        ("typical_kwh", None, "train it again"),
    ],
)
def test_a_state_of_another_size_is_refused_before_that_size_is_laid_out(fitted, knob, value, message):
    state = fitted.state()
    with pytest.raises(SchemaError, match=message) as told:
        PatchTSTForecaster(PatchTSTConfig()).restore(state._replace(knobs=state.knobs | {knob: value}))
    assert "\n" not in str(told.value)


def test_1_weight_that_is_no_number_or_no_longer_fits_is_refused_and_what_was_fitted_stays(split, fitted):
    state, other = fitted.state(), PatchTSTForecaster(PatchTSTConfig())
    other.restore(state)
    name = "network/position"
    for bent in (np.full_like(state.arrays[name], np.nan), state.arrays[name][:-1], state.arrays[name].astype(int)):
        with pytest.raises(SchemaError, match="train it again"):
            other.restore(state._replace(arrays=state.arrays | {name: bent}))
    few = split.test.inputs.take(slice(0, 3))
    np.testing.assert_array_equal(other.predict(few).quantiles_kwh, fitted.predict(few).quantiles_kwh)


def test_a_second_fit_goes_on_from_the_weights_and_anew_forgets_them(split, fitted):
    short = SMALL.model_copy(update={"epochs": 1, "learning_rate": 1e-6})
    going_on, anew = PatchTSTForecaster(short), PatchTSTForecaster(short)
    for forecaster in (going_on, anew):
        forecaster.restore(fitted.state())
        forecaster.knobs = short
    first = going_on.fit(split.train, split.valid, rng=np.random.default_rng(5)).records[0]["valid_loss"]
    other = anew.fit(split.train, split.valid, rng=np.random.default_rng(5), anew=True).records[0]["valid_loss"]
    assert first < 0.8 * other


def test_a_fit_that_breaks_off_leaves_a_checkpoint_and_the_next_takes_it_up_to_the_same_weights(
    split, tmp_path, monkeypatch
):
    knobs = SMALL.model_copy(update={"epochs": 3})
    whole = PatchTSTForecaster(knobs)
    curve = whole.fit(split.train, split.valid, rng=np.random.default_rng(6)).records
    mean_loss, calls = training.mean_loss, []

    def break_off(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return mean_loss(*args, **kwargs)

    monkeypatch.setattr(training, "mean_loss", break_off)
    with pytest.raises(KeyboardInterrupt):
        PatchTSTForecaster(knobs, checkpoint_dir=tmp_path).fit(split.train, split.valid, rng=np.random.default_rng(6))
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["patchtst.safetensors"]
    resumed = PatchTSTForecaster(knobs, checkpoint_dir=tmp_path)
    report = resumed.fit(split.train, split.valid, rng=np.random.default_rng(6))
    assert len(curve) == 3
    assert report.records == curve
    assert all(np.array_equal(whole.state().arrays[name], x) for name, x in resumed.state().arrays.items())


@pytest.mark.parametrize(
    ("observed", "how"),
    [
        (slice(0, 288), None),
        (slice(0, 144), "stale_history"),
        (slice(248, 288), "short_history"),
        (slice(0, 40), "older_history"),
    ],
)
def test_a_home_with_few_late_or_old_readings_is_forecast_and_its_1_way_is_named(fitted, observed, how):
    energy = np.full(288, np.nan)
    energy[observed] = 0.5
    forecast = fitted.predict(windows_of(energy, days=[6]).inputs)
    assert set(way_of(forecast).ravel()) == {how}
    assert np.median(forecast.quantiles_kwh[..., 3]) == pytest.approx(0.5, rel=0.8)


def test_of_a_lag_of_2_days_the_3_days_before_count_as_fresh_and_the_days_before_those_as_stale():
    split = split_of(series(4, 42, 7), 42, data_lag_steps=96)
    forecaster = PatchTSTForecaster(SMALL.model_copy(update={"epochs": 1}))
    forecaster.fit(split.train, split.valid, rng=np.random.default_rng(1))
    for last, how in ((144, None), (96, "short_history")):  # of 288 steps, 192 are published
        energy = np.full(288, np.nan)
        energy[:last] = 0.5
        forecast = forecaster.predict(windows_of(energy, days=[6], data_lag_steps=96).inputs)
        assert set(way_of(forecast).ravel()) == {how}


def test_a_window_with_nothing_observed_is_refused(fitted):
    windows = windows_of(np.full(288, 1.0), days=[6])
    empty = replace(windows.inputs, context_kwh=np.full_like(windows.inputs.context_kwh, np.nan))
    with pytest.raises(ConfigError, match="nothing observed; cut with min_observed"):
        fitted.predict(empty)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interval_mins": 60, "horizon_steps": 48}, "resample to 30"),
        ({"context_steps": 150}, "raise context_steps to 240"),
        ({"horizon_steps": 24}, "learned 48 steps ahead"),
    ],
)
def test_inputs_of_1_other_kind_are_refused_with_the_mend(fitted, change, message):
    windows = windows_of(np.full(600, 1.0), days=[10], **change)
    with pytest.raises(ConfigError, match=message):
        fitted.predict(windows.inputs)


def test_asked_before_a_fit_or_for_cuda_that_is_not_there_it_says_so(split, monkeypatch):
    with pytest.raises(NotFittedError, match="call fit first"):
        PatchTSTForecaster(SMALL).predict(split.test.inputs)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="--device cpu"):
        PatchTSTForecaster(SMALL, device="cuda")


def test_hourly_steps_need_half_as_many_and_a_week_of_168_is_enough():
    hourly = series(4, 42, 8).reshape(4, -1, 2).sum(axis=2)
    split = split_of(hourly, 42, interval_mins=60, context_steps=168)
    forecaster = PatchTSTForecaster(SMALL.model_copy(update={"epochs": 1, "lookback_steps": 672}))
    forecaster.fit(split.train, split.valid, rng=np.random.default_rng(1))
    assert forecaster.state().knobs["lookback_steps"] == 168
    assert forecaster.predict(split.test.inputs).quantiles_kwh.shape[1:] == (24, 7)


@pytest.mark.parametrize(("lag", "published"), [(192, 48), (240, 0)])
def test_a_lag_that_leaves_less_than_3_days_of_the_lookback_to_learn_from_is_refused_with_the_mend(lag, published):
    split = split_of(series(1, 42, 8), 42, data_lag_steps=lag)
    with pytest.raises(ConfigError, match=f"of which {published} are published; raise context_steps .* to {144 + lag}"):
        PatchTSTForecaster(SMALL).fit(split.train, split.valid, rng=np.random.default_rng(1))


def test_a_vacant_home_stays_below_1_kwh_a_half_hour(fitted):
    energy = np.full(288, 0.02)
    assert fitted.predict(windows_of(energy, days=[6]).inputs).quantiles_kwh.max() < 1
