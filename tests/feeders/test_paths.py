import numpy as np
import pytest

from loadproof.errors import ConfigError, SchemaError
from loadproof.feeders.paths import draw_paths, past_places, quantiles_of_paths, shuffle_ranks
from loadproof.schema import LEVELS
from loadproof.seeds import rng_for

S, M, H = 60, 3, 4


def quantiles(rng, shape=(M, H)):
    return np.sort(rng.gamma(2, 1, (*shape, len(LEVELS))), axis=-1).astype(np.float32)


def test_paths_keep_the_quantiles_of_every_node():
    rng = rng_for(1, "t")
    wanted = quantiles(rng)
    paths = draw_paths(wanted, rng.normal(size=(1000, M, H)), rng=rng)
    assert paths.shape == (1000, M, H)
    np.testing.assert_allclose(quantiles_of_paths(paths, LEVELS), wanted, atol=0.02)


def test_paths_keep_the_order_of_past_days():
    rng = rng_for(2, "t")
    places = rng.normal(size=(S, M, H))
    places[:, 1] = places[:, 0]  # two nodes that always err alike
    paths = draw_paths(quantiles(rng), places, rng=rng)
    for step in range(H):
        order = paths[:, :, step].argsort(axis=0)
        assert order[:, 0].tolist() == order[:, 1].tolist() == places[:, 0, step].argsort().tolist()


def test_a_truth_on_the_median_is_in_place_0_and_one_missing_in_none():
    asked = quantiles(rng_for(3, "t"), (S, M, H))
    truth = asked[..., 3].copy()
    truth[0, 0, 0] = np.nan
    places = past_places(truth, asked)
    assert np.isnan(places[0, 0, 0])
    assert np.nanmax(np.abs(places)) == pytest.approx(0, abs=1e-3)


def test_a_missing_day_takes_a_rank_by_chance_and_the_others_share_the_rest():
    places = rng_for(4, "t").normal(size=(S, 1, 1))
    places[7] = np.nan
    ranks = shuffle_ranks(places, rng=rng_for(5, "t"))
    known = np.delete(ranks[:, 0, 0], 7)
    np.testing.assert_allclose(np.sort(known), (np.arange(S - 1) + 0.5) / (S - 1))
    assert 0 < ranks[7, 0, 0] < 1


def test_too_few_days_and_other_nodes_are_refused():
    rng = rng_for(6, "t")
    with pytest.raises(ConfigError, match="5 past days give no paths"):
        draw_paths(quantiles(rng), np.zeros((5, M, H)), rng=rng)
    with pytest.raises(SchemaError, match="same nodes"):
        draw_paths(quantiles(rng), np.zeros((S, 2, H)), rng=rng)
