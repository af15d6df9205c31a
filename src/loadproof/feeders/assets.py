"""What feeders and substations are rated for: from a CSV that is checked row by row, or by the name of a usual kind."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, get_args

import polars as pl

from loadproof.errors import ConfigError
from loadproof.limits import (
    ADMD_GAS_HEATED_KVA,
    DEFAULT_POWER_FACTOR,
    WINTER_CYCLIC_RATIO,
    apparent_kva,
    design_demand_kva,
    limit_kwh,
)

__all__ = ["ASSET_COLUMNS", "LIMITS", "RATINGS", "Assets", "BadRow", "LimitKind", "Rating", "limits_of", "read_assets"]

LimitKind = Literal["fuse", "cable", "transformer", "design"]
"""A feeder's fuse and cable (three phases), a transformer, and what a number of homes is designed for."""

LIMITS: Final = pl.Schema(
    {
        "entity_id": pl.String(),
        "limit": pl.String(),
        "rating_kva": pl.Float64(),
        "power_factor": pl.Float64(),
        "limit_kwh": pl.Float64(),
        "source": pl.String(),
    }
)
"""One row an entity and limit; ``rating_kva`` holds the cyclic ratio, ``source`` names the file or the usual kind."""


class Rating(NamedTuple):
    """What one entity is rated for; None where it has no such limit, or the default holds."""

    fuse_a: float | None = None
    cable_a: float | None = None
    transformer_kva: float | None = None
    cyclic_ratio: float | None = None
    power_factor: float | None = None
    homes: float | None = None


ASSET_COLUMNS: Final = Rating._fields
"""The columns of an assets file besides ``entity_id``, each with its unit in its name; ``homes`` is a count."""

RATINGS: Final[Mapping[str, Rating]] = {
    "pole_100kva": Rating(fuse_a=200, transformer_kva=100),
    "pole_200kva": Rating(fuse_a=315, transformer_kva=200),
    "ground_315kva": Rating(fuse_a=315, transformer_kva=315),
    "ground_500kva": Rating(fuse_a=400, transformer_kva=500),
    "ground_800kva": Rating(fuse_a=400, transformer_kva=800),
    "ground_1000kva": Rating(fuse_a=400, transformer_kva=1000),
}
"""Usual kinds: a transformer, and the fuse of each of its feeders.

Source: practice of UK distributors; an assets file says what is really there.
"""

_BOUNDS: Final = {
    "fuse_a": (10.0, 2000.0, "amperes per phase"),
    "cable_a": (10.0, 2000.0, "amperes per phase"),
    "transformer_kva": (5.0, 2500.0, "kVA, not VA or MVA"),
    "cyclic_ratio": (0.5, 2.0, "a ratio such as 1.2, not per cent"),
    "power_factor": (0.5, 1.0, "a ratio such as 0.95"),
    "homes": (1.0, 5000.0, "a count of homes"),
}
_LIMITING: Final = ("fuse_a", "cable_a", "transformer_kva", "homes")


class BadRow(NamedTuple):
    """A row of an assets file that was set aside: where, whose (empty where unsaid), why, and what would mend it."""

    line: int
    entity: str
    reason: str
    mend: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}; {self.mend}"


class Assets(NamedTuple):
    """The ratings of an assets file by entity, and the rows that were set aside."""

    name: str
    ratings: Mapping[str, Rating]
    bad: Sequence[BadRow]


class _WrongError(Exception):
    """Why a row is none, and its mend."""


def _columns(header: Sequence[str], name: str) -> list[str]:
    """Return the names of the columns.

    Raises:
        ConfigError: When one is unknown, says no unit, stands twice, or none identifies or limits anything.
    """
    columns = [column.strip().lower() for column in header]
    known = ("entity_id", *ASSET_COLUMNS)
    for column in columns:
        if column not in known:
            meant = next((each for each in ASSET_COLUMNS if column and each.startswith(column.split("_")[0])), None)
            mend = f"write {meant}, with that unit" if meant else f"choose of {', '.join(known)}"
            raise ConfigError(f"{name}, line 1: there is no column {column!r}; {mend}")
    if len(set(columns)) != len(columns) or "entity_id" not in columns or not set(columns) & set(_LIMITING):
        raise ConfigError(
            f"{name}, line 1: the header is {','.join(columns)}; it wants entity_id and at least one of "
            f"{', '.join(_LIMITING)}, each once"
        )
    return columns


def _number(column: str, text: str) -> float | None:
    if not (text := text.strip()):
        return None
    low, high, unit = _BOUNDS[column]
    try:
        value = float(text)
    except ValueError as error:
        raise _WrongError(f"{column} {text!r} is no number", f"give {unit}, or nothing") from error
    if not low <= value <= high:
        raise _WrongError(f"{column} {text} lies outside {low:g} to {high:g}", f"give {unit}")
    return value


def _rating(row: Mapping[str, str]) -> Rating:
    rating = Rating(**{column: _number(column, text) for column, text in row.items() if column != "entity_id"})
    if all(getattr(rating, column) is None for column in _LIMITING):
        raise _WrongError("there is no rating", f"give at least one of {', '.join(_LIMITING)}")
    return rating


