"""The one loop: examples that live on the device, AdamW along one cycle, the best weights by validation kept.

Torch is seeded here and nowhere else, from an integer drawn from the given generator, and leaves torch's own
generator as it was.
"""

import contextlib
import json
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from loadproof.errors import ConfigError
from loadproof.models import checkpoint
from loadproof.ranks import ALONE, Ranks

__all__ = ["EpochRecord", "Examples", "Schedule", "epochs", "mean_loss", "seeded"]

logger = logging.getLogger(__name__)

_PROGRESS: Final = ("epoch", "step", "best_loss", "worse", "curve")


B_co = TypeVar("B_co", covariant=True)
B = TypeVar("B")


class Examples(Protocol[B_co]):
    """What is learned from or judged upon; all of it lies on the device, and batches are gathered there."""

    def __len__(self) -> int: ...

    def batch(self, index: Tensor) -> B_co:
        """Return the examples at ``index (B,)`` in whatever shape the loss wants."""


Loss: TypeAlias = Callable[[nn.Module, B], tuple[Tensor, Tensor]]
"""A network and a batch to the sum of the losses and of their weights, two scalars."""


class EpochRecord(NamedTuple):
    """What one epoch came to; losses are means over what was known."""

    epoch: int
    train_loss: float
    valid_loss: float
    best_loss: float


@dataclass(frozen=True)
class Schedule:
    """How long, how fast and how carefully to train.

    Attributes:
        epochs: Passes over the examples at most.
        batch: Examples per step, B.
        learning_rate: The highest of the cycle.
        patience: Epochs without a better validation loss before the end.
        rising_share: Share of all steps in which the rate rises.
        weight_decay: AdamW's.
        clip: Norm that the gradient is cut to.
        epoch_examples: Examples in an epoch, drawn without repeats; None for all.
        checkpoint_steps: Steps between checkpoints, where a path for them is given.
        bf16: Whether to compute in bfloat16 where autocast thinks it safe.
        compiled: Whether to train through ``torch.compile``.
    """

    epochs: int
    batch: int
    learning_rate: float
    patience: int = 1000
    rising_share: float = 0.3
    weight_decay: float = 0.01
    clip: float = 1.0
    epoch_examples: int | None = None
    checkpoint_steps: int = 200
    bf16: bool = False
    compiled: bool = False


@contextlib.contextmanager
def seeded(rng: np.random.Generator) -> Iterator[int]:
    """Let torch draw from a seed that is drawn from ``rng``, and put its generators back afterwards."""
    seed = int(rng.integers(2**31))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield seed


def _device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _batches(index: Tensor, size: int) -> tuple[Tensor, ...]:
    return cast(tuple[Tensor, ...], index.split(size))  # type: ignore[no-untyped-call]


def mean_loss(
    network: nn.Module, examples: Examples[B], loss: Loss[B], *, batch: int = 1024, bf16: bool = False,
    ranks: Ranks = ALONE,
) -> float:  # fmt: skip
    """Return the mean loss over all examples, without dropout, the same on every rank; NaN where nothing is known."""
    if not len(examples):
        return float("nan")
    device = _device_of(network)
    was = network.training
    network.eval()
    total, weight = 0.0, 0.0
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for index in _batches(torch.arange(len(examples), device=device), batch):
            mine = index[ranks.take(len(index))]
            some, of = loss(network, examples.batch(mine))
            total, weight = total + float(some), weight + float(of)
    network.train(was)
    total, weight = ranks.sum(torch.tensor([total, weight], dtype=torch.float64, device=device)).tolist()
    return total / weight if weight else float("nan")


