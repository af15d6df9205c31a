import datetime as dt

import numpy as np
import pytest
from tests.evaluation.board_fixtures import config_of, setting, town

from loadproof.baselines.persistence import PersistenceEnsemble
from loadproof.baselines.seasonal import SeasonalNaive
from loadproof.config import CalibrationConfig
from loadproof.evaluation.board import sums_of
from loadproof.evaluation.board_ground import lay_ground
from loadproof.evaluation.board_judge import COUNT_NAMES, KEPT_NAMES, judge, judge_hourly, sums_frame, variants_of
from loadproof.evaluation.folds import hide, rotating, split_fold
from loadproof.evaluation.metrics import metric_values, seasonal_scale
from loadproof.evaluation.sums import SUM_NAMES, sum_scores
from loadproof.features.place import LONDON
from loadproof.forecaster import ForecastRows

FOLD = "held_2013-02-01"
RAW = {"raw": lambda rolled: rolled.test_forecast}


def ground_of(level="home"):
    return lay_ground(town(), setting(level, "A"), config_of(), weather=None, place=LONDON)


def seconds():
    return 0.0


def judged(**options):
    ground = ground_of()
    found = judge(
        PersistenceEnsemble(), ground, ground.folds[FOLD], variants=RAW, rng=np.random.default_rng(0), clock=seconds,
        **options,
    )  # fmt: skip
    return ground, found


def test_a_record_of_24_homes_and_5_weeks_tells_what_scoring_their_test_windows_at_once_tells():
    ground, found = judged()
    frame = found.frames["raw"]
    fold = ground.folds[FOLD]
    test = split_fold(ground.judged, fold).test
    forecast = PersistenceEnsemble().predict(test.inputs)
    scales = seasonal_scale(hide(ground.panel, fold), until=ground.judged.inputs.t0.max())
    rows = ForecastRows("persistence_ensemble", test.inputs.entity, test.inputs.t0, forecast)
    want = sum_scores(rows, test.truth_kwh, interval_mins=30, scales_kwh=scales)
    got = sums_of(frame, "persistence_ensemble")
    assert got.values.shape == (24, 5, 1, len(SUM_NAMES))
    np.testing.assert_array_equal(got.entities, want.entities)
    np.testing.assert_array_equal(got.weeks, want.weeks)
    for at, name in enumerate(SUM_NAMES):
        cells, exact = got.values[:, :, 0, at], want.values[:, :, 0, at]
        if name in COUNT_NAMES:
            np.testing.assert_array_equal(cells, exact)
        elif name in KEPT_NAMES:
            np.testing.assert_allclose(cells, exact, rtol=1e-3)
        else:
            assert np.isnan(cells).all()
    pooled, exact = (metric_values(sums.values[:, :, 0].sum(axis=(0, 1))) for sums in (got, want))
    np.testing.assert_allclose(pooled[:10], exact[:10], rtol=3e-4)


def test_half_of_the_homes_are_marked_as_seen_and_the_facts_count_windows_and_fits():
    ground, found = judged()
    frame = found.frames["raw"]
    assert set(frame.filter("seen")["entity_id"]) == set(ground.seen)
    assert frame["entity_id"].n_unique() == 24
    facts = found.facts
    assert (facts["fits"], facts["every"], facts["fit_seconds"]) == (1, 1, 0.0)
    assert facts["test_windows"] == 24 * 28
    assert facts["valid_windows"] == 12 * 7


def test_beside_all_windows_the_every_7th_of_each_home_are_summed_as_a_slow_model_has_them():
    _, bar = judged(also_every=(7,))
    _, slow = judged(every=7)
    thin = bar.frames["raw"].filter(every=7)
    assert set(bar.frames["raw"]["every"]) == {1, 7}
    assert thin.equals(slow.frames["raw"])
    # Most windows are whole days less the 2 % that is missing.
    assert thin["n"].sum() / bar.frames["raw"].filter(every=1)["n"].sum() == pytest.approx(1 / 7, rel=0.01)


def test_each_variant_has_its_own_rows_from_one_fit():
    ground = ground_of()
    doubled = {**RAW, "later": lambda rolled: SeasonalNaive(48).predict(rolled.test.inputs)}
    fitted = SeasonalNaive(48)
    fitted.fit(split_fold(ground.learned, ground.folds[FOLD]).train, ground.learned, rng=np.random.default_rng(0))
    doubled["later"] = lambda rolled: fitted.predict(rolled.test.inputs)
    found = judge(
        PersistenceEnsemble(), ground, ground.folds[FOLD], variants=doubled, rng=np.random.default_rng(0), clock=seconds
    )  # fmt: skip
    raw, later = found.frames["raw"], found.frames["later"]
    assert raw["load"].equals(later["load"])
    assert (raw["pinball"] != later["pinball"]).any()


def coverage_90(frame):
    return frame["coverage_90"].sum() / frame["n"].sum()


@pytest.mark.parametrize("first", [dt.date(2013, 1, 1), dt.date(2013, 2, 1)])
def test_calibrated_beside_or_before_validation_the_90_per_cent_band_holds_within_2_points(first):
    config = config_of(blocks_from=(first, dt.date(2013, 2, 20)))
    ground = lay_ground(town(), setting("home", "A"), config, weather=None, place=LONDON)
    fold = ground.folds[f"held_{first}"]
    assert (fold.valid.start > fold.test.start) == (first == dt.date(2013, 1, 1))
    found = judge(
        PersistenceEnsemble(), ground, fold, variants=variants_of(CalibrationConfig()), rng=np.random.default_rng(0),
        clock=seconds,
    )  # fmt: skip
    raw, calibrated = found.frames["raw"], found.frames["calibrated"]
    assert raw["load"].equals(calibrated["load"])
    assert coverage_90(raw) < 0.87
    assert coverage_90(calibrated) == pytest.approx(0.9, abs=0.02)


def test_without_calibration_there_is_1_variant():
    assert list(variants_of(CalibrationConfig(kind="none"))) == ["raw"]
    assert list(variants_of(CalibrationConfig(kind="static"))) == ["raw", "calibrated"]


def test_cells_that_scored_no_half_hour_are_no_rows():
    ground = ground_of()
    test = split_fold(ground.judged, ground.folds[FOLD]).test
    forecast = PersistenceEnsemble().predict(test.inputs)
    truth = test.truth_kwh.copy()
    truth[test.inputs.entity == ground.panel.entities[0]] = np.nan
    rows = ForecastRows("m", test.inputs.entity, test.inputs.t0, forecast)
    sums = sum_scores(rows, truth, interval_mins=30, scales_kwh={}).over_all_times()
    frame = sums_frame(sums, seen=ground.seen, every=1)
    assert frame.height == 23 * 5
    assert rotating(test, 1).all()


def test_hour_by_hour_a_building_has_24_rows():
    ground = ground_of("buildingsbench")
    found = judge_hourly(
        PersistenceEnsemble(), ground, ground.folds[FOLD], variants=RAW, rng=np.random.default_rng(0), clock=seconds
    )  # fmt: skip
    frame = found.frames["raw"]
    assert frame.height == 24 * 24
    assert frame["n"].min() == 28
    assert set(frame.filter("seen")["entity_id"]) == set(ground.seen)
