"""Who solves: the house's network, kept from beginning to end, and an average of its weights that forecasts.

The network is shown a batch's context and features, never its truth, which meets the outputs in the loss alone; and
nothing here knows what a scenario is.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from loadproof.errors import ConfigError
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import Forecast
from loadproof.models.checkpoint import under
from loadproof.models.examples import Batch, ShiftedExamples
from loadproof.models.losses import pinball
from loadproof.models.patchtst_forecaster import PatchTSTForecaster
from loadproof.ranks import ALONE, Ranks
from loadproof.selfplay.verifier import Limits, penalty

__all__ = ["Learned", "Pace", "Solver", "draw_real", "joined"]

_CLIP: Final = 1.0


class Learned(NamedTuple):
    """What one update saw, or several on average.

    Attributes:
        loss: The pinball loss.
        penalty: The verifier's.
        penalty_gradient: The size of the penalty's own gradient at the outputs.
        by_constraint: What of the penalty comes of each constraint.
    """

    loss: float
    penalty: float
    penalty_gradient: float
    by_constraint: tuple[float, ...] = ()

    @classmethod
    def mean(cls, some: Sequence[Self]) -> Self:
        """Return the means of several updates; by constraint, of those that say so: older checkpoints do not."""
        loss, excess, pull = (float(np.mean(values)) for values in zip(*(one[:3] for one in some), strict=True))
        parts = zip(*(one.by_constraint for one in some if one.by_constraint), strict=True)
        return cls(loss, excess, pull, tuple(float(np.mean(values)) for values in parts))


class Pace(NamedTuple):
    """How fast to learn: up to the highest rate in a tenth of the updates, and down along half a cosine."""

    updates: int
    learning_rate: float
    weight_decay: float = 0.01
    averaging: float = 0.99

    def rate(self, update: int) -> float:
        """Return the learning rate of an update."""
        done = update / max(self.updates - 1, 1)
        height = done / 0.1 if done < 0.1 else (1 + math.cos(math.pi * min((done - 0.1) / 0.9, 1))) / 2
        return self.learning_rate * max(height, 0.01)


def _rows(batch: Batch, rows: slice) -> Batch:
    return Batch(*(part[rows] for part in batch))  # type: ignore[index]


def joined(batches: list[Batch]) -> Batch:
    """Return several batches as one."""
    return Batch(*(torch.cat(parts) for parts in zip(*batches, strict=True)))


class Solver:
    """A network that goes on learning, and the running average of its weights.

    Args:
        forecaster: A forecaster that has begun; its network is the one that learns.
        pace: How fast it learns.
        penalty_weight: How much the verifier's penalty counts beside the loss.
        limits: Whose load is forecast, for the penalty.
        ranks: Who share each batch; every one of them is given it whole.
    """

    def __init__(
        self, forecaster: PatchTSTForecaster, pace: Pace, *, penalty_weight: float = 0.0,
        limits: Limits | None = None, ranks: Ranks = ALONE,
    ) -> None:  # fmt: skip
        self.forecaster, self.pace = forecaster, pace
        self.penalty_weight, self.limits = penalty_weight, limits or Limits()
        self.update, self.ranks = 0, ranks
        self._network = forecaster.network
        self._forward = ranks.spread(self._network)
        self._loss = forecaster.loss
        self._optimiser = torch.optim.AdamW(
            self._network.parameters(), lr=pace.learning_rate, weight_decay=pace.weight_decay
        )
        self._average = {name: value.clone() for name, value in self._network.state_dict().items()}

    def real_days(self, train: Windows) -> ShiftedExamples:
        """Return real windows to draw batches from."""
        return self.forecaster.training_examples(train)

    def batch_of(self, windows: Windows) -> Batch:
        """Return all windows as one batch."""
        examples = self.forecaster.examples(windows)
        return examples.batch(torch.arange(len(windows), device=self.forecaster.device))

    def pinball_kwh(self, batch: Batch) -> Tensor:
        """Return each window's pinball loss over all levels, as the network stands, kWh ``(B,)``."""
        was = self._network.training
        self._network.eval()
        loss = torch.zeros(len(batch.context), device=batch.context.device)
        with torch.inference_mode():
            rows = self.ranks.take(len(loss))
            mine = _rows(batch, rows)
            outputs = self._network(mine.context, mine.past, mine.known)  # (B, H, 1 + Q)
            loss[rows] = pinball(mine.truth, outputs[..., 1:], self._loss.levels).mean(dim=-1).nanmean(dim=1)
            loss = self.ranks.sum(loss)
        self._network.train(was)
        return loss

    def learn(self, batch: Batch) -> Learned:
        """Take one step on a batch; torch's own generator is the source of what is dropped out.

        Raises:
            ConfigError: When the batch has no window for every rank.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = self.pace.rate(self.update)
        self._network.train()
        mine = self._share(batch)
        outputs = self._forward(mine.context, mine.past, mine.known)  # (B, H, 1 + Q)
        by_step = self._loss.of(outputs, mine)
        known = ~torch.isnan(by_step)
        total = torch.where(known, by_step, 0.0).sum()
        seen = self.ranks.sum(torch.stack([total.detach(), known.sum()]))
        count = seen[1].clamp(min=1)
        share = len(mine.context) / len(batch.context)
        beyond, parts = penalty(outputs[..., 1:], mine.context, self.limits)
        beyond = beyond * share
        pull = torch.autograd.grad(beyond, outputs, retain_graph=True)[0].norm()
        self._optimiser.zero_grad(set_to_none=True)
        # As many times, for the ranks' mean is taken.
        ((total / count + self.penalty_weight * beyond) * self.ranks.world).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._network.parameters(), _CLIP)
        self._optimiser.step()
        self._follow()
        self.update += 1
        sums = self.ranks.sum(torch.stack([beyond.detach(), pull.square(), *(parts * share)]))
        return Learned(float(seen[0] / count), float(sums[0]), float(sums[1].sqrt()), tuple(sums[2:].tolist()))

    def _share(self, batch: Batch) -> Batch:
        """Return this rank's rows of a batch."""
        windows = len(batch.context)
        if windows < self.ranks.world:
            raise ConfigError(
                f"{self.ranks.world} ranks cannot share {windows} windows; start fewer, or raise real_windows"
            )
        return _rows(batch, self.ranks.take(windows))

    def _follow(self) -> None:
        keep = min(self.pace.averaging, (1 + self.update) / (10 + self.update))
        with torch.no_grad():
            for name, value in self._network.state_dict().items():
                if value.is_floating_point():
                    self._average[name].lerp_(value, 1 - keep)
                else:
                    self._average[name].copy_(value)

    def predict(self, inputs: Inputs) -> Forecast:
        """Forecast with the averaged weights."""
        now = {name: value.clone() for name, value in self._network.state_dict().items()}
        self._network.load_state_dict(self._average)
        self._network.eval()
        try:
            return self.forecaster.predict(inputs)
        finally:
            self._network.load_state_dict(now)

    def settle(self) -> None:
        """Take the averaged weights for good."""
        self._network.load_state_dict(self._average)
        self._network.eval()

    def weights(self) -> dict[str, Tensor]:
        """Return the averaged weights."""
        return {name: value.clone() for name, value in self._average.items()}

    def tensors(self) -> dict[str, Tensor]:
        """Return all that is needed to go on from here, but for the count of updates."""
        moments = self._optimiser.state_dict()["state"]
        return {
            **{f"now/{name}": value for name, value in self._network.state_dict().items()},
            **{f"average/{name}": value for name, value in self._average.items()},
            **{f"adam/{at}/{name}": value for at, some in moments.items() for name, value in some.items()},
        }

    def restore(self, tensors: dict[str, Tensor], update: int) -> None:
        """Go on from what :meth:`tensors` gave after so many updates."""
        self._network.load_state_dict(under(tensors, "now"))
        self._average = under(tensors, "average")
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in under(tensors, "adam").items():
            at, key = name.split("/")
            state.setdefault(int(at), {})[key] = value
        self._optimiser.load_state_dict({**self._optimiser.state_dict(), "state": state})
        self.update = update


def draw_real(examples: ShiftedExamples, n: int, *, rng: np.random.Generator) -> Batch:
    """Return ``n`` real examples, drawn with repeats."""
    return examples.batch(torch.from_numpy(rng.integers(len(examples), size=n)))
