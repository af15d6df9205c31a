"""The planner's table, on feeders whose answer is known."""

import numpy as np
import polars as pl
import pytest

from loadproof.features.panel import Panel
from loadproof.feeders.assets import limits_of, read_assets
from loadproof.feeders.headroom import HEADROOM, headroom, pump_kwh
from loadproof.feeders.loads import Loads

START = np.datetime64("2013-01-01T00:00", "us")


def loads(peak_kwh=15.0, homes=10):
    """A year of a feeder that uses 2 kWh a half hour, and about ``peak_kwh`` at 18:00."""
    rng = np.random.default_rng(1)
    energy = np.full((1, 365 * 48), 2.0, dtype=np.float32)
    energy[0, 36::48] = peak_kwh - 2 + rng.gumbel(0, 0.3, 365)
    panel = Panel(np.array(["f"]), START, 30, energy)
    return Loads(panel, {"f": "feeder"}, {}, {"f": homes} if homes else {}, {}, {}, "mean_of_reporting")


def limits(fuse_a):
    return limits_of({"f": "feeder"}, assets=read_assets(f"entity_id,fuse_a\nf,{fuse_a}\n", "a.csv"))


def table(fuse_a, **given):
    return headroom(loads(**given), limits(fuse_a), accepts=(0.05, 0.5), draws=50, rng=np.random.default_rng(2))


def test_ten_heat_pumps_of_1_7_kw_at_their_morning_peak_draw_17_kw():
    assert pump_kwh(np.arange(48), 10).max() == pytest.approx(8.5)
    assert pump_kwh(np.arange(48), 10).argmax() == 14  # 7:00


def test_more_is_accepted_more_fits_and_each_heat_pump_leaves_room_for_fewer_cars():
    found, left_out = table(60)  # 19.7 kWh a half hour
    assert (found.schema, left_out) == (HEADROOM, {})
    assert found.height == 2 * 5
    for accept in (0.05, 0.5):
        fits = found.filter(accept=accept).sort("heat_pumps")["evs_fit"].to_list()
        assert fits == sorted(fits, reverse=True)
    careful, likely = (found.filter(accept=accept)["evs_fit"].to_numpy() for accept in (0.05, 0.5))
    assert (careful <= likely).all()
    assert found.filter(pl.col("evs_fit") >= 0)["chance_then"].max() <= 0.5
    peak = found.row(0, named=True)
    assert peak["winter_peak_low_kwh"] < peak["winter_peak_kwh"] < peak["winter_peak_high_kwh"]
    assert 13 < peak["winter_peak_kwh"] < 17
    # An evening share of 1.3 x 0.53 kWh a pump is what the fuse has left for 7 or so.
    assert 4 <= found.filter(accept=0.5)["heat_pumps_fit"][0] <= 9


def test_a_feeder_that_is_beyond_its_fuse_fits_none_and_one_far_below_fits_all():
    assert set(table(40)[0]["evs_fit"]) == {-1}
    assert set(table(400)[0]["evs_fit"]) == {10}


def test_a_feeder_of_unknown_size_or_of_a_summer_is_left_out_and_it_is_said_why():
    found, left_out = table(60, homes=None)
    assert found.is_empty()
    assert left_out == {"f": "how many homes it supplies is not known"}
    summer = loads()
    panel = Panel(np.array(["f"]), np.datetime64("2013-05-01T00:00", "us"), 30, summer.panel.energy_kwh[:, :4800])
    short = Loads(panel, summer.levels, {}, summer.devices, {}, {}, "mean_of_reporting")
    _, left_out = headroom(short, limits(60), accepts=(0.5,), draws=20, rng=np.random.default_rng(3))
    assert left_out == {"f": "0 winter week(s) are known, and 8 are wanted"}


def test_the_same_seed_gives_the_same_table():
    assert table(60)[0].equals(table(60)[0])