class _Run(Generic[B]):
    """One training: all that changes from step to step, and how it is kept and taken up again."""

    def __init__(
        self, network: nn.Module, train: Examples[B], loss: Loss[B], schedule: Schedule, *,
        seed: int, identity: str, ranks: Ranks,
    ) -> None:  # fmt: skip
        if schedule.compiled and ranks.world > 1:
            raise ConfigError("compiled is for one process and this training has more; set it to false")
        self.ranks = ranks
        self.network, self.train, self.loss, self.schedule, self.seed = network, train, loss, schedule, seed
        self.device = _device_of(network)
        shapes = [[name, *value.shape] for name, value in network.state_dict().items()]
        self.identity = json.dumps([seed, len(train), repr(schedule), identity, shapes])
        self.forward = cast(nn.Module, torch.compile(network)) if schedule.compiled else ranks.spread(network)
        self.per_epoch = min(len(train), schedule.epoch_examples or len(train))
        self.steps = -(-self.per_epoch // schedule.batch)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
        )
        self.epoch, self.step = 0, 0
        self.sums = torch.zeros(2, dtype=torch.float64, device=self.device)  # of losses and of weights, this epoch
        self.best_loss, self.worse = float("inf"), 0
        self.curve: list[list[float]] = []  # the losses of each epoch, on what was learned from and on what is judged
        self.best = {name: value.clone() for name, value in network.state_dict().items()}
        torch.manual_seed(seed)
        self.generators = self._generators()

    def _generators(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def _set_generators(self) -> None:
        torch.set_rng_state(self.generators["cpu"])
        if "cuda" in self.generators:
            torch.cuda.set_rng_state(self.generators["cuda"], self.device)

    def _rate(self) -> float:
        """Return the learning rate of this step: up along half a cosine, and down to nearly nothing along another."""
        schedule, all_steps = self.schedule, self.schedule.epochs * self.steps
        done = (self.epoch * self.steps + self.step) / max(all_steps - 1, 1)
        rising = schedule.rising_share
        height = done / rising if done < rising else 1 - (done - rising) / (1 - rising)
        return schedule.learning_rate * max((1 - math.cos(math.pi * height)) / 2, 1e-3)

    def _order(self) -> Tensor:
        drawn = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.train))[: self.per_epoch]
        return torch.from_numpy(drawn).to(self.device)

    def run_epoch(self, path: Path | None) -> float:
        """Take the remaining steps of this epoch; return its mean loss."""
        self.network.train()
        with torch.random.fork_rng():
            self._set_generators()
            for index in _batches(self._order(), self.schedule.batch)[self.step :]:
                self._take_step(index)
                self.step += 1
                if path and self.ranks.leads and self.step % self.schedule.checkpoint_steps == 0:
                    self.generators = self._generators()
                    self.save(path)
            self.generators = self._generators()
        total, weight = self.sums.tolist()
        self.epoch, self.step = self.epoch + 1, 0
        self.sums.zero_()
        return total / weight if weight else float("nan")

    def _take_step(self, index: Tensor) -> None:
        """Take a step on this rank's share of the batch; the gradient is that of the mean over all that it knows."""
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.schedule.bf16):
            mine = index[self.ranks.take(len(index))]
            total, weight = self.loss(self.forward, self.train.batch(mine))
        seen = self.ranks.sum(torch.stack([total.detach(), weight.detach()]))
        self.optimiser.zero_grad(set_to_none=True)
        mean = total * self.ranks.world / seen[1].clamp(min=1)  # as many times, for the ranks' mean is taken
        mean.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.schedule.clip)
        self.optimiser.step()
        self.sums += seen

    def judge(self, train_loss: float, valid_loss: float) -> None:
        """Keep the weights if they are the best so far; without a validation loss the latest are."""
        if valid_loss < self.best_loss or np.isnan(valid_loss):
            self.best_loss, self.worse = valid_loss, 0
            self.best = {name: value.clone() for name, value in self.network.state_dict().items()}
        else:
            self.worse += 1
        self.curve.append([train_loss, valid_loss, self.best_loss])

    def save(self, path: Path) -> None:
        """Write all that is needed to go on from here."""
        moments = self.optimiser.state_dict()["state"]
        tensors = {
            **{f"now/{name}": value for name, value in self.network.state_dict().items()},
            **{f"best/{name}": value for name, value in self.best.items()},
            **{f"adam/{at}/{name}": value for at, some in moments.items() for name, value in some.items()},
            **{f"generator/{name}": value for name, value in self.generators.items()},
        }
        tensors["sums"] = self.sums
        facts = {"identity": self.identity, **{name: getattr(self, name) for name in _PROGRESS}}
        checkpoint.save(path, tensors, facts)

    def resume(self, path: Path) -> None:
        """Take up where :meth:`save` left off; a checkpoint of another training is left alone, and said so.

        Raises:
            ConfigError: When the file is no checkpoint.
        """
        tensors, facts = checkpoint.load(path, self.device)
        if facts["identity"] != self.identity:
            logger.warning("%s: is of another training, whose progress is not used; this one begins anew", path)
            return
        for name in _PROGRESS:
            setattr(self, name, facts[name])
        self.sums = tensors["sums"]
        self.network.load_state_dict(checkpoint.under(tensors, "now"))
        self.best = checkpoint.under(tensors, "best")
        self.generators = {name: x.cpu() for name, x in checkpoint.under(tensors, "generator").items()}
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in checkpoint.under(tensors, "adam").items():
            at, key = name.split("/")
            state.setdefault(int(at), {})[key] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})


def epochs(
    network: nn.Module, train: Examples[B], valid: Examples[B], loss: Loss[B], schedule: Schedule, *,
    rng: np.random.Generator, path: Path | None = None, identity: str = "", ranks: Ranks = ALONE,
) -> Iterator[EpochRecord]:  # fmt: skip
    """Train the network where it is and yield a record after each epoch, those before a kill first.

    Once exhausted, the network holds the weights of the best epoch.

    Args:
        network: On the device where the examples are.
        train: What is learned from.
        valid: What the best weights are chosen on; where it is empty, the last ones are kept.
        loss: The loss of a batch.
        schedule: How long, how fast.
        rng: The one source of chance; one integer is drawn.
        path: Where a checkpoint is kept while training; one of this training is taken up, bit for bit on a CPU.
        identity: What tells this training's data and start from any other's; part of what a checkpoint must match.
        ranks: Who share each batch; a checkpoint of so many is taken up by any other number.

    Raises:
        ConfigError: When there is nothing to train upon, or the file at ``path`` is no checkpoint.
        RanksError: When the ranks do not start from the same.
    """
    if not len(train):
        raise ConfigError("there is no training example; begin training earlier")
    with seeded(rng) as seed:
        run = _Run(network, train, loss, schedule, seed=seed, identity=identity, ranks=ranks)
    if path and path.exists():
        run.resume(path)
    ranks.agree(f"what is trained, from {path}", f"{run.identity}/{run.epoch}/{run.step}")
    yield from (EpochRecord(number, *losses) for number, losses in enumerate(run.curve, 1))
    while run.epoch < schedule.epochs and run.worse < schedule.patience:
        train_loss = run.run_epoch(path)
        valid_loss = mean_loss(network, valid, loss, bf16=schedule.bf16, ranks=ranks)
        run.judge(train_loss, valid_loss)
        if path and ranks.leads:
            run.save(path)
        logger.info("epoch %d: train %.5f, valid %.5f", run.epoch, train_loss, valid_loss)
        yield EpochRecord(run.epoch, train_loss, valid_loss, run.best_loss)
    network.load_state_dict(run.best)
