"""A feature table at rest, asked for the features of windows: bit for bit what would be made of them anew."""

import numpy as np
import polars as pl

from loadproof.features.panel import to_us
from loadproof.features.table import FeatureMatrix, FeatureSpec, feature_matrix
from loadproof.features.windows import Inputs

__all__ = ["StoredFeatures"]


class StoredFeatures:
    """The rows of a feature table.

    Args:
        table: As :func:`loadproof.features.table.build_features` yields it, of the readings and the weather that the
            windows are cut from, and of their context; each column that is asked for is in it.
    """

    def __init__(self, table: pl.LazyFrame) -> None:
        self._table = table

    def matrix(self, inputs: Inputs, spec: FeatureSpec) -> FeatureMatrix:
        """Return what ``feature_matrix`` does.

        A window that the table does not hold whole is made anew: a day of the table is a local one, so the last hour of
        the window on the day of 23 is not there, nor are days without any reading.
        """
        values = np.full((len(spec.names), len(inputs), inputs.horizon_steps), np.nan, dtype=np.float32)  # (F, N, H)
        asked = pl.DataFrame(
            {
                "entity_id": pl.Series(inputs.entity.tolist(), dtype=pl.String),
                "t0_utc": pl.Series(inputs.t0.astype("datetime64[us]")).dt.replace_time_zone("UTC"),
                "window": np.arange(len(inputs)),
            }
        )
        ahead_us = (pl.col("ts_utc") - pl.col("t0_utc")).dt.total_microseconds()
        rows = (
            self._table.join(asked.lazy(), on=["entity_id", "t0_utc"], how="inner")
            .with_columns(ahead=ahead_us // to_us(inputs.interval_mins))
            .filter(pl.col("ahead") < inputs.horizon_steps)
            .select("window", "ahead", *spec.names)
            .collect(engine="streaming")
        )
        window, step = rows["window"].to_numpy(), rows["ahead"].to_numpy()
        for place, name in enumerate(spec.names):
            values[place, window, step] = rows[name].fill_null(np.nan).to_numpy()
        held = np.bincount(window, minlength=len(inputs)) == inputs.horizon_steps
        if not held.all():
            values[:, ~held] = feature_matrix(inputs.take(~held), spec).values.transpose(2, 0, 1)
        return FeatureMatrix(values.transpose(1, 2, 0), spec.names)
