"""How easily a reading is told from all others by what the hours around it look like."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.evidence import scores_of
from loadproof.anomaly.forest import Forest, grow_forest, isolation_scores
from loadproof.anomaly.traits import traits_of
from loadproof.detector import Detector, Scores
from loadproof.errors import NotFittedError, SchemaError
from loadproof.features.windows import Windows
from loadproof.forecaster import FitReport, ModelState

__all__ = ["IsolationForestDetector"]

_CHUNK: Final = 256
_MOST_ROWS: Final = 100_000  # each tree draws a few hundred of them


class IsolationForestDetector(Detector):
    """An isolation forest (Liu, Ting & Zhou 2008) on the traits of the hours around each reading.

    The score is the forest's own, between 0 and 1, about 0.5 for the usual.

    Args:
        trees: How many.
        rows_per_tree: Half hours that each tree is grown from.
    """

    name = "isolation_forest"

    def __init__(self, trees: int = 100, rows_per_tree: int = 256) -> None:
        self.trees, self.rows_per_tree = trees, rows_per_tree
        self._forest: Forest | None = None

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Grow the forest on half hours drawn from the training days.

        Raises:
            ConfigError: When fewer than two half hours were read.
        """
        per_day = max(-(-_MOST_ROWS // max(len(train), 1)), 1)
        picked = []
        for first in range(0, len(train), _CHUNK):
            some = train.take(slice(first, first + _CHUNK))
            # As many from each window, by chance, so that all hours and homes are there.
            order = rng.permuted(np.tile(np.arange(some.inputs.horizon_steps), (len(some), 1)), axis=1)[:, :per_day]
            traits = np.take_along_axis(traits_of(some), order[..., None], axis=1)  # (n, per_day, F)
            picked.append(traits[~np.isnan(np.take_along_axis(some.truth_kwh, order, axis=1))])
        rows = np.concatenate(picked) if picked else np.zeros((0, 1), np.float32)  # (R, F)
        self._forest = grow_forest(rows, trees=self.trees, rows_per_tree=self.rows_per_tree, rng=rng)
        return FitReport(len(train), len(valid))

    def score(self, windows: Windows) -> Scores:
        """Score every reading by how few splits set it apart.

        Raises:
            NotFittedError: When asked before ``fit``.
            ConfigError: When the context is shorter than a week.
        """
        forest = self._require()
        score = np.zeros(windows.truth_kwh.shape)
        # Days of one weekday together: what their contexts have alike is then found once.
        day = windows.inputs.t0.astype("datetime64[D]")
        order = np.lexsort((day, day.astype(np.int64) % 7))
        for first in range(0, len(windows), _CHUNK):
            rows = order[first : first + _CHUNK]
            traits = traits_of(windows.take(rows))  # (n, H, F)
            found: NDArray[np.float64] = isolation_scores(forest, traits.reshape(-1, traits.shape[-1]))
            score[rows] = found.reshape(traits.shape[:2])
        return scores_of(score / (1 - np.minimum(score, 1 - 1e-9)), windows.truth_kwh)

    def _require(self) -> Forest:
        if self._forest is None:
            raise NotFittedError(f"{self.name} was not fitted; call fit first")
        return self._forest

    def state(self) -> ModelState:
        """Return the trees as arrays.

        Raises:
            NotFittedError: When asked before ``fit``.
        """
        forest = self._require()
        knobs = {"trees": self.trees, "rows_per_tree": self.rows_per_tree, "usual_length": forest.usual_length}
        return ModelState(knobs, {name: getattr(forest, name) for name in ("feature", "threshold", "length")}, {})

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says, as if fitted."""
        try:
            feature, threshold, length = (state.arrays[name] for name in ("feature", "threshold", "length"))
            forest = Forest(feature, threshold, length, float(state.knobs["usual_length"]))
            sizes = (int(state.knobs["trees"]), int(state.knobs["rows_per_tree"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SchemaError(f"the state is not that of {self.name} ({error}); train it again") from error
        (self.trees, self.rows_per_tree), self._forest = sizes, forest
