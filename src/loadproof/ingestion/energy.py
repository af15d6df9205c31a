"""Power to energy: each sample's power is held until the next sample, at most for ``hold``, and cut at bin edges.

Time is integer microseconds since 1970, UTC; bins are whole multiples of their width since then. A bin's figures are
the same to the last bit however its samples were cut into chunks. Rule: NILMTK's total energy (left value, clipped
step), and what NILMTK leaves out: holds are split at bin edges and carried from chunk to chunk, and the last sample
of all counts for one sample period.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bins", "InOrder", "LeftHold", "Samples", "modal_step_s"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_WATT_US_PER_KWH: Final = 3.6e12  # 1000 W for 3600 s of 1e6 us each


class Samples(NamedTuple):
    """Power at instants, all ``(N,)``; ``line`` is where each stands in its file."""

    ts_us: Integers
    power_w: Floats
    line: Integers

    def take(self, rows: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "Samples":
        """Return some of the samples."""
        return Samples(self.ts_us[rows], self.power_w[rows], self.line[rows])

    def then(self, later: "Samples") -> "Samples":
        """Return both, one after the other."""
        return Samples(*(np.concatenate(pair) for pair in zip(self, later, strict=True)))

    @classmethod
    def none(cls) -> "Samples":
        """Return no samples."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.int64))


class Bins(NamedTuple):
    """What fell into each bin that any power was held in, all ``(B,)`` and in order of time.

    ``line`` is that of the first sample held in the bin, which may have been taken before its edge; ``samples``
    counts those taken inside it.
    """

    start_us: Integers
    energy_kwh: Floats
    held_us: Integers
    samples: Integers
    line: Integers


class InOrder:
    """Samples in any order in, samples in strictly rising order out.

    The last ``waiting`` samples are held back, so that one that comes late by up to so many still finds its place,
    and a single stamp of the far future stays behind to the end. Later ones are too late.
    """

    def __init__(self, waiting: int = 2**16) -> None:
        self.waiting = waiting
        self.pending = Samples.none()
        self._settled_us = -(2**63)

    def push(self, samples: Samples) -> tuple[Samples, Samples, Samples]:
        """Return the samples that are settled now, and of the new ones those too late and those repeated."""
        fresh = samples.ts_us > self._settled_us
        late = again = Samples.none()
        if not fresh.all():
            late, again = (
                samples.take(samples.ts_us < self._settled_us),
                samples.take(samples.ts_us == self._settled_us),
            )
            samples = samples.take(fresh)
        merged = self.pending.then(samples)
        steps = np.diff(merged.ts_us)
        if (steps < 0).any():
            merged = merged.take(np.argsort(merged.ts_us, kind="stable"))
            steps = np.diff(merged.ts_us)
        if (steps == 0).any():
            # Stable order: of equal stamps the first in the file is kept, whatever the others say.
            first = np.concatenate(([True], steps != 0))
            again = again.then(merged.take(~first))
            merged = merged.take(first)
        count = max(0, len(merged.ts_us) - self.waiting)
        settled, self.pending = merged.take(slice(count)), merged.take(slice(count, None))
        if count:
            self._settled_us = int(settled.ts_us[-1])
        return settled, late, again

    def finish(self) -> Samples:
        """Return what was held back."""
        settled, self.pending = self.pending, Samples.none()
        return settled


class _Sums(NamedTuple):
    """Bins under way. ``spill`` is what the sample before the bin's start still held in it, ``head`` all others'."""

    bin: Integers
    spill_wus: Floats
    spill_us: Integers
    head_wus: Floats
    head_us: Integers
    samples: Integers
    line: Integers

    @classmethod
    def zeros(cls, bins: Integers) -> "_Sums":
        """Return empty sums for ``bins``; a ``line`` of -1 stands for none."""
        whole = [np.zeros(len(bins), np.int64) for _ in range(3)]
        return cls(bins, np.zeros(len(bins)), whole[0], np.zeros(len(bins)), whole[1], whole[2],
                   np.full(len(bins), -1, np.int64))  # fmt: skip


