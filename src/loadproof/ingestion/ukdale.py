"""UK-DALE: power of five British homes and their appliances at 1 s and 6 s, as energy per half hour, UTC.

Layouts: NILMTK's HDF5, the text files, a plain CSV; one a run, in that order. A part is one meter (an HDF5 node, a
``.dat`` file) or one CSV. What a row is, and how samples are counted, says :mod:`loadproof.ingestion.power`.

A house's aggregate is the sound card's active power; the clamp's apparent power stands for it only in bins before the
sound card's first sample, or where there is no sound card (``ac_type`` in extras tells them apart). The clamp is
never an entity of its own, so that nothing is counted twice.

``sha256`` of a part is that of the file's bytes, for an HDF5 node that of its rows as stored before compression.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from loadproof.errors import SourceError
from loadproof.ingestion.base import BaseIngestor
from loadproof.ingestion.hdf5 import find_meters, open_table
from loadproof.ingestion.layouts import UKDALELayout
from loadproof.ingestion.power import Aside, Binning, Chunk, Judged, MeterBins
from loadproof.ingestion.text import BLOCK_BYTES
from loadproof.ingestion.ukdale_files import (
    first_sound_us,
    hdf5_lines,
    power_column,
    read_csv,
    read_table,
    read_text,
    text_lines,
)
from loadproof.ingestion.ukdale_meters import AcType, Catalogue
from loadproof.ingestion.ukdale_sources import (
    FINDERS,
    Source,
    first_ts_us,
    house_and_channel,
    house_and_meter,
    is_there,
    nothing_found,
)
from loadproof.parts import Batch, Part, SampleCount, size_and_stamp
from loadproof.schema import Dataset

__all__ = ["UKDALEIngestor"]

logger = logging.getLogger(__name__)


class UKDALEIngestor(BaseIngestor):
    """Bins of UK-DALE, from whichever layout is there.

    Args:
        input_root: The folder that holds ``ukdale/``, or that folder itself.
        houses: Houses to read, all by default.
        min_coverage: The share of a bin that power must be known for; a bin below is set aside.
        sample_period_s: Seconds between samples; by default the meter model's or, if longer, the data's own.
        downsample_30min: Half hours; else bins of the sample period, rounded to 1, 5, 10, 15, 30 or 60 minutes.
        layout: One layout to insist on; by default the first that is there.
        block_bytes: How much text one batch holds at most.

    Raises:
        ConfigError: If coverage or period are out of bounds.
    """

    dataset: ClassVar[Dataset] = "ukdale"

    def __init__(
        self,
        input_root: Path,
        *,
        houses: Sequence[int] | None = None,
        min_coverage: float = 0.9,
        sample_period_s: float | None = None,
        downsample_30min: bool = True,
        layout: UKDALELayout | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        below = input_root / "ukdale"
        self.folder = below if below.is_dir() else input_root
        self.houses = frozenset(houses or ())
        self.binning = Binning(min_coverage, sample_period_s, downsample_30min)
        self.binning.check()
        self.layout = layout
        self.block_bytes = block_bytes

    @property
    def settings(self) -> Mapping[str, str]:
        """What decides the bins; the layout shows in the sources."""
        period = self.binning.sample_period_s
        return {
            "houses": ",".join(str(house) for house in sorted(self.houses)) or "all",
            "interval": "30 min" if self.binning.downsample else "native",
            "metadata": self.catalogue.digest,
            "min_coverage": f"{self.binning.min_coverage:g}",
            "sample_period_s": "model or data" if period is None else f"{period:g}",
        }

    @property
    def damaged(self) -> Mapping[str, str]:
        """The labels and metadata that cannot be read."""
        return self.catalogue.damaged

    @cached_property
    def catalogue(self) -> Catalogue:
        """What is known of the meters."""
        return Catalogue(self.folder)

    def parts(self) -> Sequence[Part]:
        """Return the parts of the one layout that is read; what is left alone is named in the log."""
        found = {layout: sources for layout, find in FINDERS.items() if (sources := list(find(self.folder)))}
        chosen = self.layout or next(iter(found), None)
        if chosen is None or chosen not in found:
            raise SourceError(nothing_found(self.folder, chosen, list(found)))
        for layout, sources in found.items():
            if layout != chosen:
                logger.info("%s: reads the layout '%s' and leaves %d of '%s' alone (--layout %s reads those)",
                            self.folder, chosen, len(sources), layout, layout)  # fmt: skip
        kept = [source for source in found[chosen] if self._is_wanted(source)]
        there = sorted({source.house for source in found[chosen] if source.house is not None})
        all_known = all(source.house is not None for source in found[chosen])
        missing = sorted(self.houses.difference(there)) if all_known else []
        if missing:
            raise SourceError(f"{self.folder}: has no house {missing[0]}; take --house {' or '.join(map(str, there))}")
        if not kept:
            raise SourceError(f"{self.folder}: nothing is left to read; name other houses with --house")
        return [self._part(number, source) for number, source in enumerate(kept)]

    def read(self, part: Part) -> Iterator[Batch]:
        """Yield the part's bins as checked batches."""
        if part.path.suffix == ".csv":
            yield from self._read_csv(part)
        elif part.member is None and part.path.suffix != ".dat":
            find_meters(part.path)  # says what is wrong with the file
            raise SourceError(f"{part.path}: has no /building1/elec/meter1 or the like; fetch NILMTK's UK-DALE file")
        elif part.member is None:
            house, meter = self._whose(part.path)
            ac_type: AcType | None = "active" if part.path.name == "mains.dat" else None
            yield from self._read_meter(part, house, meter, ac_type, read_text(part.path, block_bytes=self.block_bytes))
        else:
            with open_table(part.path, part.member) as table:
                column, ac_type = power_column(table, f"{part.path}{part.member}")
                yield from self._read_meter(part, *house_and_meter(part.member), ac_type, read_table(table, column))

    def raw_lines(self, part: Part, lines: Sequence[int]) -> Mapping[int, str]:
        """Return some lines or rows of a part."""
        if part.member is None:
            return text_lines(part.path, lines, block_bytes=self.block_bytes)
        with open_table(part.path, part.member) as table:
            return hdf5_lines(table, lines)

    def _read_meter(
        self, part: Part, house: int, number: int | None, ac_type: AcType | None, chunks: Iterator[tuple[Chunk, str]]
    ) -> Iterator[Batch]:
        meter = self.catalogue.meter(house, number, ac_type)
        is_clamp = number == self.catalogue.site(house).clamp
        switch_us = self._sound_card_from(part.path, part.member, house) if is_clamp else None
        bins, sha256 = MeterBins(meter, self.binning, switch_us=switch_us), ""
        for chunk, sha256 in chunks:
            yield _batch(bins.add(chunk), sha256)
            if bins.is_done:
                break
        yield _batch(bins.finish(), sha256)
        logger.info("%s: %s", part.name, bins.describe())

    def _read_csv(self, part: Part) -> Iterator[Batch]:
        """Read a file that may hold many meters, all of them at once."""
        switches = self._csv_switches(part.path)
        series: dict[tuple[int, int | None], MeterBins] = {}
        keyless, sha256 = Aside(None), ""
        for chunks, sha256 in read_csv(part.path, block_bytes=self.block_bytes):
            judged = []
            for house, number, chunk in chunks:
                if house is None:
                    aside, samples = keyless.rows(chunk), len(chunk.samples.ts_us)
                    judged.append(Judged(rejected=aside, samples=SampleCount(samples, samples, aside.height)))
                elif not self.houses or house in self.houses:
                    key = self._series(house, number)
                    if key not in series:
                        meter = self.catalogue.meter(house, number)
                        is_clamp = key[1] is not None and number == self.catalogue.site(house).clamp
                        switch_us = switches.get(house) if is_clamp else None
                        series[key] = MeterBins(meter, self.binning, switch_us=switch_us)
                    judged.append(series[key].add(chunk))
            yield _batch(Judged.together(judged), sha256)
        yield _batch(Judged.together(bins.finish() for bins in series.values()), sha256)
        for bins in series.values():
            logger.info("%s: %s", part.name, bins.describe())

    def _series(self, house: int, number: int | None) -> tuple[int, int | None]:
        """Return what tells a series apart: one for a house's aggregate, by whatever name, and one a meter."""
        site = self.catalogue.site(house)
        aggregate = site.clamp if site.sound_card is None else site.sound_card
        return (house, None if number == aggregate else number)

    def _csv_switches(self, path: Path) -> dict[int, int]:
        """Return each house's first aggregate sample, where the same file also holds its clamp's."""
        first: dict[tuple[int, int | None], int] = {}
        for chunks, _ in read_csv(path, block_bytes=self.block_bytes):
            for house, number, chunk in chunks:
                stamps = first_sound_us(chunk)
                if house is not None and stamps is not None:
                    key = self._series(house, number)
                    first[key] = min(stamps, first.get(key, stamps))
        return {house: ts_us for (house, number), ts_us in first.items() if number is None}

    def _part(self, number: int, source: Source) -> Part:
        size, stamp = size_and_stamp(source.path)
        if source.stored_bytes is not None:
            size = source.stored_bytes
        return Part(number, source.name, source.path, source.member, size, stamp)

    def _whose(self, path: Path) -> tuple[int, int | None]:
        """Return the house and meter of a text file."""
        house, channel = house_and_channel(path)
        return house, channel or self.catalogue.site(house).sound_card

    def _is_wanted(self, source: Source) -> bool:
        """Whether a source is of a house asked for, and measures what no better one does."""
        if source.house is None:
            return True
        if self.houses and source.house not in self.houses:
            return False
        site = self.catalogue.site(source.house)
        mains = source.path.with_name("mains.dat")
        if source.is_text and source.meter == site.sound_card and is_there(mains) and source.path != mains:
            logger.info("%s: is left alone, mains.dat holds the same meter", source.name)
            return False
        if source.meter != site.clamp:
            return True
        switch_us = self._sound_card_from(source.path, source.member, source.house)
        first_us = first_ts_us(source.path, source.member) if switch_us is not None else None
        if switch_us is None or first_us is None or first_us < switch_us:
            return True
        logger.info("%s: the clamp is left alone, house %d's sound card measures the same from its first sample on",
                    source.name, source.house)  # fmt: skip
        return False

    def _sound_card_from(self, path: Path, member: str | None, house: int) -> int | None:
        """Return the first sample of the sound card that stands beside a clamp, None if none does."""
        card = self.catalogue.site(house).sound_card
        if member is not None:
            node = f"/building{house}/elec/meter{card}"
            return first_ts_us(path, node) if node in {meter.node for meter in find_meters(path)} else None
        for name in ("mains.dat", f"channel_{card}.dat"):
            if is_there(path.with_name(name)):
                return first_ts_us(path.with_name(name), None)
        return None


def _batch(judged: Judged, sha256: str) -> Batch:
    rows = judged.readings.height + judged.rejected.height
    return Batch(judged.readings, judged.rejected, rows, sha256, judged.samples)
