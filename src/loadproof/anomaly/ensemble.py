"""Several detectors as one: a weighted sum of surprises, its weights learned from faults set into training homes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.bundle import bundle, unbundle
from loadproof.anomaly.evidence import scores_of
from loadproof.anomaly.faulted import series_of, set_fault
from loadproof.anomaly.injection import FAULTS, Alteration
from loadproof.anomaly.surprise import VIEWS, Scale, fit_scale, surprise, views_of
from loadproof.anomaly.weighing import Rows, fit_weights
from loadproof.detector import Detector, Scores
from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.features.windows import Windows
from loadproof.forecaster import FitReport, ModelState

__all__ = ["MEMBERS", "EnsembleDetector"]

MEMBERS: Final = ("physical", "seasonal_zscore", "isolation_forest", "sub_pca", "autoencoder", "residual")
"""Whom the house's ensemble weighs: all but the decomposition, which takes as long as all others together."""

_ALL: Final = "none"  # of the kinds is left out
_ODD_QUANTILE: Final = 0.99
_CLEAN_ROWS: Final = 60_000  # readings that weights are learned from, by chance of all
_LOUD_SHARE: Final = 0.1
"""Of training homes, the loudest, that weights do not take for clean: what is odd there may be a fault."""
_FAULTY_ROWS: Final = 2_000  # of each kind and strength
_LOG_MOST: Final = 27.0  # evidence beyond e^27 rounds to a score of 1 anyway

Members: TypeAlias = Sequence[Detector]


class _Learned(NamedTuple):
    """The members' scales, and for each kind left out the weights ``(1 + F,)``, constant first, and what is odd."""

    scales: tuple[Scale, ...]
    weights: dict[str, NDArray[np.float64]]
    odd: dict[str, float]


