"""What a network is trained to make small; a missing truth is left out, of the loss and of its gradient."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from loadproof.models.examples import Batch

__all__ = ["LoadLoss", "masked_mean", "pinball", "squared"]

_MEAN_WEIGHT: Final = 0.1
"""How much the mean's squared error, in squares of the home's own level, counts beside the pinball loss."""
_MAX_SQUARE: Final = 50.0
"""A squared error counts at most this, so that one party does not outweigh a month of ordinary evenings."""


def masked_mean(loss: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean of what is not NaN, ``(B, ...)`` to a scalar; 0 where nothing is.

    Args:
        loss: Losses, NaN where there was no truth, ``(B, ...)``.
        weight: How much each window counts, ``(B,)``; None for all alike.
    """
    known = ~torch.isnan(loss)
    filled = torch.where(known, loss, 0.0)
    if weight is not None:
        filled = filled * weight.view(-1, *[1] * (loss.dim() - 1))
    return filled.sum() / known.sum().clamp(min=1)


def pinball(truth: Tensor, quantiles: Tensor, levels: Tensor) -> Tensor:
    """Return the pinball loss, ``(B, H)`` and ``(B, H, Q)`` to ``(B, H, Q)``; NaN where the truth is.

    A gradient never sees the NaN: it is put back after the loss is formed.
    """
    known = ~torch.isnan(truth)[..., None]
    short = torch.where(known, truth[..., None] - quantiles, 0.0)
    return torch.where(known, levels * short - short.clamp(max=0), torch.nan)


def squared(truth: Tensor, forecast: Tensor) -> Tensor:
    """Return the squared error, ``(B, H)`` and ``(B, H)`` to ``(B, H)``; NaN where the truth is."""
    known = ~torch.isnan(truth)
    return torch.where(known, torch.where(known, truth - forecast, 0.0) ** 2, torch.nan)


class LoadLoss:
    """The pinball loss in kWh, so that a home weighs as it does in the metric, and a little of the mean's error.

    Args:
        typical_kwh: What the pinball loss is divided by, the same for all homes.
        floor_kwh: A tenth of the least level that a squared error is a multiple of.
        levels: Quantile levels, Q.
        device: Where the network is.
    """

    def __init__(self, typical_kwh: float, *, floor_kwh: float, levels: Sequence[float], device: torch.device) -> None:
        self.typical_kwh, self.floor_kwh = typical_kwh, floor_kwh
        self.levels = torch.tensor(levels, device=device)

    def of(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the loss of the outputs ``(B, H, 1 + Q)``, NaN where the truth is, ``(B, H)``."""
        level = batch.context.abs().nanmean(dim=1, keepdim=True).nan_to_num(0).clamp(min=self.floor_kwh * 10)  # (B, 1)
        square = (squared(batch.truth, outputs[..., 0]) / level.square()).clamp(max=_MAX_SQUARE)  # (B, H)
        return (
            pinball(batch.truth, outputs[..., 1:], self.levels).mean(dim=-1) / self.typical_kwh + _MEAN_WEIGHT * square
        )

    def __call__(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the sum of the losses of a batch, and of how many half hours."""
        loss = self.of(network(batch.context, batch.past, batch.known), batch)
        return torch.where(torch.isnan(loss), 0.0, loss).sum(), (~torch.isnan(loss)).sum()
