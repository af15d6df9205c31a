"""From the tables of an evaluation to the poster's numbers, each with what it rests on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from loadproof.evaluation.poster import POSTER, PosterNumber, answer, as_table, as_text
from loadproof.store import Store

__all__ = ["write_poster"]

_COMMAND: Final = "dvc repro poster_numbers"
"""Makes every number from the raw files on, and none without the stages before."""

_SHOWN: Final = {
    "loadproof_version": "loadproof",
    "mode": "input",
    "seed": "seed",
    "data_sha256": "SHA-256 of the sources' digests",
}


def write_poster(store: Store, evaluation: Path, folder: Path) -> Sequence[PosterNumber]:
    """Write ``poster.json``, ``poster.csv`` and ``poster.md``, all or none, and return the numbers.

    Raises:
        SchemaError: If the tables do not support every number.
    """
    tables = evaluation / "tables"
    run = store.read_json(tables / "run.json") or {}
    frames = {"metrics": store.metrics(tables), "alarms": store.metrics(tables, "alarms")}
    digests = {name: store.digest(tables / f"{name}.parquet") for name in frames}
    numbers = answer(POSTER, frames, digests=digests, data_sha256=run["data_sha256"], command=_COMMAND)
    shown = {label: str(run[name]) for name, label in _SHOWN.items()}
    shown |= {f"SHA-256 of {name}.parquet": digest for name, digest in digests.items()} | {"command": _COMMAND}
    facts = {"provenance": shown, "numbers": [number.__dict__ for number in numbers]}
    store.write_poster(folder, as_table(numbers), facts, as_text(numbers, provenance=shown))
    return numbers
