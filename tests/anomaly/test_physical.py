"""What cannot be, or what this home never did."""

import numpy as np
import pytest
from tests.anomaly.detector_fixtures import fitted, homes, kinds_at, windows_of, with_context, with_day

from loadproof.anomaly.physical import RECORD_FLOORS, PhysicalDetector
from loadproof.errors import SchemaError
from loadproof.forecaster import ModelState


@pytest.fixture
def day():
    """One home's day of readings that never repeat, after 28 such days."""
    return windows_of(homes(1, 29))


def scored(windows, **kwargs):
    return PhysicalDetector(**kwargs).score(windows)


def test_an_ordinary_day_stays_below_a_half_and_is_called_nothing(day):
    scores = scored(day)
    assert scores.score.max() < 0.5
    assert (scores.kind == 0).all()


@pytest.mark.parametrize(
    ("kwh", "phases", "over"), [(11.4, 1, False), (11.6, 1, True), (34.4, 3, False), (34.6, 3, True)]
)
def test_a_100_a_fuse_lets_11_5_kwh_through_and_three_of_them_34_5(day, kwh, phases, over):
    truth = day.truth_kwh.copy()
    truth[0, 20:23] = kwh, kwh + 0.01, kwh + 0.02
    # A home that has had such rises before, so that the rise is no news.
    context = day.inputs.context_kwh.copy()
    context[0, ::100] = 11.4 * phases
    scores = scored(with_context(with_day(day, truth), context), phases=phases)
    assert (scores.score[0, 21] > 0.5) == over
    if over:
        assert kinds_at(scores, truth > 11.5 * phases) == {"limit"}


def test_what_no_fuse_carries_without_end_is_as_impossible_as_a_negative_reading(day):
    truth = day.truth_kwh.copy()
    truth[0, 20:23] = 14.3, 14.4, -1
    high = scored(with_day(with_context(day, np.resize([0.2, 14.2], 1344)), truth)).score[0, 20:23]
    assert high[0] == pytest.approx(1.2435**4 / (1 + 1.2435**4), abs=1e-3)  # 14.3 kWh over 11.5, overloaded
    assert high[1] > 0.999 and high[2] > 0.999  # 14.4 kWh is beyond 14.375
    assert scored(with_day(day, truth), phases=3).score[0, 22] > 0.999


def test_without_a_fuse_a_building_may_draw_200_kwh_and_a_negative_reading_is_still_impossible(day):
    big = with_day(with_context(day, day.inputs.context_kwh * 1000), day.truth_kwh * 1000)
    assert scored(big, fuse_a=None).score.max() < 0.5
    assert scored(big).score.min() > 0.9
    truth = big.truth_kwh.copy()
    truth[0, 7] = -1
    scores = scored(with_day(big, truth), fuse_a=None)
    assert scores.score[0, 7] > 0.999
    assert np.flatnonzero(scores.score[0] > 0.5).tolist() == [7]
    assert kinds_at(scores, truth < 0) == {"limit"}


def test_minus_a_tenth_of_a_watt_hour_is_zero_and_no_impossible_reading(day):
    truth = day.truth_kwh.copy()
    truth[0, 7] = -0.0001
    assert scored(with_day(day, truth)).score[0, 7] < 0.5


def test_twelve_zeros_in_a_home_that_never_read_zero_are_a_dropout_of_12_half_hours(day):
    truth = day.truth_kwh.copy()
    truth[0, 10:22] = 0
    scores = scored(with_day(day, truth))
    assert np.flatnonzero(scores.score[0] > 0.5).tolist() == list(range(10, 22))
    assert kinds_at(scores, truth == 0) == {"dropout"}
    assert scores.score[0, 15] == pytest.approx(6**4 / (1 + 6**4))  # 12 over the floor of 2


def test_twelve_zeros_are_nothing_to_a_home_that_once_had_15_and_much_to_one_that_had_4(day):
    truth = day.truth_kwh.copy()
    truth[0, 10:22] = 0
    for record, odd in ((15, False), (4, True)):
        context = day.inputs.context_kwh.copy()
        context[0, 500 : 500 + record] = 0
        scores = scored(with_context(with_day(day, truth), context))
        assert (scores.score[0, 15] > 0.5) == odd
        assert scores.score[0, 15] == pytest.approx((12 / record) ** 4 / (1 + (12 / record) ** 4), rel=1e-5)


