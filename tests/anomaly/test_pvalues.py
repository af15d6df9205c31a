"""P-values hold what they promise on clean readings, and rank within a home as scores do."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadproof.anomaly.days import cut_days
from loadproof.anomaly.pvalues import fit_pvalues, p_values, pvalues_from_state, score_table
from loadproof.detector import Scores
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.panel import Panel
from loadproof.schema import SCORES


def _scores(seed=0, homes=20, days=28):
    rng = np.random.default_rng(seed)
    size = rng.gamma(2, 1, homes).repeat(days)[:, None]
    return rng.gumbel(3, 1, (homes * days, 48)).astype(np.float32) * size.astype(np.float32), np.repeat(
        [f"h{n:02d}" for n in range(homes)], days
    )


def test_with_99_scores_before_one_that_tops_them_has_p_1_of_100_and_ties_count_against():
    history = np.arange(99, dtype=np.float32).reshape(9, 11)
    known = fit_pvalues(history, np.repeat(["a"], 9), tail="own", min_own=99)
    new = np.array([[1000, 98, 97.5, 0, -5, np.nan]], dtype=np.float32)
    found = p_values(known, new, np.array(["a"]))
    assert found[0] == pytest.approx([0.01, 0.02, 0.02, 1, 1, np.nan], nan_ok=True)


@pytest.mark.parametrize("tail", ["own", "shared"])
def test_of_clean_readings_no_more_than_a_share_p_has_a_p_value_of_p(tail):
    known = fit_pvalues(*_scores(0), tail=tail)
    found = p_values(known, *_scores_again())
    for level, within in ((0.1, 0.05), (0.01, 0.15), (0.003, 0.25)):
        assert np.mean(found <= level) == pytest.approx(level, rel=within), level
    if tail == "shared":  # one in 1,345 is the least that a home alone can tell
        assert np.mean(found <= 3e-4) == pytest.approx(3e-4, rel=0.6)


def _scores_again():
    first, entity = _scores(0)
    size = np.random.default_rng(0).gamma(2, 1, 20).repeat(28)[:, None]
    return np.random.default_rng(7).gumbel(3, 1, first.shape).astype(np.float32) * size.astype(np.float32), entity


@given(st.integers(0, 50), st.sampled_from(["own", "shared"]))
def test_in_a_home_a_higher_score_never_has_a_higher_p_value(seed, tail):
    score, entity = _scores(seed, homes=3, days=16)
    known = fit_pvalues(score, entity, tail=tail)
    ladder = np.sort(np.random.default_rng(seed).normal(5, 8, (1, 200)).astype(np.float32))
    for home in ("h00", "h01", "stranger"):
        assert (np.diff(p_values(known, ladder, np.array([home]))) <= 0).all()


def test_a_home_without_enough_history_is_held_against_the_pool_and_the_same_in_any_order():
    score, entity = _scores(homes=2)
    thin = entity.copy()
    thin[-1] = "new"
    known = fit_pvalues(score, thin)
    assert known.entities.tolist() == ["h00", "h01"]
    found = p_values(known, score[-1:], np.array(["new"]))[0]
    wanted = [(1 + (score >= s).sum()) / (score.size + 1) for s in score[-1]]
    assert found == pytest.approx(wanted)
    order = np.random.default_rng(0).permutation(len(score))
    mixed = p_values(fit_pvalues(score[order], thin[order]), score, thin)
    assert np.array_equal(mixed, p_values(known, score, thin))


def test_1_above_the_border_is_as_odd_in_a_home_of_a_tenth_of_the_tail_as_in_the_median_home():
    # Exponential scores have exponential excesses: mean 1 in two homes, 0.1 in the calm one. In its own multiples 1 is
    # ten, beyond all of 288 excesses; in the median home's it is one, as it is in the others.
    calm = np.array([1, 1, 0.1], np.float32).repeat(100)[:, None]
    score = np.random.default_rng(0).exponential(1, (300, 48)).astype(np.float32) * calm
    known = fit_pvalues(score, np.repeat(["a", "b", "calm"], 100))
    assert known.scale == pytest.approx([1, 1, 1], abs=0.2)
    above = (known.border + 1)[[0, 2], None]
    assert p_values(known, above, np.array(["a", "calm"])).ravel() == pytest.approx([0.02 * 2 / 3 / np.e] * 2, rel=0.2)


def test_scores_that_are_all_alike_have_p_1_and_history_without_score_is_refused():
    same = np.full((28, 48), 0.5, dtype=np.float32)
    entity = np.repeat(["a"], 28)
    assert (p_values(fit_pvalues(same, entity), same, entity) == 1).all()
    with pytest.raises(ConfigError, match="no score"):
        fit_pvalues(same * np.nan, entity)


def test_p_values_come_back_from_their_state_and_from_no_other():
    score, entity = _scores(homes=3)
    known = fit_pvalues(score, entity)
    again = pvalues_from_state(known.state())
    assert np.array_equal(p_values(again, score, entity), p_values(known, score, entity))
    with pytest.raises(SchemaError, match="not that of p-values"):
        pvalues_from_state(known.state()._replace(knobs={}))


def test_the_table_of_scores_has_one_row_a_reading_in_order_and_none_for_what_is_missing():
    energy = np.ones((2, 40 * 48), dtype=np.float32)
    energy[1, 1440] = np.nan
    panel = Panel(np.array(["a", "b"]), np.datetime64("2013-01-01T00:00:00", "us"), 30, energy)
    windows = cut_days(panel, dt.date(2013, 1, 31), dt.date(2013, 2, 2)).take(slice(None, None, -1))
    score = windows.truth_kwh.copy()
    frame = score_table("tiny", Scores(score, np.zeros(score.shape, np.uint8)), score / 2, windows.inputs)
    assert frame.schema == SCORES and frame.height == 4 * 48 - 1
    assert frame.equals(frame.sort("entity_id", "ts_utc"))
    first = frame.filter(pl.col("entity_id") == "b")["ts_utc"][0]
    assert first == dt.datetime(2013, 1, 31, 0, 30, tzinfo=dt.UTC)
