"""Made-up homes as windows of a day each, and the detectors of this wing."""

import dataclasses

import numpy as np

from loadproof.anomaly.controls import ConstantDetector, RandomDetector
from loadproof.anomaly.decomposition import MSTLDetector
from loadproof.anomaly.ensemble import EnsembleDetector
from loadproof.anomaly.injection import FAULTS
from loadproof.anomaly.isolation import IsolationForestDetector
from loadproof.anomaly.physical import PhysicalDetector
from loadproof.anomaly.reconstruction import AutoencoderDetector
from loadproof.anomaly.residual import ResidualDetector
from loadproof.anomaly.seasonal import SeasonalZScoreDetector
from loadproof.anomaly.subspace import SubPCADetector
from loadproof.anomaly.verdict import VerdictDetector
from loadproof.baselines.ridge import RidgeForecaster
from loadproof.config import AutoencoderConfig, RidgeConfig
from loadproof.features.panel import Panel
from loadproof.features.windows import Windows, cut_windows

START = np.datetime64("2013-01-07", "us")  # a Monday in winter: local time is UTC
HALF_HOUR = np.timedelta64(30, "m")
DAY = np.timedelta64(1, "D")


def small_autoencoder():
    return AutoencoderDetector(AutoencoderConfig(width=16, code=4, epochs=2, batch_days=32))


def ridge_residual():
    return ResidualDetector(RidgeForecaster(RidgeConfig(lookbacks_steps=(336,), penalties=(10.0,))))


def small_ensemble():
    kinds = ("meter_dropout", "unit_slip", "reversed_ct")
    members = SubPCADetector(), PhysicalDetector(), SeasonalZScoreDetector()  # in no order of names
    return EnsembleDetector(members, faults={kind: FAULTS[kind] for kind in kinds})


def high_days(windows):
    """How far each day's largest reading is above 2 kWh."""
    return np.maximum(np.nan_to_num(windows.truth_kwh).max(axis=1) - 2, 0).astype(np.float32)


def ridge_verdict():
    return VerdictDetector(RidgeForecaster(RidgeConfig(lookbacks_steps=(336,), penalties=(10.0,))), high_days)


DETECTORS = {
    build.name: build
    for build in (
        PhysicalDetector, SeasonalZScoreDetector, MSTLDetector, IsolationForestDetector, SubPCADetector,
        RandomDetector, ConstantDetector,
    )
} | {"autoencoder": small_autoencoder, "residual": ridge_residual, "verdict": ridge_verdict,
     "ensemble": small_ensemble}  # fmt: skip


def panel_of(energy, *, start=START, interval_mins=30):
    energy = np.atleast_2d(np.asarray(energy, dtype=np.float32))
    return Panel(np.array([f"h{i:04d}" for i in range(len(energy))]), start, interval_mins, energy)


def homes(n=4, days=40, *, seed=0, missing=0.0, per_day=48):
    """Homes with a daily shape, a louder weekend and noise, kWh ``(n, days * per_day)``."""
    rng = np.random.default_rng(seed)
    shape = 0.3 + 0.2 * np.sin(np.arange(per_day) / per_day * 2 * np.pi - 2)
    weekend = 1 + 0.3 * (np.arange(days) % 7 >= 5)
    usual = (weekend[:, None] * shape).ravel() * rng.uniform(0.5, 3, (n, 1))
    energy = (usual * rng.gamma(8, 1 / 8, (n, days * per_day))).astype(np.float32)
    energy[rng.random(energy.shape) < missing] = np.nan
    return energy


def windows_of(energy, *, first=28, last=None, context_steps=1344, per_day=48, **kwargs):
    panel = panel_of(energy, interval_mins=24 * 60 // per_day)
    origins = panel.start + np.arange(first, last or panel.energy_kwh.shape[1] // per_day) * DAY
    return cut_windows(panel, context_steps=context_steps, horizon_steps=per_day, origins=origins, **kwargs)


def with_day(windows, truth_kwh):
    return Windows(windows.inputs, np.asarray(truth_kwh, dtype=np.float32).reshape(windows.truth_kwh.shape))


def with_context(windows, context_kwh):
    context = np.asarray(context_kwh, dtype=np.float32).reshape(windows.inputs.context_kwh.shape)
    return Windows(dataclasses.replace(windows.inputs, context_kwh=context), windows.truth_kwh)


def fitted(name, windows=None, **kwargs):
    windows = windows_of(homes(6, 36, seed=9)) if windows is None else windows
    detector = DETECTORS[name](**kwargs)
    detector.fit(windows, windows.take(slice(0, 0)), rng=np.random.default_rng(7))
    return detector


def kinds_at(scores, where):
    """The kinds named at the half hours that ``where (N, H)`` marks."""
    return {scores.kinds[code] for code in scores.kind[where]}
