"""The published files of a source, for a user who has the internet."""

from collections.abc import Callable
from pathlib import Path

from loadproof.ingestion.download import SOURCES, Progress, download, notice, open_session
from loadproof.ingestion.sources import Downloadable

__all__ = ["Downloadable", "fetch_source"]


def fetch_source(
    name: Downloadable, to: Path, *, token: str | None, force: bool, tell: Callable[[str], None],
    show: Callable[[Progress], None],
) -> None:  # fmt: skip
    """Tell the licence, then fetch what is missing, showing each step.

    Raises:
        SourceError: If the source wants a sign-in, the disk is too small, or a file cannot be had whole.
    """
    source = SOURCES[name]
    tell(notice(source, to))
    with open_session(source, token=token) as session:
        for step in download(source, to, get=session.get, token=token is not None, force=force):
            show(step)
