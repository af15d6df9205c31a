"""Layers that look at the whole batch: what they do to a row depends on the others, wherever those are computed."""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from loadproof.ranks import ALONE, Ranks

__all__ = ["Dropout", "Norm"]

_MOMENTUM: Final = 0.1


class Dropout(nn.Module):
    """Dropout whose chances on a CPU are bytes, eight to a draw: drawing one by one took a third of all training.

    Every rank draws for the whole batch and takes its own rows, so that the same is dropped however many they are.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.of_256 = round(share * 256)
        self.ranks: Ranks = ALONE

    def forward(self, x: Tensor) -> Tensor:
        """Return the rows ``(B, ...)``, a share of their values 0 while training."""
        if not self.training or not self.of_256:
            return x
        rows, of = self.ranks.place(len(x))
        if x.device.type != "cpu":
            if of == len(x):
                return functional.dropout(x, self.of_256 / 256)
            return x * functional.dropout(x.new_ones(of, *x.shape[1:]), self.of_256 / 256)[rows]
        row = math.prod(x.shape[1:])
        draws = torch.empty((of * row + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        kept = draws.view(torch.int8)[rows.start * row : rows.stop * row].view(x.shape) >= self.of_256 - 128
        return x * (kept.to(x.dtype) * (256 / (256 - self.of_256)))


class Norm(nn.BatchNorm1d):
    """Batch normalisation over the whole batch's rows ``(B, D)``; alone, torch's own.

    torch's ``SyncBatchNorm`` refuses a CPU.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, momentum=_MOMENTUM)
        self.ranks: Ranks = ALONE

    def forward(self, x: Tensor) -> Tensor:
        """Return the rows less the batch's mean over its spread, ``(B, D)``."""
        if not self.training or self.ranks.world == 1:
            return super().forward(x)
        rows = x.double()  # a mean square less a squared mean leaves noise in single precision
        count = torch.full((1,), len(x), dtype=rows.dtype, device=x.device)
        sums = self.ranks.sum_with_gradient(torch.cat([rows.sum(dim=0), rows.square().sum(dim=0), count]))
        mean, square = (sums[:-1] / sums[-1]).chunk(2)  # (D,)
        variance = square - mean.square()
        self._follow(mean.detach(), variance.detach() * sums[-1] / (sums[-1] - 1))
        scale = self.weight * (variance + self.eps).rsqrt().to(x.dtype)  # (D,)
        return ((x - mean.to(x.dtype)) * scale + self.bias).to(x.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Let the running statistics take a step."""
        for name, now in (("running_mean", mean), ("running_var", variance)):
            running = self.get_buffer(name)
            running.lerp_(now.to(running.dtype), _MOMENTUM)
        self.get_buffer("num_batches_tracked").add_(1)
