"""Low Carbon London: half-hourly kWh of single homes, UTC, stamped at the *end* of the half hour.

Clock and convention are argued in ``docs/data-sources.md``. Layouts: the partitioned archive (read inside the ZIP),
its loose parts, the single CSV, or the Kaggle blocks; one a run, in that order.
"""

import datetime as dt
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import polars as pl

from loadproof.checking import check_readings
from loadproof.errors import SourceError
from loadproof.ingestion.base import BaseIngestor
from loadproof.ingestion.layouts import LCLLayout, TsConvention
from loadproof.ingestion.lcl_files import FINDERS, nothing_found, open_part
from loadproof.ingestion.plain_lines import KEY_BYTES, read_plain
from loadproof.ingestion.text import BLOCK_BYTES, Block, find_columns, find_lines, parse_rows, raw_text, read_blocks
from loadproof.parts import Batch, Part, open_binary
from loadproof.schema import Dataset

__all__ = ["LCLIngestor"]

logger = logging.getLogger(__name__)

_COLUMNS: Final[dict[str, Sequence[str]]] = {
    "home": ("LCLid",),
    "stamp": ("DateTime", "tstp"),
    "value": ("KWH/hh (per half hour) ", "energy(kWh/hh)"),
}
_CONSTANTS: Final[dict[str, Sequence[str]]] = {
    "tariff_group": ("stdorToU",),
    "acorn": ("Acorn",),
    "acorn_group": ("Acorn_grouped",),
}
_NO_FRACTION: Final = ["", ".000", ".000000", ".0000000"]


