"""The board: from the records of all jobs to rows of figures, models in ratio to the bars on the same half hours.

A row is one of ``METRICS`` and says besides: which split, which arm of weather, which lag, raw or calibrated, of which
windows, and of how many parts (a fold of one half) it is made.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import SchemaError
from loadproof.evaluation import bootstrap
from loadproof.evaluation.board_plan import BARS, CHRONOLOGICAL, HOURLY
from loadproof.evaluation.bootstrap import Weights
from loadproof.evaluation.metrics import METRIC_UNITS, enough_blocks, overall_counts, overall_values
from loadproof.evaluation.sums import SUM_NAMES, Sums
from loadproof.schema import METRICS
from loadproof.seeds import rng_for

__all__ = ["BOARD", "RATIOS", "SHOWN", "SPLITS", "Part", "board_rows", "sums_of"]

SPLITS: Final = {
    "unseen_homes_and_time": "homes and a quarter that training has not seen",
    "unseen_time": "a quarter that training has not seen, of homes that it has",
    "chronological": "the last quarter, of homes whose past was learned from",
}

SHOWN: Final = (
    "pinball", "crps", "pinball_scaled", "mase", "mae", "nrmse", "coverage_50", "coverage_80", "coverage_90",
)  # fmt: skip
"""The metrics of the board."""

RATIOS: Final = ("pinball", "crps")
"""The metrics by which models are set in ratio, and in difference."""

BOARD: Final = pl.Schema(
    [
        *METRICS.items(),
        ("split", pl.String),
        ("arm", pl.String),
        ("data_lag_steps", pl.Int64),
        ("variant", pl.String),
        ("every", pl.Int64),
        ("parts", pl.Int64),
    ]
)
"""The columns of a board's rows."""


class Part(NamedTuple):
    """One variant of one job, as its record tells it: the facts and the rows."""

    facts: Mapping[str, Any]
    frame: pl.DataFrame


_Key: TypeAlias = tuple[str, str]
"""A part of the board: the fold, and the half that was learned from."""


class _Table(NamedTuple):
    """What one table of the board is about."""

    level: str
    split: str
    arm: str
    data_lag_steps: int


class _Who(NamedTuple):
    model: str
    variant: str


class _Scored(NamedTuple):
    """The metrics of all the data and of every draw, and the cells that they rest on."""

    value: NDArray[np.float64]  # (M,)
    draws: NDArray[np.float64]  # (D, M)
    cells: NDArray[np.float64]  # (E, W, K)


def sums_of(frame: pl.DataFrame, model: str) -> Sums:
    """Return rows of records as sums, cells of one entity and week added, whatever part they come from.

    What records do not keep, the shares below each quantile, is NaN.
    """
    kept = [name for name in SUM_NAMES if name in frame.columns]
    total = frame.group_by("entity_id", "week").agg(pl.col(kept).cast(pl.Float64).sum()).sort("entity_id", "week")
    entities, row = np.unique(total["entity_id"].to_numpy().astype(np.str_), return_inverse=True)  # (E,)
    weeks, column = np.unique(total["week"].to_numpy(), return_inverse=True)  # (W,)
    values = np.zeros((len(entities), len(weeks), 1, len(SUM_NAMES)))
    for at, name in enumerate(SUM_NAMES):
        values[row, column, 0, at] = total[name].to_numpy() if name in kept else np.nan
    return Sums(model, entities, weeks, values)


def _draw(n_entities: int, n_weeks: int, *, draws: int, rng: np.random.Generator) -> Weights:
    """Return resamples of entities crossed with weeks; of weeks alone where there is one entity."""
    weights = bootstrap.draw_weights(n_entities, n_weeks, draws=draws, rng=rng)
    return weights if n_entities > 1 else weights._replace(homes=np.ones((draws, 1)))


class _Bench:
    """All who are in one table, and their figures of any parts and windows, each worked out once.

    All figures of as many entities and weeks come from the same draws.
    """

    def __init__(self, draws: int, seed: int) -> None:
        self.rows: dict[_Who, dict[_Key, pl.DataFrame]] = {}
        self._draws, self._seed = draws, seed
        self._scored: dict[tuple[_Who, int, frozenset[_Key]], _Scored] = {}

    def keys(self, who: _Who, every: int) -> frozenset[_Key]:
        """Return the parts in which someone was judged on each home's every so many days."""
        return frozenset(key for key, rows in self.rows.get(who, {}).items() if every in rows["every"])

    def score(self, who: _Who, every: int, keys: frozenset[_Key]) -> _Scored:
        """Return the figures of some parts, pooled."""
        if (found := self._scored.get((who, every, keys))) is None:
            rows = pl.concat([self.rows[who][key] for key in sorted(keys)]).filter(pl.col("every") == every)
            cells = sums_of(rows, who.model).values[:, :, 0]  # (E, W, K)
            weights = _draw(*cells.shape[:2], draws=self._draws, rng=rng_for(self._seed, "board"))
            once = bootstrap.weigh_once(*cells.shape[:2])
            found = _Scored(overall_values(cells, once)[0], overall_values(cells, weights), cells)
            self._scored[who, every, keys] = found
        return found


