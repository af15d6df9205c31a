import re

import lightgbm as lgb
import numpy as np
import pytest

from loadproof.baselines.booster_text import require_sound


@pytest.fixture(scope="module")
def text():
    """Three trees of at most 4 leaves on 3 features."""
    x = np.random.default_rng(1).normal(size=(200, 3))
    knobs = {"objective": "quantile", "alpha": 0.9, "verbose": -1, "num_leaves": 4, "min_data_in_leaf": 5}
    return lgb.train(knobs, lgb.Dataset(x, x[:, 0] + x[:, 1] ** 2), 3).model_to_string()


def resized(text):
    """The text with the lengths of its trees as they are now, as one who means harm would have it."""
    head, _, rest = text.partition("\nTree=")
    blocks = rest.partition("end of trees")[0].split("\nTree=")
    sizes = [len("Tree=" + block) + (at < len(blocks)) for at, block in enumerate(blocks, 1)]
    return re.sub("tree_sizes=.*", "tree_sizes=" + " ".join(map(str, sizes)), head) + "\nTree=" + rest


def test_what_lightgbm_writes_of_3_trees_or_of_a_tree_that_never_splits_is_taken(text):
    require_sound(text, n_features=3)
    assert resized(text) == text
    still = lgb.train({"verbose": -1}, lgb.Dataset(np.ones((100, 2)), np.ones(100)), 2).model_to_string()
    require_sound(still, n_features=2)


@pytest.mark.parametrize(
    ("pattern", "put", "message"),
    [
        (r"split_feature=\d+", "split_feature=3", "a feature that is not there"),
        (r"split_feature=\d+", "split_feature=-1", "a feature that is not there"),
        (r"decision_type=\d+", "decision_type=1", "a feature that is not there"),
        (r"left_child=-?\d+", "left_child=0", "a left_child that is not there"),
        (r"left_child=-?\d+", "left_child=3", "a left_child that is not there"),
        (r"right_child=-?\d+", "right_child=-5", "a right_child that is not there"),
        (r"threshold=\S+", "threshold=nan", "splits nowhere"),
        (r"leaf_value=\S+", "leaf_value=inf", "a leaf is not finite"),
        (r"leaf_count=\S+ ", "leaf_count=", "has not 4 values of leaf_count"),
        (r"num_leaves=4", "num_leaves=5", "has not [45] values of"),
        (r"num_leaves=4", "num_leaves=999999999", "has 999999999 leaves"),
        (r"num_cat=0", "num_cat=1", "splits by categories"),
        (r"is_linear=0", "is_linear=1", "is linear"),
        (r"shrinkage=", "cat_threshold=7\nshrinkage=", "has the field 'cat_threshold'"),
        (r"max_feature_idx=2", "max_feature_idx=3", "no model of 3 features"),
    ],
)
def test_each_of_15_texts_that_the_library_would_take_on_trust_is_refused(text, pattern, put, message):
    bent = resized(re.sub(pattern, put, text, count=1))
    assert bent != text
    with pytest.raises(ValueError, match=message):
        require_sound(bent, n_features=3)


def test_trees_of_another_length_than_they_say_half_a_text_or_none_are_refused(text):
    with pytest.raises(ValueError, match="not as long as it says"):
        require_sound(text.replace("shrinkage=", "shrinkage=00", 1), n_features=3)
    for part in ("", "tree\n", text[: len(text) // 3]):
        with pytest.raises((ValueError, KeyError)):
            require_sound(part, n_features=3)
