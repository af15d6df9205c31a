"""What the report calls things: datasets, metrics, and the reasons for which a row was set aside."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from loadproof.schema import DATASETS, Reason

__all__ = [
    "METRICS_SHOWN",
    "REASONS",
    "Metric",
    "about_reason",
    "count_words",
    "dataset_words",
    "day_words",
    "figure_words",
    "interval_words",
    "listed",
    "plural",
    "share_words",
    "spells",
    "unit_words",
]


class Metric(NamedTuple):
    """A metric as a reader meets it: short name, full name, and what it says in one sentence."""

    short: str
    name: str
    meaning: str


METRICS_SHOWN: Final[dict[str, Metric]] = {
    "crps": Metric(
        "CRPS",
        "continuous ranked probability score",
        "How far the whole forecast distribution lies from what happened, in units of energy; for a forecast "
        "without a spread it equals the absolute error.",
    ),
    "pinball": Metric(
        "Pinball",
        "mean pinball loss over seven quantiles",
        "The plain mean of the quantile losses: too low and too high are charged by each quantile's own level.",
    ),
    "mae": Metric("MAE", "mean absolute error", "How far the median forecast lies from the truth, on average."),
    "nrmse": Metric(
        "NRMSE",
        "root mean squared error over mean load",
        "Large misses weigh more than small ones; divided by the mean load, so that sizes of load compare.",
    ),
    "mase": Metric(
        "MASE",
        "mean absolute scaled error",
        "The absolute error of each entity divided by that of its own simple seasonal forecast, then the plain mean; "
        "below 1 is better than that forecast.",
    ),
}
"""Metrics with a chart of their own, in the order of the page; all are better when lower."""

REASONS: Final[dict[Reason, tuple[str, str]]] = {
    "null_off_grid": (
        "Empty row off the clock",
        "It has no value, and its time is not that of a half hour. Nothing is lost with it.",
    ),
    "null_value": ("No value", "The time is fine but the value is empty or Null. The half hour stays missing."),
    "fields_count": (
        "Wrong number of fields",
        "More or fewer fields than the header promises, so no field can be trusted.",
    ),
    "entity_unknown": (
        "Unknown identifier",
        "The meter, home or feeder is not named in the way that this source names them.",
    ),
    "ts_unreadable": ("Unreadable time", "The time stamp is not in the form that this source uses."),
    "ts_out_of_range": ("Impossible date", "The time lies before the year 2000 or after the year 2099."),
    "ts_off_grid": ("Time off the grid", "It has a value, but not at a whole number of intervals after midnight."),
    "ts_out_of_order": (
        "Time out of order",
        "The time lies before that of the row above, in a file that runs forward.",
    ),
    "value_unreadable": ("Unreadable value", "Where the energy should be stands something that is not a number."),
    "value_not_finite": ("Not a finite number", "The value is infinite or marked as not a number."),
    "value_negative": ("Below zero", "Energy taken from the network cannot be negative."),
    "value_above_limit": ("Above the limit", "The power is more than the meter or the supply could carry."),
    "value_sentinel": ("Overflow mark", "So large that it marks an overflow of a 32-bit register, not a load."),
    "duplicate": ("Repeat", "It repeats the entity and time of a row that was kept. One copy is enough."),
    "conflict": ("Contradiction", "Another row gives the same entity and time a different value."),
    "low_coverage": ("Interval half empty", "Too few fine-grained samples fall into it to add them up to its energy."),
    "text_unreadable": ("Unreadable text", "The bytes of the line are not text in the encoding of the file."),
    "superseded": ("Superseded", "A later or better row for the same place and time took its place."),
    "record_deleted": ("Withdrawn by its source", "The source itself marks the record as deleted."),
    "qc_suspect": ("Doubted by its source", "The source's own quality control marks the value as suspect."),
    "value_out_of_range": ("Outside the possible range", "The value lies outside what its instrument can measure."),
}
"""For each reason a name and one or two plain sentences."""


def about_reason(code: str) -> tuple[str, str]:
    """Return name and explanation of a reason; one that this version does not know is named by its code."""
    known: dict[str, tuple[str, str]] = {str(key): words for key, words in REASONS.items()}
    return known.get(code, (code, "This version of the report has no explanation for this reason."))


def dataset_words(dataset: str) -> tuple[str, str]:
    """Return the full name of a dataset and what its entities are called."""
    known: dict[str, tuple[str, str]] = {str(key): words[:2] for key, words in DATASETS.items()}
    return known.get(dataset, (dataset, "entities"))


def unit_words(unit: str | None) -> str:
    """Return a unit for an axis title: energies are per half hour, a pure number has none."""
    if unit == "kWh":
        return "kWh per half hour"
    return "no unit" if unit in {None, "", "1"} else str(unit)


def count_words(number: int) -> str:
    """Return a count as a reader says it: 940, 38,412, 2.29 million."""
    for size, word in ((1_000_000_000, "billion"), (1_000_000, "million")):
        if number >= size:
            return f"{number / size:.3g} {word}"
    return f"{number:,}"


def figure_words(value: float | None, *, digits: int | None = None) -> str:
    """Return a figure to three significant digits, or with ``digits`` after the point; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if digits is not None:
        return f"{value:,.{digits}f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def share_words(share: float, digits: int = 1) -> str:
    """Return a share as a percentage, its sign held to the number by a space that does not break."""
    if 0 < share < 0.5 * 10 ** -(digits + 2):
        return f"under {10**-digits:.{digits}f}\u00a0%"
    return f"{100 * share:.{digits}f}\u00a0%"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: 1 day, 504 days."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def day_words(day: dt.date) -> str:
    """Return a date as 6 Dec 2013."""
    return f"{day.day} {day:%b %Y}"


def listed(words: Sequence[str]) -> str:
    """Return words as a reader says them: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def spells(half_hours: Sequence[str]) -> str:
    """Return half hours of the day, ``HH:MM`` and ascending, as spells: 02:00, 04:30 to 06:00."""
    runs: list[list[int]] = []
    for half in (int(at[:2]) * 2 + int(at[3:]) // 30 for at in half_hours):
        if runs and runs[-1][1] == half:
            runs[-1][1] = half + 1
        else:
            runs.append([half, half + 1])
    clock = [[f"{edge // 2:02d}:{edge % 2 * 30:02d}" for edge in run] for run in runs]
    single = [end - start == 1 for start, end in runs]
    return ", ".join(start if one else f"{start} to {end}" for (start, end), one in zip(clock, single, strict=True))


def interval_words(low: float | None, high: float | None, *, digits: int | None = None) -> str:
    """Return a 95 % interval, or an empty text where none was made; digits as in :func:`figure_words`."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{figure_words(low, digits=digits)} to {figure_words(high, digits=digits)}"
