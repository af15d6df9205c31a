"""SSEN's files from the network to a folder of our own names: the listing's daily files, or what a CKAN package lists.

A source keeps its name over its versions (``LV_FEEDER_USAGE/2024-02-12.csv``, ``ckan/<resource id>.csv``), so that a
re-published one replaces its own rows. Nothing on disk is named by a server.
"""

import datetime as dt
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadproof.errors import SourceError
from loadproof.ingestion.ckan import CKANClient
from loadproof.ingestion.listing import LISTING_URL, fetch_file, fetch_listed, read_listing
from loadproof.ingestion.session import RateLimitedSession

__all__ = ["Fetched", "Package", "fetch_days", "list_days", "list_package"]

logger = logging.getLogger(__name__)

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_DAY: Final = re.compile(r"(\d{4}-\d\d-\d\d)\.csv", re.I)


class Fetched(NamedTuple):
    """A source by the name that goes into ``source``, and its file."""

    name: str
    path: Path


def list_days(
    session: RateLimitedSession, *, since: dt.date | None, until: dt.date | None, url: str = LISTING_URL,
    force_refresh: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the listed daily files of ``since <= day <= until``, both included.

    Raises:
        SourceError: If the listing does not come, or lists no such day.
    """
    listing = read_listing(session, url, force_refresh=force_refresh)
    files = listing.between(since, until)
    if not files:
        span = f"{listing.files[0].day} to {listing.files[-1].day}" if listing.files else "no day at all"
        raise SourceError(f"{url}: lists {span}, none of them from {since} to {until}; widen --since and --until")
    return files


def fetch_days(session: RateLimitedSession, files: tuple[Any, ...], folder: Path) -> Iterator[Fetched]:
    """Yield each listed file once it lies whole in ``folder``; one that is there in that size and version is left."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        yield Fetched(f"LV_FEEDER_USAGE/{file.name}", fetch_listed(session, file, folder))


@dataclass(frozen=True)
class Package:
    """The CSV resources of a CKAN package: feeder readings, and lookups."""

    usage: tuple[Mapping[str, Any], ...]
    lookups: tuple[Mapping[str, Any], ...]
    client: CKANClient
    session: RateLimitedSession
    folder: Path
    force_refresh: bool = False

    def fetch(self, resource: Mapping[str, Any]) -> Fetched:
        """Bring one resource to disk: a datastore table page by page, a file by download."""
        resource_id = str(resource["id"]).lower()
        path = self.folder / f"{resource_id}.csv"
        self.folder.mkdir(parents=True, exist_ok=True)
        if resource.get("datastore_active"):
            self._walk(resource_id, path)
        else:
            fetch_file(self.session, str(resource.get("url") or ""), path, size=_size(resource))
        return Fetched(f"ckan/{resource_id}.csv", path)

    def _walk(self, resource_id: str, path: Path) -> None:
        beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with beside.open("wb") as stream:
                for number, page in enumerate(
                    self.client.datastore_frames(resource_id, force_refresh=self.force_refresh)
                ):
                    page.drop("_id", strict=False).write_csv(stream, include_header=number == 0)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def list_package(
    client: CKANClient, session: RateLimitedSession, package_id: str, folder: Path, *, since: dt.date | None = None,
    until: dt.date | None = None, force_refresh: bool = False,
) -> Package:  # fmt: skip
    """Return what a package lists; what is no CSV, or of another day, is named in the log and left alone.

    Raises:
        SourceError: If the package lists no CSV resource.
    """
    usage, lookups, other = [], [], []
    for resource in client.package_show(package_id)["resources"]:
        name = f"{resource.get('name') or ''} {resource.get('url') or ''}"
        is_table = bool(resource.get("datastore_active")) or str(resource.get("format") or "").upper() == "CSV"
        if not is_table or not _UUID.fullmatch(str(resource.get("id"))) or not _wanted(name, since, until):
            other.append(str(resource.get("name") or resource.get("id"))[:80])
        elif "lookup" in name.lower():
            lookups.append(resource)
        else:
            usage.append(resource)
    if other:
        logger.info("package %s: leaves %d resource(s) alone: %s", package_id, len(other), ", ".join(other[:5]))
    if not usage and not lookups:
        raise SourceError(f"package {package_id!r}: lists no CSV or datastore table to read; check --package-id")
    return Package(tuple(usage), tuple(lookups), client, session, folder, force_refresh)


def _wanted(name: str, since: dt.date | None, until: dt.date | None) -> bool:
    match = _DAY.search(name)
    day = dt.date.fromisoformat(match[1]) if match else None
    return day is None or (since or day) <= day <= (until or day)


def _size(resource: Mapping[str, Any]) -> int | None:
    size = resource.get("size")
    return size if isinstance(size, int) and size > 0 else None
