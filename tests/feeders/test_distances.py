import numpy as np
import pytest
from tests.feeders.shape_fixtures import made_load, shapes

from loadproof.feeders.distances import CELLS, compare_cells, effective_size, kolmogorov_smirnov, wasserstein
from loadproof.seeds import rng_for

WEEK = np.repeat(np.arange(4), 7)


def test_a_shift_of_a_tenth_moves_every_value_by_a_tenth():
    values = np.arange(10.0)
    assert wasserstein(values, values + 0.1) == pytest.approx(0.1)
    assert np.isnan(wasserstein(values, np.array([np.nan])))


def test_values_alike_within_a_week_count_as_one_a_week_and_independent_ones_for_themselves():
    same = np.repeat([1.0, 5.0, 2.0, 8.0], 7)[None]
    assert effective_size(same, WEEK) == pytest.approx(4)
    free = rng_for(1, "t").normal(size=(1, 28))
    assert 14 < effective_size(free, WEEK) <= 28
    assert effective_size(np.full((1, 28), np.nan), WEEK) == 0


def test_two_samples_apart_have_a_gap_of_one_and_alike_ones_a_large_p():
    one = np.arange(50.0)
    assert kolmogorov_smirnov(one, one + 100, 50, 50) == (1.0, pytest.approx(0, abs=1e-9))
    assert kolmogorov_smirnov(one, one, 50, 50) == (0.0, 1.0)


def test_fewer_independent_values_make_the_same_gap_less_sure():
    one, two = np.arange(50.0), np.arange(50.0) + 15
    assert kolmogorov_smirnov(one, two, 50, 50)[1] < kolmogorov_smirnov(one, two, 5, 5)[1]


def test_samples_of_one_law_are_found_apart_in_about_one_cell_of_twenty():
    rng = rng_for(7, "t")
    one, two = (shapes(made_load(6, 7, rng=rng)) for _ in range(2))
    cells = compare_cells(one, two)
    assert cells.schema == CELLS
    assert cells.height == 48  # seven weeks of one winter
    assert (cells["p_value"] < 0.05).mean() < 0.15


def test_a_load_half_as_large_is_half_the_mean_away():
    rng = rng_for(7, "t")
    load = made_load(5, 5, rng=rng)
    cells = compare_cells(shapes(load / 2), shapes(load))
    assert cells["wasserstein_ratio"].to_numpy() == pytest.approx(0.5)
