"""One remote file to one local file: resumed where it broke off, checked, and in place whole or not at all.

Beside ``name`` lie ``name.part`` (bytes so far), ``.name.part.json`` (which version of the remote file they are of)
and ``.name.fetched.json`` (which version ``name`` is). The server never names a file.
"""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

import requests
from filelock import FileLock, Timeout

from loadproof.errors import SourceError
from loadproof.ingestion.remote_version import (
    PARTIAL,
    RANGE_NOT_SATISFIABLE,
    Version,
    bare_etag,
    continues,
    read_version,
    size_told,
    version_told,
)

__all__ = ["Get", "fetch_file", "is_fetched"]

logger = logging.getLogger(__name__)

CHUNK_BYTES: Final = 2**16
"""What a broken connection costs at most, and how often progress is told."""

TIMEOUTS_S: Final = (10.0, 60.0)
"""To connect, and between two bytes."""

SPARE_BYTES: Final = 64 * 2**20
"""What a download leaves free on the disk."""

MUCH_BYTES: Final = 16 * 2**20
"""A connection that brought this much earns the file its retries back."""

_OK: Final = 200


class Get(Protocol):
    """``requests.Session.get`` or what behaves like it: paces, authorises and retries as it likes."""

    def __call__(
        self, url: str, *, headers: dict[str, str], stream: bool, timeout: tuple[float, float]
    ) -> requests.Response:
        """Return the answer with its body unread."""


class _BrokenOffError(Exception):
    """The body ended early; what came is kept."""


def free_bytes(folder: Path) -> int:
    """Return the bytes that are free on the disk of ``folder``."""
    return shutil.disk_usage(folder).free


def is_fetched(to: Path, *, size: int | None = None, etag: str | None = None, sha256: str | None = None) -> bool:
    """Return whether ``to`` is there, whole, and of the wanted version as far as that is known."""
    if not to.is_file():
        return False
    known, here = read_version(_beside(to, "fetched")), to.stat().st_size
    if here != (size if size is not None else here) or (known and known.size not in (None, here)):
        return False
    if etag is not None and (known is None or bare_etag(known.etag) != bare_etag(etag)):
        return False
    return sha256 is None or _sha256(to) == sha256.lower()


def fetch_file(
    get: Get,
    url: str,
    to: Path,
    *,
    size: int | None = None,
    etag: str | None = None,
    sha256: str | None = None,
    force: bool = False,
    retries: int = 3,
    sleep: Callable[[float], None] = time.sleep,
    free_bytes: Callable[[Path], int] = free_bytes,
) -> Iterator[int]:
    """Bring ``url`` to ``to``, yielding how many bytes are there so far; nothing is fetched where it is there.

    A body that is cut short is continued by ``Range``, on condition (``If-Range``) that the remote file is unchanged.
    Errors of status and connection are for ``get`` to retry.

    Args:
        get: Sends each request.
        url: What to fetch.
        to: The file to be; its folder is made.
        size: Its bytes, where known.
        etag: Its ETag in a listing, where known; quotes do not matter.
        sha256: Its digest in hexadecimal, where known.
        force: Fetch it although it is there.
        retries: How often a cut body is continued before giving up.
        sleep: Waits between them.
        free_bytes: Tells the free bytes of a folder's disk.

    Raises:
        SourceError: If the server refuses, the file is not the wanted one, the disk is full, or all retries broke off.
            What came so far stays for the next run where it can be continued.
    """
    if not force and is_fetched(to, size=size, etag=etag, sha256=sha256):
        logger.info("%s: is there already", to)
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    wanted = _Wanted(url, to, size, etag, sha256)
    try:
        with FileLock(_beside(to, "lock", "")).acquire(timeout=0):
            yield from _fetch(get, wanted, retries, sleep, free_bytes)
    except Timeout as error:
        raise SourceError(f"{to}: another process fetches it now; wait for it to end") from error


@dataclass(frozen=True)
class _Wanted:
    url: str
    to: Path
    size: int | None
    etag: str | None
    sha256: str | None

    @property
    def shown(self) -> str:
        """The URL for messages: what follows a question mark may be a signature."""
        return self.url.split("?", 1)[0]

    @property
    def part(self) -> Path:
        return self.to.with_name(f"{self.to.name}.part")

    @property
    def version(self) -> Path:
        return _beside(self.to, "part")

    def drop(self) -> None:
        """Forget the bytes so far."""
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)


def _fetch(
    get: Get, wanted: _Wanted, retries: int, sleep: Callable[[float], None], free: Callable[[Path], int]
) -> Iterator[int]:
    tries = 0
    while True:
        before = wanted.part.stat().st_size if wanted.part.exists() else 0
        try:
            yield from _attempt(get, wanted, free)
            break
        except _BrokenOffError as error:
            here = wanted.part.stat().st_size if wanted.part.exists() else 0
            tries = 0 if here - before >= MUCH_BYTES else tries + 1
            if tries > retries:
                mend = "run the same command again, which continues it"
                raise SourceError(
                    f"{wanted.shown}: broke off after {here} bytes, {tries} times ({error}); {mend}"
                ) from error
            logger.info("%s: broke off after %d bytes, continues (%d of %d)", wanted.to.name, here, tries, retries)
            sleep(0.5 * 2**tries)
    _check(wanted)
    wanted.part.replace(wanted.to)
    wanted.version.replace(_beside(wanted.to, "fetched"))


