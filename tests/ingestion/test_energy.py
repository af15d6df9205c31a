import datetime as dt
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadproof.ingestion.energy import Bins, InOrder, LeftHold, Samples, modal_step_s

SECOND = 1_000_000
HALF_HOUR = 1800 * SECOND
LAST = 6 * SECOND
START = int(dt.datetime(2013, 6, 1, tzinfo=dt.UTC).timestamp()) * SECOND


def samples_of(ts_us, power_w):
    return Samples(np.array(ts_us, np.int64), np.array(power_w, float), np.arange(1, len(ts_us) + 1, dtype=np.int64))


def bins_of(samples, width_us, hold_us, cuts=()):
    hold = LeftHold(width_us, hold_us, LAST)
    edges = [0, *sorted(cuts), len(samples.ts_us)]
    parts = [hold.add(samples.take(slice(a, b))) for a, b in pairwise(edges)]
    return Bins(*(np.concatenate(column) for column in zip(*parts, hold.finish(), strict=True)))


def slow_bins(samples, width_us, hold_us):
    """Walk from sample to sample and from edge to edge, one piece at a time."""
    energy_wus, held_us = {}, {}
    for at in range(len(samples.ts_us)):
        now = int(samples.ts_us[at])
        is_last = at + 1 == len(samples.ts_us)
        end = now + LAST if is_last else min(int(samples.ts_us[at + 1]), now + hold_us)
        while now < end:
            edge = (now // width_us + 1) * width_us
            piece = min(edge, end) - now
            start = edge - width_us
            energy_wus[start] = energy_wus.get(start, 0.0) + float(samples.power_w[at]) * piece
            held_us[start] = held_us.get(start, 0) + piece
            now += piece
    return {start: energy / 3.6e12 for start, energy in sorted(energy_wus.items())}, held_us


series = st.lists(
    st.tuples(st.integers(1, 400 * SECOND) | st.integers(1, 4 * 3600 * SECOND), st.floats(0, 25_000)), max_size=60
).map(
    lambda rows: samples_of(START + np.cumsum([step for step, _ in rows], dtype=np.int64), [power for _, power in rows])
)


@settings(max_examples=200, deadline=None)
@given(series, st.sampled_from([60, 300, 1800, 3600]), st.sampled_from([3, 60, 120, 3600]))
def test_bins_equal_a_walk_from_edge_to_edge_on_200_odd_series(samples, width_s, hold_s):
    bins = bins_of(samples, width_s * SECOND, hold_s * SECOND)
    energy_kwh, held_us = slow_bins(samples, width_s * SECOND, hold_s * SECOND)
    assert bins.start_us.tolist() == list(energy_kwh)
    assert bins.held_us.tolist() == [held_us[start] for start in energy_kwh]
    np.testing.assert_allclose(bins.energy_kwh, list(energy_kwh.values()), rtol=1e-12, atol=1e-300)


@settings(max_examples=200, deadline=None)
@given(series, st.lists(st.integers(0, 60), max_size=8))
def test_cutting_into_9_chunks_changes_no_bit_of_any_bin(samples, cuts):
    whole = bins_of(samples, HALF_HOUR, 120 * SECOND)
    cut = bins_of(samples, HALF_HOUR, 120 * SECOND, [min(cut, len(samples.ts_us)) for cut in cuts])
    for one, other in zip(whole, cut, strict=True):
        assert one.tobytes() == other.tobytes()


def test_3_kw_every_6_s_for_an_hour_is_1500_wh_in_each_half_hour():
    bins = bins_of(samples_of(START + np.arange(600) * 6 * SECOND, np.full(600, 3000.0)), HALF_HOUR, 120 * SECOND)
    assert bins.energy_kwh.tolist() == [1.5, 1.5]
    assert bins.held_us.tolist() == [HALF_HOUR, HALF_HOUR]
    assert bins.samples.tolist() == [300, 300]
    assert bins.line.tolist() == [1, 301]


def test_a_gap_of_10_minutes_over_an_edge_costs_the_half_hours_3_and_5_minutes():
    minutes = [minute for minute in range(60) if not 25 < minute < 35]
    bins = bins_of(samples_of([START + minute * 60 * SECOND for minute in minutes], [600.0] * len(minutes)),
                   HALF_HOUR, 120 * SECOND)  # fmt: skip
    assert (bins.held_us / HALF_HOUR).tolist() == [27 / 30, 24.1 / 30]
    assert bins.energy_kwh.tolist() == pytest.approx([0.27, 0.241])


def test_a_sample_held_for_an_hour_fills_60_bins_of_a_minute_from_its_own_second():
    bins = bins_of(samples_of([START + 30 * SECOND, START + 3630 * SECOND], [60.0, 0.0]), 60 * SECOND, 3600 * SECOND)
    assert len(bins.start_us) == 61
    assert bins.held_us.tolist() == [30 * SECOND, *[60 * SECOND] * 59, 36 * SECOND]
    assert bins.samples.tolist() == [1, *[0] * 59, 1]
    assert bins.energy_kwh.sum() == pytest.approx(0.06)


def test_zero_watts_after_a_year_of_25_kw_is_exactly_0_kwh():
    steps = np.arange(0, 365 * 48) * HALF_HOUR
    power = np.where(np.arange(len(steps)) < len(steps) - 3, 25_000.0, 0.0)
    assert bins_of(samples_of(START + steps, power), HALF_HOUR, HALF_HOUR).energy_kwh[-1] == 0.0


def test_one_sample_alone_holds_for_one_period_of_6_s():
    assert bins_of(samples_of([START], [100.0]), HALF_HOUR, 120 * SECOND).held_us.tolist() == [6 * SECOND]
    assert len(bins_of(Samples.none(), HALF_HOUR, 120 * SECOND).start_us) == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=40), st.lists(st.integers(0, 40), max_size=5), st.integers(1, 60))
