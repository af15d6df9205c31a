"""SSEN's feeder data by its three ways: files that lie there, the listing of daily files, or a CKAN package."""

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from loadproof.errors import ConfigError, SourceError
from loadproof.ingestion.ckan import CANDIDATES, connect_ckan
from loadproof.ingestion.listing import LISTING_URL
from loadproof.ingestion.session import RateLimitedSession
from loadproof.ingestion.sources import PACKAGE_ID, SSENSource
from loadproof.ingestion.ssen import SSENIngestor
from loadproof.ingestion.ssen_fetch import Lost, fetch_days, list_days
from loadproof.ingestion.ssen_lookup import find_lookup, network_table
from loadproof.ingestion.ssen_package import Package, fetch_lookup, list_package
from loadproof.parts import Map
from loadproof.runner.ingest import ingest, threads
from loadproof.runner.ingest_report import BrokenPart, IngestReport
from loadproof.runner.track import Track, no_track
from loadproof.store import Store

__all__ = ["Remote", "ingest_ssen"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remote:
    """Where the network is, and how it is treated. The key is no part of it."""

    cache_root: Path
    ckan_url: str | None = None
    package_id: str = PACKAGE_ID
    listing_url: str = LISTING_URL
    rate_limit_s: float = 1.0
    force_refresh: bool = False
    candidates: tuple[str, ...] = CANDIDATES
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def open_session(self, api_key: str | None) -> RateLimitedSession:
        """Return the one session of a run."""
        return RateLimitedSession(
            self.cache_root / "ssen_api", api_key=api_key, interval_s=self.rate_limit_s,
            force_refresh=self.force_refresh, clock=self.clock, sleep=self.sleep,
        )  # fmt: skip


def ingest_ssen(
    input_root: Path, store: Store, *, source: SSENSource, remote: Remote, api_key: str | None, mode: str,
    max_rejected_share: float, since: dt.date | None = None, until: dt.date | None = None, strict: bool = False,
    track: Track = no_track, map_: Map = threads,
) -> IngestReport:  # fmt: skip
    """Bring feeder readings into the store, and the hierarchy of all feeders into the network table.

    A day that cannot be fetched is reported like a part that cannot be read, and what an earlier run brought of it
    stays; with ``strict`` it keeps all others out. Fetching is this process's alone, at one polite pace and with a key
    that goes no further; ``map_`` carries the reading.

    Raises:
        ConfigError: If the days are in the wrong order, or a setting is none.
        SourceError: If nothing can be read or fetched, or too much was set aside.
    """
    if since and until and since > until:
        raise ConfigError(f"--since {since} lies after --until {until}; swap them")
    lost: list[BrokenPart] = []
    if source == "files":
        ingestor = SSENIngestor(input_root, since=since, until=until)
    else:
        with remote.open_session(api_key) as session:
            if remote.ckan_url:
                connect_ckan(session, remote.ckan_url)  # asks nothing; a wrong address shows before hours of fetching
            open_package = cache(partial(_open_package, session, remote, since, until))
            usage, lost = _fetch_usage(source, session, remote, open_package, since, until, strict, track)
            lookup = find_lookup(
                input_root / "ssen" if (input_root / "ssen").is_dir() else input_root,
                partial(fetch_lookup, open_package, remote.cache_root / "ssen_ckan" / "LV_FEEDER_LOOKUP.csv"),
            )
        ingestor = SSENIngestor(input_root, lookup=lookup, usage=usage, since=since, until=until)
    report = ingest(
        ingestor,
        store,
        mode=mode,
        max_rejected_share=max_rejected_share,
        strict=strict,
        track=track,
        lost=lost,
        map_=map_,
    )
    store.write_network(network_table(ingestor.lookup.feeders, store.entities("ssen")))
    return report


def _open_package(session: RateLimitedSession, remote: Remote, since: dt.date | None, until: dt.date | None) -> Package:
    client = connect_ckan(session, remote.ckan_url, candidates=remote.candidates)
    return list_package(
        client, session, remote.package_id, since=since, until=until, force_refresh=remote.force_refresh
    )


def _fetch_usage(
    source: SSENSource, session: RateLimitedSession, remote: Remote, open_package: Callable[[], Package],
    since: dt.date | None, until: dt.date | None, strict: bool, track: Track,
) -> tuple[dict[str, Path], list[BrokenPart]]:  # fmt: skip
    """Return the usage files by the name of their source, and what could not be fetched."""
    if source == "listing":
        files = list_days(session, since=since, until=until, url=remote.listing_url)
        total, where = len(files), remote.listing_url
        work = fetch_days(session, files, remote.cache_root / "ssen_files", force_refresh=remote.force_refresh)
    else:
        package = open_package()
        total, where = len(package.usage), f"package {package.name!r}"
        work = package.fetch_usage(remote.cache_root / "ssen_ckan")
    usage, lost, anew = dict[str, Path](), list[BrokenPart](), 0
    for result in track(work, "fetching ssen", total):
        if isinstance(result, Lost):
            if strict:
                raise SourceError(result.error)
            lost.append(BrokenPart(*result))
        else:
            usage[result.name] = result.path
            anew += result.anew
    logger.info("%s: %d source(s), %d fetched, %d there already, %d not to be had", where, total, anew,
                len(usage) - anew, len(lost))  # fmt: skip
    if not usage:
        raise SourceError(lost[0].error if lost else f"{where}: holds no readings; SSEN publishes those as daily "
                          "files: take --source listing")  # fmt: skip
    return usage, lost
