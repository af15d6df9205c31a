"""The limits, by arithmetic."""

import math

import pytest

from loadproof.limits import (
    apparent_kva,
    design_demand_kva,
    fuse_limit,
    half_hour_kwh,
    limit_kwh,
    power_factor,
)


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


def test_400_a_in_three_phases_are_276_kva_and_131_1_kwh_a_half_hour_at_0_95():
    assert apparent_kva(400) == pytest.approx(276)
    assert limit_kwh(276, power_factor=0.95) == pytest.approx(131.1)


def test_a_500_kva_transformer_carries_237_5_kwh_and_285_in_a_winter_cycle():
    assert limit_kwh(500) == pytest.approx(237.5)
    assert limit_kwh(500, cyclic_ratio=1.2) == pytest.approx(285)
    assert limit_kwh(500, power_factor=1, interval_mins=60) == pytest.approx(500)


def test_the_power_factor_of_a_real_feeder_is_0_9987():
    assert power_factor(6.640, 0.339) == pytest.approx(0.9987, abs=5e-5)
    assert math.isnan(power_factor(0, 0))


def test_thirty_gas_heated_homes_were_designed_for_45_to_60_kva():
    assert design_demand_kva(30, admd_kva=1.5) == pytest.approx(45)
    assert design_demand_kva(30) == pytest.approx(60)
