"""One meter's power samples to judged bins: checks, order, hold, coverage.

A row of such a source is either a *bin* that any power was held in (written, or withheld as ``low_coverage``), or a
*sample* that was set aside before it could count. Samples that went into bins are counted in the bins' ``n_samples``
and in the log, not as rows. So rows read = bins written + bins withheld + samples set aside; and, asserted here,
samples read = samples in bins + samples set aside. Of each reason the first ``LISTED`` samples of a meter are rows of
their own; beyond, those of one bin share one row that says how many they are, so that a defect of every sample costs
no more than a row a bin.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.checking import check_readings
from loadproof.errors import ConfigError
from loadproof.ingestion.energy import Bins, InOrder, LeftHold, Samples, modal_step_s
from loadproof.ingestion.ukdale_meters import Meter
from loadproof.parts import SampleCount
from loadproof.schema import FIRST_TS_UTC, INTERVALS_MINS, LAST_TS_UTC, Reason

__all__ = ["FAULTS", "LISTED", "Aside", "Binning", "Chunk", "Judged", "MeterBins", "find_faults"]

logger = logging.getLogger(__name__)

FAULTS: Final[tuple[Reason | None, ...]] = (
    None, "fields_count", "entity_unknown", "ts_unreadable", "ts_out_of_range", "value_unreadable",
    "value_not_finite", "value_negative", "value_above_limit", "ts_out_of_order", "duplicate",
)  # fmt: skip
"""A sample's fault is a place in this list; the earlier of two counts."""

LISTED: Final = 1_000

_NO_TS: Final = ("fields_count", "entity_unknown", "ts_unreadable", "ts_out_of_range")
_SCALE_US: Final = 1_000_000
_FIRST_US: Final = int(FIRST_TS_UTC.timestamp()) * _SCALE_US
_LAST_US: Final = int(LAST_TS_UTC.timestamp()) * _SCALE_US
_HALF_HOUR: Final = 30
_LONGEST_STEP_S: Final = 3600  # nothing longer fits an interval, so it is a gap and no sample period
_UTC: Final = pl.Datetime("us", "UTC")


class Chunk(NamedTuple):
    """Some samples as a file gives them.

    ``fault`` ``(N,)`` is what the reader found wrong, null if nothing; ``raw`` returns the text of some lines.
    """

    samples: Samples
    fault: NDArray[np.uint8] | None
    raw: Callable[[Sequence[int]], list[str]]


_READINGS: Final = {
    "entity_id": pl.String(), "ts_utc": _UTC, "interval_mins": pl.Int16(), "energy_kwh": pl.Float64(),
    "line": pl.UInt32(), "extras": pl.String(),
}  # fmt: skip
_REJECTED: Final = {
    "line": pl.UInt32(), "reason": pl.String(), "entity_id": pl.String(), "ts_utc": _UTC, "raw": pl.String(),
}  # fmt: skip


class Judged(NamedTuple):
    """What is in a ``Batch``; nothing by default."""

    readings: pl.DataFrame = pl.DataFrame(schema=_READINGS)
    rejected: pl.DataFrame = pl.DataFrame(schema=_REJECTED)
    samples: SampleCount = SampleCount()

    @classmethod
    def together(cls, parts: Iterable["Judged"]) -> "Judged":
        """Return all of them as one."""
        readings, rejected, samples = zip(cls(), *parts, strict=True)
        return cls(pl.concat(readings), pl.concat(rejected), SampleCount.together(samples))


class Binning(NamedTuple):
    """How samples become bins.

    ``min_coverage`` is the share of a bin that power must be held in; ``sample_period_s`` overrides what the model or
    the data say; without ``downsample`` a bin is as wide as the sample period allows.
    """

    min_coverage: float = 0.9
    sample_period_s: float | None = None
    downsample: bool = True

    def check(self) -> None:
        """Raise ``ConfigError`` for a value that cannot be meant."""
        if not 0 < self.min_coverage <= 1:
            raise ConfigError(f"--min-coverage {self.min_coverage}: give a share above 0 and up to 1")
        if self.sample_period_s is not None and not 0 < self.sample_period_s <= _LONGEST_STEP_S:
            raise ConfigError(
                f"--sample-period {self.sample_period_s}: give seconds above 0, at most {_LONGEST_STEP_S}"
            )


