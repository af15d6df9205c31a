"""One LightGBM over all homes and steps: a booster a quantile level and one for the mean, the step as a feature.

The target is in multiples of the home's scale. Each booster starts from a linear quantile regression on the same
features (``quantile_line``), and learns what that leaves.
"""

from typing import Any, Final, NamedTuple

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from loadproof.baselines.booster_text import require_sound
from loadproof.baselines.columns import scaled_columns
from loadproof.baselines.history import HISTORY_HOWS, history_ways, require_observed
from loadproof.baselines.quantile_line import QuantileLine, fit_line, line_at, numeric, width_at
from loadproof.baselines.seasonal import MIN_SCALE_KWH, home_scale
from loadproof.baselines.task import (
    Task,
    require_array,
    require_knob,
    require_task,
    task_from_state,
    task_knobs,
    task_of,
)
from loadproof.config import FeatureConfig, LightGBMConfig
from loadproof.errors import ConfigError, NotFittedError, SchemaError
from loadproof.features.table import FeaturesOf, FeatureSpec, feature_matrix, spec_from_config
from loadproof.features.windows import Inputs, Windows
from loadproof.forecaster import FitReport, Forecast, Forecaster, ModelState, make_forecast
from loadproof.schema import LEVELS

__all__ = ["LightGBMForecaster"]

_CHUNK: Final = 1024
"""Windows whose features are in memory at once where they are sampled or forecast."""
_UNUSED: Final = frozenset((
    "day_of_year_sin", "day_of_year_cos", "clock_change", "bank_holiday", "working_day_next", "days_back",
    "day_4_kwh", "day_5_kwh", "day_6_kwh", "day_7_kwh", "day_1_before_kwh", "day_1_after_kwh",
    "week_1_kwh", "week_3_kwh", "week_4_kwh", "days_7_mean_kwh", "days_7_max_kwh", "days_7_std_kwh",
    "days_28_known_share", "known_share", "week_known_share", "last_age_hours",
))  # fmt: skip
"""Features that bought nothing on folds without the last quarter of 2013; the year's own do not outlive one year."""
_NEEDED: Final = ("local_half_hour", "local_weekday", "days_28_mean_kwh")
_PARAMS: Final = {
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
    "extra_trees": True,
}
"""No quantised gradients: they halve the time, but abort on few rows (microsoft/LightGBM issues 5994 and 6175)."""
_MEAN: Final = "mean"


class _Rows(NamedTuple):
    values: NDArray[np.float32]  # (R, F)
    target: NDArray[np.float32]  # (R,)


class _Fitted(NamedTuple):
    task: Task
    names: tuple[str, ...]
    line: QuantileLine
    boosters: tuple[lgb.Booster, ...]  # (Q + 1,), the last of the mean


def _booster_names() -> list[str]:
    return [*(f"level_{level:.2f}" for level in LEVELS), _MEAN]


