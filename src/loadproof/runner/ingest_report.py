"""What an ingest has to say of the dataset: the summary, and why it is not to be trusted, if so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from loadproof import __version__
from loadproof.cards import Card
from loadproof.ingestion.base import BaseIngestor
from loadproof.staging import Built, Kept, StagedPart

__all__ = ["BrokenPart", "IngestReport", "find_trouble", "make_report"]


class BrokenPart(NamedTuple):
    """A part that could not be read, and why."""

    name: str
    error: str


@dataclass(frozen=True, repr=False)
class IngestReport(Card):
    """The dataset after an ingest; the summary on disk holds the same."""

    dataset: str
    root: str
    mode: str
    loadproof_version: str
    settings: dict[str, str]
    rows_read: int
    rows_written: int
    rows_rejected: int
    rejected_by_reason: dict[str, int]
    entities: int
    first_ts_utc: str | None
    last_ts_utc: str | None
    months: dict[str, int]
    sources: list[dict[str, Any]]
    broken: list[dict[str, str]]

    def card(self) -> dict[str, object]:
        """Return what a reader wants to see of it; every row read is in it once."""
        span = f"{self.first_ts_utc} to {self.last_ts_utc}" if self.first_ts_utc else "none"
        return {
            "dataset": f"{self.dataset}, from {self.mode}",
            "rows read": f"{self.rows_read:,}",
            "written": f"{self.rows_written:,}",
            "set aside": f"{self.rows_rejected:,}",
            **{f"  {reason}": f"{count:,}" for reason, count in self.rejected_by_reason.items()},
            "entities": self.entities,
            "span": span,
            **{f"broken {part['name']}": part["error"] for part in self.broken},
        }


def make_report(
    ingestor: BaseIngestor, root: str, mode: str, old: Mapping[str, Any] | None, kept: Kept,
    staged: Sequence[StagedPart], broken: Sequence[BrokenPart], built: Built,
) -> IngestReport:  # fmt: skip
    """Return the dataset as it will be: what is kept of the summary before, and what was staged now."""
    sources = [source for source in (old["sources"] if old else []) if source["name"] in kept.sources]
    sources += [
        {"name": part.name, "bytes": part.size_bytes, "sha256": part.sha256, "rows_read": part.rows_read,
         "months": list(part.months)}
        for part in staged
    ]  # fmt: skip
    for source in sources:
        source["rows_rejected"] = built.rejected_by_source.get(source["name"], 0)
    report = IngestReport(
        dataset=ingestor.dataset,
        root=root,
        mode=mode,
        loadproof_version=__version__,
        settings=dict(ingestor.settings),
        rows_read=sum(source["rows_read"] for source in sources),
        rows_written=built.rows_written,
        rows_rejected=sum(built.rejected_by_reason.values()),
        rejected_by_reason=dict(built.rejected_by_reason),
        entities=built.entities,
        first_ts_utc=built.first_ts_utc,
        last_ts_utc=built.last_ts_utc,
        months=dict(built.months),
        sources=sorted(sources, key=lambda source: str(source["name"])) if kept.sources else sources,
        broken=[part._asdict() for part in broken],
    )
    if report.rows_read != report.rows_written + report.rows_rejected:
        raise AssertionError(f"rows went missing: {report}")
    return report


def find_trouble(
    report: IngestReport, staged: Sequence[StagedPart], built: Built, max_rejected_share: float, *,
    accept_conflicts: bool,
) -> str | None:  # fmt: skip
    """Return in one line why the ingest must fail: nothing to use, a contradiction, or too much set aside."""
    counts = ", ".join(f"{count} {reason}" for reason, count in report.rejected_by_reason.items())
    if not report.rows_written:
        why = "; ".join(filter(None, [counts or "none read", built.worst]))
        return f"{report.dataset}: no row of {report.rows_read} could be used ({why}); check the input"
    if built.conflict and not accept_conflicts:
        return (
            f"{report.dataset}: {report.rejected_by_reason['conflict']} rows give one half hour two values: "
            f"{built.conflict}; mend the source, or pass --accept-conflicts to set all of them aside"
        )
    for noun, rejected, read in _shares(staged, built):
        if rejected > max_rejected_share * read:
            return (
                f"{report.dataset}: {rejected} of {read} {noun} ({rejected / read:.1%}) were set aside, more than the "
                f"limit of {max_rejected_share:.1%} ({counts}), most in {built.worst}; mend that file or take it away, "
                "or raise --max-rejected-share"
            )
    return None


def _shares(staged: Sequence[StagedPart], built: Built) -> list[tuple[str, int, int]]:
    """Return how many rows, and of a source whose rows are made of samples how many samples, were set aside and read.

    A sample set aside is a row of its own and counts among samples alone: a bin is made of hundreds of them.
    """
    rows = sum(part.rows_read - part.sample_rows for part in staged)
    faulty = sum(built.faulty_by_source.get(part.name, 0) - part.sample_rows for part in staged)
    samples = (sum(part.samples_aside for part in staged), sum(part.samples_read for part in staged))
    return [("rows", faulty, rows), ("samples", *samples)]
