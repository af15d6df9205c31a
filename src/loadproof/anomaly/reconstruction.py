"""How badly a network that learned usual days writes a day again."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.anomaly.deviations import deviations
from loadproof.anomaly.evidence import scores_of
from loadproof.config import AutoencoderConfig, build_section
from loadproof.detector import Detector, Scores
from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.features.gaps import known_quantiles
from loadproof.features.windows import Windows
from loadproof.forecaster import FitReport, ModelState
from loadproof.models.autoencoder import Days, WindowAutoencoder, network_from_arrays, train_autoencoder

__all__ = ["AutoencoderDetector"]

_CHUNK: Final = 128
_ODD_QUANTILE: Final = 0.99
_OWN_EVERY: Final = 3  # days of the context that tell how well this home can be written: every third, all weekdays
_TRAIN_EVERY: Final = 7  # days of a context that are learned from beside the day itself


def _days_of(values: NDArray[np.float32], steps: int, every: int) -> NDArray[np.float32]:
    """Return every so many days of each series ``(n, C + H)``, the last one last, ``(n, J, W)``."""
    n, total = values.shape
    whole = values[:, total % steps :].reshape(n, total // steps, steps)
    return whole[:, (whole.shape[1] - 1) % every :: every]


class _Errors(NamedTuple):
    """Of some windows, ``rows (n,)``, the median error of a few context days ``(n,)`` and the day's ``(n, H)``."""

    rows: NDArray[np.int64]
    usual: NDArray[np.float32]
    of_day: NDArray[np.float32]


class AutoencoderDetector(Detector):
    """The error of a day written again by a :class:`WindowAutoencoder`, over the scale that it gives each step.

    Errors are in multiples of what is usual for the home (its context's median, or the pool's if that is more), and
    evidence is 1 where one clean reading in a hundred lies, by validation.

    Args:
        knobs: The network and its training.
    """

    name = "autoencoder"

    def __init__(self, knobs: AutoencoderConfig | None = None) -> None:
        self.knobs = knobs or AutoencoderConfig()
        self._network: WindowAutoencoder | None = None
        self._steps = 0
        self._std, self._usual_error, self._odd = 1.0, 1.0, 1.0

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Learn to write days of ``train``; ``valid`` (without it, ``train``) chooses the epoch and calibrates.

        Raises:
            ConfigError: When nothing varies, so that there is nothing to learn.
        """
        self._steps = train.inputs.horizon_steps
        days = self._days(train, _TRAIN_EVERY)
        known = days.deviation[~np.isnan(days.deviation)].astype(np.float64)
        if not known.size or known.std() == 0:
            raise ConfigError(f"{len(train)} training windows hold nothing that varies; train longer or on more homes")
        self._std = float(known.std())
        scaled = Days(days.deviation / np.float32(self._std), days.usual)
        clean = valid if len(valid) else train
        judged = self._days(clean, _TRAIN_EVERY) if len(valid) else Days(*(x[:0] for x in days))
        judged = Days(judged.deviation / np.float32(self._std), judged.usual)
        self._network, records = train_autoencoder(scaled, judged, self.knobs, rng=rng)
        usual = np.concatenate([some.usual for some in self._errors(clean)])  # (N,)
        self._usual_error = float(np.nanmedian(usual)) if np.isfinite(usual).any() else 1.0
        multiples = self._multiples(clean)[~np.isnan(clean.truth_kwh)]
        self._odd = float(np.quantile(multiples, _ODD_QUANTILE)) if multiples.size else 1.0
        told = tuple({name: float(value) for name, value in record._asdict().items()} for record in records)
        return FitReport(len(train), len(valid), told)

    def score(self, windows: Windows) -> Scores:
        """Score every reading by how badly it is written again.

        Raises:
            NotFittedError: When asked before ``fit``.
            ConfigError: When the context is shorter than a week, or days have other steps than those learned.
        """
        self._require()
        if windows.inputs.horizon_steps != self._steps:
            raise ConfigError(
                f"{self.name} learned days of {self._steps} steps and is given {windows.inputs.horizon_steps}; "
                "give it such days, or train it again"
            )
        return scores_of(self._multiples(windows) / self._odd, windows.truth_kwh)

    def _days(self, windows: Windows, every: int) -> Days:
        """Return days of contexts and the judged days themselves, those without reading left out, ``(D, W)``."""
        steps = windows.inputs.horizon_steps
        blank = np.zeros((0, steps), np.float32)
        columns: tuple[list[NDArray[np.float32]], ...] = ([blank], [blank])
        for some in deviations(windows, chunk=_CHUNK):
            for column, values in zip(columns, (some.deviation, some.usual), strict=True):
                column.append(_days_of(values, steps, every).reshape(-1, steps))
        deviation, usual = (np.concatenate(column) for column in columns)
        read = ~np.isnan(deviation).all(axis=1)
        return Days(deviation[read], usual[read])

    def _errors(self, windows: Windows) -> Iterator[_Errors]:
        network, steps = self._require(), self._steps
        for some in deviations(windows, chunk=_CHUNK):
            scaled = some.deviation / np.float32(self._std)
            shown = [_days_of(x, steps, _OWN_EVERY) for x in (scaled, some.usual)]  # (n, J, W)
            shape = shown[0].shape
            days = Days(*(x.reshape(-1, steps) for x in shown))
            location, scale = network.write(days)
            error = (np.abs(days.deviation - location) / scale).reshape(shape)  # (n, J, W)
            before = error[:, :-1].reshape(len(error), -1)
            yield _Errors(some.rows, known_quantiles(before, (0.5,))[0], error[:, -1])

    def _multiples(self, windows: Windows) -> NDArray[np.float32]:
        found = np.empty(windows.truth_kwh.shape, np.float32)
        for some in self._errors(windows):
            found[some.rows] = some.of_day / np.fmax(some.usual, np.float32(self._usual_error))[:, None]
        return found

    def _require(self) -> WindowAutoencoder:
        if self._network is None:
            raise NotFittedError(f"{self.name} was not fitted; call fit first")
        return self._network

    def state(self) -> ModelState:
        """Return knobs, scales and weights.

        Raises:
            NotFittedError: When asked before ``fit``.
        """
        network = self._require()
        scales = {"std": self._std, "usual_error": self._usual_error, "odd": self._odd, "steps": self._steps}
        return ModelState({"autoencoder": self.knobs.model_dump(mode="json"), **scales}, network.arrays(), {})

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says; its knobs take the place of those given."""
        try:
            knobs = build_section(AutoencoderConfig, **state.knobs["autoencoder"])
            std, usual_error, odd = (float(state.knobs[name]) for name in ("std", "usual_error", "odd"))
            steps = int(state.knobs["steps"])
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise SchemaError(f"the state is not that of {self.name} ({error}); train it again") from error
        self._network = network_from_arrays(state.arrays, knobs)
        self.knobs, self._steps = knobs, steps
        self._std, self._usual_error, self._odd = std, usual_error, odd
