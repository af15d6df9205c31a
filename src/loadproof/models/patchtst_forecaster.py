"""PatchTST as a forecaster: windows in, quantiles out; it goes on from its weights, and names its fallbacks."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from loadproof.config import PatchTSTConfig, build_section
from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import FitReport, Forecast, Forecaster, ModelState, make_forecast
from loadproof.models.covariates import encode
from loadproof.models.examples import ShiftedExamples, WindowExamples
from loadproof.models.history import HOWS, look_back
from loadproof.models.losses import LoadLoss
from loadproof.models.patchtst import PatchTST
from loadproof.models.patchtst_fit import FLOOR_KWH, Fitted, day_steps, fitted_of, learn, network_of
from loadproof.models.training import Schedule, epochs, seeded
from loadproof.ranks import ALONE, Ranks
from loadproof.schema import LEVELS

__all__ = ["PatchTSTForecaster", "fingerprint"]

_PREDICT_WINDOWS: Final = 1024


def fingerprint(train: Windows, valid: Windows) -> str:
    """Return a digest of all that two sets of windows hold."""
    digest = hashlib.sha256()
    for windows in (train, valid):
        for values in (windows.inputs.context_kwh, windows.truth_kwh, windows.inputs.t0.astype(np.int64)):
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


class PatchTSTForecaster(Forecaster):
    """One network for all homes.

    Args:
        knobs: The network and its training.
        device: Where it trains and predicts, ``cpu`` or ``cuda``; on the latter in bfloat16 where that is safe.
        checkpoint_dir: Where a training leaves what it needs to go on after a kill, until its caller has kept the
            outcome and takes it away; None leaves nothing.
    """

    name = "patchtst"

    def __init__(self, knobs: PatchTSTConfig, *, device: str = "cpu", checkpoint_dir: Path | None = None) -> None:
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ConfigError(f"device {device!r} is not there; take --device cpu")
        self.knobs, self.device = knobs, torch.device(device)
        self.checkpoint_dir = checkpoint_dir
        self._fitted: Fitted | None = None
        self._network: PatchTST | None = None

    def fit(
        self, train: Windows, valid: Windows, *, rng: np.random.Generator, anew: bool = False, ranks: Ranks = ALONE
    ) -> FitReport:
        """Learn from ``train``, keep the weights that are best on ``valid``; go on from the weights there are.

        Args:
            train: The windows to learn from.
            valid: The windows to choose the epoch on; where there are none, the last epoch's weights are kept.
            rng: The one source of chance.
            anew: Whether to forget the weights and begin again.
            ranks: Who share the training; each has all windows.

        Raises:
            ConfigError: When there is nothing to learn from, or the windows do not fit the weights to go on from.
        """
        if anew or self._fitted is None or self._network is None:
            fitted = learn(self.knobs, train)
            network = self._new(fitted, rng)
        else:
            fitted, network = self._fitted, self._network
            self._require_fit(train.inputs, fitted)
        examples = self.training_examples(train, fitted)
        judged = self.examples(valid if len(valid) else train.take(slice(0)), fitted)
        path = self.checkpoint_dir / "patchtst.safetensors" if self.checkpoint_dir else None
        identity = fingerprint(train, valid) + self.knobs.model_dump_json() if path else ""
        loss = LoadLoss(fitted.typical_kwh, floor_kwh=FLOOR_KWH, levels=LEVELS, device=self.device)
        records = tuple(
            {name: float(value) for name, value in record._asdict().items()}
            for record in epochs(
                network,
                examples,
                judged,
                loss,
                self._schedule(len(train)),
                rng=rng,
                path=path,
                identity=identity,
                ranks=ranks,
            )
        )
        self._fitted, self._network = fitted, network.eval()
        return FitReport(len(train), len(valid), records)

    fit_together = fit

    def begin(self, train: Windows, *, rng: np.random.Generator) -> PatchTST:
        """Become a network of these windows' kind that has learned nothing, for those who train it step by step."""
        fitted = learn(self.knobs, train)
        self._fitted, self._network = fitted, self._new(fitted, rng)
        return self._network

    @property
    def network(self) -> PatchTST:
        """The network that predicts.

        Raises:
            NotFittedError: When there is none yet.
        """
        return self._require_fitted()[1]

    @property
    def loss(self) -> LoadLoss:
        """What this forecaster makes small.

        Raises:
            NotFittedError: When nothing was fitted or begun.
        """
        typical_kwh = self._require_fitted()[0].typical_kwh
        return LoadLoss(typical_kwh, floor_kwh=FLOOR_KWH, levels=LEVELS, device=self.device)

    def predict(self, inputs: Inputs) -> Forecast:
        """Forecast every window in batches; ``how`` names a history that is short, stale or older than the lookback.

        Raises:
            NotFittedError: When asked before ``fit``.
            ConfigError: When the inputs are of another kind than those fitted upon, or a window has nothing observed.
        """
        fitted, network = self._require_fitted()
        self._require_fit(inputs, fitted)
        day = day_steps(fitted.interval_mins)
        seen = look_back(inputs, lookback_steps=fitted.lookback_steps, day_steps=day)
        if not len(inputs):
            empty = np.empty((0, fitted.horizon_steps, len(LEVELS)), dtype=np.float32)
            return make_forecast(empty, LEVELS, empty[..., 0], hows=HOWS)
        examples = self._to_examples(inputs, seen.context, np.empty((len(inputs), 0), dtype=np.float32), fitted)
        outputs = []
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16):
            for first in range(0, len(inputs), _PREDICT_WINDOWS):
                index = torch.arange(first, min(first + _PREDICT_WINDOWS, len(inputs)), device=self.device)
                batch = examples.batch(index)
                outputs.append(network(batch.context, batch.past, batch.known).float().cpu().numpy())
        out = np.concatenate(outputs)  # (N, H, 1 + Q)
        return make_forecast(out[..., 1:], LEVELS, out[..., 0], how=seen.how[:, None], hows=HOWS)

    def state(self) -> ModelState:
        """Return knobs, what was fixed by the fit, and the weights."""
        fitted, network = self._require_fitted()
        weights = {f"network/{name}": value.cpu().numpy().copy() for name, value in network.state_dict().items()}
        knobs = {"patchtst": self.knobs.model_dump(mode="json"), **fitted.knobs()}
        return ModelState(knobs, weights | fitted.arrays(), {})

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says; its knobs take the place of those given.

        Raises:
            SchemaError: When the state is another forecaster's.
        """
        try:
            fitted, knobs = fitted_of(state), build_section(PatchTSTConfig, **state.knobs["patchtst"])
            weights = {
                name.removeprefix("network/"): torch.from_numpy(
                    np.array(value, dtype=np.float32 if value.dtype.kind == "f" else None)
                )
                for name, value in state.arrays.items()
                if name.startswith("network/")
            }
            with torch.device("meta"):  # whatever sizes it claims, nothing is laid out that the file does not hold
                network = network_of(knobs, fitted)
            network.load_state_dict(weights, assign=True)
        except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
            why = " ".join(str(error).split())[:200]
            raise SchemaError(f"the state is no {self.name}'s of this version ({why}); train it again") from error
        self.knobs, self._fitted, self._network = knobs, fitted, network.to(self.device).eval()

    @property
    def _bf16(self) -> bool:
        return self.device.type == "cuda"

    def _schedule(self, epoch_examples: int) -> Schedule:
        knobs = self.knobs
        return Schedule(
            epochs=knobs.epochs, batch=knobs.batch_windows, learning_rate=knobs.learning_rate,
            patience=knobs.patience, weight_decay=knobs.weight_decay, bf16=self._bf16, compiled=knobs.compiled,
            epoch_examples=epoch_examples,
        )  # fmt: skip

    def _new(self, fitted: Fitted, rng: np.random.Generator) -> PatchTST:
        with seeded(rng):
            return network_of(self.knobs, fitted).to(self.device)

    def examples(self, windows: Windows, fitted: Fitted | None = None) -> WindowExamples:
        """Return the windows as the network sees them, one example each."""
        fitted = fitted or self._require_fitted()[0]
        context = windows.inputs.context_kwh[:, windows.inputs.context_kwh.shape[1] - fitted.lookback_steps :]
        return self._to_examples(windows.inputs, context, windows.truth_kwh, fitted)

    def training_examples(self, windows: Windows, fitted: Fitted | None = None) -> ShiftedExamples:
        """Return the training windows and what they hold of earlier origins, some hours apart."""
        fitted = fitted or self._require_fitted()[0]
        inputs, lookback = windows.inputs, fitted.lookback_steps
        shifts = np.arange(self.knobs.shifts) * day_steps(fitted.interval_mins) // self.knobs.shifts  # (R,)
        step = np.timedelta64(inputs.interval_mins, "m")
        earlier = [replace(inputs, t0=inputs.t0 - shift * step).by_origin() for shift in shifts]
        past, known = (
            np.stack([encode(fitted.covariates, x) for x in features])  # (R, O, L, G), (R, O, H, G)
            for features in ([some.past[:, -lookback:] for some in earlier], [some.known for some in earlier])
        )
        values = np.concatenate([inputs.context_kwh, windows.truth_kwh], axis=1)  # (N, C + H)
        tensors = [torch.from_numpy(x).to(self.device) for x in (values, earlier[0].at, shifts, past, known)]
        return ShiftedExamples(*tensors, lag_steps=inputs.data_lag_steps)

    def _to_examples(
        self, inputs: Inputs, context: NDArray[np.float32], truth: NDArray[np.float32], fitted: Fitted
    ) -> WindowExamples:
        features = inputs.by_origin()
        past = features.past[:, features.past.shape[1] - fitted.lookback_steps :]  # (O, L, F)
        arrays = (context, truth, features.at, *(encode(fitted.covariates, x) for x in (past, features.known)))
        return WindowExamples(*(torch.from_numpy(np.ascontiguousarray(x)).to(self.device) for x in arrays))

    def _require_fitted(self) -> tuple[Fitted, PatchTST]:
        if self._fitted is None or self._network is None:
            raise NotFittedError(f"{self.name} was not fitted; call fit first")
        return self._fitted, self._network

    def _require_fit(self, inputs: Inputs, fitted: Fitted) -> None:
        if inputs.interval_mins != fitted.interval_mins:
            raise ConfigError(
                f"{self.name} learned steps of {fitted.interval_mins} minutes and is given {inputs.interval_mins}; "
                f"resample to {fitted.interval_mins}, or train it again"
            )
        if inputs.known_names != fitted.covariates.names:
            strange = sorted(set(inputs.known_names) ^ set(fitted.covariates.names)) or ["their order"]
            raise ConfigError(f"{self.name} learned other features ({', '.join(strange)}); give those, or train again")
        if inputs.horizon_steps != fitted.horizon_steps:
            raise ConfigError(
                f"{self.name} learned {fitted.horizon_steps} steps ahead and is asked for {inputs.horizon_steps}; "
                f"ask for {fitted.horizon_steps}, or train it again"
            )
        if (c := inputs.context_kwh.shape[1]) < fitted.lookback_steps:
            raise ConfigError(
                f"a context of {c} steps is shorter than the {fitted.lookback_steps} that {self.name} learned; raise "
                f"context_steps to {fitted.lookback_steps}"
            )
