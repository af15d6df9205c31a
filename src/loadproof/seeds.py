"""One integer in the config, one generator per name."""

import hashlib

import numpy as np

__all__ = ["rng_for"]


def rng_for(seed: int, name: str) -> np.random.Generator:
    """Return the generator of ``name`` under ``seed``.

    Derived from the name and not from an order of calls, so that a new stage does not shift the others.
    """
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
