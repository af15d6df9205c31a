"""Made-up homes for tests of baselines: with a signal planted, and of noise alone."""

import numpy as np

from loadproof.features.panel import Panel
from loadproof.features.splits import split_by_time
from loadproof.features.windows import cut_windows
from loadproof.schema import LEVELS

START = np.datetime64("2013-01-07", "us")  # a Monday in winter: local time is UTC
DAY = np.timedelta64(1, "D")
_LEVELS = np.array(LEVELS)


def windows_of(energy, *, first=14, horizon_steps=48, context_steps=672, **kwargs):
    energy = np.atleast_2d(np.asarray(energy, dtype=np.float32))
    panel = Panel(np.array([f"h{i:04d}" for i in range(len(energy))]), START, 30, energy)
    origins = START + np.arange(first, energy.shape[1] // 48) * DAY
    cut = {"context_steps": context_steps, "horizon_steps": horizon_steps, "origins": origins}
    return cut_windows(panel, **cut, **kwargs)


def split_of(energy, **kwargs):
    """Train to day 40, validate to day 47, test on the rest."""
    return split_by_time(windows_of(energy, **kwargs), valid_from=START + 40 * DAY, test_from=START + 47 * DAY)


def planted_homes(n_homes=6, n_days=60):
    """Workdays unlike weekends, an evening as high as the morning of the day before was, and noise."""
    rng = np.random.default_rng(5)
    shape = np.exp(-0.5 * ((np.arange(48) - 36) / 4) ** 2)
    scale = rng.uniform(0.2, 0.8, n_homes)[:, None, None]
    workday = np.where(np.arange(n_days) % 7 < 5, 1.0, 0.3)[:, None]
    morning = rng.uniform(0.2, 2.0, (n_homes, n_days + 1, 1))
    days = 0.3 + workday * shape * morning[:, :-1] * 2 + rng.gamma(2.0, 0.05, (n_homes, n_days, 48))
    days[:, :, 14:18] += morning[:, 1:]
    return (scale * days).reshape(n_homes, -1)


def noise_homes(n_homes=6, n_days=60):
    return np.random.default_rng(6).gamma(2.0, 0.2, (n_homes, n_days * 48))


def pinball(quantiles, truth):
    away = truth[..., None] - quantiles
    return float(np.nanmean(np.maximum(_LEVELS * away, (_LEVELS - 1) * away)))


def way_of(forecast):
    return np.array(forecast.hows, dtype=object)[forecast.how]


def fitted(model, split):
    model.fit(split.train, split.valid, rng=np.random.default_rng(0))
    return model
