"""The limits, by arithmetic."""

import pytest

from loadproof.limits import fuse_limit, half_hour_kwh


def test_a_100_a_fuse_lets_11_5_kwh_through_in_a_half_hour_and_cannot_carry_14_4():
    limit = fuse_limit()
    assert limit.soft_kwh == pytest.approx(11.5)
    assert limit.hard_kwh == pytest.approx(14.375)


def test_three_phases_carry_34_5_kwh_and_a_60_a_fuse_6_9():
    assert fuse_limit(phases=3).soft_kwh == pytest.approx(34.5)
    assert fuse_limit(fuse_a=60).soft_kwh == pytest.approx(6.9)


def test_an_hour_of_the_same_fuse_is_23_kwh():
    assert fuse_limit(interval_mins=60).soft_kwh == pytest.approx(23)
    assert half_hour_kwh(7.36) == pytest.approx(3.68)
