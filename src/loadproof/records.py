"""The board's records at rest: small Parquet files, each with what it was made from in the file's own metadata."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from loadproof.errors import SchemaError
from loadproof.files import write_together

__all__ = ["Record", "find_records", "read_facts", "read_record", "write_records"]

_FACTS: Final = b"loadproof"


class Record(NamedTuple):
    """A table, and what it was made from: JSON values."""

    facts: dict[str, Any]
    frame: pl.DataFrame


def _write(record: Record, path: Path) -> None:
    table = record.frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    rest = [name for name in table.schema.names if name not in floats]
    facts = json.dumps(record.facts, sort_keys=True).encode()
    with pq.ParquetWriter(
        path,
        table.schema,
        compression="zstd",
        compression_level=19,
        use_dictionary=rest,
        column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),  # rounded floats end in equal bytes
        write_statistics=False,
        store_schema=False,  # it would weigh more than some of the tables
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_FACTS: facts})


def write_records(records: Mapping[Path, Record]) -> None:
    """Write records, all whole or none there; the same record gives the same bytes."""
    write_together({path: partial(_write, record) for path, record in records.items()}, alone=False)


def read_facts(path: Path) -> dict[str, Any] | None:
    """Return what a record was made from, None where there is none.

    Raises:
        SchemaError: When the file is no record.
    """
    if not path.is_file():
        return None
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return dict(json.loads(metadata[_FACTS]))
    except (pa.ArrowInvalid, KeyError, ValueError) as error:
        raise SchemaError(f"{path}: is no record of a board ({error}); remove it, and make the board again") from error


def read_record(path: Path) -> Record:
    """Return one record.

    Raises:
        SchemaError: When it is absent or no record.
    """
    facts = read_facts(path)
    if facts is None:
        raise SchemaError(f"{path}: is not there; run 'loadproof backtest' first")
    return Record(facts, pl.DataFrame(pl.from_arrow(pq.read_table(path).replace_schema_metadata(None))))


def find_records(root: Path) -> list[Path]:
    """Return the records below a folder, in order."""
    return sorted(root.glob("**/[!.]*.parquet"))