def test_every_sample_is_settled_late_or_repeated_and_the_settled_rise(stamps, cuts, waiting):
    order, settled, aside = InOrder(waiting), [], []
    samples = samples_of(stamps, np.zeros(len(stamps)))
    edges = [0, *sorted(min(cut, len(stamps)) for cut in cuts), len(stamps)]
    for a, b in pairwise(edges):
        now, late, again = order.push(samples.take(slice(a, b)))
        settled.append(now)
        aside += [*late.line.tolist(), *again.line.tolist()]
    settled.append(order.finish())
    ts = np.concatenate([some.ts_us for some in settled])
    assert (np.diff(ts) > 0).all()
    assert sorted([*aside, *(line for some in settled for line in some.line.tolist())]) == samples.line.tolist()
    if waiting >= len(stamps):
        assert ts.tolist() == sorted(set(stamps))
        assert [line for some in settled for line in some.line.tolist()] == [
            stamps.index(stamp) + 1 for stamp in sorted(set(stamps))
        ]


def test_of_1000_stamps_in_disorder_among_50_instants_the_first_of_each_is_kept():
    stamps = np.random.default_rng(1).integers(0, 50, 1000)
    order = InOrder()
    assert len(order.push(samples_of(stamps, np.zeros(1000)))[2].ts_us) == 950
    assert order.finish().line.tolist() == [int(np.flatnonzero(stamps == at)[0]) + 1 for at in range(50)]


def test_one_stamp_of_2099_among_1000_makes_no_other_late():
    stamps = START + np.arange(1000) * SECOND
    stamps[500] = int(dt.datetime(2099, 1, 1, tzinfo=dt.UTC).timestamp()) * SECOND
    order, late = InOrder(10), 0
    for a in range(0, 1000, 100):
        late += len(order.push(samples_of(stamps[a : a + 100], np.zeros(100)))[1].ts_us)
    assert late == 0
    assert order.finish().ts_us[-1] == stamps[500]


def test_the_modal_step_of_6_6_7_6_and_90_seconds_is_6():
    assert modal_step_s(np.cumsum([0, 6, 6, 7, 6, 90]) * SECOND) == 6
    assert modal_step_s(np.array([START])) is None
