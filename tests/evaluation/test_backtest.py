import numpy as np
import pytest

from loadproof.baselines import BASELINES
from loadproof.errors import ConfigError
from loadproof.evaluation.backtest import run_backtest
from loadproof.evaluation.comparison import compare
from loadproof.evaluation.sums import sum_scores
from loadproof.features.panel import Panel
from loadproof.features.windows import cut_windows, split_by_time
from loadproof.forecaster import FitReport, Forecaster, ForecastRows, make_forecast
from loadproof.schema import LEVELS

START = np.datetime64("2013-01-01", "us")
DAY = np.timedelta64(1, "D")


class Spy(Forecaster):
    name = "spy"

    def fit(self, train, valid, *, rng):
        self.seen = (train, valid)
        return FitReport(len(train), len(valid), ({"drawn": rng.random()},))

    def predict(self, inputs):
        self.asked = inputs
        shape = (len(inputs), inputs.horizon_steps)
        return make_forecast(np.ones((*shape, 7)), LEVELS, np.ones(shape))


def split_of(test_from):
    panel = Panel(np.array(["a"]), START, 30, np.ones((1, 480), dtype=np.float32))
    windows = cut_windows(panel, context_steps=48, horizon_steps=48, origins=START + np.arange(1, 10) * DAY)
    return split_by_time(windows, valid_from=START + 5 * DAY, test_from=test_from)


def test_a_backtest_fits_4_days_and_2_and_forecasts_the_other_3_from_inputs_alone():
    spy = Spy()
    split = split_of(START + 7 * DAY)
    backtest = run_backtest(spy, split, rng=np.random.default_rng(1))
    assert backtest.report == FitReport(4, 2, ({"drawn": np.random.default_rng(1).random()},))
    assert backtest.forecast.mean_kwh.shape == (3, 48)
    assert spy.seen == (split.train, split.valid)
    assert spy.asked is split.test.inputs
    assert not hasattr(spy.asked, "truth_kwh")


def test_a_split_with_0_test_windows_is_refused():
    with pytest.raises(ConfigError, match="set test_from earlier"):
        run_backtest(Spy(), split_of(START + 30 * DAY), rng=np.random.default_rng(1))


def crps_ratios(energy):
    """The CRPS of each baseline over that of the day-naive one, on the last 36 of 98 days, with its interval."""
    panel = Panel(np.array([f"h{i:02d}" for i in range(len(energy))]), START, 30, energy.astype(np.float32))
    windows = cut_windows(panel, context_steps=672, horizon_steps=48, origins=START + np.arange(14, 98) * DAY)
    split = split_by_time(windows, valid_from=START + 60 * DAY, test_from=START + 62 * DAY)
    entity, t0 = split.test.inputs.entity, split.test.inputs.t0
    sums = {}
    for name, build in BASELINES.items():
        forecast = run_backtest(build(), split, rng=np.random.default_rng(0)).forecast
        rows = ForecastRows(name, entity, t0, forecast)
        sums[name] = sum_scores(rows, split.test.truth_kwh, interval_mins=30, scales_kwh={})
    naive = sums.pop("seasonal_naive")
    return {
        name: compare(one, naive, "crps", draws=300, rng=np.random.default_rng(1)).ratio for name, one in sums.items()
    }


def test_with_a_planted_week_the_weekly_baseline_beats_the_daily_one_and_on_noise_it_does_not():
    # A fixed week plus noise: a week ago errs by two noises, yesterday by two noises and the step between two days.
    rng = np.random.default_rng(7)
    noise = rng.gamma(2.0, 0.05, (12, 48 * 98))
    week = np.tile(rng.gamma(2.0, 0.2, 336), 14)
    planted, plain = crps_ratios(noise + week), crps_ratios(noise)
    assert planted["seasonal_naive_week"].high < 0.4
    assert plain["seasonal_naive_week"].value == pytest.approx(1, abs=0.01)
    assert plain["seasonal_naive_week"].low < 1 < plain["seasonal_naive_week"].high
    # Seven days tell the level of noise better than one, which is no signal but a smaller sample's error.
    assert plain["persistence_ensemble"].value == pytest.approx(0.78, abs=0.03)