class LeftHold:
    """Samples in, finished bins out; memory is that of one chunk.

    Args:
        width_us: A bin's width.
        hold_us: How long a sample counts at most when the next one is late.
        last_us: How long the last sample of all counts: one sample period, so that a day of samples is a whole day.
    """

    def __init__(self, width_us: int, hold_us: int, last_us: int) -> None:
        self.width_us = width_us
        self.hold_us = hold_us
        self.last_us = last_us
        self._last = Samples.none()
        self._open = _Sums.zeros(np.empty(0, np.int64))

    def add(self, samples: Samples) -> Bins:
        """Take samples in strictly rising order of time, all later than those before; return the bins they close."""
        every = self._last.then(samples)
        if len(every.ts_us) < 2:
            self._last = every
            return _finished(_Sums.zeros(np.empty(0, np.int64)), self.width_us)
        self._last = every.take(slice(-1, None))
        held_us = np.minimum(np.diff(every.ts_us), self.hold_us)
        sums = self._sum(every.take(slice(-1)), held_us)
        # A hold ends at the next sample at the latest, so that only the last sample's own bin can still grow.
        growing = sums.bin == every.ts_us[-1] // self.width_us
        self._open = _Sums._make(column[growing] for column in sums)
        return _finished(_Sums._make(column[~growing] for column in sums), self.width_us)

    def finish(self) -> Bins:
        """Return the bins that were still open."""
        last, self._last = self._last, Samples.none()
        if not len(last.ts_us):
            return _finished(_Sums.zeros(np.empty(0, np.int64)), self.width_us)
        return _finished(self._sum(last, np.array([self.last_us], np.int64)), self.width_us)

    def _sum(self, samples: Samples, held_us: Integers) -> _Sums:
        """Sum each bin's pieces in order of time, what was carried of the open bin first."""
        bins = samples.ts_us // self.width_us
        head_us = np.minimum(held_us, (bins + 1) * self.width_us - samples.ts_us)
        spills = self._spills(samples, bins, held_us - head_us)
        first = np.flatnonzero(np.diff(bins, prepend=bins[0] - 1))
        ordinal = np.zeros(len(bins), np.intp)
        ordinal[first[1:]] = 1
        np.cumsum(ordinal, out=ordinal)
        sums = _Sums.zeros(np.unique(np.concatenate((bins[first], spills.bin, self._open.bin))))
        at = np.searchsorted(sums.bin, bins[first])
        power_wus = samples.power_w * head_us
        head = head_us.astype(np.float64)  # whole numbers far below 2^53
        if len(self._open.bin) and self._open.bin[0] == bins[0]:
            power_wus[0] += self._open.head_wus[0]
        sums.head_wus[at] = np.bincount(ordinal, weights=power_wus)
        sums.head_us[at] = np.bincount(ordinal, weights=head).astype(np.int64)
        sums.samples[at] = np.bincount(ordinal)
        sums.line[at] = samples.line[first]
        at = np.searchsorted(sums.bin, spills.bin)
        sums.spill_wus[at], sums.spill_us[at], sums.line[at] = spills.spill_wus, spills.spill_us, spills.line
        self._carry_into(sums, same_bin=bins[0])
        return sums

    def _carry_into(self, sums: _Sums, same_bin: int) -> None:
        """Add the open bin's sums, less its power in the head, which has to come first and went in already."""
        if not len(self._open.bin):
            return
        at = np.searchsorted(sums.bin, self._open.bin)
        sums.spill_wus[at] += self._open.spill_wus
        sums.spill_us[at] += self._open.spill_us
        sums.head_us[at] += self._open.head_us
        sums.samples[at] += self._open.samples
        sums.line[at] = self._open.line
        if self._open.bin[0] != same_bin:
            raise AssertionError("the open bin is not that of the last sample")

    def _spills(self, samples: Samples, bins: Integers, left_us: Integers) -> _Sums:
        """Cut what is held beyond a sample's own bin; each bin gets at most one such piece."""
        over = np.flatnonzero(left_us > 0)
        bin_, left, power, line = bins[over] + 1, left_us[over], samples.power_w[over], samples.line[over]
        pieces: list[tuple[Integers, Floats, Integers, Integers]] = []
        while len(bin_):
            here = np.minimum(left, self.width_us)
            pieces.append((bin_, power * here, here, line))
            more = left > self.width_us
            bin_, left, power, line = bin_[more] + 1, left[more] - self.width_us, power[more], line[more]
        if not pieces:
            return _Sums.zeros(bins[:0])
        bin_, power_wus, here, line = (np.concatenate(column) for column in zip(*pieces, strict=True))
        return _Sums.zeros(bin_)._replace(spill_wus=power_wus, spill_us=here, line=line)


def _finished(sums: _Sums, width_us: int) -> Bins:
    held_us = sums.spill_us + sums.head_us
    energy_kwh = (sums.spill_wus + sums.head_wus) / _WATT_US_PER_KWH
    columns = (sums.bin * width_us, energy_kwh, held_us, sums.samples, sums.line)
    return Bins._make(column[held_us > 0] for column in columns)


def modal_step_s(ts_us: Integers) -> int | None:
    """Return the commonest step between instants in order, in whole seconds, the shortest of equals; None if none."""
    if len(ts_us) < 2:
        return None
    steps, counts = np.unique((np.diff(ts_us) + 500_000) // 1_000_000, return_counts=True)
    return int(steps[np.argmax(counts)])
