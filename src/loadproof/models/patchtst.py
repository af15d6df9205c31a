"""PatchTST on series with gaps: patches, one channel at a time, reversible normalisation, flatten head.

Source: Nie et al., "A Time Series is Worth 64 Words", ICLR 2023; its residual attention is left out. What homes need is
added: a mask beside the values, so that a missing half hour is seen as missing; statistics of what is observed alone;
a root that tames peaks; features known in advance; a head that sees the same half hour of the days before; and
quantiles that never cross, for they are sorted. A channel is a row: whoever has many lays them along B.

Letters for the shapes: B batch, C context, H horizon, N patches, D width, F features, Q quantile levels.
"""

from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from loadproof.models.daily_head import DailyHead
from loadproof.models.shared_layers import Dropout, Norm

__all__ = ["Normalised", "PatchTST", "Transform", "normalise"]

Transform = Literal["none", "root"]

_MIN_SPREAD: Final = 0.05
"""Under the root, the least spread in roots of the level: a series that stands still has next to none of its own."""


class Normalised(NamedTuple):
    """A context without its own level and scale."""

    values: Tensor  # (B, C), 0 where missing
    known: Tensor  # (B, C), 1 where observed, 0 where missing
    centre: Tensor  # (B, 1)
    scale: Tensor  # (B, 1)
    unit: Tensor  # (B, 1), what the values were divided by before the root; 1 without a root

    def back(self, outputs: Tensor, *, root: bool) -> Tensor:
        """Return ``(B, H, K)`` in the unit of the context."""
        values = outputs * self.scale[..., None] + self.centre[..., None]
        return values * values.abs() * self.unit[..., None] if root else values


def normalise(context: Tensor, *, transform: Transform = "none", floor: float = 1e-5) -> Normalised:
    """Return the context less its mean over its spread, both of what is observed alone.

    Args:
        context: Values, NaN where missing, ``(B, C)``.
        transform: ``root`` first takes the signed root of multiples of the context's own mean size, so that a home
            that stood empty is not thousands of its spreads away when its people return.
        floor: Least size (under the root) or spread (without), in the unit of the values.
    """
    observed = ~torch.isnan(context)
    known = observed.to(context.dtype)
    count = known.sum(dim=1, keepdim=True).clamp(min=1)
    values = torch.where(observed, context, 0.0)
    unit, least = torch.ones_like(count), floor
    if transform == "root":
        unit, least = (values.abs().sum(dim=1, keepdim=True) / count).clamp(min=floor), _MIN_SPREAD
        values = values.sign() * (values.abs() / unit).sqrt()
    centre = values.sum(dim=1, keepdim=True) / count
    values = (values - centre) * known
    scale = (values.square().sum(dim=1, keepdim=True) / count).sqrt().clamp(min=least)
    return Normalised(values / scale, known, centre, scale, unit)


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return attention, ``(B, heads, N, d)`` three times to once; torch's own is ten times slower in bf16 on a CPU."""
    if q.device.type != "cpu" or q.dtype != torch.bfloat16:
        return functional.scaled_dot_product_attention(q, k, v)
    return torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2), dim=-1) @ v


