import math

import numpy as np
import polars as pl
import pytest

from loadproof.evaluation.detection_board import detection_rows, rate_rows
from loadproof.evaluation.detection_events import EVENT_SUMS
from loadproof.evaluation.detection_table import Table, detection_tables
from loadproof.evaluation.vus import RANKINGS


def record(values, *, detector, strength=1.0):
    """A frame of one figure for each home; all events were found at once by one alert."""
    sums = dict.fromkeys(EVENT_SUMS, 1.0) | {"false_alerts": 0.0, "delay_steps": 3.0}
    rows = [
        {"detector": detector, "entity_id": f"h{i}", "strength": strength, **dict.fromkeys(RANKINGS, value), **sums}
        for i, value in enumerate(values)
    ]
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(RANKINGS, pl.Float32))


def rows_of(frame, **key):
    found = detection_rows(
        frame, kind="all", strength=None, subjects=("ensemble",), draws=200, rng=np.random.default_rng(0)
    )
    return [row for row in found if all(row[name] == value for name, value in key.items())]


def frame_of(*parts, kind="theft"):
    return pl.concat(parts).with_columns(kind=pl.lit(kind))


def test_a_figure_is_the_mean_over_homes_of_means_over_kinds_of_means_over_strengths():
    many = [record([0.0] * 5, detector="physical", strength=s) for s in (1.0, 2.0, 3.0)]
    frame = pl.concat([frame_of(*many), frame_of(record([1.0] * 5, detector="physical"), kind="unit_slip")])
    (row,) = rows_of(frame, metric="vus_pr")
    assert row["value"] == pytest.approx(0.5)
    assert row["n"] == 5


def test_a_lead_of_a_tenth_in_every_home_has_an_interval_of_a_tenth():
    values = np.linspace(0.1, 0.8, 8)
    frame = frame_of(record(values + 0.1, detector="ensemble"), record(values, detector="physical"))
    (row,) = rows_of(frame, metric="vus_pr_lead_of:ensemble")
    assert [row["value"], row["low"], row["high"]] == pytest.approx([0.1] * 3, abs=1e-6)
    (own,) = rows_of(frame, metric="vus_pr", detector="physical")
    assert own["high"] - own["low"] > 0.1


def test_a_lead_is_over_the_homes_that_both_have():
    frame = frame_of(record([0.9, 0.9, 0.1, 0.1, 0.1], detector="ensemble"), record([0.8, 0.8], detector="mstl"))
    (row,) = rows_of(frame, metric="vus_pr_lead_of:ensemble")
    assert row["value"] == pytest.approx(0.1)
    assert row["n"] == 2
    assert math.isnan(row["low"])


def test_8_alerts_in_4_home_weeks_are_twice_the_1_that_was_chosen():
    frame = pl.DataFrame(
        {"detector": ["physical"] * 4, "alerts_per_week": [1.0] * 4, "entity_id": list("abcd"), "alerts": [2, 2, 2, 2],
         "weeks": [1.0] * 4}
    )  # fmt: skip
    (row,) = rate_rows(frame, draws=100, rng=np.random.default_rng(0))
    assert [row["value"], row["low"], row["high"], row["n"]] == [2, 2, 2, 4]


def test_faults_changes_and_buildings_have_tables_of_their_own():
    lead = record([0.7], detector="ensemble").drop("strength")
    tables = [
        Table("A", "theft", record([0.5] * 4, detector="ensemble")),
        Table("A", "ev", record([0.2] * 4, detector="ensemble")),
        Table("lead", "lead:001074", lead),
    ]
    rows = detection_tables(tables, faults=("theft",), draws=100, seed=1)
    of = {(row["table"], row["kind"]): row["value"] for row in rows if row["metric"] == "vus_pr"}
    wanted = {("faults", "all"): 0.5, ("faults", "theft"): 0.5, ("changes", "all"): 0.2, ("changes", "ev"): 0.2,
              ("lead", "lead:001074"): 0.7}  # fmt: skip
    assert of == pytest.approx(wanted)
    building = [row for row in rows if row["table"] == "lead"]
    assert all(math.isnan(row["low"]) for row in building)
    (delay,) = [row["value"] for row in building if row["metric"] == "detection_delay"]
    assert delay == 3
