"""What a network is trained to make small; a missing truth is left out, of the loss and of its gradient."""

import torch
from torch import Tensor

__all__ = ["masked_mean", "pinball", "squared"]


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
