"""What a CKAN package holds of SSEN: feeder readings and lookups, as datastore tables and as files.

A resource becomes the source ``ckan/<resource id>.csv``, whatever it is called and however often it is published.
"""

import datetime as dt
import filecmp
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import polars as pl
from filelock import FileLock, Timeout

from loadproof.errors import SourceError
from loadproof.ingestion.ckan import CKANClient
from loadproof.ingestion.ckan_errors import plain
from loadproof.ingestion.remote_version import MOST_BYTES
from loadproof.ingestion.session import RateLimitedSession
from loadproof.ingestion.ssen_fetch import Fetched, Job, Lost, bring_file, fetch_each
from loadproof.ingestion.ssen_rows import COLUMNS
from loadproof.ingestion.transport import origin_of

__all__ = ["LOOKUP_ID", "Package", "Resource", "fetch_lookup", "list_package"]

logger = logging.getLogger(__name__)

# Source: the resource that weave takes SSEN's lookup from.
LOOKUP_ID: Final = "1cce1fb4-d7f4-4309-b9e3-943bd4d18618"

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_DAY: Final = re.compile(r"(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])")
_DATES: Final = ("last_modified", "metadata_modified")
_NAMED_AT_MOST: Final = 5
_HEADER_BYTES: Final = 1 << 16


class Resource(NamedTuple):
    """A resource that can be read. ``state`` is what the package says that changes with the content, maybe nothing."""

    id: str
    name: str
    url: str
    in_datastore: bool
    size_bytes: int | None
    modified: str
    state: tuple[str, ...]

    @property
    def source(self) -> str:
        """The name that goes into ``source``."""
        return f"ckan/{self.id}.csv"


@dataclass(frozen=True)
class Package:
    """The resources of a CKAN package that hold feeder readings, and its lookups, the best first."""

    name: str
    usage: tuple[Resource, ...]
    lookups: tuple[Resource, ...]
    client: CKANClient
    session: RateLimitedSession
    force_refresh: bool = False

    def fetch_usage(self, folder: Path) -> Iterator[Fetched | Lost]:
        """Yield each usage resource once it lies in ``folder``; what proves to hold no readings is left alone."""
        jobs = (self._job(resource, folder / f"{resource.id}.csv") for resource in self.usage)
        names = {resource.source: resource.name for resource in self.usage}
        for result in fetch_each(jobs):
            if isinstance(result, Lost) or _has_readings(result.path):
                yield result
            else:
                logger.warning("%s (%s): no column of feeder readings in it; left alone", result.name,
                               names[result.name])  # fmt: skip

    def bring_lookup(self, to: Path) -> bool:
        """Bring the best lookup that can be had to ``to``; return whether the package lists any.

        Raises:
            SourceError: If none that it lists can be had.
        """
        failed: SourceError | None = None
        for resource in self.lookups:
            try:
                self._job(resource, to).bring()
            except SourceError as error:
                logger.warning("lookup %s (%s) passed over: %s", resource.id, resource.name, error)
                failed = error
            else:
                logger.info("lookup: takes %s (%s) of package %s", resource.id, resource.name, self.name)
                return True
        if failed is not None:
            raise failed
        return False

    def _job(self, resource: Resource, to: Path) -> Job:
        if resource.in_datastore:
            return Job(resource.source, self.client.base_url, to, partial(_walk_table, self.client, resource.id, to))
        bring = partial(bring_file, self.session, resource.url, to, resource.state, size=resource.size_bytes,
                        force=self.force_refresh)  # fmt: skip
        return Job(resource.source, resource.url, to, bring)


def list_package(
    client: CKANClient, session: RateLimitedSession, package_id: str, *, since: dt.date | None = None,
    until: dt.date | None = None, force_refresh: bool = False,
) -> Package:  # fmt: skip
    """Return what a package lists; what cannot be read, or is of another day, is named in the log and left alone.

    The list is asked for anew: it alone tells what was published late or again.

    Raises:
        SourceError: If the package does not come, or lists nothing that can be read.
    """
    with session.cache_disabled():
        listed = client.package_show(package_id)["resources"]
    usage, lookups, alone = list[Resource](), list[Resource](), list[str]()
    for raw in listed:
        resource = _read_resource(raw, client.base_url, session.redact)
        if isinstance(resource, str):
            alone.append(resource)
        elif resource.id == LOOKUP_ID or "lookup" in f"{resource.name} {resource.url}".lower():
            lookups.append(resource)
        elif _wanted(resource, since, until):
            usage.append(resource)
        else:
            alone.append(f"{resource.name} (another day)")
    if alone:
        some = ", ".join(alone[:_NAMED_AT_MOST]) + ", ..." * (len(alone) > _NAMED_AT_MOST)
        logger.info("package %s: leaves %d of %d resource(s) alone: %s", package_id, len(alone), len(listed), some)
    if not usage and not lookups:
        raise SourceError(f"package {package_id!r}: none of its {len(listed)} resource(s) can be read as a table "
                          "of the days asked for; check --package-id, --since and --until")  # fmt: skip
    lookups.sort(key=lambda resource: (resource.id == LOOKUP_ID, resource.modified), reverse=True)
    return Package(package_id, tuple(usage), tuple(lookups), client, session, force_refresh)


