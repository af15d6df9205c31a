import numpy as np
import pytest

from loadproof.baselines import BASELINES
from loadproof.errors import ConfigError
from loadproof.evaluation.backtest import join_forecasts, roll_backtest, run_backtest
from loadproof.evaluation.comparison import compare
from loadproof.evaluation.folds import Fold, Span, rotating, split_fold
from loadproof.evaluation.sums import sum_scores
from loadproof.features.panel import Panel
from loadproof.features.splits import split_by_time
from loadproof.features.windows import cut_windows
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


class Counter(Forecaster):
    """Forecasts how many windows its last fit saw, so that each forecast tells which fit made it."""

    name = "counter"

    def __init__(self):
        self.learned, self.asked = [], []

    def fit(self, train, valid, *, rng):
        self.learned.append(train)
        return FitReport(len(train), len(valid))

    def predict(self, inputs):
        self.asked.append(inputs)
        shape = (len(inputs), inputs.horizon_steps)
        return make_forecast(
            np.full((*shape, 7), len(self.learned[-1])), LEVELS, np.ones(shape), how=len(self.learned) % 2,
            hows=(None, f"fit {len(self.learned)}"),
        )  # fmt: skip


def rolling_case(lag=0, homes=("a", "b", "c")):
    panel = Panel(np.array(homes), START, 30, np.ones((len(homes), 48 * 60), dtype=np.float32))
    windows = cut_windows(
        panel, context_steps=96, horizon_steps=48, origins=START + np.arange(2, 60) * DAY, data_lag_steps=lag
    )
    fold = Fold("held", Span(START + 30 * DAY, START + 45 * DAY), Span(START + 23 * DAY, START + 30 * DAY), True)
    return windows, fold


def ticking():
    seconds = iter(range(1000))
    return lambda: float(next(seconds))


@pytest.mark.parametrize("lag", [0, 48])
def test_of_15_days_refitted_every_5_each_is_forecast_by_the_fit_that_knew_what_was_published_by_then(lag):
    windows, fold = rolling_case(lag)
    counter = Counter()
    rolled = roll_backtest(
        counter, windows, windows, fold, refit_days=5, rng=np.random.default_rng(0), clock=ticking()
    )  # fmt: skip
    assert len(rolled.reports) == len(counter.learned) == 3
    base = counter.learned[0]
    for number, train in enumerate(counter.learned):
        made = fold.test.start + 5 * number * DAY
        fresh = np.setdiff1d(train.inputs.t0, base.inputs.t0)
        assert len(fresh) == max(0, 5 * number - lag // 48)
        assert (fresh + (48 + lag) * np.timedelta64(30, "m") <= made).all()
        mine = (rolled.test.inputs.t0 >= made) & (rolled.test.inputs.t0 < made + 5 * DAY)
        assert (rolled.test_forecast.quantiles_kwh[mine] == len(train)).all()
        assert {rolled.test_forecast.hows[how] for how in np.unique(rolled.test_forecast.how[mine])} <= {
            None, f"fit {number + 1}",
        }  # fmt: skip
    assert len(rolled.test) == 3 * 15
    assert rolled.valid_forecast.quantiles_kwh.max() == len(base)


def test_fitted_once_it_learns_no_window_of_the_15_days_and_its_seconds_are_those_of_the_clock():
    windows, fold = rolling_case()
    counter = Counter()
    rolled = roll_backtest(counter, windows, windows, fold, rng=np.random.default_rng(0), clock=ticking())
    assert len(counter.learned) == 1
    span = np.arange(fold.test.start - 47 * np.timedelta64(30, "m"), fold.test.end + 2 * DAY, np.timedelta64(30, "m"))
    assert not np.isin(counter.learned[0].inputs.t0, span).any()
    assert (rolled.fit_seconds, rolled.predict_seconds) == (1.0, 1.0)


def test_a_slow_forecaster_is_asked_for_every_5th_day_of_each_home_and_learns_from_all():
    windows, fold = rolling_case()
    counter = Counter()
    rolled = roll_backtest(counter, windows, windows, fold, every=5, rng=np.random.default_rng(0), clock=ticking())
    assert len(rolled.test) == 3 * 15 / 5
    test = split_fold(windows, fold).test
    np.testing.assert_array_equal(rolled.test.inputs.t0, test.take(rotating(test, 5)).inputs.t0)
    assert len(counter.learned[0]) == len(split_fold(windows, fold).train)


def test_unseen_homes_are_judged_by_what_the_other_2_taught():
    windows, fold = rolling_case()
    counter = Counter()
    seen = windows.take(windows.inputs.entity != "c")
    rolled = roll_backtest(counter, seen, windows, fold, rng=np.random.default_rng(0), clock=ticking())
    assert set(counter.learned[0].inputs.entity) == set(rolled.valid.inputs.entity) == {"a", "b"}
    assert set(rolled.test.inputs.entity) == {"a", "b", "c"}


def test_a_block_of_0_windows_is_refused_and_says_which():
    windows, fold = rolling_case()
    early = fold._replace(valid=Span(START - 9 * DAY, START))
    with pytest.raises(ConfigError, match="held: no window is left to validate on"):
        roll_backtest(Counter(), windows, windows, early, rng=np.random.default_rng(0), clock=ticking())


def test_two_forecasts_joined_keep_2_ways_under_one_list():
    plain, fallback = (
        make_forecast(np.ones((1, 2, 7)), LEVELS, np.ones((1, 2)), how=how, hows=(None, name))
        for how, name in ((0, "x"), (1, "y"))
    )
    joined = join_forecasts([plain, fallback])
    assert joined.hows == (None, "x", "y")
    assert joined.how.tolist() == [[0, 0], [2, 2]]


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
