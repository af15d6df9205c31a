"""From weather files to the weather table, each hour once, and what was set aside beside it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadproof import __version__
from loadproof.errors import SourceError
from loadproof.ingestion.weather import (
    WeatherAtRest,
    WeatherRead,
    find_weather,
    join_weather,
    merge_weather,
    read_weather,
)
from loadproof.runner.ingest_report import BrokenPart
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
    broken: list[dict[str, str]]


def ingest_weather(
    input_root: Path, store: Store, *, mode: str, max_rejected_share: float, keep_suspect: bool = False,
    strict: bool = False, track: Track = no_track,
) -> WeatherReport:  # fmt: skip
    """Bring all weather files into ``data/weather``, whole or not at all.

    A file that cannot be read is reported, and what an earlier ingest had of it stays; with ``strict`` it keeps all
    others out.

    Raises:
        SourceError: If no file can be read, or more than ``max_rejected_share`` of the rows were set aside.
    """
    paths = find_weather(input_root)
    results = [_read(path, keep_suspect) for path in track(paths, "reading weather", len(paths))]
    reads = [result for result in results if isinstance(result, WeatherRead)]
    broken = [result for result in results if isinstance(result, BrokenPart)]
    if broken and (strict or not reads):
        raise SourceError(broken[0].error)
    lost = {part.name for part in broken} - {read.path.name for read in reads}
    summary, tables = store.read_summary("weather"), store.read_weather()
    kept = [source for source in summary["sources"] if source["name"] in lost] if summary and tables else []
    names = [source["name"] for source in kept]
    rest = join_weather(merge_weather(reads), reads, WeatherAtRest(*tables) if tables else None, names)
    sources = [
        {"name": read.path.name, "sha256": read.sha256, "rows_read": read.rows_read, "edition": read.edition}
        for read in reads
    ]
    report = _report(rest, mode, keep_suspect, [*sources, *kept], broken)
    _refuse(report, rest, max_rejected_share)
    store.write_weather(*rest, asdict(report))
    return report


def _read(path: Path, keep_suspect: bool) -> WeatherRead | BrokenPart:
    if not path.name.isprintable():
        shown = ascii(path.name)
        return BrokenPart(shown, f"{shown}: its name holds bytes that are no text; rename the file")
    try:
        return read_weather(path, keep_suspect=keep_suspect)
    except SourceError as error:
        return BrokenPart(path.name, str(error))


def _report(
    rest: WeatherAtRest, mode: str, keep_suspect: bool, sources: list[dict[str, Any]], broken: Sequence[BrokenPart]
) -> WeatherReport:
    values = Counter(f"{column} {reason}" for column, reason in rest.set_aside_values.select("column", "reason").rows())
    span = rest.table["ts_utc"].sort().dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return WeatherReport(
        dataset="weather",
        mode=mode,
        loadproof_version=__version__,
        settings={"keep_suspect": str(keep_suspect).lower()},
        rows_read=sum(source["rows_read"] for source in sources),
        rows_written=rest.table.height,
        rows_rejected=rest.rejected.height,
        rejected_by_reason=dict(sorted(Counter(rest.rejected["reason"]).items())),
        values_set_aside=dict(sorted(values.items())),
        stations=rest.table["station_id"].unique().sort().to_list(),
        first_ts_utc=span[0] if len(span) else None,
        last_ts_utc=span[-1] if len(span) else None,
        sources=sources,
        broken=[part._asdict() for part in broken],
    )


def _refuse(report: WeatherReport, rest: WeatherAtRest, max_rejected_share: float) -> None:
    if report.rows_read != report.rows_written + report.rows_rejected:
        raise AssertionError(f"rows went missing: {report}")
    counts = ", ".join(f"{count} {reason}" for reason, count in report.rejected_by_reason.items())
    if not report.rows_written:
        raise SourceError(
            f"weather: no row of {report.rows_read} could be used ({counts or 'none read'}{_worst(rest)}); "
            "check the files"
        )
    # What a file gives now in the place of a broken one's old hours (line 0) is nobody's fault.
    faulty = int((rest.rejected["line"] > 0).sum())
    if faulty > max_rejected_share * report.rows_read:
        raise SourceError(
            f"weather: {faulty} of {report.rows_read} rows were set aside ({counts}{_worst(rest)}), more "
            f"than the limit of {max_rejected_share:.1%}; mend that file or take it away, or raise --max-rejected-share"
        )


def _worst(rest: WeatherAtRest) -> str:
    """Return the first fault of the file that has most, in words."""
    worst = next((name for name, _ in Counter(rest.rejected["file"]).most_common(1)), None)
    for row in rest.rejected.iter_rows(named=True):
        if row["file"] == worst:
            return f"; most in {worst}, first line {row['line']}, {row['reason']}: {row['raw'][:200]!r}"
    return ""
