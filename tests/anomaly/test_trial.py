import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.anomaly.detector_fixtures import DAY, START, homes, panel_of

from loadproof.anomaly.controls import ConstantDetector, RandomDetector
from loadproof.anomaly.days import cut_days
from loadproof.anomaly.ensemble import EnsembleDetector
from loadproof.anomaly.following import CleanHistory
from loadproof.anomaly.injection import FAULTS
from loadproof.anomaly.physical import PhysicalDetector
from loadproof.anomaly.seasonal import SeasonalZScoreDetector
from loadproof.anomaly.trial import Bench, Trial

KINDS = ("meter_dropout", "unit_slip", "reversed_ct")


@pytest.fixture(scope="module")
def trial():
    """Ten homes of 20 weeks, the last three of them judged, six of them with events."""
    panel = panel_of(homes(10, 28 + 17 * 7, seed=2))
    others = cut_days(panel_of(homes(4, 60, seed=3)), START + 28 * DAY, START + 60 * DAY)
    members = [PhysicalDetector(), SeasonalZScoreDetector()]
    ensemble = EnsembleDetector(members, faults={kind: FAULTS[kind] for kind in KINDS})
    ensemble.fit(others, others, rng=np.random.default_rng(0))
    single = {detector.name: detector for detector in (*members, RandomDetector(), ConstantDetector())}
    for detector in single.values():
        detector.fit(others, others, rng=np.random.default_rng(1))
    windows = cut_days(panel, START + 28 * DAY, START + (28 + 17 * 7) * DAY)
    clean = CleanHistory((START + (28 + 98) * DAY).astype(dt.datetime).date(), days=98, rule_days=42, refresh_days=7)
    return Trial(Bench(single, ensemble, {"random": 2}), windows, clean=clean, homes=panel.entities[:6])


@pytest.fixture(scope="module")
def slipped(trial):
    return trial.event("unit_slip", FAULTS["unit_slip"], alerts_per_week=1, rng=np.random.default_rng(0))


def test_every_detector_strength_and_home_has_1_row_and_a_slow_detector_2_homes(slipped):
    assert slipped.group_by("detector", "strength").len().sort("detector", "strength")["len"].to_list() == [
        *[6] * 6, *[6] * 3, *[2] * 3, *[6] * 3
    ]  # fmt: skip
    assert slipped["events"].to_list() == [1.0] * len(slipped)


def test_a_slip_to_a_thousandfold_is_found_by_physics_and_by_nobody_who_knows_nothing(slipped):
    mean = dict(slipped.group_by("detector").agg(pl.col("vus_pr").mean()).iter_rows())
    assert mean["physical"] > 0.95
    assert mean["ensemble"] > 0.9
    assert mean["random"] < 0.3
    assert mean["constant"] < 0.1


def test_a_constant_score_never_alarms_so_that_it_finds_nothing(slipped):
    rows = slipped.filter(slipped["detector"] == "constant")
    assert rows["found"].sum() == rows["alerts"].sum() == 0


def test_the_same_chance_sets_the_same_events(trial, slipped):
    again = trial.event("unit_slip", FAULTS["unit_slip"], alerts_per_week=1, rng=np.random.default_rng(0))
    assert again.equals(slipped)


def test_untouched_homes_are_counted_at_every_rate_over_3_weeks(trial):
    found = trial.clean_alerts((0.5, 1.0))
    assert (
        found.filter(found["detector"] == "physical")["weeks"].to_list() == [3.00595] * 20
    )  # and the hour of summer time
    assert set(found["alerts_per_week"]) == {0.5, 1.0}
