"""Windows split in time or by home."""

from typing import NamedTuple

import numpy as np

from loadproof.errors import ConfigError
from loadproof.features.calendar import Moment, to_instant
from loadproof.features.panel import to_us
from loadproof.features.windows import Windows

__all__ = ["EntitySplit", "Split", "split_by_entity", "split_by_time"]


class Split(NamedTuple):
    """Three blocks in time; ``dropped`` counts the windows that lie wholly in none."""

    train: Windows
    valid: Windows
    test: Windows
    dropped: int


class EntitySplit(NamedTuple):
    """The windows of two disjoint sets of homes."""

    seen: Windows
    unseen: Windows


def split_by_time(
    windows: Windows, *, valid_from: Moment, test_from: Moment, test_until: Moment | None = None
) -> Split:
    """Split into blocks by ``t0``; a window that reaches beyond its block's end belongs to none, and is counted.

    Training and validation end where their truth must be published, for what follows learns from them; of the last
    block the truth alone must have been measured by its end.

    Args:
        windows: The windows to split.
        valid_from: First instant of the middle block; see ``to_instant`` for how to say it.
        test_from: First instant of the last block.
        test_until: First instant after the last block; None leaves it open.

    Raises:
        ConfigError: When the borders are not in order.
    """
    first, second = to_instant(valid_from), to_instant(test_from)
    if first > second:
        raise ConfigError(f"valid_from {first} comes after test_from {second}; exchange them")
    inputs = windows.inputs
    t0, step = inputs.t0, np.timedelta64(to_us(inputs.interval_mins), "us")
    measured_at = t0 + inputs.horizon_steps * step  # (N,)
    known_at = measured_at + inputs.data_lag_steps * step  # (N,)
    train, valid, test = known_at <= first, (t0 >= first) & (known_at <= second), t0 >= second
    if test_until is not None:
        if (last := to_instant(test_until)) < second:
            raise ConfigError(f"test_from {second} comes after test_until {last}; exchange them")
        test &= measured_at <= last
    dropped = len(windows) - int(train.sum() + valid.sum() + test.sum())
    return Split(windows.take(train), windows.take(valid), windows.take(test), dropped)


def split_by_entity(windows: Windows, *, share: float, rng: np.random.Generator) -> EntitySplit:
    """Set aside all windows of a random ``share`` (0 to 1) of the homes, rounded to whole homes, as unseen.

    Raises:
        ConfigError: When either side would be left without a home.
    """
    homes = np.unique(windows.inputs.entity)  # (E,)
    n_unseen = round(share * len(homes))
    if not 0 < n_unseen < len(homes):
        raise ConfigError(f"share={share} of {len(homes)} homes sets {n_unseen} aside; choose one that divides them")
    unseen = np.isin(windows.inputs.entity, rng.permutation(homes)[:n_unseen])  # (N,)
    return EntitySplit(windows.take(~unseen), windows.take(unseen))
