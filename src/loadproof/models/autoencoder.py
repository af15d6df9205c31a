"""A small network that writes a day again from what is most usual about it, and says how sure one can be of each step.

W steps a day, G numbers a step in, K the code. What is missing goes in as 0 with a mask that says so, and adds neither
to the loss nor to its gradient.
"""

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from loadproof.config import AutoencoderConfig
from loadproof.errors import SchemaError
from loadproof.models.training import EpochRecord, Schedule, epochs, seeded

__all__ = ["Days", "WindowAutoencoder", "network_from_arrays", "train_autoencoder"]

_CLIP: Final = 6.0
"""A step goes in at most so many standard deviations off: what is absurd must not write the rest of the day."""

_LOG_SCALE: Final = (-3.0, 3.0)  # a step's scale stays within a factor of 20 of the pool's
_ROWS: Final = 512
"""Days that go through the network at once, always so many, so that a day comes out the same alone as among others."""


class Days(NamedTuple):
    """Days to write again: how far each step is from its usual level, NaN where missing, and that level, ``(D, W)``."""

    deviation: NDArray[np.float32]
    usual: NDArray[np.float32]


class Written(NamedTuple):
    """What the network writes: a step's location and scale, ``(D, W)`` each."""

    location: NDArray[np.float32]
    scale: NDArray[np.float32]


class _DayBatch(NamedTuple):
    deviation: Tensor  # (B, W), NaN where missing
    usual: Tensor  # (B, W)


class _DayExamples:
    """Days on the device."""

    def __init__(self, days: Days) -> None:
        self.deviation, self.usual = (torch.from_numpy(np.ascontiguousarray(x)) for x in days)

    def __len__(self) -> int:
        return len(self.deviation)

    def batch(self, index: Tensor) -> _DayBatch:
        return _DayBatch(self.deviation[index], self.usual[index])


class WindowAutoencoder(nn.Module):
    """Two layers down to a code, two layers up again, with the usual level beside the code.

    The scale of each step is told from the usual level alone, so that an odd day cannot excuse itself.

    Args:
        steps: W.
        width: Width of the hidden layers.
        code: K; the narrower, the less of an odd day can be written again.
    """

    def __init__(self, steps: int, *, width: int, code: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3 * steps, width), nn.GELU(), nn.Linear(width, code))
        self.decoder = nn.Sequential(nn.Linear(code + steps, width), nn.GELU(), nn.Linear(width, steps))
        self.scale = nn.Sequential(nn.Linear(steps, width), nn.GELU(), nn.Linear(width, steps))

    def forward(self, deviation: Tensor, seen: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
        """Return location and logarithm of the scale, ``(B, W)`` each.

        Args:
            deviation: 0 where not seen, ``(B, W)``.
            seen: 1 where a step is shown, else 0, ``(B, W)``.
            usual: Usual level of each step, ``(B, W)``.
        """
        code = self.encoder(torch.cat([deviation.clamp(-_CLIP, _CLIP) * seen, seen, usual], dim=-1))  # (B, K)
        location = self.decoder(torch.cat([code, usual], dim=-1))  # (B, W)
        return location, self.scale(usual).clamp(*_LOG_SCALE)

    @torch.inference_mode()
    def write(self, days: Days) -> Written:
        """Return what the network makes of days, each the same whatever stands beside it."""
        self.eval()
        n, steps = days.deviation.shape
        out = np.empty((2, n, steps), dtype=np.float32)
        for first in range(0, n, _ROWS):
            some = [x[first : first + _ROWS] for x in days]
            padded = [np.pad(x, ((0, _ROWS - len(x)), (0, 0))) for x in some]
            deviation, usual = (torch.from_numpy(x) for x in padded)
            seen = ~torch.isnan(deviation)
            location, log_scale = self(deviation.nan_to_num(0), seen.float(), usual)
            for part, values in zip(out, (location, log_scale.exp()), strict=True):
                part[first : first + _ROWS] = values.numpy()[: len(some[0])]
        return Written(*out)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights by name."""
        return {name: value.numpy().copy() for name, value in self.state_dict().items()}


class _Loss:
    """The negative logarithm of a Laplace density at each reading, with a stretch of each day hidden in training.

    What was hidden must be told from the rest of the day, so that the network learns how homes behave and not to copy.
    """

    def __init__(self, hidden_share: float) -> None:
        self.hidden_share = hidden_share

    def __call__(self, network: nn.Module, batch: _DayBatch) -> tuple[Tensor, Tensor]:
        known = ~torch.isnan(batch.deviation)
        deviation = batch.deviation.nan_to_num(0)
        seen = known & ~self._hidden(known) if network.training else known
        location, log_scale = network(deviation, seen.float(), batch.usual)
        loss = (deviation - location).abs() * torch.exp(-log_scale) + log_scale  # (B, W)
        return torch.where(known, loss, 0.0).sum(), known.sum()

    def _hidden(self, known: Tensor) -> Tensor:
        """Return a stretch of each day, of random place and length up to twice the share, ``(B, W)``."""
        days, steps = known.shape
        length = torch.rand(days, 1) * 2 * self.hidden_share * steps
        first = torch.rand(days, 1) * steps - length / 2
        at = torch.arange(steps)
        return (at >= first) & (at < first + length)


def train_autoencoder(
    train: Days, valid: Days, knobs: AutoencoderConfig, *, rng: np.random.Generator
) -> tuple[WindowAutoencoder, tuple[EpochRecord, ...]]:
    """Return a network trained on days, with the weights that are best on ``valid``, and what each epoch came to.

    Args:
        train: Days to learn from.
        valid: Days to choose the epoch on; where there are none, the last epoch's weights are kept.
        knobs: The network and its training.
        rng: The one source of chance.

    Raises:
        ConfigError: When there is no day to learn from.
    """
    with seeded(rng):
        network = WindowAutoencoder(train.deviation.shape[1], width=knobs.width, code=knobs.code)
    schedule = Schedule(
        epochs=knobs.epochs, batch=knobs.batch_days, learning_rate=knobs.learning_rate, patience=knobs.patience
    )
    loss = _Loss(knobs.hidden_share)
    records = tuple(epochs(network, _DayExamples(train), _DayExamples(valid), loss, schedule, rng=rng))
    return network.eval(), records


def network_from_arrays(arrays: dict[str, NDArray[np.float32]], knobs: AutoencoderConfig) -> WindowAutoencoder:
    """Return the network whose weights these are.

    Raises:
        SchemaError: When they are not of such a network.
    """
    try:
        steps = arrays["decoder.2.bias"].shape[0]
        network = WindowAutoencoder(steps, width=knobs.width, code=knobs.code)
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    except (KeyError, IndexError, TypeError, RuntimeError) as error:
        raise SchemaError(f"these are no autoencoder's weights of this version ({error}); train it again") from error
    return network.eval()
