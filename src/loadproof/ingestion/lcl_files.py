"""Where Low Carbon London's rows are: the forms in which it is published, found and opened."""

import logging
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from loadproof.errors import SourceError
from loadproof.ingestion.inflate import DAMAGE, open_member
from loadproof.ingestion.layouts import LCLLayout
from loadproof.parts import Part, open_binary, size_and_stamp

__all__ = ["FINDERS", "Source", "nothing_found", "open_part"]

logger = logging.getLogger(__name__)

_PART_NAME: Final = re.compile(
    r"(?:LCL-June2015v2|Power-Networks-LCL-June2015\(withAcornGps\)v2)_([0-9]{1,9})\.csv", re.I
)
_SINGLE_NAME: Final = re.compile(r"(?:CC_LCL-FullData|Power-Networks-LCL.*v2|lcl_sample)()\.csv", re.I)
_BLOCK_NAME: Final = re.compile(r"block_([0-9]{1,9})\.csv", re.I)
_READABLE_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DEFLATE64: Final = 9  # the number in the ZIP format; Python's zipfile has no name for it and no code


class Source(NamedTuple):
    """A ``Part`` without its number."""

    name: str
    path: Path
    member: str | None
    size_bytes: int
    stamp: str


def _members(path: Path) -> list[zipfile.ZipInfo]:
    """Return the CSV members of one archive in the order of their numbers."""
    try:
        with open_binary(path) as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{path}: not a whole ZIP archive ({error}); fetch it again, or move it away") from error
    known = [info for info in infos if not info.is_dir() and _number(Path(info.filename)) is not None]
    names = Counter(info.filename for info in known)
    if doubled := [name for name, count in names.items() if count > 1]:
        raise SourceError(
            f"{path}: holds {names[doubled[0]]} members called {doubled[0]!r}; pack each under its own name"
        )
    return sorted(known, key=lambda info: (_number(Path(info.filename)), info.filename))


def _number(path: Path) -> int | None:
    match = _PART_NAME.fullmatch(path.name) or _SINGLE_NAME.fullmatch(path.name)
    return int(match[1] or 0) if match else None


def _archives(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() == ".zip")


def _find_archive(folder: Path) -> Iterator[Source]:
    """Yield the parts of the partitioned archives; the single file in an archive only where there are none.

    An archive that is damaged is a part of its own, which fails when it is read and keeps no other out.
    """
    readable: dict[Path, list[zipfile.ZipInfo]] = {}
    for path in _archives(folder):
        try:
            members = _members(path)
        except SourceError:
            yield Source(path.name, path, None, *size_and_stamp(path))
            continue
        if any(info.compress_type not in _READABLE_METHODS for info in members):
            logger.info("%s: leaves %s alone, its compression cannot be read here", folder, path.name)
        elif members:
            readable[path] = members
        else:
            logger.info("%s: leaves %s alone, it holds no Low Carbon London file", folder, path.name)
    partitioned = {path: infos for path, infos in readable.items() if any(_is_part(info) for info in infos)}
    for path in readable.keys() - partitioned.keys() if partitioned else ():
        logger.info("%s: leaves %s alone, the partitioned archive has its rows", folder, path.name)
    chosen = partitioned or readable
    for path, infos in chosen.items():
        for info in infos:
            name = info.filename if len(chosen) == 1 else f"{path.name}/{info.filename}"
            yield Source(name, path, info.filename, info.file_size, f"{info.CRC:08x}")


def _is_part(info: zipfile.ZipInfo) -> bool:
    return _PART_NAME.fullmatch(Path(info.filename).name) is not None


def _find_files(pattern: re.Pattern[str], *below: str) -> Callable[[Path], Iterator[Source]]:
    def find(folder: Path) -> Iterator[Source]:
        files = [path for name in ("", *below) for path in (folder / name).glob("*") if pattern.fullmatch(path.name)]
        numbers = {path: int(cast(re.Match[str], pattern.fullmatch(path.name))[1] or 0) for path in files}
        for path in sorted(files, key=lambda path: (numbers[path], path)):
            yield Source(path.relative_to(folder).as_posix(), path, None, *size_and_stamp(path))

    return find


FINDERS: Final[dict[LCLLayout, Callable[[Path], Iterator[Source]]]] = {
    "archive": _find_archive,
    "parts": _find_files(_PART_NAME, "Small LCL Data"),
    "single": _find_files(_SINGLE_NAME),
    "kaggle": _find_files(_BLOCK_NAME, "halfhourly_dataset", "halfhourly_dataset/halfhourly_dataset"),
}


def nothing_found(folder: Path, layout: str | None, found: Sequence[str]) -> str:
    """Say what is missing, or why what is there cannot be read, and what to do."""
    for path in _archives(folder):
        for info in _members(path):
            if info.compress_type not in _READABLE_METHODS:
                method = "deflate64 (method 9)" if info.compress_type == _DEFLATE64 else f"method {info.compress_type}"
                return (
                    f"{path}: {info.filename} is compressed with {method}, which Python cannot read; "
                    f"unpack it with 'unzip' or '7z x' into {folder}, or fetch 'Partitioned LCL Data.zip' instead"
                )
    if layout and found:
        return f"{folder}: no files of the layout '{layout}'; take --layout {' or '.join(found)}"
    return (
        f"{folder}: no Low Carbon London files; put 'Partitioned LCL Data.zip' of the London Datastore's "
        "'SmartMeter Energy Consumption Data in London Households' there, or name another folder with --input-root"
    )


@contextmanager
def open_part(part: Part) -> Iterator[BinaryIO]:
    """Open a part for reading; what is broken in it becomes one clear error."""
    try:
        if part.member is None:
            if part.path.suffix.lower() == ".zip":
                _members(part.path)  # says what is wrong with it
            with open_binary(part.path) as stream:
                yield stream
        else:
            with open_member(part.path, part.member) as stream:
                yield stream
    except DAMAGE as error:
        raise SourceError(f"{part.path} ({part.name}): broken off or damaged ({error}); fetch it again") from error