def _attempt(get: Get, wanted: _Wanted, free: Callable[[Path], int]) -> Iterator[int]:
    """Send one request, for the rest if a part can be continued, and append its body."""
    here, known = _resumable(wanted)
    headers = {"Accept-Encoding": "identity"}  # of an encoded body neither length nor range would be the file's
    if known:
        headers |= {"Range": f"bytes={here}-", "If-Range": known.condition or ""}
    try:
        answer = get(wanted.url, headers=headers, stream=True, timeout=TIMEOUTS_S)
    except requests.RequestException as error:
        raise SourceError(
            f"{wanted.shown}: no answer ({type(error).__name__}); check the connection and run it again"
        ) from error
    with closing(answer):
        if known and answer.status_code == RANGE_NOT_SATISFIABLE:
            if size_told(answer) == here:
                return
            wanted.drop()
            raise _BrokenOffError("the part is longer than the file")
        _refuse(answer, wanted)
        version = version_told(answer, wanted.url)
        if answer.status_code == PARTIAL and (known is None or not continues(answer, version, known, here)):
            wanted.drop()
            raise _BrokenOffError("the server continued another file or place")
        start = here if answer.status_code == PARTIAL else 0
        version = known if known and start else version
        if known and not start:
            logger.info("%s: the server sends it from the start (changed, or no ranges)", wanted.to.name)
        _refuse_size(version, wanted)
        _make_room(wanted, (wanted.size or version.size or 0) - start, free)
        yield from _append(answer, wanted, version, start)


def _append(answer: requests.Response, wanted: _Wanted, version: Version, start: int) -> Iterator[int]:
    limit = wanted.size if wanted.size is not None else version.size
    here = start
    if not start:
        wanted.part.unlink(missing_ok=True)  # before its version: bytes without a version are never continued
    wanted.version.write_text(json.dumps(asdict(version)))
    try:
        with wanted.part.open("ab") as stream:
            for chunk in answer.iter_content(CHUNK_BYTES):
                here += stream.write(chunk)
                if limit is not None and here > limit:
                    break
                yield here
            stream.flush()
            os.fsync(stream.fileno())
    except requests.RequestException as error:
        raise _BrokenOffError(str(error)) from error
    except OSError as error:
        raise SourceError(f"{wanted.part}: cannot be written ({error}); free space and run it again") from error
    if limit is not None and here > limit:
        wanted.drop()
        raise SourceError(f"{wanted.shown}: sends more than its {limit} bytes; fetch it by hand and check it")
    if version.size is not None and here < version.size:
        raise _BrokenOffError(f"{here} of {version.size} bytes")


def _resumable(wanted: _Wanted) -> tuple[int, Version | None]:
    """Return the bytes there and their version, or 0 and none where they cannot be continued safely."""
    known = read_version(wanted.version)
    here = wanted.part.stat().st_size if wanted.part.is_file() else 0
    fits = known is not None and known.url == wanted.url and known.condition and here
    if known is None or not fits or (wanted.etag and bare_etag(known.etag) != bare_etag(wanted.etag)):
        return 0, None
    return here, known


def _refuse(answer: requests.Response, wanted: _Wanted) -> None:
    """Raise unless the answer is a file and came the way that the URL promises."""
    url, status = wanted.shown, answer.status_code
    if status not in (_OK, PARTIAL):
        mends = {401: "sign in and fetch it by hand", 403: "open the dataset's page in a browser and fetch it by hand",
                 404: "it may have moved: look at the dataset's page"}  # fmt: skip
        raise SourceError(f"{url}: answered {status} {answer.reason or ''}; {mends.get(status, 'try again later')}")
    hops = [*(hop.url for hop in answer.history), answer.url]
    if url.startswith("https:") and not all(hop.startswith("https:") for hop in hops):
        raise SourceError(f"{url}: redirects to a plain http address; fetch it by hand if you trust that")
    kind = answer.headers.get("Content-Type", "")
    if kind.startswith("text/html") and wanted.to.suffix not in (".html", ".htm"):
        raise SourceError(f"{url}: answered with a web page, often a sign-in; open it in a browser, fetch it by hand")
    told = answer.headers.get("ETag")
    if wanted.etag and told and bare_etag(told) != bare_etag(wanted.etag):
        raise SourceError(f"{url}: is another version ({told}) than listed ({wanted.etag}); fetch the listing again")


def _refuse_size(version: Version, wanted: _Wanted) -> None:
    if wanted.size is not None and version.size is not None and version.size != wanted.size:
        raise SourceError(
            f"{wanted.shown}: has {version.size} bytes where {wanted.size} were expected: published anew, or "
            "another file; look at the dataset's page and fetch it by hand"
        )


def _make_room(wanted: _Wanted, need: int, free: Callable[[Path], int]) -> None:
    there = free(wanted.to.parent)
    if there < need + SPARE_BYTES:
        raise SourceError(
            f"{wanted.to.parent}: {there / 1e9:.2f} GB free, but {wanted.to.name} takes {need / 1e9:.2f} GB and "
            f"{SPARE_BYTES / 1e9:.2f} GB should stay free; free space or name another folder"
        )


def _check(wanted: _Wanted) -> None:
    """Raise, and forget the part, unless it is the wanted file."""
    here = wanted.part.stat().st_size
    if wanted.size is not None and here != wanted.size:
        wanted.drop()
        raise SourceError(f"{wanted.shown}: gave {here} bytes where {wanted.size} were expected; run it again")
    if wanted.sha256 is not None and (found := _sha256(wanted.part)) != wanted.sha256.lower():
        wanted.drop()
        raise SourceError(
            f"{wanted.shown}: its SHA-256 is {found}, not {wanted.sha256}: damaged, or another file; run it again"
        )


def _beside(to: Path, what: str, suffix: str = ".json") -> Path:
    return to.with_name(f".{to.name}.{what}{suffix}")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
