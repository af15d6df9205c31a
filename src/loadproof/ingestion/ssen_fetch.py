"""SSEN's daily files from the listing to a folder of our own names, each once a version.

A source keeps its name over its versions (``2024-02-12.csv``), so that a re-published one replaces its
own rows. Nothing on disk is named by a server. Beside ``name`` lies ``.name.version``: a digest of what was published.
"""

import datetime as dt
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import requests

from loadproof.errors import SourceError
from loadproof.ingestion.fetch import fetch_file
from loadproof.ingestion.listing import LISTING_URL, ListedFile, read_listing
from loadproof.ingestion.session import RateLimitedSession
from loadproof.ingestion.transport import origin_of

__all__ = ["Fetched", "Job", "Lost", "bring_file", "fetch_days", "fetch_each", "list_days"]

logger = logging.getLogger(__name__)

_SILENT_AT_MOST: Final = 3
"""After so many sources in a row without an answer a host is down, and the rest would each wait a minute for it."""


class Fetched(NamedTuple):
    """A source that lies whole on disk: the name that goes into ``source``, its file, whether it came in this run."""

    name: str
    path: Path
    anew: bool


class Lost(NamedTuple):
    """A source that could not be had, and why."""

    name: str
    error: str


class Job(NamedTuple):
    """A source to fetch; ``bring`` returns whether anything new came."""

    name: str
    url: str
    to: Path
    bring: Callable[[], bool]


def _note(to: Path, version: str) -> tuple[Path, str]:
    """Return where a file's version is noted, and the note that says that ``to`` is of it, as it lies there now."""
    size_bytes = to.stat().st_size if to.is_file() else None
    return to.with_name(f".{to.name}.version"), f"{version} {size_bytes}\n"


def _noted(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def bring_file(
    session: RateLimitedSession, url: str, to: Path, facts: Sequence[object], *, size: int | None = None,
    etag: str | None = None, force: bool = False,
) -> bool:  # fmt: skip
    """Bring ``url`` to ``to``, unless it is there in the version that ``facts`` tell; return whether it was fetched.

    Args:
        session: Sends each request.
        url: What to fetch.
        to: The file to be.
        facts: What the publisher says that changes with the content; without any, it is fetched in each run.
        size: Its bytes, where known.
        etag: Its ETag, where known.
        force: Fetch it although it is there.

    Raises:
        SourceError: If it cannot be had whole, or not in that size and version.
    """
    version = hashlib.sha256(json.dumps([url, *facts]).encode()).hexdigest()
    note, text = _note(to, version)
    if facts and not force and to.is_file() and _noted(note) == text:
        return False
    before = to.stat().st_mtime_ns if to.is_file() else None
    # Without an ETag only the note above could tell that what is there is that version.
    for _ in fetch_file(session.get, url, to, size=size, etag=etag, force=force or etag is None,
                        retries=session.retries.limit, sleep=session.sleep):  # fmt: skip
        pass
    note, text = _note(to, version)
    try:
        note.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{note}: cannot be written ({error}); free space and run it again") from error
    return to.stat().st_mtime_ns != before


def fetch_each(jobs: Iterable[Job]) -> Iterator[Fetched | Lost]:
    """Yield each source as it lies on disk, or why it does not; none keeps the others out.

    Only a host that leaves several in a row without any answer is not asked for the rest.
    """
    silent = Counter[object]()
    for job in jobs:
        host = origin_of(job.url)
        if silent[host] >= _SILENT_AT_MOST:
            yield Lost(job.name, f"{job.name}: not asked for, since its host left {_SILENT_AT_MOST} in a row without "
                       "an answer; run the same command again later")  # fmt: skip
            continue
        try:
            anew = job.bring()
        except SourceError as error:
            logger.warning("%s: not fetched: %s", job.name, error)
            silent[host] = silent[host] + 1 if isinstance(error.__cause__, requests.RequestException) else 0
            yield Lost(job.name, f"{job.name}: {error}")
        else:
            silent[host] = 0
            yield Fetched(job.name, job.to, anew)


def list_days(
    session: RateLimitedSession, *, since: dt.date | None = None, until: dt.date | None = None, url: str = LISTING_URL
) -> tuple[ListedFile, ...]:
    """Return the listed daily files of ``since <= day <= until``, both included.

    The listing is asked for anew: it alone tells what was published late or again.

    Raises:
        SourceError: If the listing does not come, or lists no such day.
    """
    listing = read_listing(session, url, force_refresh=True)
    files = listing.between(since, until)
    if not files:
        raise SourceError(f"{url}: lists {listing.files[0].day} to {listing.files[-1].day}, and no day from "
                          f"{since or 'the first'} to {until or 'the last'}; widen --since and --until")  # fmt: skip
    return files


def fetch_days(
    session: RateLimitedSession, files: Iterable[ListedFile], folder: Path, *, force_refresh: bool = False
) -> Iterator[Fetched | Lost]:
    """Yield each listed file once it lies whole in ``folder``; one that is there in that size and version is left."""
    return fetch_each(_day_job(session, file, folder, force_refresh) for file in files)


def _day_job(session: RateLimitedSession, file: ListedFile, folder: Path, force_refresh: bool) -> Job:
    to = folder / file.name
    bring = partial(bring_file, session, file.url, to, (file.etag, file.size_bytes), size=file.size_bytes,
                    etag=file.etag, force=force_refresh)  # fmt: skip
    return Job(file.name, file.url, to, bring)
