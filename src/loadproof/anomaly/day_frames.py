"""Days that were scored or judged as frames and back, so that they can rest between two steps of a run.

A row a day: ``entity_id, t0_utc``, then ``score`` and ``kind`` of its H steps, and once judged ``p_value`` and
``limit``. What a kind's number means, and how long a step is, is told beside them.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.sweep import DayScores, join_scores
from loadproof.anomaly.watch import Judged
from loadproof.detector import Scores
from loadproof.features.windows import Inputs

__all__ = ["frame_of_judged", "frame_of_scores", "judged_of_frame", "scores_of_frames"]


def _instants(frame: pl.DataFrame) -> NDArray[np.datetime64]:
    return np.asarray(frame["t0_utc"].dt.replace_time_zone(None).to_numpy(), dtype="datetime64[us]")


def frame_of_scores(found: DayScores) -> pl.DataFrame:
    """Return a row a day, in their order."""
    inputs, scores = found.inputs, found.scores
    steps = scores.score.shape[1]
    columns = {
        "entity_id": pl.Series(inputs.entity.tolist(), dtype=pl.String),
        "t0_utc": pl.Series(inputs.t0.astype("datetime64[us]")).dt.replace_time_zone("UTC"),
        "score": pl.Series(np.ascontiguousarray(scores.score), dtype=pl.Array(pl.Float32, steps)),
        "kind": pl.Series(np.ascontiguousarray(scores.kind), dtype=pl.Array(pl.UInt8, steps)),
    }
    return pl.DataFrame(columns)


def _scores_of(frame: pl.DataFrame, kinds: Sequence[str | None], interval_mins: int) -> DayScores:
    score, kind = (frame[name].to_numpy() for name in ("score", "kind"))  # (N, H)
    entity = np.array(frame["entity_id"].to_list(), dtype=np.str_)
    context = np.zeros((len(entity), 0), dtype=np.float32)
    inputs = Inputs(context, _instants(frame), entity, score.shape[1], interval_mins)
    return DayScores(inputs, Scores(score, kind, tuple(kinds)))


def scores_of_frames(frames: Iterable[pl.DataFrame], kinds: Sequence[str | None], interval_mins: int) -> DayScores:
    """Return the days of several frames as one, in their order.

    Args:
        frames: Of :func:`frame_of_scores`.
        kinds: The names of the kinds.
        interval_mins: Length of a step in minutes.

    Raises:
        SchemaError: When they hold no day.
    """
    return join_scores(_scores_of(frame, kinds, interval_mins) for frame in frames)


def frame_of_judged(judged: Judged) -> pl.DataFrame:
    """Return a row a day, in their order."""
    p_value = pl.Series(np.ascontiguousarray(judged.p), dtype=pl.Array(pl.Float32, judged.p.shape[1]))
    return frame_of_scores(judged.found).with_columns(p_value=p_value, limit=pl.Series(judged.limit))


def judged_of_frame(frame: pl.DataFrame, kinds: Sequence[str | None], interval_mins: int) -> Judged:
    """Return the days of a frame of :func:`frame_of_judged`; the other arguments as for :func:`scores_of_frames`."""
    p, limit = frame["p_value"].to_numpy(), frame["limit"].to_numpy()
    return Judged(_scores_of(frame, kinds, interval_mins), p, limit)
