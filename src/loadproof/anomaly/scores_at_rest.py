"""Days that were judged, from the rows of ``SCORES`` and the thresholds that lie beside them."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.days import beyond_day
from loadproof.anomaly.evidence import KINDS
from loadproof.anomaly.sweep import DayScores, Sweep, join_scores, without_context
from loadproof.anomaly.watch import Judged
from loadproof.detector import Scores
from loadproof.errors import SchemaError
from loadproof.evaluation.timeline import Timeline, timeline_of
from loadproof.features.calendar import local_date
from loadproof.features.panel import to_us
from loadproof.features.windows import Windows

__all__ = ["judged_of_scores"]

_OF_OTHERS: Final = "the scores are not of these readings and days; let the detector score them again"
_KIND: Final = pl.Enum([kind for kind in KINDS if kind])


class _Homes(NamedTuple):
    """Rows of ``SCORES`` by home: names ascending ``(E,)``, where the rows of each begin, and the end ``(E + 1,)``."""

    rows: pl.DataFrame
    names: NDArray[np.str_]
    first: NDArray[np.int64]

    def on(self, line: Timeline) -> tuple[pl.DataFrame, NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of the homes of a line, and the row and step of each there, ``(R,)``."""
        low = int(np.searchsorted(self.names, line.entities[0]))
        high = int(np.searchsorted(self.names, line.entities[-1], side="right"))
        counts, mine = np.diff(self.first[low : high + 1]), self.names[low:high]
        ours = np.repeat(np.isin(mine, line.entities), counts)
        rows = self.rows[int(self.first[low]) : int(self.first[high])].filter(pl.Series(ours))
        home = np.repeat(np.searchsorted(line.entities, mine), counts)[ours]
        past = rows["ts_utc"].to_numpy().astype("datetime64[us]") - line.start
        return rows, home, past.astype(np.int64) // to_us(line.interval_mins)


def _by_home(scores: pl.DataFrame) -> _Homes:
    runs = scores["entity_id"].rle().struct.unnest()
    first = np.cumsum([0, *runs["len"].to_list()])
    return _Homes(scores, np.array(runs["value"].to_list(), dtype=np.str_), first)


def _laid(homes: _Homes, windows: Windows) -> tuple[Scores, NDArray[np.float32]]:
    """Return the scores and the p-values of windows."""
    line, other = timeline_of(windows.inputs), beyond_day(windows.inputs)
    rows, home, step = homes.on(line)
    if rows.height and not 0 <= step.min() <= step.max() < line.shape[1]:
        raise SchemaError(_OF_OTHERS)
    ahead = line.step[:, None] + np.arange(other.shape[1])  # (N, H)

    def lay(values: pl.Series, blank: float) -> NDArray[np.float32]:
        on_line = np.full(line.shape, blank, dtype=np.float32)  # (E, T)
        on_line[home, step] = values.cast(pl.Float32).to_numpy()
        return np.where(other, np.float32(blank), on_line[line.row[:, None], ahead])  # (N, H)

    score, p = (lay(rows[name], np.nan) for name in ("score", "p_value"))
    kind = lay((rows["kind"].cast(_KIND).to_physical().cast(pl.Int8) + 1).fill_null(0), 0).astype(np.uint8)
    if (np.isnan(score) != np.isnan(windows.truth_kwh)).any():
        raise SchemaError(_OF_OTHERS)
    return Scores(score, kind, KINDS), p


def judged_of_scores(days: Sweep, scores: pl.DataFrame, limits: Mapping[str, float]) -> Judged:
    """Return the days of ``days`` as they were judged before their table was written.

    Args:
        days: All days that were scored of their homes.
        scores: Rows of ``SCORES`` of these homes and perhaps others, ordered by entity and time.
        limits: The p-value at or below which a reading is odd, by UK day.

    Raises:
        SchemaError: When a reading has no score, or a score no reading.
    """
    homes = _by_home(scores)

    def lay(windows: Windows) -> tuple[DayScores, NDArray[np.float32]] | None:
        if not len(windows):
            return None
        found, p = _laid(homes, windows)
        return DayScores(without_context(windows.inputs), found), p

    parts = [part for part in days.work(lay) if part is not None]
    found = join_scores(part for part, _ in parts)
    day = local_date(found.inputs.t0).astype(str).tolist()
    limit = np.array([limits.get(name, np.nan) for name in day], dtype=np.float32)
    return Judged(found, np.concatenate([p for _, p in parts]), limit)
