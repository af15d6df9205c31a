"""SSEN's listing of daily usage files, ``objects: [{key, size, uploaded, etag, downloadLink}]``, and their download.

Nothing that the server names is taken for a path: a file is called by its day or is left alone.
"""

import datetime as dt
import json
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import requests

from loadproof.errors import SourceError
from loadproof.ingestion import fetch
from loadproof.ingestion.remote_version import MOST_BYTES
from loadproof.ingestion.session import RateLimitedSession
from loadproof.ingestion.transport import origin_of

__all__ = ["LISTING_URL", "ListedFile", "Listing", "fetch_file", "fetch_listed", "read_listing"]

logger = logging.getLogger(__name__)

# Source: the addresses that SSEN's portal uses itself; recorded by weave's ssen resources.
LISTING_URL: Final = "https://ssen-smart-meter-prod.datopian.workers.dev/LV_FEEDER_USAGE/"

_KEY: Final = re.compile(r"(?:[A-Za-z0-9_-]+/)*(([0-9]{4}-[0-9]{2}-[0-9]{2})\.csv)")
_ETAG: Final = re.compile(r"[\x21\x23-\x7e]{1,200}")
_NAMED_AT_MOST: Final = 3


class ListedFile(NamedTuple):
    """One daily file as listed; ``etag`` without quotes, ``uploaded`` as told (ISO-8601 or empty)."""

    name: str
    day: dt.date
    url: str
    size_bytes: int
    etag: str
    uploaded: str


class Listing(NamedTuple):
    """The daily files by day, and the keys of the entries that were left alone."""

    files: tuple[ListedFile, ...]
    ignored: tuple[str, ...]

    def between(self, since: dt.date | None = None, until: dt.date | None = None) -> tuple[ListedFile, ...]:
        """Return the files of ``since <= day <= until``.

        A file ends with the stamp 00:00 of the day after, which is its own day's last half hour.
        """
        return tuple(file for file in self.files if (since or dt.date.min) <= file.day <= (until or dt.date.max))


def read_listing(session: RateLimitedSession, url: str = LISTING_URL, *, force_refresh: bool = False) -> Listing:
    """Return the listing, each entry checked; a day that is listed twice is the newest upload.

    Raises:
        SourceError: If it does not come, is not a listing, or is cut off (``truncated``).
    """
    response = session.fetch(url, force_refresh=force_refresh)
    try:
        return _read(url, response)
    except SourceError:
        session.forget(response)
        raise


def fetch_listed(
    session: RateLimitedSession, file: ListedFile, folder: Path, *, progress: Callable[[int], None] | None = None
) -> Path:
    """Bring a listed file to ``folder`` under its own day's name and return its path."""
    to = folder / file.name
    fetch_file(session, file.url, to, size=file.size_bytes, etag=file.etag, progress=progress)
    return to


def fetch_file(
    session: RateLimitedSession,
    url: str,
    to: Path,
    *,
    size: int | None = None,
    etag: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Bring ``url`` to ``to`` with the session's pace, retries and key; streamed, and in place whole or not at all.

    What is there already in that size and version is left; what broke off is continued, if the server still has the
    same version.

    Args:
        session: Sends each request; its cache stays out of it.
        url: What to fetch.
        to: The file to be.
        size: Its bytes, where known.
        etag: Its version, where known.
        progress: Is told how many bytes are there so far.

    Raises:
        SourceError: If it cannot be had whole in that size and version, or cannot be written.
    """
    for here_bytes in fetch.fetch_file(session.get, url, to, size=size, etag=etag,
                                       retries=session.retries.limit, sleep=session.sleep):  # fmt: skip
        if progress is not None:
            progress(here_bytes)


def _read(url: str, response: requests.Response) -> Listing:
    if response.status_code != 200:
        raise SourceError(f"{url}: status {response.status_code} {response.reason or ''}; try again later, "
                          "or fetch the daily files by hand and take --source files")  # fmt: skip
    try:
        answer = json.loads(response.content)
        entries, truncated = answer["objects"], answer.get("truncated", False)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise SourceError(f"{url}: not a listing with 'objects' ({type(error).__name__}); check the address") from error
    if truncated is not False:
        raise SourceError(f"{url}: says that it is cut off ('truncated'), so days would be missing; fetch the daily "
                          "files by hand and take --source files")  # fmt: skip
    if not isinstance(entries, list) or not entries:
        raise SourceError(f"{url}: lists no files; check the address")
    files: dict[str, ListedFile] = {}
    ignored = []
    for entry in entries:
        file = _read_entry(entry, url)
        if file is None:
            ignored.append(repr(entry.get("key") if isinstance(entry, dict) else entry)[:100])
        elif file.name not in files or files[file.name].uploaded <= file.uploaded:
            files[file.name] = file
    if ignored:
        some = ", ".join(ignored[:_NAMED_AT_MOST])
        logger.warning("%s: leaves %d of %d entries alone, not daily files: %s", url, len(ignored), len(entries), some)
    if not files:
        raise SourceError(f"{url}: none of {len(entries)} entries is a daily file; check the address")
    return Listing(tuple(files[name] for name in sorted(files)), tuple(ignored))


def _read_entry(entry: object, listing_url: str) -> ListedFile | None:
    """Return an entry as a file, or None where any part of it is not what it should be."""
    if not isinstance(entry, dict):
        return None
    named = _KEY.fullmatch(_text(entry, "key"))
    size, etag, link = entry.get("size"), _text(entry, "etag").strip('"'), _text(entry, "downloadLink")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MOST_BYTES:
        return None
    if named is None or not _ETAG.fullmatch(etag):
        return None
    if not _may_link(link, listing_url):
        return None
    try:
        day = dt.date.fromisoformat(named[2])
    except ValueError:
        return None
    return ListedFile(named[1], day, link, size, etag, _text(entry, "uploaded"))


def _may_link(link: str, listing_url: str) -> bool:
    """Return whether a link is a web address, no less safe than the listing's own, and names no user."""
    origin = origin_of(link)
    safe = origin is not None and (origin[0] == "https" or not listing_url.startswith("https:"))
    return safe and "@" not in urlsplit(link).netloc


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""
