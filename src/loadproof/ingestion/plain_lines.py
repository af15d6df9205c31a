"""Lines of the one shape in which nearly all of a release is printed, read eight bytes at a time.

``MAC000002,Std,2012-10-12 00:30:00.0000000, 0.143 ``: all fields but the last are of fixed width, so each is a
column of machine words. A line of any other shape is not judged here at all, only told: the general reader has it.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadproof.ingestion.text import Block

__all__ = ["KEY_BYTES", "PlainLines", "read_plain"]

Integers = NDArray[np.signedinteger[Any]]
Words = NDArray[np.uint64]

KEY_BYTES: Final[Mapping[tuple[str, ...], int]] = {
    ("home", "tariff_group", "stamp", "value"): 13,
    ("home", "stamp", "value"): 9,
}
"""By columns, the bytes before the stamp: a home's name of nine, and in the London release ``Std`` or ``ToU``."""

_STAMP_BYTES: Final = 27
_HALF_HOUR_US: Final = 1_800_000_000
_LINES_A_RUN: Final = 16
"""Homes stand together, some thousand lines each; where they change more often than this, nothing is won."""

_MONTHS: Final = {
    f"{year}-{month:02d}-".encode(): np.datetime64(f"{year}-{month:02d}")
    for year in range(2000, 2100)
    for month in range(1, 13)
}


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


def _each(byte: int) -> np.uint64:
    return _word(bytes([byte] * 8))


_WORD_BYTES: Final = 8
_AT_ONCE: Final = 32_768
"""Few enough lines that what is worked out of them on the way stays in the processor's cache."""
_TENS: Final = 10 ** np.arange(17, dtype=np.uint64)
# The last 0 to 8 bytes of a word, which stand highest in it.
_LAST: Final = np.array([0, *(2**64 - 2 ** (64 - 8 * n) for n in range(1, 9))], dtype=np.uint64)


class PlainLines(NamedTuple):
    """A block's lines, less a header; what a line that is not ``plain`` has in the other columns means nothing.

    ``key`` is the place in ``keys`` of the text before each line's stamp; ``stamp_us`` is the stamp as printed, and
    ``energy_kwh`` the double nearest to the value.
    """

    plain: NDArray[np.bool_]
    keys: list[bytes]
    key: Integers
    stamp_us: Integers
    energy_kwh: NDArray[np.float64]


def read_plain(block: Block, key_bytes: int) -> PlainLines | None:
    """Return the block's lines; None where they are too few or too mixed for this to pay."""
    data, skipped = block.data, int(block.first_line == 1)
    starts, ends = block.starts[skipped:], block.ends[skipped:]
    least = key_bytes + 1 + _STAMP_BYTES + len(", 0 ")
    if len(starts) < _LINES_A_RUN or len(data) < least:
        return None
    words: Words = np.ndarray(len(data) - _WORD_BYTES + 1, dtype="<u8", buffer=data, strides=(1,))
    plain = ends - starts >= least
    # A line too short for its fields stands near the end of the text perhaps, and is read from where it does not.
    starts = np.minimum(starts, len(data) - least)
    runs = _runs(words, starts, key_bytes)
    if len(runs) > len(starts) // _LINES_A_RUN:
        return None
    keys, key = _keys(data, starts, runs, key_bytes)
    stamp_us, energy_kwh = np.empty(len(starts), dtype=np.int64), np.empty(len(starts))
    for some in (slice(n, n + _AT_ONCE) for n in range(0, len(starts), _AT_ONCE)):
        stamp_us[some] = _stamps(words, starts[some] + (key_bytes + 1), plain[some])
        energy_kwh[some] = _values(data, words, starts[some] + (least - 3), ends[some], plain[some])
    return PlainLines(plain, keys, key, stamp_us, energy_kwh)


def _runs(words: Words, starts: Integers, key_bytes: int) -> Integers:
    """Return the lines at which the text before the stamp, its comma included, is not that of the line before."""
    first, second = words[starts], words[starts + (key_bytes - 7)]
    return np.flatnonzero(np.concatenate(([True], (first[1:] != first[:-1]) | (second[1:] != second[:-1]))))


def _keys(data: bytes, starts: Integers, runs: Integers, key_bytes: int) -> tuple[list[bytes], Integers]:
    """Return the distinct texts before a stamp, and each line's place among them."""
    places: dict[bytes, int] = {}
    of_run = [places.setdefault(data[at : at + key_bytes + 1], len(places)) for at in starts[runs].tolist()]
    lengths = np.diff(np.append(runs, len(starts)))
    return list(places), np.repeat(np.array(of_run, dtype=np.int64), lengths)


