import numpy as np
import pytest
from tests.baselines.made_homes import windows_of

from loadproof.baselines.history import HISTORY_HOWS, history_ways, require_observed
from loadproof.errors import ConfigError


def ways(context, lag=0):
    inputs = windows_of(np.ones(48 * 15), data_lag_steps=lag).inputs
    inputs.context_kwh[0, : 672 - lag] = context[: 672 - lag]
    return HISTORY_HOWS[history_ways(inputs)[0]]


@pytest.mark.parametrize(
    ("known", "way"),
    [
        (slice(0, 672), None),
        (slice(672 - 288, 672), None),  # six days
        (slice(672 - 287, 672), "short_history"),
        (slice(0, 672 - 143), None),  # one reading three days back
        (slice(0, 672 - 144), "stale_history"),
        (slice(672 - 96 - 144, 672 - 144), "short_history"),
    ],
)
def test_6_days_of_readings_one_of_them_in_the_last_3_days_are_enough(known, way):
    context = np.full(672, np.nan)
    context[known] = 1
    assert ways(context) == way


def test_with_a_lag_of_2_days_the_last_3_days_are_those_published():
    context = np.full(672, np.nan)
    context[: 672 - 96 - 143] = 1
    assert ways(context, lag=96) is None
    context[672 - 96 - 144] = np.nan
    assert ways(context, lag=96) == "stale_history"


def test_1_window_that_knows_nothing_is_refused_by_name():
    inputs = windows_of(np.ones((2, 48 * 15))).inputs
    inputs.context_kwh[1] = np.nan
    with pytest.raises(ConfigError, match="1 windows, the first of h0001, have nothing observed; cut them with min_ob"):
        require_observed(inputs)
