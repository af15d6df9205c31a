"""Scores to alerts that a person can act on: the rows of ``ALERTS``.

``severity`` is the surprise, minus the decimal logarithm of the least p-value: 3 for one reading in a thousand. What is
missing is an alert of its own, ``missing``, without severity, and never an odd reading.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.anomaly.alert_rule import join_odd, join_steps
from loadproof.anomaly.evidence import EventKind
from loadproof.anomaly.expected import Expected, expect, stretch_word
from loadproof.anomaly.sentence import Told, missing_sentence, odd_sentence
from loadproof.detector import Scores
from loadproof.errors import SchemaError
from loadproof.evaluation.timeline import Spans, Timeline, find_spans, timeline_of
from loadproof.features.windows import Windows
from loadproof.schema import ALERTS

__all__ = ["ALERT_KINDS", "AlertKind", "find_alerts"]

AlertKind = EventKind | Literal["missing"]

ALERT_KINDS: Final[tuple[str, ...]] = (*get_args(EventKind), "missing")
"""What an alert may be of."""

_DAY_MINS: Final = 24 * 60
_LEAST_P: Final = 1e-12  # keeps the logarithm finite


class _Laid(NamedTuple):
    """What is known of each step, ``(E, T)``; ``window`` is -1 where none covers it."""

    kwh: NDArray[np.float32]
    p: NDArray[np.float32]
    odd: NDArray[np.bool_]
    kind: NDArray[np.uint8]
    window: NDArray[np.int64]


def _lay(windows: Windows, scores: Scores, p: NDArray[np.float32], odd: NDArray[np.bool_]) -> tuple[Timeline, _Laid]:
    shape = windows.truth_kwh.shape
    if not shape == scores.score.shape == p.shape == odd.shape:
        shapes = f"windows {shape}, scores {scores.score.shape}, p-values {p.shape}, odd {odd.shape}"
        raise SchemaError(f"{shapes}; give one for each")
    line = timeline_of(windows.inputs)
    owner = np.broadcast_to(np.arange(len(windows))[:, None], shape)
    kwh, laid_p = line.lay(windows.truth_kwh, blank=np.nan), line.lay(p, blank=np.nan)
    laid_odd, kind = line.lay(odd, blank=False), line.lay(scores.kind, blank=0)
    return line, _Laid(kwh, laid_p, laid_odd, kind, line.lay(owner, blank=-1))


def _kind(
    votes: NDArray[np.uint8], kinds: tuple[str | None, ...], energy_kwh: float, expected: Expected, *, long: bool
) -> str:
    """Return what most odd readings were taken for; without any opinion, what the energy looks like.

    Energy outside the band is a spike or a dropout, or after more than a day a level shift; inside, the readings were
    odd in their order alone: a drift.
    """
    counts = np.bincount(votes, minlength=len(kinds))[1:]
    if counts.any():
        return str(kinds[int(counts.argmax()) + 1])
    above = energy_kwh > expected.high_kwh or (np.isnan(expected.high_kwh) and energy_kwh > 0)
    if not (above or energy_kwh < expected.low_kwh or np.isnan(expected.low_kwh)):
        return "drift"
    if long:
        return "level_shift"
    return "spike" if above else "dropout"


def _odd_rows(windows: Windows, scores: Scores, line: Timeline, laid: _Laid) -> Iterator[tuple[Any, ...]]:
    spans = find_spans(join_odd(laid.odd, join_steps(line.interval_mins)))
    starts, ends = line.ts(spans.first), line.ts(spans.last)
    for row, first, last, start, end in zip(*spans, starts, ends, strict=True):
        kwh, p = laid.kwh[row, first:last], laid.p[row, first:last]
        n = int(laid.window[row, first])
        expected = expect(windows, n, int(first - line.step[n]), kwh)
        energy, least = float(np.nansum(kwh, dtype=np.float64)), float(np.nanmin(p))
        long = len(kwh) * line.interval_mins > _DAY_MINS
        kind = _kind(laid.kind[row, first:last][laid.odd[row, first:last]], scores.kinds, energy, expected, long=long)
        word = stretch_word(start, len(kwh), line.interval_mins)
        sentence = odd_sentence(Told(start, end, kind, energy, expected, word, least))
        severity = -float(np.log10(max(least, _LEAST_P)))
        yield line.entities[row], start, end, kind, severity, expected.low_kwh, expected.high_kwh, energy, sentence


def _missing_spans(laid: _Laid) -> Spans:
    """Return the runs of covered steps without a reading; steps that no window covers part none."""
    covered = laid.window >= 0
    return find_spans(covered & np.isnan(laid.kwh), bridge=~covered)


def _missing_rows(line: Timeline, laid: _Laid) -> Iterator[tuple[Any, ...]]:
    spans = _missing_spans(laid)
    starts, ends = line.ts(spans.first), line.ts(spans.last)
    for row, first, last, start, end in zip(*spans, starts, ends, strict=True):
        sentence = missing_sentence(start, end, int(last - first))
        yield line.entities[row], start, end, "missing", None, None, None, None, sentence


def _table(detector: str, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    names = ALERTS.names()[1:]
    columns: dict[str, Any] = (
        dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    )
    series = []
    for name, values in columns.items():
        if name in {"start_utc", "end_utc"}:
            instants = pl.Series(name, np.array(values, dtype="datetime64[us]"))
            series.append(instants.dt.replace_time_zone("UTC"))
        elif name == "entity_id":
            series.append(pl.Series(name, [str(value) for value in values], dtype=pl.String))
        else:
            series.append(pl.Series(name, list(values), dtype=ALERTS[name]))
    frame = pl.DataFrame(series).with_columns(detector=pl.lit(detector)).select(ALERTS.names())
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None)).sort("entity_id", "start_utc", "kind")


def find_alerts(
    windows: Windows, scores: Scores, p: NDArray[np.float32], *, odd: NDArray[np.bool_], detector: str
) -> pl.DataFrame:
    """Return the alerts of these days as rows of ``ALERTS``, ordered by entity and start.

    The energy and the expected band are of the whole alert. Whole days without reading are told only when the windows
    hold them: cut those with ``require_truth=False``.

    Args:
        windows: The days, in any order.
        scores: Of a detector, ``(N, H)``.
        p: Their p-values, ``(N, H)``.
        odd: Which readings are odd, ``(N, H)``; those a short while apart are one alert.
        detector: Whose scores they are.

    Raises:
        SchemaError: When the shapes differ, or there is no window.
    """
    line, laid = _lay(windows, scores, p, odd)
    rows = [*_odd_rows(windows, scores, line, laid), *_missing_rows(line, laid)]
    return _table(detector, rows)
