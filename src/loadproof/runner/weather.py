"""From weather files to the weather table, each hour once, and what was set aside beside it."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadproof import __version__
from loadproof.errors import SourceError
from loadproof.ingestion.weather import WeatherRead, find_weather, merge_weather, read_weather
from loadproof.runner.track import Track, no_track
from loadproof.store import Store

__all__ = ["WeatherReport", "ingest_weather"]


@dataclass(frozen=True)
class WeatherReport:
    """What an ingest of weather did; the summary on disk holds the same."""

    dataset: str
    mode: str
    loadproof_version: str
    settings: dict[str, str]
    rows_read: int
    rows_written: int
    rows_rejected: int
    rejected_by_reason: dict[str, int]
    values_set_aside: dict[str, int]
    stations: list[str]
    first_ts_utc: str | None
    last_ts_utc: str | None
    sources: list[dict[str, Any]]


def ingest_weather(
    input_root: Path, store: Store, *, mode: str, max_rejected_share: float, keep_suspect: bool = False,
    track: Track = no_track,
) -> WeatherReport:  # fmt: skip
    """Bring all weather files into ``data/weather``, whole or not at all.

    Raises:
        SourceError: If a file cannot be read, or more than ``max_rejected_share`` of the rows were set aside.
    """
    paths = find_weather(input_root)
    reads: list[WeatherRead] = [
        read_weather(path, keep_suspect=keep_suspect) for path in track(paths, "reading weather", len(paths))
    ]
    table, late = merge_weather(reads)
    rejected = [*(read.rejected for read in reads), late]
    reasons = Counter(reason for frame in rejected for reason in frame["reason"])
    values = Counter(
        f"{column} {reason}"
        for read in reads
        for column, reason in read.set_aside_values.select("column", "reason").rows()
    )
    span = table["ts_utc"].sort().dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    report = WeatherReport(
        dataset="weather",
        mode=mode,
        loadproof_version=__version__,
        settings={"keep_suspect": str(keep_suspect).lower()},
        rows_read=sum(read.rows_read for read in reads),
        rows_written=table.height,
        rows_rejected=sum(frame.height for frame in rejected),
        rejected_by_reason=dict(sorted(reasons.items())),
        values_set_aside=dict(sorted(values.items())),
        stations=table["station_id"].unique().sort().to_list(),
        first_ts_utc=span[0] if len(span) else None,
        last_ts_utc=span[-1] if len(span) else None,
        sources=[
            {"name": read.path.name, "sha256": read.sha256, "rows_read": read.rows_read, "edition": read.edition}
            for read in reads
        ],
    )
    _refuse(report, max_rejected_share)
    store.write_weather(table, rejected, [read.set_aside_values for read in reads], asdict(report))
    return report


def _refuse(report: WeatherReport, max_rejected_share: float) -> None:
    if report.rows_read != report.rows_written + report.rows_rejected:
        raise AssertionError(f"rows went missing: {report}")
    counts = ", ".join(f"{count} {reason}" for reason, count in report.rejected_by_reason.items())
    if not report.rows_written:
        raise SourceError(
            f"weather: no row of {report.rows_read} could be used ({counts or 'none read'}); check the files"
        )
    if report.rows_rejected > max_rejected_share * report.rows_read:
        raise SourceError(
            f"weather: {report.rows_rejected} of {report.rows_read} rows were set aside ({counts}), more than the "
            f"limit of {max_rejected_share:.1%}; mend the files or raise --max-rejected-share"
        )
