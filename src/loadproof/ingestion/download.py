"""The published files of each source, fetched for a user who has the internet. What is where: ``sources.py``."""

import logging
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from loadproof import __version__
from loadproof.errors import SourceError
from loadproof.ingestion.fetch import SPARE_BYTES, Get, fetch_file, free_bytes, is_fetched
from loadproof.ingestion.sources import SOURCES, RemoteFile, Source

__all__ = ["SOURCES", "Progress", "download", "notice", "open_session"]

logger = logging.getLogger(__name__)

# The London Datastore answers library agents with 403; SSEN's hosts are known to want a browser's.
_USER_AGENT: Final = f"Mozilla/5.0 (compatible; loadproof/{__version__})"
_RETRY_STATUSES: Final = (429, 500, 502, 503, 504)
_ENCRYPTED: Final = 0x1
_UNPACKED_LIMIT_BYTES: Final = 40 * 10**9


class Progress(NamedTuple):
    """How far one file is; ``total_bytes`` may be approximate."""

    name: str
    done_bytes: int
    total_bytes: int


class _HostToken(requests.auth.AuthBase):
    """Sends a token to one host alone; requests itself drops it when redirected elsewhere."""

    def __init__(self, host: str, token: str) -> None:
        self._host, self._token = host, token

    def __repr__(self) -> str:
        return f"_HostToken({self._host!r}, ...)"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        where = urlsplit(request.url or "")
        if where.scheme == "https" and where.hostname == self._host:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def open_session(source: Source, *, token: str | None = None, backoff_s: float = 0.5) -> requests.Session:
    """Return a session that retries what passes, and sends ``token`` to the source's own host alone."""
    session = requests.Session()
    session.headers["User-Agent"] = _USER_AGENT
    retry = Retry(
        total=3,
        backoff_factor=backoff_s,
        status_forcelist=_RETRY_STATUSES,
        allowed_methods={"GET"},
        raise_on_status=False,
        retry_after_max=60,
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    if token and source.token_host:
        session.auth = _HostToken(source.token_host, token)
    return session


def notice(source: Source, to: Path) -> str:
    """Return what a user should read before a download: what it is, under which licence, how large, and where to."""
    size = sum(file.bytes_about for file in source.files)
    lines = [
        source.title,
        f"licence: {source.licence} ({source.licence_url})",
        f"attribution: {source.attribution}",
        f"page: {source.page}",
        f"size: about {size / 1e9:.2f} GB to download, into {to / source.folder}",
    ]
    if source.sign_in:
        lines.append(source.sign_in)
    return "\n".join([*lines, *([source.after] if source.after else [])])


def download(
    source: Source,
    to: Path,
    *,
    get: Get,
    token: bool = False,
    force: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    free: Callable[[Path], int] = free_bytes,
) -> Iterator[Progress]:
    """Bring all files of ``source`` below ``to``, yielding progress; what is there already is not fetched again.

    Args:
        source: One of ``SOURCES``.
        to: The folder of all raw data; the source's own folder is made in it.
        get: ``open_session(...).get`` or what behaves like it.
        token: Whether ``get`` carries a token for a source that wants one.
        force: Fetch again what is there.
        sleep: Waits before a body that broke off is continued.
        free: Tells the free bytes of a folder's disk.

    Raises:
        SourceError: If the source wants a sign-in, the disk is too small, or a file cannot be had whole.
    """
    folder = to / source.folder
    folder.mkdir(parents=True, exist_ok=True)
    missing = [file for file in source.files if force or not _is_there(folder, file)]
    if missing and source.needs_token and not token:
        raise SourceError(f"{source.title}: wants a sign-in. {source.sign_in}")
    _make_room(folder, missing, free)
    for file in missing:
        path = folder / file.name
        steps = fetch_file(
            get, file.url, path, size=file.size_bytes, sha256=file.sha256, force=force, sleep=sleep, free_bytes=free
        )
        for done in steps:
            yield Progress(file.name, done, file.bytes_about)
        if file.member:
            _unpack(path, file.member, folder)


def _is_there(folder: Path, file: RemoteFile) -> bool:
    whole = is_fetched(folder / file.name, size=file.size_bytes, sha256=file.sha256)
    return whole and (file.member is None or (folder / file.member).is_file())


def _make_room(folder: Path, missing: list[RemoteFile], free: Callable[[Path], int]) -> None:
    """Refuse early: it is better than after an hour."""
    parts = sum(path.stat().st_size for file in missing if (path := folder / f"{file.name}.part").is_file())
    need = sum(file.bytes_about + file.unpacked_bytes_about for file in missing) - parts
    there = free(folder)
    if missing and there < need + SPARE_BYTES:
        raise SourceError(
            f"{folder}: {there / 1e9:.2f} GB free, but the files take about {need / 1e9:.2f} GB; free space or name "
            "another folder with --to"
        )


def _unpack(archive: Path, member: str, folder: Path) -> None:
    """Unpack the one file of an archive that is called ``member``, wherever it stands in it, under that name."""
    beside = folder / f".{member}.tmp"
    try:
        with zipfile.ZipFile(archive) as opened:
            found = [info for info in opened.infolist() if info.filename.rsplit("/", 1)[-1] == member]
            if len(found) != 1 or found[0].file_size > _UNPACKED_LIMIT_BYTES:
                raise SourceError(f"{archive}: holds {len(found)} files {member!r} of a likely size; unpack it by hand")
            if found[0].flag_bits & _ENCRYPTED:
                raise SourceError(f"{archive}: {member!r} is encrypted; unpack it by hand, with its password")
            # zipfile gives no byte beyond the stated size, and checks the sum at its end.
            with opened.open(found[0]) as packed, beside.open("wb") as stream:
                shutil.copyfileobj(packed, stream, 2**20)
        beside.replace(folder / member)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise SourceError(f"{archive}: not a whole ZIP archive ({error}); remove it and run it again") from error
    finally:
        beside.unlink(missing_ok=True)
    logger.info("%s: unpacked %s", archive.name, member)
