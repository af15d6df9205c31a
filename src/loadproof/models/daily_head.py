"""The last word on each step of the horizon: what the patches say of it, and the same half hour of the days before.

One small network for all steps, as a booster with the step as a feature would have it: what holds at seven holds at
eight. D days, S steps a day, H horizon steps, B batch.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["DailyHead"]

_REACHES: Final = (1, 2, 4)
"""Steps on both sides that are averaged into a value, for homes are rarely on time."""
_BY_DAY: Final = 2
"""The reach whose average is told day by day, not only over all days."""


class DailyHead(nn.Module):
    """A network on what each step's own half hour was before.

    Args:
        days: Whole days in the context.
        day_steps: S.
        encoded: Numbers per step that the patches say.
        features: Features known in advance, 0 for none.
        width: Width of the network.
        outputs: Numbers per step that come out.
    """

    def __init__(self, *, days: int, day_steps: int, encoded: int, features: int, width: int, outputs: int) -> None:
        super().__init__()
        self.days, self.day_steps = days, day_steps
        self.lags = nn.Linear(5 * days + 2 + len(_REACHES), width)
        self.encoded = nn.Linear(encoded, width)
        self.known = nn.Linear(features, width) if features else None
        self.middle = nn.Linear(width, width)
        self.out = nn.Linear(width, outputs)

    def _by_day(self, steps: Tensor) -> Tensor:
        """Return the last whole days of ``(B, C)``, the same step of every day together, ``(B, S, D)``."""
        last = steps[:, steps.shape[1] - self.days * self.day_steps :]
        return last.view(len(steps), self.days, self.day_steps).mT

    def _around(self, values: Tensor, known: Tensor, reach: int) -> tuple[Tensor, Tensor]:
        """Return the sums of what is observed within ``reach`` of each step, and how many those are, ``(B, S, D)``."""
        window = 2 * reach + 1
        total, count = (functional.avg_pool1d(x[:, None], window, 1, reach)[:, 0] * window for x in (values, known))
        return self._by_day(total), self._by_day(count)

    def _history(self, values: Tensor, known: Tensor) -> Tensor:
        """Return what is told of each step of a day, ``(B, S, 5 D + 2 + reaches)``."""
        own, seen = self._by_day(values), self._by_day(known)  # (B, S, D)
        count = seen.sum(dim=-1, keepdim=True).clamp(min=1)
        mean = own.sum(dim=-1, keepdim=True) / count
        spread = (((own - mean) * seen).square().sum(dim=-1, keepdim=True) / count).sqrt()
        ordered = torch.where(seen > 0, own, mean).sort(dim=-1).values
        told = [own, seen, mean, spread, ordered]
        for reach in _REACHES:
            total, among = self._around(values, known, reach)
            told.append(total.sum(dim=-1, keepdim=True) / among.sum(dim=-1, keepdim=True).clamp(min=1))
            if reach == _BY_DAY:
                told.append(total / among.clamp(min=1))
        whole_days = own.sum(dim=1, keepdim=True) / seen.sum(dim=1, keepdim=True).clamp(min=1)  # (B, 1, D)
        return torch.cat([*told, whole_days.expand(-1, self.day_steps, -1)], dim=-1)

    def forward(self, values: Tensor, known: Tensor, encoded: Tensor, features: Tensor | None) -> Tensor:
        """Return the outputs of each step, ``(B, H, K)``.

        Args:
            values: The context, normalised, 0 where missing, ``(B, C)``.
            known: 1 where the context is observed, ``(B, C)``.
            encoded: What the patches say, ``(B, H, R)``.
            features: Features known in advance, ``(B, H, F)``.
        """
        horizon_steps = encoded.shape[1]
        lags = self.lags(self._history(values, known))  # (B, S, width)
        if horizon_steps != self.day_steps:
            lags = lags[:, torch.arange(horizon_steps, device=lags.device) % self.day_steps]
        x = lags + self.encoded(encoded)
        if self.known is not None and features is not None:
            x = x + self.known(features)
        x = functional.gelu(x)
        return self.out(x + functional.gelu(self.middle(x)))  # type: ignore[no-any-return]
