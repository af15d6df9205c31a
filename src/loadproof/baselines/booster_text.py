"""A LightGBM model's text, held against what the library takes on trust when it reads one.

LightGBM's own reader believes every index: a child or feature that is not there is a read outside memory. Written by
us, a text has numeric splits alone, children that come after their parent, and finite leaves; any other is refused.
F features, L leaves of a tree.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["require_sound"]

_TREE: Final = "Tree="
_END: Final = "end of trees"
_MOST_LEAVES: Final = 131_072
"""LightGBM's own limit on num_leaves."""
_OF_SPLITS: Final = frozenset((
    "split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child", "internal_value",
    "internal_weight", "internal_count",
))  # fmt: skip
_OF_LEAVES: Final = frozenset(("leaf_value", "leaf_weight", "leaf_count"))
_SINGLE: Final = frozenset(("num_leaves", "num_cat", "is_linear", "shrinkage"))
_CATEGORICAL: Final = 1
"""The bit of ``decision_type`` that makes a split one of categories."""


def _fields(lines: list[str]) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in lines if line)


def _require_tree(fields: dict[str, str], n_features: int) -> None:
    if strange := set(fields) - _OF_SPLITS - _OF_LEAVES - _SINGLE:
        raise ValueError(f"a tree has the field {min(strange)[:40]!r}")
    leaves = int(fields["num_leaves"])
    if not 1 <= leaves <= _MOST_LEAVES or (fields["num_cat"], fields["is_linear"]) != ("0", "0"):
        raise ValueError(f"a tree has {leaves} leaves, or splits by categories, or is linear")

    def numbers(name: str, kind: type) -> NDArray[Any]:
        return np.array(fields[name].split(), dtype=kind)

    for names, length in ((_OF_SPLITS, leaves - 1), (_OF_LEAVES, leaves)):
        for name in names & set(fields):
            if leaves > 1 and len(fields[name].split()) != length:
                raise ValueError(f"a tree has not {length} values of {name}")
    if not np.isfinite(numbers("leaf_value", float)).all():
        raise ValueError("a leaf is not finite")
    if leaves == 1:
        return
    feature, decision = numbers("split_feature", int), numbers("decision_type", int)  # (L - 1,)
    if (feature < 0).any() or (feature >= n_features).any() or (decision & _CATEGORICAL).any():
        raise ValueError("a tree splits by a feature that is not there")
    if np.isnan(numbers("threshold", float)).any():
        raise ValueError("a tree splits nowhere")
    for name in ("left_child", "right_child"):
        child = numbers(name, int)  # (L - 1,): a later split, or the complement of a leaf
        later = (child > np.arange(leaves - 1)) & (child < leaves - 1)
        if not (later | ((child < 0) & (child >= -leaves))).all():
            raise ValueError(f"a tree has a {name} that is not there")


def require_sound(text: str, *, n_features: int) -> None:
    """Refuse a text that LightGBM did not write for so many numeric features.

    Args:
        text: A model as LightGBM's ``model_to_string`` returns it.
        n_features: F.

    Raises:
        ValueError: With the first thing that is not as it writes it.
        KeyError: With a field that lacks.
    """
    head, _, rest = text.partition(f"\n{_TREE}")
    trees, end, _ = rest.partition(_END)
    about = _fields([line for line in head.splitlines() if "=" in line])
    if not end or int(about["max_feature_idx"]) != n_features - 1 or about["num_tree_per_iteration"] != "1":
        raise ValueError(f"it is no model of {n_features} features")
    blocks = trees.split(f"\n{_TREE}")
    # All but the last lost the line's end that stood before the next tree; each lost the name of its first field.
    sizes = [len(block.encode()) + len(_TREE) + (number < len(blocks)) for number, block in enumerate(blocks, 1)]
    if about["tree_sizes"].split() != [str(size) for size in sizes]:
        raise ValueError("its trees are not as long as it says")
    for block in blocks:
        _require_tree(_fields(block.splitlines()[1:]), n_features)
