"""Windows go back to where they were in time."""

import datetime as dt

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from loadproof.anomaly.days import cut_days
from loadproof.evaluation.timeline import find_spans, timeline_of
from loadproof.features.panel import Panel


def _panel(days=12, homes=2, start="2013-03-24T00:00:00"):
    energy = np.arange(homes * days * 48, dtype=np.float32).reshape(homes, -1)
    return Panel(np.array([f"h{n}" for n in range(homes)]), np.datetime64(start, "us"), 30, energy)


def test_days_laid_in_time_are_the_panel_again_but_for_what_no_day_covers():
    panel = _panel()
    windows = cut_days(panel, dt.date(2013, 3, 25), dt.date(2013, 4, 3), context_steps=48)
    shuffled = windows.take(np.random.default_rng(0).permutation(len(windows)))
    line = timeline_of(shuffled.inputs)
    laid = line.lay(shuffled.truth_kwh, blank=np.nan)
    # Nine days of which that of the clock change, the 31st of March, has 46 half hours.
    assert laid.shape == (2, 9 * 48 - 2)
    assert np.array_equal(laid, panel.energy_kwh[:, 48 : 48 + 9 * 48 - 2])
    assert line.ts(np.array([2]))[0] == np.datetime64("2013-03-25T01:00:00")


def test_the_23_hour_day_holds_46_readings_and_the_25_hour_day_48():
    spring = cut_days(_panel(), dt.date(2013, 3, 31), dt.date(2013, 4, 1), context_steps=48)
    assert np.isnan(spring.truth_kwh).sum(axis=1).tolist() == [2, 2]
    autumn = cut_days(_panel(start="2013-10-20T23:00:00"), dt.date(2013, 10, 27), dt.date(2013, 10, 28))
    assert not np.isnan(autumn.truth_kwh).any()


@given(arrays(np.int8, (3, 12), elements=st.integers(0, 2)))
def test_spans_are_the_runs_that_a_walk_finds(steps):
    mask, bridge = steps == 1, steps == 2
    wanted = []
    for row in range(3):
        text = "".join("x" if m else ("?" if b else ".") for m, b in zip(mask[row], bridge[row], strict=True))
        at = 0
        while at < 12:
            if text[at] != "x":
                at += 1
                continue
            end = at + 1
            ahead = end
            while ahead < 12 and text[ahead] != ".":
                if text[ahead] == "x":
                    end = ahead + 1
                ahead += 1
            wanted.append((row, at, end))
            at = end
    assert list(zip(*(column.tolist() for column in find_spans(mask, bridge=bridge)), strict=True)) == wanted
