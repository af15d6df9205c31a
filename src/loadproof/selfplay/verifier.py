"""What any forecast or scenario must obey: a table of constraints, each an excess that a gradient can follow.

An excess is dimensionless and 0 where the constraint holds; NaN is a violation of every constraint. The functions are
of tensors, so that the verdict on a forecast and the penalty in a loss are one and the same computation.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from loadproof.cards import card_html, card_line
from loadproof.features.windows import Windows
from loadproof.forecaster import Forecast
from loadproof.limits import (
    ADMD_GAS_HEATED_KVA,
    ADMD_HEAT_PUMP_KW,
    DEFAULT_POWER_FACTOR,
    WINTER_CYCLIC_RATIO,
    fuse_limit,
    half_hour_kwh,
)

__all__ = ["CONSTRAINTS", "Claim", "Constraint", "Limits", "Verdict", "day_excess", "gate", "penalty", "verify"]

_DAY: Final = 48
_FEW_HOMES: Final = 30
"""Fewer homes than this have no diversity to speak of."""
_RAMP_KWH: Final = 3.68
_MORE_A_DAY_KWH: Final = 40.0
_MORE_A_WEEK_KWH: Final = 160.0
_FAR: Final = 0.85
_LEAST_KWH: Final = 0.5
"""A day of less has no pattern."""
_TOLERANCE: Final = 1e-6


class Limits(NamedTuple):
    """Whose load it is: of how many homes, behind which transformer; steps are half hours."""

    homes: int = 1
    feeder_kva: float | None = None


class Claim(NamedTuple):
    """What is claimed of some windows, and what their past says.

    Attributes:
        quantiles: Claimed energy, kWh ``(B, H, Q)``.
        context: What was read before, NaN where missing, ``(B, C)``.
        judged: Steps to judge; elsewhere nothing is claimed, ``(B, H)``.
        limits: Whose load it is.
    """

    quantiles: Tensor
    context: Tensor
    judged: Tensor
    limits: Limits

    @property
    def middle(self) -> Tensor:
        """The middle quantile, 0 where not judged, ``(B, H)``."""
        return torch.where(self.judged, self.quantiles[..., self.quantiles.shape[-1] // 2], 0.0)

    def days(self) -> Tensor:
        """Return the context's whole days, counted back from its end, the oldest first, ``(B, D, 48)``."""
        whole = self.context.shape[1] // _DAY * _DAY
        return self.context[:, self.context.shape[1] - whole :].view(len(self.context), -1, _DAY)

    def day_kwh(self) -> Tensor:
        """Return the energy of each context day, what is missing taken as the day's own mean, ``(B, D)``."""
        return self.days().nanmean(dim=-1).nan_to_num(0) * _DAY


Excess = Callable[[Claim], Tensor]
"""From a claim to what is too much of it, dimensionless, ``(B,)``."""


class Constraint(NamedTuple):
    """One line of the table."""

    excess: Excess
    unit: str
    source: str
    weight: float


def _step_mean(claim: Claim, excess: Tensor) -> Tensor:
    """Return the mean over judged steps of ``(B, H)`` or ``(B, H, Q)``; a claim without such steps exceeds nothing."""
    by_step = excess if excess.dim() == 2 else excess.mean(dim=-1)
    return torch.where(claim.judged, by_step, 0.0).sum(dim=1) / claim.judged.sum(dim=1).clamp(min=1)


def _negative(claim: Claim) -> Tensor:
    return _step_mean(claim, (-claim.quantiles).clamp(min=0) / half_hour_kwh(1.0))


def _fuse(claim: Claim) -> Tensor:
    limit_kwh = fuse_limit().soft_kwh * claim.limits.homes
    return _step_mean(claim, (claim.quantiles / limit_kwh - 1).clamp(min=0))


def _ramp(claim: Claim) -> Tensor:
    own = (claim.context[:, 1:] - claim.context[:, :-1]).abs().nan_to_num(0).amax(dim=1, keepdim=True)  # (B, 1)
    limit = own + _RAMP_KWH * claim.limits.homes
    both = claim.judged[:, 1:] & claim.judged[:, :-1]
    change = (claim.middle[:, 1:] - claim.middle[:, :-1]).abs()
    over = torch.where(both, (change / limit - 1).clamp(min=0), 0.0)  # (B, H - 1)
    return over.sum(dim=1) / both.sum(dim=1).clamp(min=1)


def _daily(claim: Claim) -> Tensor:
    most = claim.day_kwh().amax(dim=1) + _MORE_A_DAY_KWH * claim.limits.homes  # (B,)
    share = claim.middle.shape[1] / _DAY
    return (claim.middle.sum(dim=1) / (most * share) - 1).clamp(min=0)


