"""The primary endpoint told otherwise: as a difference, and without a slice."""

import numpy as np
import polars as pl
import pytest

from loadproof.selfplay.board import losses_of, otherwise
from loadproof.selfplay.inference import PRIMARY, compare, sums_of


def rows(slice_name, *means):
    """A slice's frame: of each home one window a week in two weeks, at its mean loss."""
    columns = ["slice", "entity_id", "week", "windows", "loss"]
    some = [(slice_name, f"lcl:{at}", week, 1, mean) for at, mean in enumerate(means) for week in (1, 2)]
    return pl.DataFrame(some, schema=columns, orient="row")


def test_a_difference_is_in_the_losses_own_unit_and_a_ratio_is_not():
    first, second = ({1: rows("hard", *means), 2: rows("hard", *means)} for means in ((0.1, 2.2), (0.2, 2.0)))
    pair = (1.0, sums_of(first, "hard"), sums_of(second, "hard"))
    apart, ratio = (
        compare([pair], draws=50, rng=np.random.default_rng(0), measure=measure)
        for measure in ("difference", "log_ratio")
    )
    assert apart.value == pytest.approx((-0.1 + 0.2) / 2)  # worse
    assert ratio.value == pytest.approx((np.log(0.5) + np.log(1.1)) / 2)  # better
    assert apart.by_seed == pytest.approx([0.05, 0.05])


@pytest.fixture
def frames():
    """``real`` loses 0.5 everywhere but at vacancies, 0.1; ``uniform`` a tenth less, and at vacancies twice as much."""

    def frame(factor, vacant):
        names = dict.fromkeys(one.name for one in PRIMARY)
        return pl.concat([rows(name, vacant if name == "VACANCY" else 0.5 * factor) for name in names])

    real = {seed: frame(1.0, 0.1) for seed in (1, 2)}
    played = {seed: frame(0.9, 0.2) for seed in (1, 2)}
    return {"real": {"none": real}, "uniform": {"new_load": played, "occupancy": played}}


def test_the_smallest_slice_turns_a_ratio_and_hardly_a_difference(frames):
    said = otherwise(frames, "uniform", "real", without="VACANCY", draws=50)
    assert said["difference"]["value"] == pytest.approx((-0.05 * 5 + 0.1) / 6, abs=1e-5)
    assert said["without"]["value"] == pytest.approx(np.log(0.9), abs=1e-5)


def test_an_arms_losses_are_told_by_slice_and_as_the_endpoint_weighs_them(frames):
    assert losses_of(frames, "real") == {
        "hard": 0.5, "HEAT_PUMP": 0.5, "VACANCY": 0.1, "SOLAR": 0.5, "primary": round((0.5 * 5 + 0.1) / 6, 4)
    }  # fmt: skip
