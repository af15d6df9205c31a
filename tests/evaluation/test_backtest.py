import numpy as np
import pytest

from loadproof.errors import ConfigError
from loadproof.evaluation.backtest import run_backtest
from loadproof.features.windows import Panel, cut_windows, split_by_time
from loadproof.forecaster import FitReport, Forecaster, make_forecast
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
