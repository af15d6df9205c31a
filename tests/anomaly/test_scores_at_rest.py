"""What lies on disk says of each reading what was said before it was written."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.anomaly.detector_fixtures import homes, panel_of

from loadproof.anomaly import sweep
from loadproof.anomaly.evidence import KINDS
from loadproof.anomaly.following import CleanHistory
from loadproof.anomaly.scores_at_rest import judged_of_scores
from loadproof.anomaly.subspace import SubPCADetector
from loadproof.anomaly.sweep import Sweep, join_scores
from loadproof.anomaly.watch import judge, tell
from loadproof.detector import Scores
from loadproof.errors import SchemaError
from loadproof.features.panel import Panel

CLEAN = CleanHistory(dt.date(2013, 3, 26), days=21, rule_days=14, refresh_days=7)
UNTIL = dt.date(2013, 4, 2)  # over 31 March, a day of 23 hours


class Odd(SubPCADetector):
    """Says of every hundredth reading that it is a spike, of every second hundredth that it hit a limit."""

    def score(self, windows):
        truth = windows.truth_kwh
        kind = np.where(truth * 1000 % 100 < 1, KINDS.index("spike"), 0) + np.where(truth * 1000 % 200 < 1, 5, 0)
        score = np.where(np.isnan(truth), np.nan, truth / (1 + truth)).astype(np.float32)
        return Scores(score, np.where(np.isnan(truth), 0, kind).astype(np.uint8), KINDS)


@pytest.fixture(scope="module")
def panel():
    energy = homes(4, 92, seed=3)
    energy[1, 80 * 48 : 82 * 48] = np.nan
    return panel_of(energy)


@pytest.fixture(scope="module")
def judged(panel):
    found = join_scores(Sweep(panel, CLEAN.first, UNTIL).score(Odd()))
    dates = [CLEAN.judged_from + dt.timedelta(days=n) for n in range(7)]
    return judge(found, CLEAN, dates, alerts_per_week=0.5)


def test_scores_p_values_kinds_and_thresholds_come_back_as_they_were(tmp_path, panel, judged, monkeypatch):
    judged.table("odd").write_parquet(tmp_path / "odd.parquet")
    monkeypatch.setattr(sweep, "_CHUNK_VALUES", 1)  # a home at a time
    days = Sweep(panel, CLEAN.judged_from, UNTIL, threads=2)
    back = judged_of_scores(days, pl.read_parquet(tmp_path / "odd.parquet"), judged.limits())
    pairs = [(back.found.inputs.t0, judged.found.inputs.t0), (back.found.inputs.entity, judged.found.inputs.entity),
             (back.found.scores.kind, judged.found.scores.kind), (back.odd, judged.odd)]  # fmt: skip
    assert all(seen.dtype == was.dtype and np.array_equal(seen, was) for seen, was in pairs)
    for seen, was in [(back.p, judged.p), (back.found.scores.score, judged.found.scores.score)]:
        assert seen.dtype == was.dtype and np.array_equal(seen, was, equal_nan=True)
    assert back.odd.any() and set(np.unique(back.found.scores.kind)) == {0, 1, 6}
    assert tell(days, back, detector="odd").equals(tell(days, judged, detector="odd"))


def test_scores_of_other_readings_or_days_are_refused_with_the_mend(panel, judged):
    scores, limits, days = judged.table("odd"), judged.limits(), Sweep(panel, CLEAN.judged_from, UNTIL)
    with pytest.raises(SchemaError, match="not of these readings and days; let the detector score them again"):
        judged_of_scores(days, scores[1:], limits)
    with pytest.raises(SchemaError, match="not of these readings and days"):
        judged_of_scores(days, scores.filter(pl.col("entity_id") != "h0001"), limits)
    energy = panel.energy_kwh.copy()
    energy[0, 80 * 48] = np.nan
    others = Panel(panel.entities, panel.start, panel.interval_mins, energy)
    with pytest.raises(SchemaError, match="not of these readings and days"):
        judged_of_scores(Sweep(others, CLEAN.judged_from, UNTIL), scores, limits)
    with pytest.raises(SchemaError, match="not of these readings and days"):
        judged_of_scores(Sweep(panel, CLEAN.judged_from, dt.date(2013, 3, 30)), scores, limits)


def test_of_two_homes_alone_the_table_of_all_says_the_same(panel, judged):
    two = Sweep(panel.only(["h0000", "h0002"]), CLEAN.judged_from, UNTIL)
    back = judged_of_scores(two, judged.table("odd"), judged.limits())
    assert np.array_equal(back.p, np.concatenate([judged.p[:7], judged.p[14:21]]), equal_nan=True)