def _calm_windows(views: NDArray[np.float32], entity: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return which windows ``(N,)`` are not of the loudest homes, by how far their views ``(N, H, F)`` are beyond."""
    names, row = np.unique(entity, return_inverse=True)  # (E,), (N,)
    beyond = views[..., VIEWS.index("beyond") :: len(VIEWS)]
    count = np.maximum(np.bincount(row, np.count_nonzero(~np.isnan(beyond), axis=(1, 2))), 1)
    loud = np.bincount(row, np.nansum(beyond, axis=(1, 2), dtype=np.float64)) / count  # (E,)
    dropped = np.argsort(loud, kind="stable")[len(names) - int(len(names) * _LOUD_SHARE) :]
    return np.asarray(~np.isin(row, dropped))


class EnsembleDetector(Detector):
    """A sum of the members' surprises with weights of 0 or more, which it learns without anybody's labels.

    Members learn as they do alone. Then each kind of fault is set, at every strength, into training homes' days of
    validation, which no member learned from, and a logistic regression tells faulty readings from the others. It is
    also learned without each kind: :meth:`without` is how a detector is judged that never met the kind it is asked for.

    Args:
        members: Detectors of different names.
        faults: What may be set in, by kind.
        fault_homes: How many homes faults are set into.
    """

    name = "ensemble"

    def __init__(
        self, members: Members, *, faults: Mapping[str, Alteration] | None = None, fault_homes: int = 24
    ) -> None:
        if len({member.name for member in members}) < max(len(members), 1):
            raise ConfigError("an ensemble wants members of different names, at least one")
        self.members = tuple(members)
        self.faults = cast(Mapping[str, Alteration], FAULTS) if faults is None else faults
        self.fault_homes, self.left_out = fault_homes, _ALL
        self._learned: _Learned | None = None

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Fit the members, then weigh them by faults set into ``valid`` (without it, ``train``).

        Raises:
            ConfigError: When the days are too few for any fault, or a member finds nothing to learn from.
        """
        *children, mine = rng.spawn(len(self.members) + 1)
        for member, child in zip(self.members, children, strict=True):
            member.fit(train, valid, rng=child)
        self.weigh(valid if len(valid) else train, rng=mine)
        return FitReport(len(train), len(valid))

    def weigh(self, clean: Windows, *, rng: np.random.Generator) -> None:
        """Learn the weights of members that are fitted already, by faults set into ``clean``.

        Raises:
            ConfigError: When its days are too few for any fault.
        """
        scored = [member.score(clean).score for member in self.members]
        scales = tuple(fit_scale(score, clean.inputs.entity) for score in scored)
        homes = np.unique(clean.inputs.entity)
        some = clean.take(np.isin(clean.inputs.entity, rng.permutation(homes)[: self.fault_homes]))
        rows = list(self._rows(some, scales, rng=rng))
        if not rows:
            raise ConfigError(
                f"{len(clean)} windows hold no fault whole; give an ensemble more days of validation to learn from"
            )
        views = self._views(clean, scored, scales)
        calm = _calm_windows(views, clean.inputs.entity)  # (N,)
        usual = views[calm][~np.isnan(clean.truth_kwh[calm])].astype(np.float64)  # (R, F)
        usual = usual[rng.permutation(len(usual))[:_CLEAN_ROWS]]
        weights, odd = {}, {}
        for kind in (_ALL, *self.faults):
            others = [row for row in rows if row.kind != kind] or rows
            weights[kind] = fit_weights(others, usual)
            clean_sum = usual @ weights[kind][1:]
            odd[kind] = float(np.quantile(clean_sum, _ODD_QUANTILE)) if len(usual) else 0.0
        self._learned = _Learned(scales, weights, odd)

    def _rows(self, clean: Windows, scales: tuple[Scale, ...], *, rng: np.random.Generator) -> Iterator[Rows]:
        """Yield what the members make of each kind and strength."""
        series = series_of(clean)
        for kind, alteration in self.faults.items():
            for strength in alteration.strengths:
                if (found := set_fault(series, alteration, strength, rng=rng)) is None or not found.label.any():
                    continue
                scored = [member.score(found.windows).score for member in self.members]
                views = self._views(found.windows, scored, scales)
                faulty = views[found.label].astype(np.float64)
                yield Rows(kind, faulty[rng.permutation(len(faulty))[:_FAULTY_ROWS]])

    def without(self, kind: str) -> "EnsembleDetector":
        """Return the same detector with the weights that were learned without a kind of fault.

        A kind that was never set in leaves the weights learned from all.
        """
        other = EnsembleDetector(self.members, faults=self.faults, fault_homes=self.fault_homes)
        other._learned, other.left_out = self._require(), kind if kind in self.faults else _ALL
        return other

    def weights(self) -> dict[str, dict[str, float]]:
        """Return the weight of each view of each member, by member, then view."""
        found = self._require().weights[self.left_out][1:].reshape(len(self.members), len(VIEWS))
        names = [member.name for member in self.members]
        return {name: dict(zip(VIEWS, map(float, row), strict=True)) for name, row in zip(names, found, strict=True)}

    def score(self, windows: Windows) -> Scores:
        """Score every reading by all members.

        Raises:
            NotFittedError: When asked before ``fit``.
            ConfigError: When the context is too short for a member.
        """
        self._require()
        return self.combine([member.score(windows) for member in self.members], windows)

    def combine(self, scores: Sequence[Scores], windows: Windows) -> Scores:
        """Return what the members' scores of these windows, in the members' order, come to together."""
        learned = self._require()
        weights = learned.weights[self.left_out][1:]
        views = self._views(windows, [some.score for some in scores], learned.scales)  # (N, H, F)
        parts = np.nan_to_num(views) * weights.astype(np.float32)
        total = parts.sum(axis=-1, dtype=np.float64)  # not a product of matrices: the same for any number of windows
        evidence = np.exp(np.minimum(total - learned.odd[self.left_out], _LOG_MOST))
        by_member = parts.reshape(*parts.shape[:2], len(scores), len(VIEWS)).sum(axis=-1)  # (N, H, M)
        named = np.stack([some.kind for some in scores], axis=-1)  # (N, H, M), all of KINDS
        loudest = np.where(named > 0, by_member, -1).argmax(axis=-1)[..., None]
        kind = np.take_along_axis(named, loudest, axis=-1)[..., 0]
        return scores_of(evidence, windows.truth_kwh, np.where(evidence > 1, kind, 0).astype(np.uint8))

    def _views(
        self, windows: Windows, scored: Sequence[NDArray[np.float32]], scales: tuple[Scale, ...]
    ) -> NDArray[np.float32]:
        """Return the views of all members, ``(N, H, F)``."""
        interval_mins = windows.inputs.interval_mins
        views = [
            views_of(surprise(score, scale), interval_mins=interval_mins)
            for score, scale in zip(scored, scales, strict=True)
        ]
        return np.concatenate(views, axis=-1)

    def _require(self) -> _Learned:
        if self._learned is None:
            raise NotFittedError(f"{self.name} was not fitted; call fit first")
        return self._learned

    def state(self) -> ModelState:
        """Return the members' states, their scales and the weights.

        Raises:
            NotFittedError: When asked before ``fit``.
        """
        learned = self._require()
        kinds = list(learned.weights)
        arrays = {
            "scales": np.stack([scale.knots for scale in learned.scales]),
            "weights": np.stack([learned.weights[kind] for kind in kinds]),
        }
        names = [member.name for member in self.members]
        odd = [learned.odd[kind] for kind in kinds]
        knobs = {"members": names, "kinds": kinds, "odd": odd, "left_out": self.left_out}
        return bundle({member.name: member.state() for member in self.members}, ModelState(knobs, arrays, {}))

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says, as if fitted with the same members.

        Raises:
            SchemaError: When the state is another detector's, or of other members.
        """
        parts, names = unbundle(state), [member.name for member in self.members]
        if state.knobs.get("members") != names or set(parts) != set(names):  # files keep the parts in any order
            raise SchemaError(
                f"the state is of {', '.join(parts)[:100]}, not of these members; train {self.name} again"
            )
        try:
            kinds, odd, left_out = (state.knobs[name] for name in ("kinds", "odd", "left_out"))
            scales = tuple(Scale(knots) for knots in state.arrays["scales"])
            weights = dict(zip(kinds, state.arrays["weights"], strict=True))
            learned = _Learned(scales, weights, dict(zip(kinds, map(float, odd), strict=True)))
        except (KeyError, TypeError, ValueError) as error:
            raise SchemaError(f"the state is not that of {self.name} ({error}); train it again") from error
        for member in self.members:
            member.restore(parts[member.name])
        self._learned, self.left_out = learned, str(left_out)