def test_a_dropout_that_began_yesterday_is_counted_from_its_beginning_and_is_no_record(day):
    context, truth = day.inputs.context_kwh.copy(), day.truth_kwh.copy()
    context[0, -6:] = truth[0, :2] = 0
    scores = scored(with_context(with_day(day, truth), context))
    assert scores.score[0, :2] == pytest.approx([4**4 / (1 + 4**4)] * 2)  # 8 over the floor of 2


def test_a_register_that_repeats_0_9_kwh_for_3_hours_is_frozen(day):
    truth = day.truth_kwh.copy()
    truth[0, 30:36] = 0.9
    scores = scored(with_day(day, truth))
    assert np.flatnonzero(scores.score[0] > 0.5).tolist() == list(range(30, 36))
    assert kinds_at(scores, truth == np.float32(0.9)) == {"frozen"}
    assert scores.score[0, 33] == pytest.approx(2.5**4 / (1 + 2.5**4))  # 5 repeats over the floor of 2


def test_a_base_load_that_repeats_12_times_every_night_may_do_so_again_but_not_a_high_value(day):
    base = day.inputs.context_kwh.min() / 2
    context = day.inputs.context_kwh.copy().reshape(28, 48)
    context[:, 2:14] = base
    truth = day.truth_kwh.copy()
    truth[0, 2:14], truth[0, 30:36] = base, 0.9
    scores = scored(with_context(with_day(day, truth), context))
    assert scores.score[0, 2:14].max() <= 0.5
    assert (scores.score[0, 30:36] > 0.9).all()


def test_a_gap_ends_a_run_so_that_3_zeros_beside_3_are_no_6(day):
    truth = day.truth_kwh.copy()
    truth[0, 10:17] = 0
    truth[0, 13] = np.nan
    scores = scored(with_day(day, truth))
    assert scores.score[0, 10] == pytest.approx(1.5**4 / (1 + 1.5**4))
    assert np.isnan(scores.score[0, 13])


def test_a_rise_by_20_means_is_a_spike_in_a_home_that_never_rose_so(day):
    day = with_day(with_context(day, day.inputs.context_kwh / 10), day.truth_kwh / 10)  # far from what a fuse carries
    mean = day.inputs.context_kwh.mean()
    truth = day.truth_kwh.copy()
    truth[0, 24] = truth[0, 23] + 20 * mean
    scores = scored(with_day(day, truth))
    assert scores.score[0, 24] == pytest.approx(2**4 / (1 + 2**4), rel=0.01)  # over the floor of 10
    assert kinds_at(scores, np.arange(48)[None] == 24) == {"spike"}
    assert scores.score[0, 25] < 0.5  # the fall back to the usual is none


def test_a_fit_remembers_the_20_zeros_of_one_home_and_forgives_no_other(day):
    empty = homes(2, 36, seed=4)
    empty[0, 29 * 48 : 29 * 48 + 20] = 0
    late = homes(2, 66, seed=4)[:, 31 * 48 :]  # contexts in which nothing of it is left
    late[:, 28 * 48 : 28 * 48 + 16] = 0
    judged = windows_of(late, last=29)
    assert (scored(judged).score[:, 3] > 0.9).all()
    detector = fitted("physical", windows_of(empty))
    score = detector.score(judged).score[:, 3]
    assert score[0] < 0.5
    assert score[1] > 0.9


def test_a_state_whose_homes_do_not_fit_its_records_is_refused(day):
    state = fitted("physical", day).state()
    assert state.arrays["record"].shape == (1, len(RECORD_FLOORS))
    with pytest.raises(SchemaError, match="2 homes do not fit"):
        PhysicalDetector().restore(ModelState(state.knobs | {"entities": ["a", "b"]}, state.arrays, {}))


def test_the_first_true_reading_after_a_meter_that_ran_backwards_is_no_rise(day):
    mean = float(day.inputs.context_kwh.mean())
    truth = day.truth_kwh.copy()
    truth[0, 20:23] = np.float32([-20, -21, -22]) * mean
    score = scored(with_day(day, truth)).score[0]
    assert (score[20:23] > 0.999).all()
    assert score[23] < 0.01