class LCLIngestor(BaseIngestor):
    """Rows of Low Carbon London, from whichever layout is there.

    Args:
        input_root: The folder that holds ``lcl/``, or that folder itself.
        ts_convention: Whether a stamp marks the end or the start of its half hour.
        layout: One layout to insist on; by default the first that is there.
        block_bytes: How much text one batch holds at most.
    """

    dataset: ClassVar[Dataset] = "lcl"

    def __init__(
        self,
        input_root: Path,
        *,
        ts_convention: TsConvention = "end",
        layout: LCLLayout | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        below = input_root / "lcl"
        self.folder = below if below.is_dir() else input_root
        self.ts_convention = ts_convention
        self.layout = layout
        self.block_bytes = block_bytes
        self._homes, self._households, self._damaged = _read_households(self.folder / "informations_households.csv")

    @property
    def settings(self) -> Mapping[str, str]:
        """The stamp convention and which households table gave the constants; the layout shows in the sources."""
        return {"ts_convention": self.ts_convention, "households": self._households}

    @property
    def damaged(self) -> Mapping[str, str]:
        """The households table where it cannot be read."""
        return self._damaged

    def parts(self) -> Sequence[Part]:
        """Return the parts of the one layout that is read; what else lies there is named in the log."""
        wanted = [self.layout] if self.layout else list(FINDERS)
        found = {layout: files for layout in wanted if (files := list(FINDERS[layout](self.folder)))}
        chosen = self.layout or next(iter(found), None)
        if chosen is None or chosen not in found:
            there = [layout for layout in FINDERS if layout != chosen and list(FINDERS[layout](self.folder))]
            raise SourceError(nothing_found(self.folder, chosen, there))
        for layout, files in found.items():
            if layout != chosen:
                logger.info("%s: reads the layout '%s' and leaves %d file(s) of '%s' alone (--layout %s reads those)",
                            self.folder, chosen, len(files), layout, layout)  # fmt: skip
        return [Part(number, *source) for number, source in enumerate(found[chosen])]

    def read(self, part: Part) -> Iterator[Batch]:
        """Yield the part's rows as checked batches."""
        names: list[str] = []
        for block in self._blocks(part):
            if block.first_line == 1:
                names = find_columns(block.data.split(b"\n", 1)[0], _COLUMNS, part.name, optional=_CONSTANTS)
            yield self._judge(block, names)
        if not names:
            raise SourceError(f"{part.name}, line 1: the file is empty; fetch it again or remove it")

    def raw_lines(self, part: Part, lines: Sequence[int]) -> Mapping[int, str]:
        """Return some lines of a part, which is read a second time."""
        return find_lines(self._blocks(part), lines)

    def _blocks(self, part: Part) -> Iterator[Block]:
        with open_part(part) as stream:
            yield from read_blocks(stream, part.name, block_bytes=self.block_bytes)

    def _judge(self, block: Block, names: Sequence[str]) -> Batch:
        candidates = self._candidates(block, names)
        readings, rejected = check_readings(candidates, "lcl")
        raw = pl.Series("raw", raw_text(block, rejected["line"]), dtype=pl.String)
        return Batch(readings, rejected.with_columns(raw), candidates.height, block.sha256)

    def _candidates(self, block: Block, names: Sequence[str]) -> pl.DataFrame:
        """Return the block's rows: those of the one common shape by the word, and the others by the general reader."""
        key_bytes = KEY_BYTES.get(tuple(names))
        lines = read_plain(block, key_bytes) if key_bytes else None
        if lines is None or np.count_nonzero(lines.plain) < len(lines.plain) // 2:
            return self._read_any(block, names)
        key = [name for name in ("home", *_CONSTANTS) if name in names]
        facts = self._entities(pl.Series([_joined(before, len(key)) for before in lines.keys], dtype=pl.String), key)
        header = block.rows - len(lines.plain)
        rows = pl.DataFrame({
            "line": np.arange(header, block.rows, dtype=np.uint32) + np.uint32(block.first_line),
            "ts_utc": pl.Series(lines.stamp_us).cast(pl.Datetime("us", "UTC")) - _shift(self.ts_convention),
            "interval_mins": pl.repeat(30, len(lines.plain), dtype=pl.Int16, eager=True),
            "energy_kwh": lines.energy_kwh,
            "fault": pl.repeat(None, len(lines.plain), dtype=pl.String, eager=True),
        })  # fmt: skip
        odd = np.flatnonzero(~(lines.plain & facts["key"].is_not_null().to_numpy()[lines.key]))
        place = lines.key.astype(np.uint32)
        if len(odd):
            spans = zip(block.starts[odd + header].tolist(), block.ends[odd + header].tolist(), strict=True)
            text = b"".join(block.data[a:b] + b"\n" for a, b in spans)
            others = self._read_any(Block(text, 2, ""), names)
            rows = rows.with_columns(
                rows[name].scatter(odd, others[name]) for name in ("ts_utc", "energy_kwh", "fault")
            )
            place[odd] = np.arange(len(facts), len(facts) + len(odd))
            facts = pl.concat([facts.select("entity_id", "extras"), others.select("entity_id", "extras")])
        return rows.with_columns(facts[name].gather(pl.Series(place)) for name in ("entity_id", "extras"))

    def _read_any(self, block: Block, names: Sequence[str]) -> pl.DataFrame:
        """Return the block's rows, whatever their shape, as ``CANDIDATES`` and ``extras``."""
        key = [name for name in ("home", *_CONSTANTS) if name in names]
        rows = parse_rows(block, names, _columns(key))
        # A block has a few dozen homes and some thousand stamps, so both are worked out once and joined.
        for facts in (self._entities(rows["key"].unique(), key), _instants(rows["stamp"].unique(), self.ts_convention)):
            rows = rows.join(facts, on=facts.columns[0], how="left", nulls_equal=True, maintain_order="left")
        odd = ~pl.all_horizontal("plain", pl.col("key", "ts_utc", "energy_kwh").is_not_null()) | pl.col("surplus")
        faults = _faults(block, names, rows.filter(odd.fill_null(value=True))["line"])
        # What is no UTF-8 has no fields here, and fields in its escaped text.
        fault = pl.coalesce(faults, pl.when(pl.col("key").is_null()).then(pl.lit("text_unreadable")))
        candidates = rows.with_columns(interval_mins=pl.lit(30, dtype=pl.Int16), fault=fault)
        return candidates.drop("key", "stamp", "plain", "surplus")

    def _entities(self, keys: pl.Series, key: Sequence[str]) -> pl.DataFrame:
        """Return ``entity_id`` and ``extras`` (the home's constants as a JSON object) of each distinct key."""
        entities, extras = [], []
        for joined in keys.cast(pl.String):
            fields = (joined or "").split(_SEPARATOR)
            if len(fields) != len(key):  # nothing at all, or a separator in a field: no home's name either way
                fields = [joined or "", *[""] * (len(key) - 1)]
            home, *own = (field.strip() for field in fields)
            stated = {name: fact for name, fact in zip(key[1:], own, strict=True) if fact}
            constants = {**self._homes.get(home, {}), **stated, "ts_convention": self.ts_convention}
            entities.append(f"lcl:{home}")
            extras.append(json.dumps(constants, sort_keys=True, separators=(",", ":")))
        return pl.DataFrame({
            "key": keys,
            "entity_id": pl.Series(entities, dtype=pl.Categorical),
            "extras": pl.Series(extras, dtype=pl.Categorical),
        })  # fmt: skip


_SEPARATOR: Final = "\x1f"  # ASCII's unit separator: in no field of a text that anybody typed


def _joined(before: bytes, fields: int) -> str | None:
    """Return what stands before a stamp as :func:`_columns` does; None where that is no ``fields`` whole fields."""
    texts = before.split(b",")
    if len(texts) != fields + 1 or texts[-1] or not all(texts[:-1]):
        return None
    try:
        return b",".join(texts[:-1]).decode().replace(",", _SEPARATOR)
    except UnicodeDecodeError:
        return None


def _shift(ts_convention: TsConvention) -> dt.timedelta:
    return dt.timedelta(minutes=30 if ts_convention == "end" else 0)


def _columns(key: Sequence[str]) -> list[pl.Expr]:
    """Return the fields that stand for a row: whose, when, how much, and whether there is one field too many."""
    joined = pl.concat_str(key, separator=_SEPARATOR)
    return [
        joined.cast(pl.Categorical).alias("key"),
        pl.col("stamp").cast(pl.Categorical),
        pl.col("value").str.strip_chars().cast(pl.Float64, strict=False).alias("energy_kwh"),
        pl.col("_overflow").is_not_null().alias("surplus"),
    ]


def _instants(stamps: pl.Series, ts_convention: TsConvention) -> pl.DataFrame:
    """Return ``ts_utc`` of each stamp, null where it cannot be read, and whether it is ``plain``: to a whole second."""
    text = stamps.cast(pl.String).str.strip_chars()
    parsed = pl.DataFrame({"stamp": stamps, "text": text, "ts_utc": _to_datetime(text)})
    return parsed.select(
        "stamp",
        pl.col("ts_utc").dt.replace_time_zone("UTC") - _shift(ts_convention),
        plain=pl.col("text").str.slice(19).is_in(_NO_FRACTION),
    )


def _to_datetime(stamps: pl.Series) -> pl.Series:
    return stamps.str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")


def _faults(block: Block, names: Sequence[str], lines: pl.Series) -> pl.Expr:
    """Return the parser's fault of each line in ``lines``, null for all others, as a column over ``line``."""
    if lines.is_empty():
        return pl.lit(None, dtype=pl.String)
    text = "".join(f"{line}\n" for line in raw_text(block, lines)).encode()
    stamp, value = pl.col("stamp").str.strip_chars(), pl.col("value").str.strip_chars()
    ts = stamp.str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    off_grid = (ts.dt.epoch("us") % 1_800_000_000) != 0
    surplus = pl.col("_overflow").is_not_null()
    fault = (
        pl.when(surplus | pl.any_horizontal(pl.col(names).is_null())).then(pl.lit("fields_count"))
        .when((value == "Null") & off_grid).then(pl.lit("null_off_grid"))
        .when(value == "Null").then(pl.lit("null_value"))
        .when(stamp.str.contains(r"^.{19}\.\d*[1-9]\d*$") & ts.is_not_null()).then(pl.lit("ts_off_grid"))
        .when(ts.is_null() | ~stamp.str.slice(19).is_in(_NO_FRACTION)).then(pl.lit("ts_unreadable"))
    )  # fmt: skip
    found = parse_rows(Block(text, 2, ""), names, [fault.alias("fault")])["fault"]
    return pl.col("line").replace_strict(lines, found, default=None, return_dtype=pl.String)


def _read_households(path: Path) -> tuple[dict[str, dict[str, str]], str, dict[str, str]]:
    """Return each home's constants from Kaggle's ``informations_households.csv``, its digest, and what is wrong."""
    if not path.exists():
        return {}, "none", {}
    try:
        with open_binary(path) as stream:
            data = stream.read()
        table = pl.read_csv(data, infer_schema=False).select("LCLid", "stdorToU", "Acorn", "Acorn_grouped")
    except (pl.exceptions.PolarsError, OSError) as error:
        why = " ".join(str(error).split())[:200]
        told = f"{path}: cannot be read as LCLid,stdorToU,Acorn,Acorn_grouped ({why}); mend the file or remove it"
        return {}, f"{path.name} unreadable", {path.name: told}
    homes = {
        home: {name: fact for name, fact in zip(_CONSTANTS, facts, strict=True) if fact}
        for home, *facts in table.iter_rows()
    }
    return homes, f"{path.name} {hashlib.sha256(data).hexdigest()[:16]}", {}
