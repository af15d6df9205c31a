"""Newest readings in, before a morning's run looks at them."""

from pathlib import Path

from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.ingestion.sources import SSENSource
from loadproof.runner.ingest import ingest
from loadproof.runner.ssen import Remote, ingest_ssen
from loadproof.runner.track import Track, no_track
from loadproof.schema import Dataset
from loadproof.store import Store

__all__ = ["bring_newest"]


def bring_newest(
    store: Store, dataset: Dataset, source: SSENSource, input_root: Path, config: ExperimentConfig, *,
    remote: Remote, api_key: str | None, track: Track = no_track,
) -> list[str]:  # fmt: skip
    """Ingest what is new, and return which parts could not be read, each in a sentence.

    Raises:
        ConfigError: If the dataset does not come that way.
        SourceError: If nothing can be read, or too much was set aside.
    """
    share = config.data.max_rejected_share
    if dataset == "ssen":
        done = ingest_ssen(
            input_root, store, source=source, remote=remote, api_key=api_key, mode="files", max_rejected_share=share,
            track=track,
        )  # fmt: skip
    elif dataset == "lcl" and source == "files":
        ingestor = LCLIngestor(input_root, ts_convention=config.data.ts_convention)
        done = ingest(ingestor, store, mode="files", max_rejected_share=share, track=track)
    else:
        raise ConfigError(f"{dataset} does not come by {source}; take --ingest files, or ingest it by itself")
    return [part["error"] for part in done.broken]
