"""Two detectors that know nothing: what any other must beat."""

import hashlib

import numpy as np

from loadproof.anomaly.evidence import scores_of
from loadproof.detector import Detector, Scores
from loadproof.errors import NotFittedError, SchemaError
from loadproof.features.windows import Windows
from loadproof.forecaster import FitReport, ModelState

__all__ = ["ConstantDetector", "RandomDetector"]


def _draw(seed: int, entity: str, day_us: int, steps: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    digest = hashlib.blake2b(f"{seed} {entity} {day_us}".encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big")).random(steps)


class RandomDetector(Detector):
    """A uniform score for each half hour, drawn anew for each home and day from the fit's seed.

    So a day scores the same alone as among others.
    """

    name = "random"

    def __init__(self) -> None:
        self._seed: int | None = None

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Draw the seed; nothing is learned."""
        self._seed = int(rng.integers(2**53))
        return FitReport(len(train), len(valid))

    def score(self, windows: Windows) -> Scores:
        """Score by chance."""
        if self._seed is None:
            raise NotFittedError("random was not fitted; call fit first")
        inputs = windows.inputs
        days = inputs.t0.astype("datetime64[us]").astype(np.int64).tolist()
        chance = np.zeros(windows.truth_kwh.shape)
        for n, (entity, day) in enumerate(zip(inputs.entity.tolist(), days, strict=True)):
            chance[n] = _draw(self._seed, entity, day, inputs.horizon_steps)
        return scores_of(chance, windows.truth_kwh)

    def state(self) -> ModelState:
        """Return the seed."""
        if self._seed is None:
            raise NotFittedError("random was not fitted; call fit first")
        return ModelState({"seed": self._seed}, {}, {})

    def restore(self, state: ModelState) -> None:
        """Take the seed again."""
        if set(state.knobs) != {"seed"} or state.arrays or state.texts:
            raise SchemaError("the state is not that of random; train it again")
        self._seed = int(state.knobs["seed"])


class ConstantDetector(Detector):
    """The same score for every reading."""

    name = "constant"

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Learn nothing."""
        del rng
        return FitReport(len(train), len(valid))

    def score(self, windows: Windows) -> Scores:
        """Score every reading 0.5."""
        return scores_of(np.ones(windows.truth_kwh.shape), windows.truth_kwh)
