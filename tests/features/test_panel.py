import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.features.panel_fixtures import START, random_panel, readings_of

from loadproof.errors import SchemaError
from loadproof.features.panel import Panel, panel_from_readings


def test_3_readings_of_2_homes_become_a_panel_of_2_by_4_with_5_missing():
    frame = pl.DataFrame(
        {
            "entity_id": ["b", "a", "b"],
            "ts_utc": [dt.datetime(2013, 1, 1, 0, m, tzinfo=dt.UTC) for m in (30, 0, 0)],
            "interval_mins": [10, 10, 10],
            "energy_kwh": [0.4, 0.1, 0.2],
        }
    )
    panel = panel_from_readings(frame)
    nan = np.nan
    np.testing.assert_array_equal(panel.energy_kwh, np.float32([[0.1, nan, nan, nan], [0.2, nan, nan, 0.4]]))
    assert panel.entities.tolist() == ["a", "b"]
    assert (panel.start, panel.interval_mins) == (np.datetime64("2013-01-01", "us"), 10)


def test_a_panel_of_3_homes_survives_the_way_through_shuffled_readings():
    panel = random_panel(np.random.default_rng(1))
    back = panel_from_readings(readings_of(panel).sample(fraction=1.0, shuffle=True, seed=2))
    np.testing.assert_array_equal(back.energy_kwh, panel.energy_kwh)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frame: pl.concat([frame, frame.head(2)]), "^2 readings share .* first is lcl:MAC000000"),
        (lambda frame: frame.drop("energy_kwh"), "energy_kwh.*READINGS"),
        (lambda frame: frame.head(0), "are empty; choose"),
        (lambda frame: frame.with_columns(pl.col("ts_utc") + pl.duration(minutes=7)), "off the grid; ingest"),
        (
            lambda frame: pl.concat([frame, frame.head(1).with_columns(interval_mins=pl.lit(60, pl.Int16))]),
            r"\[30, 60\] minutes are mixed; choose",
        ),
    ],
)
def test_readings_that_break_1_promise_are_refused_with_their_mend(spoil, message):
    frame = readings_of(random_panel(np.random.default_rng(3), n_days=2))
    with pytest.raises(SchemaError, match=message):
        panel_from_readings(spoil(frame))


def test_counts_and_cuts_of_2_homes_are_those_of_their_slices_inside_the_panel_and_outside():
    nan = np.nan
    panel = Panel(np.array(["a", "b"]), START, 30, np.float32([[1, nan, 3, 4], [nan, nan, 7, 8]]))
    assert panel.count(np.array([-1, 1, 3, 9]), 2).tolist() == [[1, 1, 1, 0], [0, 1, 1, 0]]
    cut = panel.cut(np.array([0, 1, 1, 0]), np.array([-1, 1, 3, -9]), 2)
    np.testing.assert_array_equal(cut, [[nan, 1], [nan, 7], [8, nan], [nan, nan]])


def test_a_panel_made_to_reach_further_is_missing_there_and_is_never_cut():
    panel = random_panel(np.random.default_rng(3))
    steps = panel.energy_kwh.shape[1]
    later = panel.reaching(panel.end + np.timedelta64(3 * panel.interval_mins, "m"))
    assert later.energy_kwh.shape[1] == steps + 3
    assert np.isnan(later.energy_kwh[:, steps:]).all()
    np.testing.assert_array_equal(later.energy_kwh[:, :steps], panel.energy_kwh)
    assert panel.reaching(panel.start).energy_kwh.shape == panel.energy_kwh.shape
