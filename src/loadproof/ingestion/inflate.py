"""A deflated ZIP member as a stream, inflated by ISA-L, which is faster than zlib.

What ``zipfile`` promises holds here too: no byte beyond
the size that the directory states, and a checksum at the end.
"""

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from isal import isal_zlib

from loadproof.errors import SourceError
from loadproof.parts import open_binary

__all__ = ["DAMAGE", "open_member"]

_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")
_ENCRYPTED: Final = 0x1
_RATIO: Final = 100
_SMALL_BYTES: Final = 16 * 2**20
"""Readings pack ten to thirty to one, deflate a thousand to one at most: what unpacks to more than ``_RATIO`` times its
packed size is a bomb, unless it is small."""

DAMAGE: Final[tuple[type[Exception], ...]] = (
    zipfile.BadZipFile, cast("type[Exception]", isal_zlib.error), struct.error, EOFError, OSError, KeyError, ValueError,
    NotImplementedError,
)  # fmt: skip
"""What reading a broken archive or member raises."""
_PIECE_BYTES: Final = 2**18


class _Inflated(io.RawIOBase):
    """The text of one member, from the raw deflate stream at the file's position."""

    def __init__(self, file: BinaryIO, info: zipfile.ZipInfo) -> None:
        self._file, self._info = file, info
        self._packed_left, self._left = info.compress_size, info.file_size
        self._inflate = isal_zlib.decompressobj(wbits=-15)
        self._crc = 0

    def readable(self) -> bool:
        """A stream to read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as one piece goes; 0 only at the end, which is checked."""
        wanted = min(len(buffer), self._left)
        data = b""
        while wanted and not data:
            packed = self._inflate.unconsumed_tail or self._file.read(min(_PIECE_BYTES, self._packed_left))
            if not self._inflate.unconsumed_tail:
                self._packed_left -= len(packed)
            data = self._inflate.decompress(packed, wanted)
            if not data and not packed:
                raise EOFError(f"ends {self._left} bytes early")
        buffer[: len(data)] = data
        self._crc = isal_zlib.crc32(data, self._crc)
        self._left -= len(data)
        if not self._left and self._crc != self._info.CRC:
            raise zipfile.BadZipFile("its checksum is another one")
        return len(data)


@contextmanager
def open_member(path: Path, member: str) -> Iterator[BinaryIO]:
    """Open a stored or deflated member for reading.

    Raises:
        SourceError: If the member is encrypted, or unpacks to a hundred times its size and more.
        DAMAGE: On damage, while reading.
    """
    with open_binary(path) as packed, zipfile.ZipFile(packed) as archive:
        info = archive.getinfo(member)
        if info.flag_bits & _ENCRYPTED:
            raise SourceError(f"{path}: {member} is encrypted; unpack it with its password and put the CSV files there")
        if info.file_size > max(_SMALL_BYTES, _RATIO * info.compress_size):
            raise SourceError(
                f"{path}: {member} would unpack from {info.compress_size} to {info.file_size} bytes, more than "
                f"{_RATIO} to 1, as no readings do; fetch the archive again from its publisher"
            )
        if info.compress_type != zipfile.ZIP_DEFLATED:
            with archive.open(info) as stored:
                yield cast(BinaryIO, stored)
            return
    with open_binary(path) as file:
        file.seek(info.header_offset)
        magic, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        if magic != b"PK\x03\x04":
            raise zipfile.BadZipFile("no local header where the directory says")
        file.seek(name_bytes + extra_bytes, io.SEEK_CUR)
        yield cast(BinaryIO, io.BufferedReader(_Inflated(file, info), _PIECE_BYTES))
