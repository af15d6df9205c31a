"""Sub-meters cannot use more than came in."""

import numpy as np
import polars as pl
import pytest

from loadproof.anomaly.balance import MeterTolerance, balance_scores, submeters_of, with_balance
from loadproof.anomaly.evidence import KINDS
from loadproof.anomaly.sweep import DayScores
from loadproof.detector import Scores
from loadproof.errors import SchemaError
from loadproof.features.panel import Panel, panel_from_readings
from loadproof.features.windows import Inputs
from loadproof.ingestion.ukdale import UKDALEIngestor


def test_sub_meters_of_1_105_kwh_are_at_the_limit_of_mains_of_1_kwh_and_of_2_21_far_above():
    mains = np.ones((1, 4), dtype=np.float32)
    sub = np.zeros((1, 2, 4), dtype=np.float32)
    sub[0, :, 1], sub[0, :, 2], sub[0, :, 3] = (0.6, 0.505), (1.6, 0.61), (0.5, 0.05)
    scores = balance_scores(mains, sub)
    assert scores.score[0] == pytest.approx([0, 0.5, 16 / 17, 1 / 17], abs=2e-3)
    assert scores.kinds[scores.kind[0, 2]] == "limit"
    assert scores.kind[0, [0, 3]].tolist() == [0, 0]


def test_a_gap_in_a_sub_meter_counts_as_nothing_and_one_in_the_mains_is_judged_by_nobody():
    mains = np.array([[1, np.nan, 0]], dtype=np.float32)
    sub = np.array([[[np.nan, 3, np.nan], [0.4, 3, np.nan]]], dtype=np.float32)
    score = balance_scores(mains, sub, MeterTolerance(0, 0.001)).score[0]
    assert score[0] == pytest.approx(0.4**4 / (1 + 0.4**4), rel=0.01)
    assert np.isnan(score[1])
    assert score[2] == 0


def test_shapes_that_do_not_belong_together_are_refused():
    with pytest.raises(SchemaError, match=r"give \(1, M, 4\) of them"):
        balance_scores(np.ones((1, 4), np.float32), np.ones((1, 4), np.float32))


def test_in_house_2_no_half_hour_breaks_the_balance_until_the_kettle_reads_tenfold(real_data):
    ingestor = UKDALEIngestor(real_data, layout="hdf5", houses=[2])
    panel = panel_from_readings(pl.concat([c.readings for part in ingestor.parts() for c in ingestor.read(part)]))
    assert panel.entities[0] == "ukdale:house_2"
    mains, sub = panel.energy_kwh[:1], panel.energy_kwh[None, 1:].copy()
    before = balance_scores(mains, sub).score
    assert 0.3 < np.nanmax(before) < 0.5
    kettle = panel.entities[1:].tolist().index("ukdale:house_2:meter_8")
    sub[0, kettle] *= 10
    boiled = np.nan_to_num(sub[0, kettle]) > 0.5  # half a kilowatt-hour where the mains saw a tenth of it
    after = balance_scores(mains, sub).score
    assert boiled.sum() > 100
    assert (after[0, boiled] > 0.5).mean() > 0.9


def _days(panel, score):
    """The scores of the first two days of all entities, and whose they are."""
    n = len(panel.entities)
    t0 = np.tile(panel.start + np.arange(2) * np.timedelta64(1, "D"), n)
    inputs = Inputs(np.zeros((2 * n, 0), np.float32), t0, np.repeat(panel.entities, 2), 48, 30)
    flat = np.full((2 * n, 48), score, np.float32)
    return DayScores(inputs, Scores(flat, np.zeros(flat.shape, np.uint8), KINDS))


def test_a_home_is_raised_where_its_two_meters_read_twice_its_mains_and_nobody_else_is():
    energy = np.full((4, 96), 0.1, np.float32)
    energy[0] = 1  # the home; its meters are rows 1 and 2, row 3 is another home
    energy[1:3, 60] = 1.1055
    energy[0, 70] = np.nan
    names = np.array(["ukdale:house_1", "ukdale:house_1:meter_2", "ukdale:house_1:meter_3", "ukdale:house_2"])
    panel = Panel(names, np.datetime64("2013-01-07", "us"), 30, energy)
    found = _days(panel, 0.3)
    found.scores.score[1, 70 - 48] = np.nan
    told = with_balance(found, panel, {"ukdale:house_1": names[1:3].tolist(), "ukdale:house_9": ["x"]})
    changed = np.argwhere((told.scores.score != 0.3) & ~np.isnan(told.scores.score))
    assert changed.tolist() == [[1, 60 - 48]]
    assert told.scores.score[1, 12] == pytest.approx(2.211**4 / (1.105**4 + 2.211**4), abs=1e-3)
    assert told.scores.kinds[told.scores.kind[1, 12]] == "limit"
    assert np.isnan(told.scores.score[1, 70 - 48])
    assert (found.scores.score[1, 12], found.scores.kind[1, 12]) == (np.float32(0.3), 0)


def test_only_meters_of_active_power_are_added_up():
    extras = {
        "ukdale:house_1": '{"ac_type":"active"}', "ukdale:house_1:meter_2": '{"ac_type":"apparent"}',
        "ukdale:house_1:meter_5": '{"ac_type":"active"}', "ukdale:house_1:meter_10": '{"ac_type":"active"}',
        "ukdale:house_3": '{"ac_type":"apparent"}', "lcl:MAC000002": "{}",
    }  # fmt: skip
    readings = pl.LazyFrame({"entity_id": list(extras), "extras": list(extras.values())})
    assert submeters_of(readings) == {"ukdale:house_1": ["ukdale:house_1:meter_10", "ukdale:house_1:meter_5"]}
