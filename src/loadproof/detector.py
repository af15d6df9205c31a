"""What every detector promises: a score for each half hour of a day, given the readings before it.

A day is judged as one window: ``Windows.inputs`` holds the context before its midnight, ``Windows.truth_kwh`` the day
itself. A detector may use a window's own context and day and nothing later, so that the newest day is scored alone
exactly as in bulk.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadproof.cards import Card
from loadproof.errors import SchemaError
from loadproof.features.windows import Windows
from loadproof.forecaster import FitReport, ModelState

__all__ = ["Detector", "Scores"]


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Card):
    """How odd each half hour of each window's day is.

    Attributes:
        score: Dimensionless, higher is odder, NaN exactly where the reading is missing, float32 ``(N, H)``.
        kind: Position in ``kinds`` of what the detector takes it for, uint8 ``(N, H)``.
        kinds: Names; the first is None, no opinion.
    """

    score: NDArray[np.float32]
    kind: NDArray[np.uint8]
    kinds: tuple[str | None, ...] = (None,)

    def __post_init__(self) -> None:
        if self.score.shape != self.kind.shape:
            raise SchemaError(f"scores are {self.score.shape}, kinds {self.kind.shape}; give one kind a score")
        if np.isinf(self.score).any():
            raise SchemaError("a score is infinite; bound it, or leave it NaN where nothing was read")

    def card(self) -> dict[str, object]:
        """Return what a reader wants to see of them."""
        read = ~np.isnan(self.score)
        return {
            "days": len(self.score),
            "half hours scored": int(read.sum()),
            "highest": f"{self.score[read].max():.3f}" if read.any() else "none",
            "named": ", ".join(str(self.kinds[at]) for at in np.unique(self.kind) if self.kinds[at]) or "nothing",
        }


class Detector(ABC):
    """An exchangeable detector; it is fitted on windows taken as they come, without labels."""

    name: str

    @abstractmethod
    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Learn what is usual from ``train``; ``valid`` may stop or scale, and every chance comes from ``rng``."""

    @abstractmethod
    def score(self, windows: Windows) -> Scores:
        """Score every half hour of every window's day.

        Raises:
            NotFittedError: When asked before ``fit``.
            ConfigError: When the context is too short for this detector.
        """

    def state(self) -> ModelState:
        """Return what the fit left behind; empty for a detector that learns nothing."""
        return ModelState({}, {}, {})

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says, as if fitted.

        Raises:
            SchemaError: When the state is another detector's.
        """
        if any(state):
            raise SchemaError(f"{self.name} learns nothing, yet its state holds something; train it again")
