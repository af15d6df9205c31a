"""Whatever learns: its size, its training, and how its bands are held to their levels."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from loadproof.config.section import Section

__all__ = [
    "AutoencoderConfig",
    "CalibrationConfig",
    "LightGBMConfig",
    "PatchTSTConfig",
    "RidgeConfig",
    "SelfPlayConfig",
    "StatisticalConfig",
]


class RidgeConfig(Section):
    """The closed-form ridge."""

    lookbacks_steps: tuple[int, ...] = Field(
        (336, 672, 1344), min_length=1, description="Lookbacks to choose from on validation, cut to whole days"
    )
    penalties: tuple[float, ...] = Field(
        (0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        min_length=1,
        description="Penalties to choose from, in mean squares of an input",
    )
    spread_groups: int = Field(
        10, ge=1, le=100, description="Groups of windows alike in how a half hour has varied, each with its residuals"
    )

    @field_validator("lookbacks_steps", "penalties")
    @classmethod
    def _positive(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if min(values) <= 0:
            raise ValueError("must be above 0")
        return values


class LightGBMConfig(Section):
    """Direct multi-horizon quantile LightGBM."""

    trees: int = Field(150, ge=1, le=10_000, description="Trees per quantile level at most")
    patience_trees: int = Field(20, ge=1, le=1000, description="Trees without a better validation loss before the end")
    learning_rate: float = Field(0.1, gt=0, le=1)
    leaves: int = Field(31, ge=2, le=4096, description="Leaves per tree")
    min_rows_in_leaf: int = Field(500, ge=1, description="Rows in a leaf; a hundredth of all rows where those are few")
    feature_share: float = Field(0.3, gt=0, le=1, description="Share of the features that each tree may use")
    bins: int = Field(63, ge=2, le=255, description="Bins that a feature is cut into")
    max_rows: int = Field(240_000, ge=1000, description="Half hours of windows learned from, a random part if fewer")
    line_rows: int = Field(60_000, ge=1000, description="Of these, those that the linear start is fitted on")
    threads: int = Field(2, ge=1, le=256)


class StatisticalConfig(Section):
    """Exponential smoothing of one window at a time."""

    lookback_days: int = Field(14, ge=4, le=60, description="Days of context that each fit sees, which bounds its time")


class PatchTSTConfig(Section):
    """The network and its training; at another interval, half hours are as many minutes."""

    lookback_steps: int = Field(
        672, ge=96, le=8760, description="Half hours that the network sees, cut to whole days and to the context"
    )
    patch_steps: int = Field(48, ge=2, le=336, description="Half hours in a patch")
    stride_steps: int = Field(48, ge=2, le=336, description="Half hours between patches, at most a patch")
    width: int = Field(64, ge=4, le=1024, description="Width of the model, a multiple of the heads")
    heads: int = Field(4, ge=1, le=64)
    layers: int = Field(2, ge=1, le=24)
    feedforward: int = Field(128, ge=4, le=4096)
    dropout: float = Field(0.3, ge=0, lt=1)
    head_width: int = Field(128, ge=4, le=2048, description="Width of the head that sees the days before")
    epochs: int = Field(8, ge=1, le=1000)
    batch_windows: int = Field(64, ge=2, le=65_536)
    learning_rate: float = Field(2e-3, gt=0, le=1, description="Highest of the cycle")
    weight_decay: float = Field(0.01, ge=0, le=1)
    patience: int = Field(4, ge=1, le=1000, description="Epochs without a better validation loss before the end")
    shifts: int = Field(
        8, ge=1, le=24, description="Hours of the day, evenly apart from the origin's, that training windows are cut at"
    )
    compiled: bool = Field(False, description="Whether to train through torch.compile; measured slower on two cores")

    @model_validator(mode="after")
    def _fits(self) -> "PatchTSTConfig":
        if self.width % self.heads:
            raise ValueError("heads must divide width")
        if self.stride_steps > self.patch_steps:
            raise ValueError("stride_steps must be at most patch_steps")
        return self


class AutoencoderConfig(Section):
    """The network that writes days again, and its training."""

    width: int = Field(96, ge=4, le=4096, description="Width of the hidden layers")
    code: int = Field(12, ge=1, le=1024, description="Numbers that a day is told in")
    hidden_share: float = Field(0.25, ge=0, le=0.5, description="Mean share of a day that is hidden in training")
    epochs: int = Field(12, ge=1, le=1000)
    batch_days: int = Field(256, ge=2, le=65_536)
    learning_rate: float = Field(3e-3, gt=0, le=1, description="Highest of the cycle")
    patience: int = Field(4, ge=1, le=1000, description="Epochs without a better validation loss before the end")


class SelfPlayConfig(Section):
    """The loop: how much is real, how much is proposed, and by what rule. The network is the patchtst section's."""

    warm_updates: int = Field(2000, ge=1, le=1_000_000, description="Updates on real days before the play begins")
    reference_updates: int = Field(
        1000, ge=1, le=1_000_000, description="Updates of the reference on uniform scenarios, after as many real ones"
    )
    reference_share: float = Field(
        0.3, gt=0, lt=1, description="Share of the training homes that the reference learns from, and nobody else"
    )
    episodes: int = Field(250, ge=1, le=100_000, description="Rounds of proposing, solving, verifying and learning")
    updates: int = Field(4, ge=1, le=1000, description="Updates in an episode")
    scenarios: int = Field(8, ge=1, le=1000, description="Scenarios in an episode")
    homes: int = Field(16, ge=1, le=1000, description="Homes that each is played on, all on one night")
    real_windows: int = Field(96, ge=2, le=65_536, description="Real windows in an update")
    scenario_windows: int = Field(32, ge=1, le=65_536, description="Windows of scenarios in an update")
    least_real_share: float = Field(0.5, gt=0, lt=1, description="The real share never drops below this floor")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Highest of the warm start's cycle")
    play_learning_rate: float = Field(3e-4, gt=0, le=1, description="Highest of the play's cycle")
    averaging: float = Field(0.99, ge=0, lt=1, description="Share that the average of the weights keeps each update")
    penalty_weight: float = Field(0.1, ge=0, le=100, description="Weight of the verifier's penalty beside the loss")
    uniform_share: float = Field(0.25, ge=0, le=1, description="Share of proposals that stay uniform")
    replay_share: float = Field(0.5, ge=0, le=1, description="Share of the others that are replays or edits of them")
    edit_share: float = Field(0.5, ge=0, le=1, description="Share of the replays that are edited a little")
    stale_share: float = Field(0.3, ge=0, le=1, description="How much a replay's age counts beside its score")
    memories: int = Field(64, ge=1, le=10_000, description="Scenarios that the proposer remembers")
    progress_weight: float = Field(0.5, ge=0, le=10, description="Weight of a kind's learning progress in a reward")
    judge_episodes: int = Field(25, ge=1, le=100_000, description="Episodes between looks at the validation days")

    @model_validator(mode="after")
    def _stays_real(self) -> "SelfPlayConfig":
        share = self.real_windows / (self.real_windows + self.scenario_windows)
        if share < self.least_real_share:
            raise ValueError(f"real_windows are {share:.2f} of an update, below least_real_share")
        return self


class CalibrationConfig(Section):
    """How intervals are held to their levels."""

    kind: Literal["none", "static", "adaptive"] = Field(
        "adaptive", description="Not at all, by a fixed block, or also by each home's truths as they are published"
    )
    half_life_days: float = Field(14.0, ge=1, le=3650, description="Age at which a truth counts half, where adaptive")