class Aside:
    """The samples of one entity that were set aside, as rows; see the module for which share one."""

    def __init__(self, entity_id: str | None, width_us: int = _HALF_HOUR * 60 * _SCALE_US) -> None:
        self.entity_id = entity_id
        self.counts = Counter[str]()
        self._width_us = width_us

    def rows(self, chunk: Chunk) -> pl.DataFrame:
        """Return the rejected rows of samples that all have a fault, by line."""
        samples, fault, raw = chunk
        if not len(samples.ts_us):
            return Judged().rejected
        reason = pl.Series("reason", fault, dtype=pl.UInt8).replace_strict(
            range(1, len(FAULTS)), FAULTS[1:], return_dtype=pl.String
        )
        has_ts = ~pl.col("reason").is_in(_NO_TS)
        frame = pl.DataFrame({"line": samples.line, "ts_us": samples.ts_us}).with_columns(reason).sort("line")
        frame = frame.with_columns(ts_us=pl.when(has_ts).then("ts_us"), _nth=pl.int_range(pl.len()).over("reason"))
        before = pl.col("reason").replace_strict(self.counts, default=0, return_dtype=pl.Int64)
        listed = pl.col("_nth") + before < LISTED
        own = frame.filter(listed).select("line", "reason", "ts_us", count=pl.lit(1, dtype=pl.UInt32))
        shared = (
            frame.filter(~listed)
            .group_by("reason", pl.col("ts_us") // self._width_us, maintain_order=True)
            .agg(pl.col("line").first(), pl.col("ts_us").first().alias("first_us"), count=pl.len().cast(pl.UInt32))
            .select("line", "reason", pl.col("first_us").alias("ts_us"), "count")
        )
        self.counts.update(
            frame["reason"].to_list() if frame.height < LISTED else dict(frame["reason"].value_counts().rows())
        )
        rows = pl.concat([own, shared]).sort("line")
        others = (
            pl.when(pl.col("count") > 1).then(pl.format(" (and {} more)", pl.col("count") - 1)).otherwise(pl.lit(""))
        )
        return rows.select(
            pl.col("line").cast(pl.UInt32),
            "reason",
            pl.lit(self.entity_id, dtype=pl.String).alias("entity_id"),
            pl.col("ts_us").cast(_UTC).alias("ts_utc"),
            pl.Series("raw", raw(rows["line"].to_list()), dtype=pl.String) + others,
        )


class MeterBins:
    """One meter's samples in, judged bins out.

    Args:
        meter: Whose they are.
        binning: How wide and how well covered a bin is.
        switch_us: From when another meter measures the same, so that later bins are left to it; None for never.
    """

    def __init__(self, meter: Meter, binning: Binning, *, switch_us: int | None = None) -> None:
        self.meter = meter
        self.binning = binning
        self.aside = Aside(meter.entity_id)
        self.counts = Counter[str]()
        self._switch_us = switch_us
        self._end_us: int | None = None
        self._reached_us = _FIRST_US
        self._order = InOrder()
        self._hold: LeftHold | None = None
        self._why = ""

    @property
    def is_done(self) -> bool:
        """Whether no later sample can matter."""
        return self._end_us is not None and self._reached_us >= self._end_us

    def add(self, chunk: Chunk) -> Judged:
        """Take the next samples of the file; return the bins that they close and those set aside."""
        samples, fault = chunk.samples, find_faults(chunk, self.meter.model.limit_w)
        self.counts["read"] += len(samples.ts_us)
        bad = np.flatnonzero(fault) if fault is not None else np.empty(0, np.intp)
        sound = samples.take(fault == 0) if fault is not None and len(bad) else samples
        settled, late, again = self._order.push(sound)
        aside = samples.take(bad).then(late).then(again)
        codes = [fault[bad] if fault is not None else np.empty(0, np.uint8)]
        codes += [np.full(len(some.ts_us), FAULTS.index(name), np.uint8)
                  for name, some in (("ts_out_of_order", late), ("duplicate", again))]  # fmt: skip
        rejected = self.aside.rows(Chunk(aside, np.concatenate(codes), chunk.raw))
        judged = self._judge(self._held(settled))
        count = SampleCount(len(samples.ts_us), len(aside.ts_us), rejected.height)
        return Judged(judged.readings, pl.concat([judged.rejected, rejected]).sort("line"), count)

    def finish(self) -> Judged:
        """Take no more samples; return the last bins."""
        judged = [self._judge(self._held(self._order.finish()))]
        if self._hold is not None:
            judged.append(self._judge(self._hold.finish()))
        if self.counts["read"] != self.counts["held"] + self.aside.counts.total():
            raise AssertionError(f"{self.meter.entity_id}: samples went missing: {self.counts}, {self.aside.counts}")
        return Judged.together(judged)

    def describe(self) -> str:
        """Return one line for the log."""
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.aside.counts.items()))
        left = f", {self.counts['left']:,} left to the sound card" if self.counts["left"] else ""
        thin = f"{self.counts['low_coverage']:,} below {self.binning.min_coverage:g} coverage"
        return (
            f"{self.meter.entity_id} ({self.meter.model.name}, {self.meter.ac_type}): {self.counts['read']:,} samples, "
            f"{self.aside.counts.total():,} set aside ({reasons or 'none'}); {self.counts['bins']:,} bins, of them "
            f"{thin}{left}; {self._why or 'empty'}"
        )

    def _held(self, settled: Samples) -> Bins:
        if self._hold is None:
            if not len(settled.ts_us):
                return LeftHold(1, 1, 1).finish()
            self._hold = self._begin(settled.then(self._order.pending).ts_us[: self._order.waiting])
        if len(settled.ts_us):
            self._reached_us = int(settled.ts_us[-1])
        return self._hold.add(settled)

    def _begin(self, ts_us: NDArray[np.int64]) -> LeftHold:
        """Decide hold and width from the setting, else the model, else the first steps of the data."""
        model, given = self.meter.model, self.binning.sample_period_s
        modal = modal_step_s(ts_us)
        longer = modal is not None and model.sample_period_s < modal <= _LONGEST_STEP_S
        period_s = float(given or (modal if longer and modal else model.sample_period_s))
        hold_s = max(float(model.max_sample_period_s), period_s)
        if given is None and longer:
            self._why = (
                f"takes its modal step of {modal} s for the sample period (its model says {model.sample_period_s} s)"
            )
        else:
            self._why = f"sample period {period_s:g} s"
        mins = _HALF_HOUR if self.binning.downsample and period_s <= _HALF_HOUR * 60 else _nearest_interval(period_s)
        self._why += f", holds up to {hold_s:g} s, bins of {mins} min"
        width_us = mins * 60 * _SCALE_US
        if self._switch_us is not None:
            # From the first bin on that the other meter could have covered well enough.
            missing_us = round((1 - self.binning.min_coverage) * width_us)
            self._end_us = -((missing_us - self._switch_us) // width_us) * width_us
        return LeftHold(width_us, round(hold_s * _SCALE_US), round(period_s * _SCALE_US))

    def _judge(self, bins: Bins) -> Judged:
        if not len(bins.start_us):
            return Judged()
        width_us = self._hold.width_us if self._hold else _HALF_HOUR * 60 * _SCALE_US
        self.counts["held"] += int(bins.samples.sum())
        frame = pl.DataFrame({
            "ts_utc": bins.start_us, "energy_kwh": bins.energy_kwh, "line": bins.line,
            "held_us": bins.held_us, "n_samples": bins.samples,
        })  # fmt: skip
        if self._end_us is not None:
            self.counts["left"] += frame.height
            frame = frame.filter(pl.col("ts_utc") < self._end_us)
            self.counts["left"] -= frame.height
        thin = pl.col("held_us") < round(self.binning.min_coverage * width_us)
        candidates = frame.with_columns(
            pl.col("ts_utc").cast(_UTC),
            pl.col("line").cast(pl.UInt32),
            entity_id=pl.lit(self.meter.entity_id),
            interval_mins=pl.lit(width_us // (60 * _SCALE_US), dtype=pl.Int16),
            fault=pl.when(thin).then(pl.lit("low_coverage")),
            coverage=(pl.col("held_us") / width_us).round(4),
        )
        checked = check_readings(candidates, "ukdale")
        start = pl.col("ts_utc").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        text = pl.format("{}: {} samples hold power in {} of {} min", start, "n_samples", "coverage", "interval_mins")
        raw = candidates.select("ts_utc", text.alias("raw"))
        rejected = checked.rejected.join(raw, on="ts_utc", how="left", maintain_order="left")
        self.counts["bins"] += frame.height
        self.counts["low_coverage"] += rejected.height
        readings = checked.readings.select(
            "entity_id", "ts_utc", "interval_mins", "energy_kwh", "line", extras=self._extras()
        )
        return Judged(readings, rejected.select("line", "reason", "entity_id", "ts_utc", "raw"))

    def _extras(self) -> pl.Expr:
        """Return the meter's constants and the bin's own facts as JSON with sorted keys."""
        facts = {**self.meter.constants, "coverage": "\0", "n_samples": "\0"}
        head, middle, tail = json.dumps(facts, sort_keys=True, separators=(",", ":")).split(r'"\u0000"')
        return pl.concat_str(pl.lit(head), "coverage", pl.lit(middle), "n_samples", pl.lit(tail))


def _nearest_interval(period_s: float) -> int:
    """Return the interval next to a sample period, the longer of two equally near, in minutes."""
    return min(reversed(INTERVALS_MINS), key=lambda mins: abs(mins * 60 - period_s))


def find_faults(chunk: Chunk, limit_w: float) -> NDArray[np.uint8] | None:
    """Return each sample's fault ``(N,)``, None if there is none at all."""
    ts_us, power_w, _ = chunk.samples
    in_range = (ts_us >= _FIRST_US) & (ts_us < _LAST_US)
    sound = in_range & (power_w >= 0) & (power_w <= limit_w)
    if sound.all() and chunk.fault is None:
        return None
    rules = {
        "ts_out_of_range": ~in_range,
        "value_not_finite": ~np.isfinite(power_w),
        "value_negative": power_w < 0,
        "value_above_limit": power_w > limit_w,
    }
    found = np.select(list(rules.values()), [FAULTS.index(name) for name in rules], 0).astype(np.uint8)
    return found if chunk.fault is None else np.where(chunk.fault > 0, chunk.fault, found).astype(np.uint8)