def _stamps(words: Words, at: Integers, plain: NDArray[np.bool_]) -> Integers:
    """Return the microseconds of ``2012-10-12 00:30:00.0000000,`` at each place; what is no half hour is not plain."""
    month, length = _months(words[at])
    moment = words[at + 8] ^ _word(b"00 00:00")  # "12 00:30"
    plain &= ((moment + _each(6)) | moment) & _each(0xF0) == 0
    moment = moment * np.uint64(10) + (moment >> np.uint64(8))
    day, hour, minute = (((moment >> np.uint64(shift)) & np.uint64(0xFF)).view(np.int64) for shift in (0, 24, 48))
    plain &= (day >= 1) & (day <= length) & (hour < 24) & ((minute == 0) | (minute == 30))
    plain &= (words[at + 16] == _word(b":00.0000")) & (words[at + 20] == _word(b"0000000,"))
    half_hour: Integers = (month + day - 1) * 48 + hour * 2 + (minute == 30)
    return half_hour * _HALF_HOUR_US


def _months(text: Words) -> tuple[Integers, Integers]:
    """Return the day on which each ``2012-10-`` begins, and how many it has; none where it is no month."""
    runs = np.flatnonzero(np.concatenate(([True], text[1:] != text[:-1])))
    months = [_MONTHS.get(month.tobytes()) for month in text[runs]]
    first = np.array([0 if month is None else month.astype("M8[D]").astype(int) for month in months])
    after = np.array([0 if month is None else (month + 1).astype("M8[D]").astype(int) for month in months])
    lengths = np.diff(np.append(runs, len(text)))
    return np.repeat(first, lengths), np.repeat(after - first, lengths)


def _values(data: bytes, words: Words, at: Integers, ends: Integers, plain: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the number between the spaces at ``at`` and before ``ends``; what is none is not plain."""
    text = np.frombuffer(data, dtype=np.uint8)
    ends = ends - (text[ends - 1] == ord("\r"))
    plain &= (text[at] == ord(" ")) & (text[ends - 1] == ord(" "))
    length = ends - at - 2
    last = np.maximum(ends - 1 - _WORD_BYTES, 0)
    number, decimals, fits = _numbers(words[last], np.clip(length, 0, _WORD_BYTES))
    long = np.flatnonzero(plain & (length > _WORD_BYTES) & (length <= 2 * _WORD_BYTES))
    plain &= (length > 0) & (length <= 2 * _WORD_BYTES) & fits
    if len(long):
        above, far, more = _numbers(words[last[long] - _WORD_BYTES], length[long] - _WORD_BYTES)
        plain[long] &= more & ((far < 0) | (decimals[long] < 0))
        number[long] += above * np.uint64(10**_WORD_BYTES)
        decimals[long] = np.where(far < 0, decimals[long], far + _WORD_BYTES)
    # A dot that ends or begins the number is for the general reader.
    dotted = decimals >= 0
    plain &= (decimals != 0) & (decimals != length - 1)
    # The dot was read as a zero between the digits on its two sides.
    after = _TENS[np.where(dotted, decimals + 1, 0)]
    whole = np.where(dotted, number // after, 0)
    number = np.where(dotted, number - whole * (after - after // np.uint64(10)), number)
    # Two exact doubles, so that their quotient is the double nearest to the text.
    return number / _TENS[np.maximum(decimals, 0)]


def _numbers(word: Words, length: Integers) -> tuple[Words, Integers, NDArray[np.bool_]]:
    """Read the last ``length`` bytes of each word as digits, among them one dot at most, which counts as zero.

    Returns:
        The numbers, how many digits follow the dot (-1 without one), and whether there is nothing else.
    """
    word = (word ^ _each(ord("0"))) & _LAST[length]
    other = (((word & _each(0x7F)) + _each(0x80 - 10)) | word) & _each(0x80)
    dot = other >> np.uint64(7)
    byte = dot * np.uint64(0xFF)
    fits = ((other & (other - np.uint64(1))) == 0) & ((word & byte) == dot * np.uint64(ord(".") ^ ord("0")))
    after = ((dot * np.uint64(0x0706050403020100)) >> np.uint64(56)).view(np.int64)
    decimals = np.where(fits & (dot != 0), after, -1)
    word &= ~byte
    for digits, lanes in ((1, 0x00FF00FF00FF00FF), (2, 0x0000FFFF0000FFFF), (4, 0x00000000FFFFFFFF)):
        word = (word * np.uint64(10**digits) + (word >> np.uint64(8 * digits))) & np.uint64(lanes)
    return word, decimals, fits
