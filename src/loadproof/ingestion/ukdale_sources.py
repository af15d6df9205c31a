"""Where UK-DALE's meters lie below a folder: one finder a layout, and when a meter begins."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, cast

from loadproof.errors import SourceError
from loadproof.ingestion.hdf5 import find_meters, open_table
from loadproof.ingestion.layouts import UKDALELayout
from loadproof.ingestion.ukdale_files import first_sound_us, first_text_ts_us, power_column, read_table
from loadproof.ingestion.ukdale_meters import HOUSES

__all__ = [
    "FINDERS", "Source", "first_ts_us", "house_and_channel", "house_and_meter", "is_there",
    "nothing_found",
]  # fmt: skip

_NODE: Final = re.compile(r"/building(\d{1,3})/elec/meter(\d{1,3})")
_HOUSE: Final = re.compile(r"house_(\d{1,3})")
_CHANNEL: Final = re.compile(r"channel_(\d\d?)\.dat")  # not channel_1_button_press.dat
_HEAD_ROWS: Final = 4096


class Source(NamedTuple):
    """A ``Part`` without its number, and whose it is; null where that shows only inside."""

    name: str
    path: Path
    member: str | None
    house: int | None
    meter: int | None
    stored_bytes: int | None = None

    @property
    def is_text(self) -> bool:
        """Whether it is of the text layout."""
        return self.path.suffix == ".dat"


def house_and_meter(node: str) -> tuple[int, int]:
    """Return the house and meter of an HDF5 node."""
    match = cast(re.Match[str], _NODE.fullmatch(node))
    return int(match[1]), int(match[2])


def house_and_channel(path: Path) -> tuple[int, int | None]:
    """Return the house and, unless it is ``mains.dat``, the meter of a text file."""
    house, channel = cast(re.Match[str], _HOUSE.fullmatch(path.parent.name)), _CHANNEL.fullmatch(path.name)
    return int(house[1]), int(channel[1]) if channel else None


def is_there(path: Path) -> bool:
    """Whether a file has that name, be it broken: what cannot be read is reported, never passed over."""
    return os.path.lexists(path)


def first_ts_us(path: Path, member: str | None) -> int | None:
    """Return a meter's first sample, None if it has none; one that cannot be read counts as there from the start.

    So a broken sound card is never quietly replaced by the clamp: its own part says what is wrong.
    """
    try:
        if member is None:
            return first_text_ts_us(path)
        with open_table(path, member) as table:
            chunks = read_table(table, power_column(table, member)[0], chunk_rows=_HEAD_ROWS)
            return next((first for chunk, _ in chunks if (first := first_sound_us(chunk)) is not None), None)
    except SourceError:
        return 0


def _find_hdf5(folder: Path) -> Iterator[Source]:
    for path in sorted(path for path in folder.glob("*") if path.suffix.lower() in (".h5", ".hdf5")):
        try:
            meters = find_meters(path)
        except SourceError:
            meters = []
        if not meters:
            yield Source(path.name, path, None, None, None)  # its part says what is wrong with it
        for house, meter, node, stored_bytes in meters:
            yield Source(f"{path.name}{node}", path, node, house, meter, stored_bytes)


def _find_text(folder: Path) -> Iterator[Source]:
    houses = {path: match for path in folder.glob("house_*") if (match := _HOUSE.fullmatch(path.name))}
    for below in sorted(houses, key=lambda path: int(houses[path][1])):
        house = int(houses[below][1])
        channels = {
            int(match[1]): path for path in below.glob("channel_*.dat") if (match := _CHANNEL.fullmatch(path.name))
        }
        for number in sorted(channels):
            yield Source(f"{below.name}/{channels[number].name}", channels[number], None, house, number)
        if is_there(below / "mains.dat"):
            card = HOUSES[house].sound_card if house in HOUSES else None
            yield Source(f"{below.name}/mains.dat", below / "mains.dat", None, house, card)


def _find_csv(folder: Path) -> Iterator[Source]:
    # Beside the folders of other sources stand their samples too.
    for path in sorted(folder.glob("*.csv" if folder.name == "ukdale" else "ukdale*.csv")):
        yield Source(path.name, path, None, None, None)


FINDERS: Final[dict[UKDALELayout, Callable[[Path], Iterator[Source]]]] = {
    "hdf5": _find_hdf5,
    "text": _find_text,
    "csv": _find_csv,
}


def nothing_found(folder: Path, layout: str | None, found: Sequence[str]) -> str:
    """Return why there is nothing to read, and the mend."""
    if layout and found:
        return f"{folder}: no files of the layout '{layout}'; take --layout {' or '.join(found)}"
    archives = sorted(path.name for path in folder.glob("*.zip")) if folder.is_dir() else []
    if archives:
        return f"{folder}: {archives[0]} is still packed; unpack it there with 'unzip' or '7z x'"
    return (
        f"{folder}: no UK-DALE files; put 'ukdale.h5' (unpacked) or the folders 'house_1' to 'house_5' of the UKERC "
        "Energy Data Centre's UK-DALE-2017 there, or name another folder with --input-root"
    )