def fetch_lookup(open_package: Callable[[], Package], to: Path) -> pl.DataFrame | None:
    """Return the lookup that a package lists, as text; where it cannot be had now, that of an earlier run.

    Otherwise a site that is down for an hour would take the names from all feeders that had them yesterday.

    Args:
        open_package: Asks for the package.
        to: Where the lookup lies, from one run to the next.

    Returns:
        The table, or None where the package lists none.

    Raises:
        SourceError: If it cannot be had, and there is none of an earlier run.
    """
    try:
        if not open_package().bring_lookup(to):
            logger.info("lookup: the package lists none")
            return None
    except SourceError as error:
        if not to.is_file():
            raise
        logger.warning("lookup could not be fetched (%s); takes that of an earlier run", error)
    try:
        return pl.read_csv(to, infer_schema=False, truncate_ragged_lines=True, encoding="utf8-lossy",
                           glob=False)  # fmt: skip
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceError(f"{to}: no table ({error}); remove it and run it again") from error


def _read_resource(raw: Mapping[str, Any], site: str, redact: Callable[[str], str]) -> Resource | str:
    """Return a resource that can be read, or the name of another with what is the matter with it."""
    told = {key: str(raw.get(key) or "").strip() for key in
            ("id", "name", "url", "url_type", "format", "mimetype", "state", "hash", *_DATES)}  # fmt: skip
    name = plain(redact(told["name"] or told["id"])) or "one without a name"
    in_datastore = str(raw.get("datastore_active")).lower() == "true"
    kind = (told["format"] or told["mimetype"]).lower().removeprefix("text/").strip(".")
    if not _UUID.fullmatch(told["id"]):
        return f"{name} (no id)"
    if str(raw.get("private")).lower() == "true" or told["state"] not in ("", "active"):
        return f"{name} (private, a draft or deleted)"
    if not in_datastore and kind != "csv":
        return f"{name} ({plain(redact(kind)) or 'no format'})"
    if not in_datastore and (not _may_fetch(told["url"], site) or redact(told["url"]) != told["url"]):
        return f"{name} (no address that may be fetched)"
    size = raw.get("size")
    # An upload's size is the site's own measure; of a link elsewhere it is hearsay.
    known = isinstance(size, int) and 0 < size <= MOST_BYTES and told["url_type"] == "upload"
    modified = told["last_modified"] or told["metadata_modified"]
    state = (str(size), told["hash"], modified) if modified or told["hash"] else ()
    return Resource(told["id"].lower(), name, told["url"], in_datastore, size if known else None, modified, state)


def _may_fetch(url: str, site: str) -> bool:
    """Return whether a link is a web address, no less safe than the site's own, and names no user."""
    origin = origin_of(url)
    safe = origin is not None and (origin[0] == "https" or not site.startswith("https:"))
    return safe and "@" not in urlsplit(url).netloc


def _wanted(resource: Resource, since: dt.date | None, until: dt.date | None) -> bool:
    """Return whether a resource is of a wanted day, or its name and the end of its address tell none."""
    match = _DAY.search(f"{resource.name} {resource.url.partition('?')[0].rpartition('/')[2]}")
    try:
        day = dt.date.fromisoformat(match[1]) if match else None
    except ValueError:
        day = None
    return day is None or (since or day) <= day <= (until or day)


def _has_readings(path: Path) -> bool:
    """Return whether a file may hold readings: a data dictionary shares no column with them, a damaged file may."""
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES).partition(b"\n")[0].decode("utf-8-sig", errors="replace")
    names = {name.strip(' "\r').lower() for name in header.split(",")}
    return not header.strip() or bool(names & {spelling for spellings in COLUMNS.values() for spelling in spellings})


def _walk_table(client: CKANClient, resource_id: str, to: Path) -> bool:
    """Write a datastore table as CSV; a file of the same content stays untouched. Return whether it was another."""
    to.parent.mkdir(parents=True, exist_ok=True)
    beside = to.with_name(f".{to.name}.tmp")
    try:
        with FileLock(to.with_name(f".{to.name}.lock")).acquire(timeout=0):
            with beside.open("wb") as stream:
                for number, page in enumerate(client.datastore_frames(resource_id)):
                    _as_published(page).write_csv(stream, include_header=number == 0)
            if to.is_file() and filecmp.cmp(beside, to, shallow=False):
                beside.unlink()
                return False
            beside.replace(to)
            return True
    except Timeout as error:
        raise SourceError(f"{to}: another process fetches it now; wait for it to end") from error
    except OSError as error:
        raise SourceError(f"{beside}: cannot be written ({error}); free space and run it again") from error


def _as_published(page: pl.DataFrame) -> pl.DataFrame:
    """Return a page without the site's row number, and ids that it takes for numbers without their decimals."""
    page = page.drop("_id", strict=False)
    ids = [name for name in page.columns if name.lower().endswith("_id")]
    return page.with_columns(pl.col(ids).str.replace(r"^([0-9]+)\.0+$", "${1}"))