def _weekly(claim: Claim) -> Tensor:
    day_kwh = claim.day_kwh()  # (B, D)
    if day_kwh.shape[1] < 7 or claim.middle.shape[1] < _DAY:
        return torch.zeros_like(day_kwh[:, 0])
    most = day_kwh.unfold(1, 7, 1).sum(dim=-1).amax(dim=1) + _MORE_A_WEEK_KWH * claim.limits.homes  # (B,)
    week = day_kwh[:, -6:].sum(dim=1) + claim.middle[:, :_DAY].sum(dim=1)
    return (week / most - 1).clamp(min=0)


def _pattern(claim: Claim) -> Tensor:
    day = claim.middle[:, :_DAY].clamp(min=0)  # (B, 48)
    if day.shape[1] < _DAY:
        return torch.zeros_like(day[:, 0])
    usual = claim.days().nanmean(dim=1).nan_to_num(0).clamp(min=0)  # (B, 48)
    enough = (day.sum(dim=1) > _LEAST_KWH) & (usual.sum(dim=1) > _LEAST_KWH) & claim.judged[:, :_DAY].all(dim=1)
    shares = [x / x.sum(dim=1, keepdim=True).clamp(min=_LEAST_KWH) for x in (day, usual)]
    apart = (shares[0] - shares[1]).abs().sum(dim=1) / 2  # 0 to 1
    return torch.where(enough, (apart - _FAR).clamp(min=0), 0.0)


def _order(claim: Claim) -> Tensor:
    crossing = (claim.quantiles[..., :-1] - claim.quantiles[..., 1:]).clamp(min=0)  # (B, H, Q - 1)
    if not crossing.shape[-1]:
        return torch.zeros_like(claim.context[:, 0])
    return _step_mean(claim, crossing / half_hour_kwh(1.0))


def _feeder(claim: Claim) -> Tensor:
    if claim.limits.feeder_kva is None:
        return torch.zeros_like(claim.middle[:, 0])
    limit_kwh = half_hour_kwh(claim.limits.feeder_kva * WINTER_CYCLIC_RATIO * DEFAULT_POWER_FACTOR)
    return _step_mean(claim, (claim.quantiles / limit_kwh - 1).clamp(min=0))


def _admd(claim: Claim) -> Tensor:
    if claim.limits.homes < _FEW_HOMES:
        return torch.zeros_like(claim.middle[:, 0])
    a_home_kw = ADMD_GAS_HEATED_KVA[1] * DEFAULT_POWER_FACTOR + ADMD_HEAT_PUMP_KW
    peak = claim.middle.amax(dim=1) / claim.limits.homes  # (B,)
    return (peak / half_hour_kwh(a_home_kw) - 1).clamp(min=0)


_MEASURED: Final = "Low Carbon London 2013, 13,583 days of 138 homes against the 14 days before each"

CONSTRAINTS: Final[dict[str, Constraint]] = {
    "non_negative": Constraint(_negative, "kW below nought", "energy_kwh is import: schema.py", 1.0),
    "service_fuse": Constraint(_fuse, "of 11.5 kWh a half hour", "limits.py: 100 A at 230 V", 1.0),
    "ramp": Constraint(_ramp, "of the home's largest step and a 32 A charger", f"{_MEASURED}: at most 1.4 kWh", 0.5),
    "daily_energy": Constraint(_daily, "of the largest day and 40 kWh", f"{_MEASURED}: at most 27 kWh more", 0.5),
    "weekly_energy": Constraint(_weekly, "of the largest week and 160 kWh", f"{_MEASURED}: at most 38 kWh more", 0.5),
    "temporal_pattern": Constraint(
        _pattern, "of a day's energy, beyond 0.85, away from its usual hours", f"{_MEASURED}: 0.85 in 1 of 1,000", 0.25
    ),
    "quantile_order": Constraint(_order, "kW of crossing", "a quantile function ascends", 1.0),
    "feeder_rating": Constraint(_feeder, "of the cyclic rating", "limits.py: 1.2 of the name plate", 1.0),
    "admd": Constraint(_admd, "of 2 kVA gas-heated and 1.7 kW heat pump a home", "limits.py, from 30 homes on", 0.5),
}
"""Every constraint, with what its excess is a multiple of, where its limit comes from, and how much it counts."""


