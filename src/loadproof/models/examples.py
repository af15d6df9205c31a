"""Examples that lie on the device: a batch is gathered there by index, and nothing is copied over while training."""

from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Batch", "SeriesExamples", "ShiftedExamples", "WindowExamples"]


class Batch(NamedTuple):
    """Some windows: context ``(B, C)``, truth ``(B, H)``, and features ``(B, C, F)`` and ``(B, H, F)`` or None."""

    context: Tensor
    truth: Tensor
    past: Tensor | None = None
    known: Tensor | None = None


@dataclass(frozen=True, eq=False)
class SeriesExamples:
    """One window for every row and start given; none is cut beforehand.

    Attributes:
        series: Values, NaN where missing, ``(S, T)``.
        rows: The series of each window, ``(N,)``.
        starts: The first context step of each window, ``(N,)``.
        context_steps: C.
        horizon_steps: H.
    """

    series: Tensor
    rows: Tensor
    starts: Tensor
    context_steps: int
    horizon_steps: int

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: Tensor) -> Batch:
        """Return the windows at ``index (B,)``."""
        first = self.rows[index] * self.series.shape[1] + self.starts[index]  # (B,)
        steps = torch.arange(self.context_steps + self.horizon_steps, device=first.device)
        values = self.series.reshape(-1)[first[:, None] + steps]  # (B, C + H)
        return Batch(values[:, : self.context_steps], values[:, self.context_steps :])


@dataclass(frozen=True, eq=False)
class WindowExamples:
    """Windows already cut; the features of an origin are there once for all homes.

    Attributes:
        context: Values, NaN where missing, ``(N, C)``.
        truth: What came, NaN where missing, ``(N, H)``.
        at: The origin of each window, ``(N,)``.
        past: Features of the context steps, ``(O, C, F)``.
        known: Features of the horizon steps, ``(O, H, F)``.
    """

    context: Tensor
    truth: Tensor
    at: Tensor
    past: Tensor
    known: Tensor

    def __len__(self) -> int:
        return len(self.context)

    def batch(self, index: Tensor) -> Batch:
        """Return the windows at ``index (B,)``."""
        origin = self.at[index]
        return Batch(self.context[index], self.truth[index], self.past[origin], self.known[origin])


@dataclass(frozen=True, eq=False)
class ShiftedExamples:
    """Every window as it is, and as it would have been so many steps earlier at each shift: R shifts, N R examples.

    An earlier window sees what the context of its own holds, and NaN before that; its truth begins with the end of
    that context. Nothing is used that the N windows do not hold.

    Attributes:
        values: Context and truth of the unshifted windows in one, NaN where missing, ``(N, C + H)``.
        at: The origin of each window, ``(N,)``.
        shifts: Steps earlier, ascending from 0, ``(R,)``.
        past: Features of the context steps of each shifted origin, ``(R, O, L, F)``.
        known: Features of the horizon steps of each shifted origin, ``(R, O, H, F)``.
        lag_steps: The last so many context steps are unpublished, at every shift.
    """

    values: Tensor
    at: Tensor
    shifts: Tensor
    past: Tensor
    known: Tensor
    _: KW_ONLY
    lag_steps: int = 0

    def __len__(self) -> int:
        return len(self.values) * len(self.shifts)

    def batch(self, index: Tensor) -> Batch:
        """Return the examples at ``index (B,)``, of contexts of L steps."""
        row, which = index % len(self.values), index // len(self.values)  # (B,)
        lookback, horizon = self.past.shape[2], self.known.shape[2]
        steps = torch.arange(-lookback, horizon, device=index.device) + self.values.shape[1] - horizon  # (L + H,)
        wanted = steps - self.shifts[which][:, None]  # (B, L + H)
        values = self.values[row[:, None], wanted.clamp(min=0)].masked_fill(wanted < 0, torch.nan)
        context, truth = values[:, :lookback], values[:, lookback:]
        if self.lag_steps:
            context[:, lookback - self.lag_steps :] = torch.nan
        origin = self.at[row]
        return Batch(context, truth, self.past[which, origin], self.known[which, origin])