def _read_row(columns: Sequence[str], fields: Sequence[str], ratings: dict[str, Rating], seen: set[str]) -> None:
    """Put one row's rating among the others.

    Of an entity that stands twice nobody can say which row is right, so it has no rating.
    """
    if len(fields) != len(columns):
        raise _WrongError(
            f"{len(fields)} fields under {len(columns)} columns", "give one a column, empty where unknown"
        )
    row = dict(zip(columns, fields, strict=True))
    if not (entity := row["entity_id"].strip()):
        raise _WrongError("entity_id is empty", "say whose rating it is")
    if entity in seen:
        ratings.pop(entity, None)
        raise _WrongError(f"{entity} stands twice, so that neither counts", "keep the row that is right")
    seen.add(entity)
    ratings[entity] = _rating(row)


def read_assets(text: str, name: str) -> Assets:
    """Return the ratings of a CSV file's text; a row that is wrong is set aside with its line, reason and mend.

    Args:
        text: Its first line names ``entity_id`` and some of ``ASSET_COLUMNS``; a byte order mark does not matter.
        name: What to call it in messages.

    Raises:
        ConfigError: When the header is no such one, or no row is sound.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    ratings: dict[str, Rating] = {}
    seen: set[str] = set()
    bad: list[BadRow] = []
    try:
        columns = _columns(next(reader, []), name)
        place = columns.index("entity_id")
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            try:
                _read_row(columns, fields, ratings, seen)
            except _WrongError as wrong:
                whose = fields[place].strip() if place < len(fields) else ""
                bad.append(BadRow(reader.line_num, whose, *wrong.args))
    except csv.Error as error:
        raise ConfigError(f"{name}, line {reader.line_num}: {error}; save it as plain CSV") from error
    if not ratings:
        first = f", the first in {bad[0]}" if bad else "; list at least one entity"
        raise ConfigError(f"{name}: has no sound row{first}")
    return Assets(name, ratings, tuple(bad))


def _limits(rating: Rating, power_factor: float, cyclic_ratio: float) -> Iterator[tuple[LimitKind, float, float]]:
    """Yield each limit of a rating: its kind, kVA and power factor; what the rating says goes before the defaults."""
    pf = rating.power_factor if rating.power_factor is not None else power_factor
    ratio = rating.cyclic_ratio if rating.cyclic_ratio is not None else cyclic_ratio
    if rating.fuse_a is not None:
        yield "fuse", apparent_kva(rating.fuse_a), pf
    if rating.cable_a is not None:
        yield "cable", apparent_kva(rating.cable_a), pf
    if rating.transformer_kva is not None:
        yield "transformer", rating.transformer_kva * ratio, pf
    if rating.homes is not None:
        yield "design", design_demand_kva(round(rating.homes), admd_kva=ADMD_GAS_HEATED_KVA[1]), pf


def limits_of(
    levels: Mapping[str, str], *, assets: Assets | None = None, usual: str | None = None,
    power_factors: Mapping[str, float] | None = None, cyclic_ratio: float = WINTER_CYCLIC_RATIO,
    interval_mins: int = 30,
) -> pl.DataFrame:  # fmt: skip
    """Return ``LIMITS`` of entities, ordered by entity and limit.

    An entity of the assets file has what stands there and nothing else. Any other gets what is usual, if that is
    named: a feeder its fuse, a substation its transformer. An entity whose row was set aside gets no limit.

    Args:
        levels: Whose limits, and whether each is a ``feeder`` or a ``substation``.
        assets: What an assets file says.
        usual: One of ``RATINGS`` for the others.
        power_factors: Measured ones; others are ``DEFAULT_POWER_FACTOR``.
        cyclic_ratio: What a transformer may carry at its peak, of its name plate, unless its row says so.
        interval_mins: Of the readings.

    Raises:
        ConfigError: When no usual kind has the name.
    """
    if usual is not None and usual not in RATINGS:
        raise ConfigError(f"no usual rating is called {usual!r}; there are: {', '.join(RATINGS)}")
    measured, named = power_factors or {}, assets.ratings if assets else {}
    lost = {row.entity for row in assets.bad} if assets else set()
    rows = []
    for entity, level in sorted(levels.items()):
        if (rating := named.get(entity)) is not None and assets is not None:
            source = assets.name
        elif usual is not None and entity not in lost:
            both, source = RATINGS[usual], usual
            rating = Rating(fuse_a=both.fuse_a) if level == "feeder" else Rating(transformer_kva=both.transformer_kva)
        else:
            continue
        for kind, kva, pf in _limits(rating, measured.get(entity, DEFAULT_POWER_FACTOR), cyclic_ratio):
            kwh = limit_kwh(kva, power_factor=pf, interval_mins=interval_mins)
            rows.append((entity, kind, kva, pf, kwh, source))
    order = pl.Enum(get_args(LimitKind))
    return pl.DataFrame(rows, schema=LIMITS, orient="row").sort("entity_id", pl.col("limit").cast(order))
