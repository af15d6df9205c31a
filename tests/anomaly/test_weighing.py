import numpy as np

from loadproof.anomaly.weighing import Rows, fit_weights


def test_a_view_that_tells_is_weighed_and_one_of_chance_hardly():
    rng = np.random.default_rng(0)
    clean, faulty = rng.exponential(size=(5000, 2)), rng.exponential(size=(500, 2)) + np.array([2, 0])
    constant, telling, chance = fit_weights([Rows("theft", faulty)], clean)
    assert telling > 1
    assert 0 <= chance < 0.1
    assert constant < 0


def test_no_weight_is_negative_even_where_a_fault_lowers_a_view():
    rng = np.random.default_rng(0)
    clean = rng.exponential(size=(5000, 2))
    faulty = rng.exponential(size=(500, 2)) * np.array([1, 0.1]) + np.array([2, 0])
    assert fit_weights([Rows("theft", faulty)], clean)[2] == 0


def test_a_kind_with_100_times_the_readings_counts_no_more():
    rng = np.random.default_rng(0)
    clean = rng.exponential(size=(5000, 2))
    few, many = rng.exponential(size=(50, 2)) + np.array([2, 0]), rng.exponential(size=(5000, 2)) + np.array([0, 2])
    weights = fit_weights([Rows("unit_slip", few), Rows("theft", many)], clean)[1:]
    assert 0.7 < weights[0] / weights[1] < 1.4
