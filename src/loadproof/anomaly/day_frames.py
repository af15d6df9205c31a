"""Days that were scored or ranked as frames and back, so that they can rest between two steps of a run.

A row a day: ``entity_id, t0_utc, kinds`` (the names of the kinds, as JSON), then ``score`` and ``kind`` of its H steps,
once ranked ``p_value``, and a ``print`` of what it was scored from where days are kept for later.
"""

import json
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.sweep import DayScores, join_scores
from loadproof.anomaly.watch import Judged
from loadproof.detector import Scores
from loadproof.features.calendar import Instants
from loadproof.features.windows import Inputs

__all__ = [
    "days_that_stand",
    "frame_of_ranked",
    "frame_of_scores",
    "join_days",
    "judged_of_frame",
    "scores_of_frames",
    "with_prints",
]


def _instants(frame: pl.DataFrame) -> NDArray[np.datetime64]:
    return np.asarray(frame["t0_utc"].dt.replace_time_zone(None).to_numpy(), dtype="datetime64[us]")


def frame_of_scores(found: DayScores) -> pl.DataFrame:
    """Return a row a day, in their order."""
    inputs, scores = found.inputs, found.scores
    steps = scores.score.shape[1]
    columns = {
        "entity_id": pl.Series(inputs.entity.tolist(), dtype=pl.String),
        "t0_utc": pl.Series(inputs.t0.astype("datetime64[us]")).dt.replace_time_zone("UTC"),
        "kinds": pl.Series([json.dumps(scores.kinds)], dtype=pl.Categorical).gather(np.zeros(len(inputs), np.uint32)),
        "score": pl.Series(np.ascontiguousarray(scores.score), dtype=pl.Array(pl.Float32, steps)),
        "kind": pl.Series(np.ascontiguousarray(scores.kind), dtype=pl.Array(pl.UInt8, steps)),
    }
    return pl.DataFrame(columns)


def _scores_of(frame: pl.DataFrame, interval_mins: int) -> DayScores:
    score, kind = (frame[name].to_numpy() for name in ("score", "kind"))  # (N, H)
    entity = np.array(frame["entity_id"].to_list(), dtype=np.str_)
    context = np.zeros((len(entity), 0), dtype=np.float32)
    inputs = Inputs(context, _instants(frame), entity, score.shape[1], interval_mins)
    kinds = tuple(json.loads(frame["kinds"][0])) if frame.height else (None,)
    return DayScores(inputs, Scores(score, kind, kinds))


def with_prints(frame: pl.DataFrame, midnights: Instants, prints: Sequence[str]) -> pl.DataFrame:
    """Return the days with the print of each; ``midnights`` is whose prints they are, ``(D,)``."""
    of = {"t0_utc": pl.Series(midnights.astype("datetime64[us]")).dt.replace_time_zone("UTC"), "print": list(prints)}
    return frame.join(pl.DataFrame(of), on="t0_utc", how="left", maintain_order="left")


def days_that_stand(kept: pl.DataFrame, prints: Sequence[str]) -> tuple[pl.DataFrame, int]:
    """Return the rows of the first days that were scored already, and how many days those are.

    Args:
        kept: Days with prints.
        prints: What each day that is wanted would be scored from, in the order of days.
    """
    there = set(kept["print"].unique())
    stand = next((number for number, wanted in enumerate(prints) if wanted not in there), len(prints))
    return kept.filter(pl.col("print").is_in(list(prints[:stand]))), stand


def join_days(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return the days of several frames as one, by entity, then day."""
    return pl.concat(parts).sort("entity_id", "t0_utc")


def scores_of_frames(frames: Iterable[pl.DataFrame], interval_mins: int) -> DayScores:
    """Return the days of several frames as one, in their order.

    Args:
        frames: Of :func:`frame_of_scores`.
        interval_mins: Length of a step in minutes.

    Raises:
        SchemaError: When they hold no day.
    """
    return join_scores(_scores_of(frame, interval_mins) for frame in frames)


def frame_of_ranked(found: DayScores, p: NDArray[np.float32]) -> pl.DataFrame:
    """Return a row a day with its p-values ``(N, H)``, in their order."""
    p_value = pl.Series(np.ascontiguousarray(p), dtype=pl.Array(pl.Float32, p.shape[1]))
    return frame_of_scores(found).with_columns(p_value=p_value)


def judged_of_frame(frame: pl.DataFrame, interval_mins: int, limit: float) -> Judged:
    """Return the days of a frame of :func:`frame_of_ranked`, of which one has one threshold."""
    p = frame["p_value"].to_numpy()
    return Judged(_scores_of(frame, interval_mins), p, np.full(len(p), limit, dtype=np.float32))