class _Block(nn.Module):
    """Attention among the patches, then a small network on each; each added to what came in, then normalised."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.up = nn.Linear(width, feedforward)
        self.down = nn.Linear(feedforward, width)
        self.norm1 = Norm(width)
        self.norm2 = Norm(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # each (B, heads, N, d)
        seen = _attend(q, k, v).transpose(1, 2).reshape(b, n, d)
        x = self._norm(self.norm1, x + self.dropout(self.mix(seen)))
        hidden = self.dropout(functional.gelu(self.up(x)))  # (B, N, feedforward)
        return self._norm(self.norm2, x + self.dropout(self.down(hidden)))

    @staticmethod
    def _norm(norm: Norm, x: Tensor) -> Tensor:
        return norm(x.reshape(-1, x.shape[-1])).view(x.shape)  # type: ignore[no-any-return]


class PatchTST(nn.Module):
    """The network: a context with gaps to the horizon's mean and quantiles, in the unit of the context.

    Args:
        context_steps: C.
        horizon_steps: H.
        quantiles: Q; 0 for a point head.
        past_features: Features of the context steps, 0 for none.
        known_features: Features of the horizon steps, 0 for none; only the daily head can use them.
        patch_steps: Steps in a patch.
        stride_steps: Steps from one patch to the next.
        width: D.
        heads: Heads of the attention; a divisor of D.
        layers: Blocks.
        feedforward: Width inside a block's small network.
        dropout: Share of activations dropped in training, never in the head: there it would pull quantiles inward.
        mask: Whether the network sees what is missing; without it, a missing step looks like the mean.
        transform: See :func:`normalise`.
        floor: See :func:`normalise`.
        day_steps: Steps in a day for the daily head; 0 for the paper's flatten head alone.
        head_width: Width of the daily head.
    """

    def __init__(
        self, *, context_steps: int, horizon_steps: int, quantiles: int = 0, past_features: int = 0,
        known_features: int = 0, patch_steps: int = 16, stride_steps: int = 8, width: int = 64, heads: int = 4,
        layers: int = 3, feedforward: int = 128, dropout: float = 0.2, mask: bool = True, transform: Transform = "none",
        floor: float = 1e-5, day_steps: int = 0, head_width: int = 128,
    ) -> None:  # fmt: skip
        super().__init__()
        self.horizon_steps, self.quantiles, self.transform, self.floor = horizon_steps, quantiles, transform, floor
        self.patch_steps, self.stride_steps, self.mask = patch_steps, stride_steps, mask
        self.end_steps = patch_steps - stride_steps  # the last value again, so that the end stands in two patches too
        n_patches = (context_steps + self.end_steps - patch_steps) // stride_steps + 1  # N
        self.embed = nn.Linear(patch_steps * (2 if mask else 1), width)
        self.embed_past = nn.Linear(past_features, width, bias=False) if past_features else None
        self.position = nn.Parameter(torch.empty(n_patches, width).uniform_(-0.02, 0.02))
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(width, heads, feedforward, dropout) for _ in range(layers))
        per_step = 16 if day_steps else quantiles + 1
        self.head = nn.Linear(n_patches * width, horizon_steps * per_step)
        days = context_steps // day_steps if day_steps else 0
        self.daily = (
            DailyHead(
                days=days, day_steps=day_steps, encoded=per_step, features=known_features, width=head_width,
                outputs=quantiles + 1,
            )
            if day_steps
            else None
        )  # fmt: skip

    def _patches(self, steps: Tensor) -> Tensor:
        """Return the patches of ``(B, C)`` or of ``(B, C, F)``: ``(B, N, patch)`` or ``(B, N, F, patch)``."""
        used = self.position.shape[0] * self.stride_steps  # the oldest steps that fill no patch are left out
        ending = steps[:, -1:].expand(-1, self.end_steps, *steps.shape[2:])
        whole = torch.cat([steps[:, steps.shape[1] - used :], ending], dim=1)
        return whole.unfold(1, self.patch_steps, self.stride_steps)

    def _encode(self, series: Normalised, past: Tensor | None) -> Tensor:
        patches = self._patches(series.values)  # (B, N, patch)
        if self.mask:
            patches = torch.cat([patches, self._patches(series.known)], dim=-1)  # (B, N, 2 patch)
        x = self.embed(patches) + self.position  # (B, N, D)
        if self.embed_past is not None and past is not None:
            x = x + self.embed_past(self._patches(past).mean(dim=-1))
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.flatten(1)).unflatten(1, (self.horizon_steps, -1))  # type: ignore[no-any-return]

    def forward(self, context: Tensor, past: Tensor | None = None, known: Tensor | None = None) -> Tensor:
        """Return the forecast: the mean, then the quantiles ascending, ``(B, H, 1 + Q)``; for a point head ``(B, H)``.

        Args:
            context: Values, NaN where missing, ``(B, C)``.
            past: Features of the context steps, ``(B, C, F)``.
            known: Features of the horizon steps, ``(B, H, F)``.
        """
        series = normalise(context, transform=self.transform, floor=self.floor)
        out = self._encode(series, past)  # (B, H, 1 + Q), or what the daily head takes
        if self.daily is not None:
            out = self.daily(series.values, series.known, out, known)  # (B, H, 1 + Q)
        root = self.transform == "root"
        # Under the root, a mean is no root of anything: it is told in multiples of the level.
        mean = (out[..., :1] + 1) * series.unit[..., None] if root else series.back(out[..., :1], root=False)
        if not self.quantiles:
            return mean[..., 0]
        quantiles = out[..., 1:].float().sort(dim=-1).values
        return torch.cat([mean.float(), series.back(quantiles, root=root)], dim=-1)
