"""SSEN's feeder data by its three ways: files that lie there, the listing of daily files, or a CKAN package."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loadproof.errors import SourceError
from loadproof.ingestion.ckan import CANDIDATES, connect_ckan
from loadproof.ingestion.listing import LISTING_URL
from loadproof.ingestion.session import RateLimitedSession
from loadproof.ingestion.ssen import SSENIngestor
from loadproof.ingestion.ssen_fetch import Fetched, fetch_days, list_days, list_package
from loadproof.ingestion.ssen_lookup import network_table
from loadproof.runner.ingest import IngestReport, ingest
from loadproof.runner.track import Track, no_track
from loadproof.store import Store

__all__ = ["Remote", "SSENSource", "ingest_ssen"]

SSENSource = Literal["files", "listing", "ckan"]

PACKAGE_ID = "ssen_smart_meter_prod_lv_feeder"


@dataclass(frozen=True)
class Remote:
    """Where the network is, and how it is treated. The key is shown by no ``repr``."""

    cache_root: Path
    ckan_url: str | None = None
    package_id: str = PACKAGE_ID
    listing_url: str = LISTING_URL
    rate_limit_s: float = 1.0
    force_refresh: bool = False
    candidates: tuple[str, ...] = CANDIDATES


def ingest_ssen(
    input_root: Path, store: Store, *, source: SSENSource, remote: Remote, api_key: str | None, mode: str,
    max_rejected_share: float, since: dt.date | None = None, until: dt.date | None = None, strict: bool = False,
    track: Track = no_track,
) -> IngestReport:  # fmt: skip
    """Bring feeder readings into the store, and the hierarchy of all feeders into the network table.

    Raises:
        SourceError: If nothing can be read or fetched, or too much was set aside.
    """
    if source == "files":
        ingestor = SSENIngestor(input_root, since=since, until=until)
    else:
        with RateLimitedSession(
            remote.cache_root / "ssen_api", api_key=api_key, interval_s=remote.rate_limit_s,
            force_refresh=remote.force_refresh,
        ) as session:  # fmt: skip
            fetch = _from_listing if source == "listing" else _from_ckan
            usage, lookup = fetch(session, remote, since, until, track)
        by_name = {fetched.name: fetched.path for fetched in usage}
        ingestor = SSENIngestor(input_root, lookup=lookup, usage=by_name, since=since, until=until)
    report = ingest(ingestor, store, mode=mode, max_rejected_share=max_rejected_share, strict=strict, track=track)
    store.write_network(network_table(ingestor.lookup.feeders, store.entities("ssen")))
    return report


def _from_listing(
    session: RateLimitedSession, remote: Remote, since: dt.date | None, until: dt.date | None, track: Track
) -> tuple[list[Fetched], Path | None]:
    files = list_days(session, since=since, until=until, url=remote.listing_url, force_refresh=remote.force_refresh)
    work = fetch_days(session, files, remote.cache_root / "ssen_files")
    return list(track(work, "fetching days", len(files))), None


def _from_ckan(
    session: RateLimitedSession, remote: Remote, since: dt.date | None, until: dt.date | None, track: Track
) -> tuple[list[Fetched], Path | None]:
    client = connect_ckan(session, remote.ckan_url, candidates=remote.candidates)
    package = list_package(
        client, session, remote.package_id, remote.cache_root / "ssen_ckan", since=since, until=until,
        force_refresh=remote.force_refresh,
    )  # fmt: skip
    if not package.usage:
        raise SourceError(
            f"package {remote.package_id!r}: lists a lookup and no readings; SSEN publishes those as daily files: "
            "take --source listing"
        )
    usage = [package.fetch(resource) for resource in track(package.usage, "fetching", len(package.usage))]
    lookups = [package.fetch(resource).path for resource in package.lookups[:1]]
    return usage, lookups[0] if lookups else None