def _sample(
    windows: Windows, spec: FeatureSpec, max_rows: int, rng: np.random.Generator, features: FeaturesOf
) -> _Rows:
    """Return the rows with a truth of as many random windows as make ``max_rows`` at most."""
    useful = (home_scale(windows.inputs) > MIN_SCALE_KWH) & ~np.isnan(windows.truth_kwh).all(axis=1)  # (N,)
    picked = np.flatnonzero(useful)
    picked = np.sort(rng.permutation(picked)[: max(1, max_rows // windows.inputs.horizon_steps)])
    values, targets = [np.empty((0, len(spec.names)), dtype=np.float32)], [np.empty(0, dtype=np.float32)]
    for first in range(0, len(picked), _CHUNK):
        some = windows.take(picked[first : first + _CHUNK])
        columns = scaled_columns(some.inputs, spec, features)
        target = (some.truth_kwh / columns.scale_kwh[:, None]).ravel()  # (N H,)
        known = ~np.isnan(target)
        values.append(columns.values[known])
        targets.append(target[known])
    return _Rows(np.concatenate(values), np.concatenate(targets))


class LightGBMForecaster(Forecaster):
    """Direct multi-horizon quantile LightGBM, one model over all homes."""

    name = "lightgbm"

    def __init__(self, config: LightGBMConfig | None = None, spec: FeatureSpec | None = None) -> None:
        self.config = config or LightGBMConfig()
        names = (spec or spec_from_config(FeatureConfig())).names
        if lacking := [name for name in _NEEDED if name not in names]:
            raise ConfigError(f"{self.name} cannot do without {lacking[0]}; take it out of left_out")
        self.spec = FeatureSpec(tuple(name for name in names if name not in _UNUSED))
        self._features: FeaturesOf = feature_matrix
        self._fitted: _Fitted | None = None

    def learn_from(self, features: FeaturesOf) -> None:
        """Take the features of training windows from a table."""
        self._features = features

    def fit(self, train: Windows, valid: Windows, *, rng: np.random.Generator) -> FitReport:
        """Fit line and boosters on a sample of ``train``; each booster stops where ``valid`` gains no more.

        Raises:
            ConfigError: When no window has a truth and a home that uses something.
        """
        rows = _sample(train, self.spec, self.config.max_rows, rng, self._features)
        if not len(rows.target):
            raise ConfigError(
                f"none of {len(train)} training windows has a truth and a home that uses something; "
                "train longer, or on more homes"
            )
        judge = _sample(valid, self.spec, self.config.max_rows // 4, rng, self._features) if len(valid) else None
        some = np.sort(rng.permutation(len(rows.target))[: self.config.line_rows])
        line = fit_line(rows.values[some], self.spec.names, rows.target[some])
        boosters = self._boost(rows, judge, line, seed=int(rng.integers(2**31)))
        self._fitted = _Fitted(task_of(train.inputs), self.spec.names, line, tuple(boosters))
        trees = {f"trees_{name}": float(b.num_trees()) for name, b in zip(_booster_names(), boosters, strict=True)}
        return FitReport(len(train), len(valid), (trees,))

    def _boost(self, rows: _Rows, judge: _Rows | None, line: QuantileLine, *, seed: int) -> list[lgb.Booster]:
        """Return a booster for each level, and last for the mean."""
        params = self._params(len(rows.target), seed)
        data = lgb.Dataset(rows.values, rows.target, params=params).construct()
        start = line_at(line, rows.values, self.spec.names)  # (R, Q + 1)
        held, held_start = None, None
        if judge is not None and len(judge.target):
            held = lgb.Dataset(judge.values, judge.target, reference=data, params=params).construct()
            held_start = line_at(line, judge.values, self.spec.names)  # (R, Q + 1)
        boosters = []
        for at, level in enumerate([*LEVELS, None]):
            data.set_init_score(start[:, at].copy())
            if held is not None and held_start is not None:
                held.set_init_score(held_start[:, at].copy())
            aim = {"objective": "regression"} if level is None else {"objective": "quantile", "alpha": level}
            booster = lgb.train(
                params | aim, data, self.config.trees,
                valid_sets=[held] if held is not None else [],
                callbacks=[lgb.early_stopping(self.config.patience_trees, verbose=False)] if held is not None else [],
            )  # fmt: skip
            n_trees = booster.best_iteration if held is not None else self.config.trees
            boosters.append(lgb.Booster(model_str=booster.model_to_string(num_iteration=n_trees)))
        return boosters

    def _params(self, n_rows: int, seed: int) -> dict[str, Any]:
        return dict(_PARAMS) | {
            "learning_rate": self.config.learning_rate,
            "num_leaves": self.config.leaves,
            "min_data_in_leaf": max(1, min(self.config.min_rows_in_leaf, n_rows // 100)),
            "max_bin": self.config.bins,
            "feature_fraction": self.config.feature_share,
            "num_threads": self.config.threads,
            "seed": seed,
        }

    def predict(self, inputs: Inputs) -> Forecast:
        """Forecast every window; ``how`` names a history that is stale or short."""
        fitted = self._known()
        require_task(self.name, fitted.task, inputs)
        require_observed(inputs)
        shape = (len(inputs), inputs.horizon_steps, len(LEVELS) + 1)
        energy = np.empty(shape, dtype=np.float32)  # (N, H, Q + 1)
        for first in range(0, len(inputs), _CHUNK):
            some = inputs.take(slice(first, first + _CHUNK))
            columns = scaled_columns(some, FeatureSpec(fitted.names))
            scaled = line_at(fitted.line, columns.values, fitted.names)  # (N H, Q + 1)
            for at, booster in enumerate(fitted.boosters):
                scaled[:, at] += booster.predict(columns.values, num_threads=self.config.threads)
            energy[first : first + _CHUNK] = (
                scaled.reshape(len(some), *shape[1:]) * columns.scale_kwh[:, None, None]
            )  # (N, H, Q + 1)
        how = history_ways(inputs)[:, None]  # (N, 1)
        return make_forecast(energy[..., :-1], LEVELS, energy[..., -1], how=how, hows=HISTORY_HOWS)

    def state(self) -> ModelState:
        """Return the line, the boosters in their own text format, and the features and task that they are for."""
        fitted = self._known()
        knobs = {"task": task_knobs(fitted.task), "features": list(fitted.names)}
        texts = [booster.model_to_string() for booster in fitted.boosters]
        return ModelState(knobs, dict(fitted.line._asdict()), dict(zip(_booster_names(), texts, strict=True)))

    def restore(self, state: ModelState) -> None:
        """Become what ``state`` says, as if fitted.

        Raises:
            SchemaError: When the state is another forecaster's, or damaged.
        """
        task = task_from_state(self.name, state)
        names = tuple(str(name) for name in require_knob(self.name, state, "features"))
        try:
            for name in _booster_names():
                require_sound(state.texts[name], n_features=len(names))
            boosters = tuple(lgb.Booster(model_str=state.texts[name]) for name in _booster_names())
            spec = FeatureSpec(names)
        except (KeyError, ValueError, lgb.basic.LightGBMError, ConfigError) as error:
            raise SchemaError(
                f"the state of {self.name} holds no such boosters or features ({error}); train it again"
            ) from error
        if lacking := [name for name in _NEEDED if name not in names]:
            raise SchemaError(f"the state of {self.name} lacks the feature {lacking[0]}; train it again")
        centre = require_array(self.name, state, "centre", (len(numeric(names)),))
        line = QuantileLine(
            centre,
            require_array(self.name, state, "spread", centre.shape),
            require_array(self.name, state, "coefficients", (width_at(names), len(LEVELS) + 1)),
        )
        self.spec = spec
        self._fitted = _Fitted(task, names, line, boosters)

    def _known(self) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError(f"{self.name} was not fitted; call fit first")
        return self._fitted