def _benches(parts: Iterable[Part], *, draws: int, seed: int) -> dict[_Table, _Bench]:
    """Return who is in which table."""
    found: dict[_Table, _Bench] = {}
    for part in parts:
        facts = part.facts
        held = (("unseen_homes_and_time", ~pl.col("seen")), ("unseen_time", pl.col("seen")))
        for split, mask in ((CHRONOLOGICAL, pl.lit(True)),) if facts["fold"] == CHRONOLOGICAL else held:
            if (rows := part.frame.filter(mask)).height:
                table = _Table(facts["level"], split, facts["arm"], facts["data_lag_steps"])
                bench = found.setdefault(table, _Bench(draws, seed))
                bench.rows.setdefault(_Who(facts["model"], facts["variant"]), {})[facts["fold"], facts["half"]] = rows
    return found


def _few(scored: _Scored) -> NDArray[np.bool_]:
    """Return the metrics that rest on too few blocks for an interval, ``(M,)``; of one entity weeks alone count."""
    if len(scored.cells) > 1:
        return ~enough_blocks(scored.cells)
    n_weeks = (scored.cells[0, :, 0] > 0).sum()
    return np.full(len(METRIC_UNITS), n_weeks < bootstrap.MIN_BLOCKS)


def _interval(value: float, draws: NDArray[np.float64], few: bool) -> tuple[float, float, float]:
    low, high = bootstrap.bounds(np.where(np.isfinite(draws), draws, np.nan)[:, None])
    return (value, np.nan, np.nan) if few else (value, float(low[0]), float(high[0]))


def _own(scored: _Scored) -> Iterator[tuple[Any, ...]]:
    """Yield metric, value, low, high, n and unit of each metric shown."""
    few, counts = _few(scored), overall_counts(scored.cells)
    for at, (name, unit) in enumerate(METRIC_UNITS.items()):
        if name in SHOWN:
            yield name, *_interval(scored.value[at], scored.draws[:, at], few[at]), int(counts[at]), unit


def _against(scored: _Scored, other: _Scored, name: str) -> Iterator[tuple[Any, ...]]:
    """Yield the same for the ratio and the difference to another, in the same draws."""
    if not np.array_equal(scored.cells[..., :3], other.cells[..., :3]):  # n, n_scaled and load
        raise SchemaError(f"{name} was judged on other half hours; make the records of this table again")
    few, counts = _few(scored), overall_counts(scored.cells)
    for metric in RATIOS:
        at = list(METRIC_UNITS).index(metric)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = scored.value[at] / other.value[at], scored.draws[:, at] / other.draws[:, at]
        yield f"{metric}_ratio_to:{name}", *_interval(*ratio, few[at]), int(counts[at]), "1"
        gap = scored.value[at] - other.value[at], scored.draws[:, at] - other.draws[:, at]
        yield f"{metric}_difference_to:{name}", *_interval(*gap, few[at]), int(counts[at]), METRIC_UNITS[metric]


def _bars(who: _Who) -> Iterator[tuple[str, _Who]]:
    """Yield the bars by the name they go by: as they are, and treated as ``who`` is."""
    for model in BARS:
        if (bar := _Who(model, "raw")) != who:
            yield model, bar
        if who.variant != "raw" and model != who.model:
            yield f"{model}_{who.variant}", _Who(model, who.variant)


def _rows(table: _Table, bench: _Bench, plain: _Bench | None) -> Iterator[tuple[Any, ...]]:
    """Yield who, which windows, of how many parts, and the figure, for each row of one table."""
    for who in bench.rows:
        every = min(min(rows["every"]) for rows in bench.rows[who].values())
        keys = bench.keys(who, every)
        head = (*who, every, len(keys))
        for figure in _own(bench.score(who, every, keys)):
            yield *head, *figure
        others = [(name, bench, bar) for name, bar in _bars(who)] + ([("none", plain, who)] if plain else [])
        for name, where, bar in others:
            if common := keys & where.keys(bar, every):
                one, two = bench.score(who, every, common), where.score(bar, every, common)
                for figure in _against(one, two, name):
                    yield *head[:3], len(common), *figure


def board_rows(parts: Iterable[Part], *, dataset: str, draws: int, seed: int) -> pl.DataFrame:
    """Return the rows of ``BOARD`` over all entities and all times.

    Figures are pooled over the parts; an entity that was judged in four blocks is one entity in the resamples. A model
    is set in ratio to the bars on the half hours that both were judged on, and one with weather to itself without.

    Args:
        parts: The records, of one kind of knobs and data.
        dataset: Whose readings.
        draws: Number of resamples.
        seed: Where chance comes from.

    Raises:
        SchemaError: When two were judged on different half hours of what should be the same.
    """
    benches = _benches((part for part in parts if part.facts["level"] != HOURLY), draws=draws, seed=seed)
    rows = []
    for table, bench in benches.items():
        plain = benches.get(table._replace(arm="none")) if table.arm != "none" else None
        for model, variant, every, n_parts, *figure in _rows(table, bench, plain):
            about = (table.split, table.arm, table.data_lag_steps, variant, every, n_parts)
            rows.append((model, dataset, table.level, None, "all", *figure, *about))
    found = pl.DataFrame(rows, schema=BOARD, orient="row")
    return found.with_columns(pl.col("value", "low", "high").fill_nan(None))
