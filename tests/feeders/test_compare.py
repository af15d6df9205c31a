import numpy as np
import pytest
from tests.feeders.shape_fixtures import made_load, shapes

from loadproof.feeders.compare import compare
from loadproof.seeds import rng_for


def load(name, n=8, weeks=5, **how):
    return shapes(made_load(n, weeks, rng=rng_for(1, name), **how))


def test_feeders_of_one_kind_are_no_farther_apart_than_halves_of_the_real_ones():
    found = compare(load("a"), load("b"), rng=rng_for(1, "t"))
    assert found.lacking == ()
    for part in found.parts:
        assert part.floor is not None
        assert part.distance < 4 * part.floor + 0.01, part
    assert found.composite == sum(part.distance for part in found.parts)


def test_each_way_of_being_different_shows_in_its_own_part():
    real = load("b")
    same = {part.name: part.distance for part in compare(load("a"), real, rng=rng_for(1, "t")).parts}
    late = {part.name: part.distance for part in compare(load("a", evening=42), real, rng=rng_for(1, "t")).parts}
    large = {part.name: part.distance for part in compare(load("a", size=1.5), real, rng=rng_for(1, "t")).parts}
    assert late["peak_time"] == pytest.approx(3 / 24, abs=0.02)
    assert late["peak_size"] == pytest.approx(same["peak_size"], abs=0.02)
    assert large["peak_size"] == pytest.approx(0.5, abs=0.05)
    assert large["load_duration"] == pytest.approx(0.5, abs=0.02)
    assert large["peak_time"] == pytest.approx(same["peak_time"], abs=0.01)


def test_two_half_hours_conclude_nothing_and_say_why():
    few = shapes(made_load(30, 5, rng=rng_for(1, "c"))[:, :2])
    found = compare(load("a"), few, rng=rng_for(1, "t"))
    assert found.parts == ()
    assert found.composite is None
    assert found.lacking == ("the real side spans 0.01 weeks in a season that both have; 4 wanted",)


def test_seasons_that_one_side_lacks_are_left_out():
    summer = shapes(made_load(8, 5, rng=rng_for(1, "s")), start=np.datetime64("2013-06-03T00:00", "us"))
    found = compare(load("a"), summer, rng=rng_for(1, "t"))
    assert len(found.lacking) == 4
    assert found.pseudo.seasons == ()


def test_curves_come_in_pairs():
    found = compare(load("a"), load("b"), rng=rng_for(1, "t"))
    counts = dict(found.curves.group_by("kind").len().rows())
    assert counts == {"load_duration": 102, "day": 48, "peak_time": 48}
    peaks = found.curves.filter(kind="peak_time")
    assert peaks["pseudo"].sum() == pytest.approx(1)
    assert peaks["real"].sum() == pytest.approx(1)
    assert found.points.height == 16
