"""A deflated or stored ZIP member as a stream, inflated by ISA-L, which is faster than zlib.

What ``zipfile`` promises holds here too: no byte beyond the size that the directory states, and a checksum at the end.
"""

import io
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
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


class _Member(io.RawIOBase):
    """The text of one member, from what is packed at the file's position."""

    def __init__(self, file: BinaryIO, info: zipfile.ZipInfo) -> None:
        self._file, self._info = file, info
        self._packed_left, self._left = info.compress_size, info.file_size
        self._inflate = isal_zlib.decompressobj(wbits=-15) if info.compress_type == zipfile.ZIP_DEFLATED else None
        self._crc = 0

    def readable(self) -> bool:
        """A stream to read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as one piece goes; 0 only at the end, which is checked."""
        wanted = min(len(buffer), self._left)
        data = self._unpack(wanted) if wanted else b""
        buffer[: len(data)] = data
        self._crc = isal_zlib.crc32(data, self._crc)
        self._left -= len(data)
        if not self._left and self._crc != self._info.CRC:
            raise zipfile.BadZipFile("its checksum is another one")
        return len(data)

    def _unpack(self, wanted: int) -> bytes:
        """Return some of the text, ``wanted`` bytes at most."""
        while True:
            waiting = self._inflate.unconsumed_tail if self._inflate else b""
            packed = waiting or self._file.read(min(_PIECE_BYTES if self._inflate else wanted, self._packed_left))
            self._packed_left -= 0 if waiting else len(packed)
            data: bytes = self._inflate.decompress(packed, wanted) if self._inflate else packed
            if data:
                return data
            if not packed:
                raise EOFError(f"ends {self._left} bytes early")


@lru_cache(maxsize=4)
def _directory(path: Path, size_bytes: int, mtime_ns: int) -> Mapping[str, zipfile.ZipInfo]:
    """Return an archive's members; of thousands, each is opened, and the directory read once."""
    with open_binary(path) as packed, zipfile.ZipFile(packed) as archive:
        return archive.NameToInfo


@contextmanager
def open_member(path: Path, member: str) -> Iterator[BinaryIO]:
    """Open a stored or deflated member for reading.

    Raises:
        SourceError: If the member is encrypted, or unpacks to a hundred times its size and more.
        DAMAGE: On damage, while reading.
    """
    facts = path.stat()
    info = _directory(path, facts.st_size, facts.st_mtime_ns)[member]
    if info.flag_bits & _ENCRYPTED:
        raise SourceError(f"{path}: {member} is encrypted; unpack it with its password and put the CSV files there")
    if info.file_size > max(_SMALL_BYTES, _RATIO * info.compress_size):
        raise SourceError(
            f"{path}: {member} would unpack from {info.compress_size} to {info.file_size} bytes, more than "
            f"{_RATIO} to 1, as no readings do; fetch the archive again from its publisher"
        )
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError(f"compression method {info.compress_type}")
    with open_binary(path) as file:
        file.seek(info.header_offset)
        magic, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        if magic != b"PK\x03\x04":
            raise zipfile.BadZipFile("no local header where the directory says")
        file.seek(name_bytes + extra_bytes, io.SEEK_CUR)
        yield cast(BinaryIO, io.BufferedReader(_Member(file, info), _PIECE_BYTES))
