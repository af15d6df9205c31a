"""Sound inputs in bad surroundings: permissions, and a disk that is full; and the same again when that is mended."""

import contextlib
import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import polars as pl
from tests.hostile import broken_text as text
from tests.hostile.good_files import SORTS, Sort, write_good
from tests.hostile.watch import Outcome, ingest

__all__ = ["SURROUNDINGS", "Surroundings", "nobody_may_read_this"]

NOBODY = 65534
FULL_BYTES = 8192
"""Room for the lock and one small file."""


class Surroundings(NamedTuple):
    """One case: ``make`` runs it in a folder and returns what came of it, before and after the mend."""

    name: str
    sort: Sort
    make: Callable[[Sort, Path], tuple[Outcome, Outcome]]
    says: str
    nothing: bool
    """Whether the first run put nothing in place."""


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, to whom every file is open."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def nobody_may_read_this() -> bool:
    """Whether the package itself can be read without the rights of root."""
    with as_nobody():
        return os.access(pl.__file__, os.R_OK, effective_ids=True)


def roots(sort: Sort, folder: Path) -> tuple[Path, Path]:
    """Return the input root with its sound file, and the output's, both open to everybody."""
    folder.chmod(0o777)
    root, out = folder / "raw", folder / "data"
    write_good(root, sort)
    out.mkdir()
    out.chmod(0o777)
    return root, out


def unreadable_file(sort: Sort, folder: Path) -> tuple[Outcome, Outcome]:
    root, out = roots(sort, folder)
    path = root / sort.bad
    if path.suffix in (".zip", ".h5", ".gz"):
        path.write_bytes((root / sort.good).read_bytes())
    else:
        path.write_bytes(sort.text(sort.lines()))
    path.chmod(0)
    with as_nobody():
        first = ingest(sort, root, out)
    text.zero_bytes(sort, path)
    path.unlink()
    with as_nobody():
        return first, ingest(sort, root, out)


def read_only_output(sort: Sort, folder: Path) -> tuple[Outcome, Outcome]:
    root, out = roots(sort, folder)
    out.chmod(0o555)
    with as_nobody():
        first = ingest(sort, root, out)
    out.chmod(0o777)
    with as_nobody():
        return first, ingest(sort, root, out)


@contextlib.contextmanager
def full_disk(out: Path) -> Iterator[None]:
    """Leave next to no room below ``out``: on a small file system where we may mount one, else by its error."""
    options = f"size={FULL_BYTES},mode=777"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(out)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out / ".staging" / "a.arrow"))
    with contextlib.ExitStack() as stack:
        if mounted:
            stack.callback(subprocess.run, ["umount", str(out)], check=True)
        else:
            for write in ("write_ipc", "write_parquet"):
                stack.enter_context(mock.patch.object(pl.DataFrame, write, side_effect=full))
        yield


def out_of_space(sort: Sort, folder: Path) -> tuple[Outcome, Outcome]:
    root, out = roots(sort, folder)
    with full_disk(out):
        first = ingest(sort, root, out)
        if os.path.ismount(out):
            subprocess.run(["mount", "-o", "remount,size=4m", str(out)], check=True)
            return first, ingest(sort, root, out)
    return first, ingest(sort, root, out)


def taken_output(sort: Sort, folder: Path) -> tuple[Outcome, Outcome]:
    root, out = roots(sort, folder)
    out.rmdir()
    out.write_text("a file where the folder should be")
    first = ingest(sort, root, out)
    out.unlink()
    return first, ingest(sort, root, out)


def _all() -> Iterator[Surroundings]:
    for sort in SORTS.values():
        says = r"Permission denied.*; (fetch|mend)"
        if sort.name != "weather kaggle":
            yield Surroundings("a file that may not be read", sort, unreadable_file, says, nothing=False)
    for name, make, says in (
        ("an output folder that may not be written", read_only_output, r"Permission denied.*; free space or mend"),
        ("a full disk", out_of_space, r"No space left on device: '.+'; free space or mend .*: it goes on from here"),
        ("a file where the output folder should be", taken_output, r"'.+'; free space or mend the permissions"),
    ):
        for sort in ("lcl", "ssen", "ukdale text", "weather midas"):
            yield Surroundings(name, SORTS[sort], make, says, nothing=True)


SURROUNDINGS = tuple(_all())
