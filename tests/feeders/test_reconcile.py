import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadproof.errors import ConfigError, SchemaError
from loadproof.feeders.hierarchy import hierarchy_of_groups
from loadproof.feeders.reconcile import GRAIN_KWH, Reconciler, fit_reconciler, reconcile
from loadproof.feeders.spread import learn_stretch, stretch
from loadproof.seeds import rng_for

TREE = hierarchy_of_groups({"a": ["h1", "h3", "h5"], "b": ["h2", "h4"]})
WAYS = ("bottom_up", "mint_shrink", "by_node")


def errors(seed=1, n=2000, tree=TREE):
    return rng_for(seed, "errors").normal(size=(len(tree), n)) * 0.3


def made_paths(seed, tree=TREE, scale=1.0):
    return rng_for(seed, "paths").gamma(1.0, scale, size=(7, len(tree), 4))


def assert_adds_up(paths, tree=TREE):
    for node in range(len(tree)):
        if len(below := tree.children(node)):
            np.testing.assert_array_equal(paths[:, node], paths[:, below].sum(axis=1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.sampled_from(WAYS), st.sampled_from([1e-3, 1.0, 1e3]))
def test_children_sum_to_their_parent_exactly_in_every_path_and_none_is_negative(seed, way, scale):
    found = reconcile(made_paths(seed, scale=scale), fit_reconciler(TREE, errors(seed), way), TREE)
    assert_adds_up(found)
    assert (found >= 0).all()


def test_bottom_up_keeps_the_leaves():
    paths = made_paths(1)
    found = reconcile(paths, fit_reconciler(TREE, errors(), "bottom_up"), TREE)
    np.testing.assert_allclose(found[:, TREE.leaves], paths[:, TREE.leaves], atol=GRAIN_KWH)


def test_paths_that_add_up_stay_as_they_are():
    leaves = made_paths(2)[:, TREE.leaves]
    paths = np.einsum("ml,slh->smh", TREE.summing.toarray(), leaves)
    for way in WAYS:
        found = reconcile(paths, fit_reconciler(TREE, errors(), way), TREE)
        np.testing.assert_allclose(found, paths, atol=1e-5)


def test_two_passes_are_the_weighted_least_squares_of_independent_errors():
    # The oracle: (S' W^-1 S)^-1 S' W^-1 with W diagonal, on a tree where nothing turns negative.
    rng = rng_for(3, "t")
    variance = rng.uniform(0.5, 2, len(TREE))
    own, up = np.ones(len(TREE)), variance.copy()
    for node in (1, 2, 0):
        below = up[TREE.children(node)].sum()
        own[node] = below / (below + variance[node])
        up[node] = below * variance[node] / (below + variance[node])
    share = np.ones(len(TREE))
    for node in range(1, len(TREE)):
        share[node] = up[node] / up[TREE.children(int(TREE.parent[node]))].sum()
    paths = 50 + rng.normal(size=(5, len(TREE), 2))
    s, w = TREE.summing.toarray(), np.diag(1 / variance)
    oracle = np.einsum("ml,ln,snh->smh", s, np.linalg.solve(s.T @ w @ s, s.T @ w), paths)
    found = reconcile(paths, Reconciler("by_node", None, own, share), TREE)
    np.testing.assert_allclose(found, oracle, atol=1e-4)


def test_weights_learned_by_node_follow_the_variances_of_independent_errors():
    rng = rng_for(4, "t")
    sd = np.array([3.0, 1.0, 1.0, *[0.5] * 5])
    found = fit_reconciler(TREE, rng.normal(size=(len(TREE), 60_000)) * sd[:, None], "by_node")
    # Of feeder a: own variance 1, of its three homes 3 / 4; so its own weight is 0.75 / 1.75.
    assert found.own[1] == pytest.approx(0.75 / 1.75, abs=0.01)
    assert found.share[TREE.names == "h2"] == pytest.approx(0.5, abs=0.01)


def test_a_leaf_that_would_be_negative_is_borne_by_its_siblings_alone():
    leaves = np.array([[[1.0], [5.0], [-0.5], [2.0], [3.0]]])  # h1, h2, h3, h4, h5; h3 is of feeder a
    paths = np.einsum("ml,slh->smh", TREE.summing.toarray(), leaves)
    share = np.ones(len(TREE))
    found = reconcile(paths, Reconciler("bottom_up", None, None, share), TREE)[0, :, 0]
    assert dict(zip(TREE.names.tolist(), found.tolist(), strict=True)) == {
        "substation": 10.5, "a": 3.5, "b": 7.0, "h1": 0.75, "h2": 5.0, "h3": 0.0, "h4": 2.0, "h5": 2.75,
    }  # fmt: skip


def test_too_few_errors_too_many_nodes_and_strange_shapes_are_refused():
    with pytest.raises(ConfigError, match="a node has 10 half hours"):
        fit_reconciler(TREE, errors(n=10), "by_node")
    large = hierarchy_of_groups({"f": [f"h{i}" for i in range(4000)]})
    with pytest.raises(ConfigError, match="take by_node"):
        fit_reconciler(large, np.zeros((4002, 1)), "mint_shrink")
    with pytest.raises(SchemaError, match="errors are of 3 nodes"):
        fit_reconciler(TREE, np.zeros((3, 100)), "bottom_up")
    with pytest.raises(SchemaError, match="paths are of 2 nodes"):
        reconcile(np.zeros((5, 2, 4)), fit_reconciler(TREE, errors(), "bottom_up"), TREE)


def test_stretched_paths_add_up_and_are_as_wide_as_was_asked():
    fitted = fit_reconciler(TREE, errors(), "bottom_up")
    paths = reconcile(20 + made_paths(5), fitted, TREE)
    wide = stretch(paths, np.full(3, 1.5), TREE, fitted.share)
    assert_adds_up(wide)
    np.testing.assert_allclose(wide.std(axis=0), 1.5 * paths.std(axis=0), rtol=1e-4)
    top_alone = stretch(paths, np.array([1.5, 1.0, 1.0]), TREE, fitted.share)
    np.testing.assert_allclose(top_alone[:, 0].std(axis=0), 1.5 * paths[:, 0].std(axis=0), rtol=1e-4)


def test_a_band_that_is_half_as_wide_as_truths_ask_for_is_stretched_by_two():
    rng = rng_for(6, "t")
    truth = rng.normal(size=(400, len(TREE), 4)).astype(np.float32)
    edge = np.full(truth.shape, 1.2816 / 2)
    factors = learn_stretch(truth, np.zeros(truth.shape), -edge, edge, TREE)
    assert factors == pytest.approx(np.full(3, 2.0), abs=0.1)