class Verdict(NamedTuple):
    """How far each window obeys.

    Attributes:
        excess: By window and constraint in the order of ``CONSTRAINTS``, 1 where NaN was claimed, ``(N, K)``.
        score: 1 where all is obeyed, down to 0, ``(N,)``.
    """

    excess: NDArray[np.float32]
    score: NDArray[np.float32]

    @property
    def violated(self) -> NDArray[np.bool_]:
        """Which constraints are violated, ``(N, K)``."""
        return self.excess > _TOLERANCE

    def card(self) -> dict[str, object]:
        """Return what a reader wants to see of it: how many windows obey, and the constraints that others violate."""
        broken = {name: f"{share:.1%} of windows" for name, share in self.shares().items() if share > 0}
        obey = int((~self.violated.any(axis=1)).sum())
        return {"windows": len(self.score), "obey": obey, "mean score": f"{self.score.mean():.3f}", **broken}

    def __repr__(self) -> str:
        return card_line("Verdict", self.card())

    def _repr_html_(self) -> str:
        return card_html("Verdict", self.card())

    def shares(self) -> dict[str, float]:
        """Return the share of windows that violate each constraint."""
        return {name: float(share) for name, share in zip(CONSTRAINTS, self.violated.mean(axis=0), strict=True)}


def _excess(claim: Claim) -> Tensor:
    """Return every constraint's excess, ``(B, K)``; a window that claims NaN on a judged step violates each wholly."""
    lost = (torch.isnan(claim.quantiles).any(dim=-1) & claim.judged).any(dim=1)  # (B,)
    clean = claim._replace(quantiles=claim.quantiles.nan_to_num(0))
    excess = torch.stack([of.excess(clean) for of in CONSTRAINTS.values()], dim=-1)  # (B, K)
    return torch.where(lost[:, None], 1.0, excess)


def _weights() -> Tensor:
    return torch.tensor([of.weight for of in CONSTRAINTS.values()])


def penalty(quantiles: Tensor, context: Tensor, limits: Limits) -> tuple[Tensor, Tensor]:
    """Return the mean weighted excess of quantiles ``(B, H, Q)`` after ``context (B, C)``, to add to a loss.

    Beside it, without a gradient, what of it comes of each constraint, ``(K,)``.
    """
    judged = torch.ones(quantiles.shape[:2], dtype=torch.bool, device=quantiles.device)
    excess = _excess(Claim(quantiles, context, judged, limits))
    weighted = excess * _weights().to(excess.device)  # (B, K)
    return weighted.sum(dim=-1).mean(), weighted.detach().mean(dim=0)


def _judge(claim: Claim) -> Verdict:
    with torch.no_grad():
        excess = _excess(claim)  # (N, K)
        weights = _weights()
        score = 1 - (excess.clamp(max=1) * weights).sum(dim=-1) / weights.sum()
    return Verdict(excess.numpy().astype(np.float32), score.numpy().astype(np.float32))


def verify(forecast: Forecast | NDArray[np.float32], windows: Windows, limits: Limits | None = None) -> Verdict:
    """Return how far a forecast, or plain quantiles ``(N, H, Q)``, of half-hourly windows obeys the table.

    The windows' truth is not looked at.
    """
    quantiles = forecast.quantiles_kwh if isinstance(forecast, Forecast) else forecast
    judged = torch.ones(quantiles.shape[:2], dtype=torch.bool)
    context = torch.from_numpy(windows.inputs.context_kwh)
    return _judge(Claim(torch.from_numpy(np.ascontiguousarray(quantiles)), context, judged, limits or Limits()))


def _of_truth(truth_kwh: NDArray[np.float32], context_kwh: NDArray[np.float32], known: NDArray[np.bool_],
              limits: Limits) -> Claim:  # fmt: skip
    """Return the claim that a day makes by what was measured on it."""
    return Claim(torch.from_numpy(truth_kwh[..., None]), torch.from_numpy(context_kwh), torch.from_numpy(known), limits)


def day_excess(windows: Windows, limits: Limits | None = None) -> NDArray[np.float32]:
    """Return by how much each window's own day breaks the table, weighted and summed, ``(N,)``.

    What was not measured is not judged; a single constraint counts for no more than once its limit.
    """
    known = ~np.isnan(windows.truth_kwh)
    claim = _of_truth(windows.truth_kwh, windows.inputs.context_kwh, known, limits or Limits())
    with torch.no_grad():
        return np.asarray((_excess(claim).clamp(max=1) * _weights()).sum(dim=-1).numpy(), dtype=np.float32)


def gate(played: Windows, original: Windows, limits: Limits | None = None) -> NDArray[np.bool_]:
    """Return which windows of a scenario may be played, ``(N,)``: their day obeys the table, against their real past.

    A truth that went missing, a negative reading in the context, or one beyond what a fuse carries at all, fails too.
    """
    limits = limits or Limits()
    known = ~np.isnan(original.truth_kwh)  # (N, H)
    claim = _of_truth(played.truth_kwh, original.inputs.context_kwh, known, limits)
    obeys = ~_judge(claim).violated.any(axis=1)  # (N,)
    context = np.nan_to_num(played.inputs.context_kwh)
    possible = (context >= 0) & (context <= fuse_limit().hard_kwh * limits.homes)
    return np.asarray(obeys & possible.all(axis=1))
