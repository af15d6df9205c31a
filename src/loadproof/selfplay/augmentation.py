"""Classic augmentation of real windows: jitter, scaling and mixing two, context and truth alike."""

from typing import Final

import numpy as np
import torch

from loadproof.models.examples import Batch

__all__ = ["augmented"]

_JITTER: Final = 0.05
_SCALE: Final = 0.2
_MIX: Final = 0.2


def augmented(batch: Batch, *, rng: np.random.Generator) -> Batch:
    """Return a batch each of whose windows is jittered, scaled or mixed with another, ``(B, ...)``.

    Jitter is a share of each reading; a scale is one for the window, log-normal; a mixture takes a few tenths of the
    next window's load, features staying the first one's (mixup, Zhang et al. 2018, arXiv 1710.09412, for series).
    """
    n = len(batch.context)
    which = rng.integers(3, size=n)
    scale = np.where(which == 1, np.exp(rng.normal(0, _SCALE, size=n)), 1.0)
    other = np.where(which == 2, rng.beta(_MIX, _MIX, size=n) / 2, 0.0)
    changed = []
    for values in (batch.context, batch.truth):
        noise = 1 + _JITTER * rng.standard_normal(tuple(values.shape)) * (which == 0)[:, None]
        factor = torch.from_numpy((noise * scale[:, None]).astype(np.float32))
        share = torch.from_numpy(other.astype(np.float32))[:, None]
        mixed = torch.where(share > 0, (1 - share) * values + share * values.roll(1, 0), values)
        changed.append((mixed * factor).clamp(min=0))
    return batch._replace(context=changed[0], truth=changed[1])
