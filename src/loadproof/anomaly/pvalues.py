"""From scores to p-values: how often clean history scored as high.

A conformal p-value is (the number of past scores at least as high + 1) / (the number of past scores + 1): no more than
a share p of clean readings falls at or below p, whatever the scores are. Ties count against the reading; no chance is
involved. S past scores in all, E homes.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, Literal, NamedTuple, TypeAlias, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.detector import Scores
from loadproof.errors import ConfigError, SchemaError
from loadproof.features.windows import Inputs
from loadproof.forecaster import ModelState
from loadproof.schema import SCORES

__all__ = [
    "MIN_OWN",
    "Floats",
    "Homes",
    "OwnHistory",
    "PValues",
    "Tail",
    "conformal",
    "fit_pvalues",
    "in_scales",
    "least_excess",
    "own_history",
    "p_values",
    "pvalues_from_state",
    "score_table",
]

Tail = Literal["own", "shared"]
"""How p-values go on where a home's own history is thin: ``own`` ranks among its past scores alone; ``shared`` lends
it the homes' highest scores, each over its own home's threshold in multiples of that home's mean excess, or of the
median home's if that is more: the calm weeks of one home say little of its next. Below what one home can tell, such a
p-value holds as far as homes' tails are alike."""

MIN_OWN: Final = 672
"""With fewer past scores than these, two weeks of half hours, a home is held against the pool of all."""

_TAIL_SHARE: Final = 0.02
"""The share of a home's past scores that is its tail; 27 of four weeks."""

_LEAST_EXCESS: Final = 1e-6  # of the size of scores: a home whose tail is flat still has a scale

Floats = NDArray[np.float64]

Homes: TypeAlias = NDArray[np.str_] | NDArray[np.int64]
"""Names of homes, or their numbers, which are sorted many times faster."""


class PValues(NamedTuple):
    """Clean history, ready to be ranked against.

    Attributes:
        entities: Homes with enough of their own, ascending, ``(E,)``.
        first: Where each home's scores begin in ``own``, and the end, ``(E + 1,)``.
        own: Their past scores, ascending in each home.
        pool: Past scores of all homes, ascending, ``(S,)``.
        border: Score above which a home's tail begins, ``(E,)``.
        scale: Mean excess of its tail, or that of the median home if that is more, ``(E,)``.
        excess: All excesses over the border in scales, ascending; empty unless the tail is shared.
        tail: Which tail.
    """

    entities: Homes
    first: NDArray[np.int64]
    own: NDArray[np.float32]
    pool: NDArray[np.float32]
    border: NDArray[np.float32]
    scale: NDArray[np.float32]
    excess: NDArray[np.float32]
    tail: Tail

    def state(self) -> ModelState:
        """Return all of it, for a model folder."""
        arrays = {name: value for name, value in self._asdict().items() if name not in {"entities", "tail"}}
        return ModelState({"entities": self.entities.tolist(), "tail": self.tail}, arrays, {})


def pvalues_from_state(state: ModelState) -> PValues:
    """Return what :meth:`PValues.state` told.

    Raises:
        SchemaError: When the state is of something else.
    """
    if set(state.knobs) != {"entities", "tail"} or set(state.arrays) | {"entities", "tail"} != set(PValues._fields):
        raise SchemaError("the state is not that of p-values; fit them again")
    entities = np.array(state.knobs["entities"], dtype=np.str_)
    return PValues(entities=entities, tail=state.knobs["tail"], **state.arrays)


def _tail_of(ordered: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
    """Return the border of one home's tail and the excesses over it; of equal scores none is beyond the border."""
    border = ordered[len(ordered) - 1 - max(int(len(ordered) * _TAIL_SHARE), 1)]
    return float(border), ordered[ordered > border] - border


class OwnHistory(NamedTuple):
    """Clean history of some homes by themselves, before it is known what is usual of all homes.

    Attributes:
        entities: As in :class:`PValues`, as are the next three.
        first: ``(E + 1,)``.
        own: Past scores, ascending in each home.
        border: ``(E,)``.
        means: Mean excess of each home's tail, ``(E,)``.
        over: All excesses over the border, home by home, ``(X,)``.
        counts: How many there are of each home, ``(E,)``.
        sums: Their sum, ``(E,)``.
        greatest: The size of the largest score.
        size: How many past scores there are, with those of homes that have too few.
    """

    entities: Homes
    first: NDArray[np.int64]
    own: NDArray[np.float32]
    border: NDArray[np.float32]
    means: Floats
    over: NDArray[np.float32]
    counts: NDArray[np.int64]
    sums: Floats
    greatest: float
    size: int

    def among(self, pool: NDArray[np.float32], excess: NDArray[np.float32], *, least: float, tail: Tail) -> PValues:
        """Return what p-values of these homes need to know, once it is known of all homes.

        Args:
            pool: Past scores of all homes, ascending, ``(S,)``.
            excess: Excesses of all homes in scales, ascending.
            least: What no home's mean excess is taken for less than.
            tail: Which tail.
        """
        scale = np.maximum(self.means, least).astype(np.float32)
        return PValues(self.entities, self.first, self.own, pool, self.border, scale, excess, tail)


def own_history(score: NDArray[np.float32], entity: Homes, *, min_own: int = MIN_OWN) -> OwnHistory:
    """Return what clean windows tell of their homes alone; of no score there are no homes.

    Args:
        score: Scores of clean windows, NaN where missing, ``(N, H)``.
        entity: Whose, ``(N,)``.
        min_own: Fewest past scores for a home to be held against its own.
    """
    names, row = np.unique(entity, return_inverse=True)  # (E',), (N,)
    keep = ~np.isnan(score)
    flat, homes = score[keep].astype(np.float32), np.repeat(row, keep.sum(axis=1))  # (S,)
    order = np.argsort(homes, kind="stable")  # each home sorted by itself takes a quarter of the time of all at once
    there, begin = np.unique(homes[order], return_index=True)
    blocks = [np.sort(part) for part in np.split(flat[order], begin)[1:]]
    enough = [(n, block) for n, block in zip(there, blocks, strict=True) if len(block) >= min_own]
    tails = [_tail_of(block) for _, block in enough]
    none = np.zeros(0, np.float32)
    return OwnHistory(
        entities=cast(Homes, names[[n for n, _ in enough]]),
        first=np.cumsum([0, *(len(block) for _, block in enough)]).astype(np.int64),
        own=np.concatenate([none, *(block for _, block in enough)]),
        border=np.array([border for border, _ in tails], dtype=np.float32),
        means=np.array([over.mean(dtype=np.float64) if over.size else 0.0 for _, over in tails], dtype=np.float64),
        over=np.concatenate([none, *(over for _, over in tails)]),
        counts=np.array([len(over) for _, over in tails], dtype=np.int64),
        sums=np.array([over.sum(dtype=np.float64) for _, over in tails], dtype=np.float64),
        greatest=float(np.abs(flat).max()) if len(flat) else 0.0,
        size=len(flat),
    )


def least_excess(means: Floats, greatest: float) -> float:
    """Return what no home's mean excess is taken for less than.

    Args:
        means: Mean excess of the tail of all homes, ``(E,)``.
        greatest: The size of the largest of all scores.
    """
    return max(float(np.median(means)) if len(means) else 0.0, _LEAST_EXCESS * (greatest or 1.0))


def in_scales(
    over: NDArray[np.float32], counts: NDArray[np.int64], sums: Floats, *, least: float
) -> NDArray[np.float32]:
    """Return excesses, each in multiples of the mean of the home's others, or of ``least`` if that is more.

    Args:
        over: Excesses home by home, ``(X,)``.
        counts: How many of each home, ``(E,)``.
        sums: Their sum, ``(E,)``.
        least: What no mean is taken for less than.
    """
    others = np.maximum(np.repeat(sums, counts) - over, 0) / np.repeat(np.maximum(counts - 1, 1), counts)  # (X,)
    return np.asarray(over / np.maximum(others, least), dtype=np.float32)


def fit_pvalues(score: NDArray[np.float32], entity: Homes, *, tail: Tail = "shared", min_own: int = MIN_OWN) -> PValues:
    """Return what p-values need to know of clean history.

    The history must not be what the detector was trained on, and should be as near as can be to what is judged.

    Args:
        score: Scores of clean windows, NaN where missing, ``(N, H)``.
        entity: Whose, ``(N,)``.
        tail: See ``Tail``.
        min_own: Fewest past scores for a home to be held against its own.

    Raises:
        ConfigError: When there is no score.
    """
    own = own_history(score, entity, min_own=min_own)
    if not own.size:
        raise ConfigError("clean history holds no score; give p-values windows with readings")
    pool = np.sort(score[~np.isnan(score)].astype(np.float32))
    least = least_excess(own.means, own.greatest)
    excess = (
        np.sort(in_scales(own.over, own.counts, own.sums, least=least)) if tail == "shared" else np.zeros(0, np.float32)
    )
    return own.among(pool, excess, least=least, tail=tail)


def conformal(at_least: NDArray[np.int64], size: int) -> Floats:
    """Return the p-values of scores that ``at_least`` of ``size`` past ones reach."""
    return np.asarray((at_least + 1) / (size + 1))


def _rank(history: NDArray[np.float32], score: NDArray[np.float32]) -> Floats:
    """Return the conformal p-value among ``history``, ascending."""
    return conformal(len(history) - np.searchsorted(history, score), len(history))


def _own(known: PValues, home: int, score: NDArray[np.float32]) -> Floats:
    history = known.own[known.first[home] : known.first[home + 1]]
    p = _rank(history, score)
    border = known.border[home]
    if known.excess.size and (beyond := score > border).any():
        share = _rank(history, np.nextafter(border, np.float32(np.inf)))
        p[beyond] = share * _rank(known.excess, (score[beyond] - border) / known.scale[home])
    return p


def p_values(
    known: PValues, score: NDArray[np.float32], entity: Homes, *,
    strangers: Callable[[NDArray[np.float32]], Floats] | None = None,
) -> NDArray[np.float32]:  # fmt: skip
    """Return the p-value of each score, in (0, 1], NaN where the score is, ``(N, H)``.

    Within a home a higher score never has a higher p-value. A home without enough history is held against the pool.

    Args:
        known: Clean history.
        score: Scores, ``(N, H)``.
        entity: Whose, ``(N,)``.
        strangers: Ranks scores of a home without enough history; among ``known.pool`` by default.
    """
    of_stranger = strangers or partial(_rank, known.pool)
    p = np.full(score.shape, np.nan, dtype=np.float32)
    names, row = np.unique(entity, return_inverse=True)  # (E',), (N,)
    order = np.argsort(row, kind="stable")
    for name, rows in zip(names, np.split(order, np.flatnonzero(np.diff(row[order])) + 1), strict=True):
        read = ~np.isnan(score[rows])
        mine = score[rows][read].astype(np.float32)
        home = int(np.searchsorted(known.entities, name))
        stranger = home == len(known.entities) or known.entities[home] != name
        found = np.full(read.shape, np.nan, dtype=np.float32)
        found[read] = of_stranger(mine) if stranger else _own(known, home, mine)
        p[rows] = found
    return p


def score_table(detector: str, scores: Scores, p: NDArray[np.float32], inputs: Inputs) -> pl.DataFrame:
    """Return the rows of ``SCORES``, ordered by entity and time; a missing reading has no row.

    Args:
        detector: Its name.
        scores: Scores ``(N, H)``.
        p: P-values ``(N, H)``.
        inputs: Of the windows that were scored.
    """
    read = ~np.isnan(scores.score)
    entity = pl.Series(inputs.entity.tolist(), dtype=pl.String).gather(np.nonzero(read)[0])
    ts = pl.Series(inputs.ts()[read].astype("datetime64[us]")).dt.replace_time_zone("UTC")
    kind = pl.Series(scores.kinds, dtype=pl.String).gather(scores.kind[read])
    columns = {"entity_id": entity, "ts_utc": ts, "score": scores.score[read], "p_value": p[read], "kind": kind}
    frame = pl.DataFrame(columns).with_columns(pl.col("score", "p_value").cast(pl.Float64), detector=pl.lit(detector))
    return frame.select(SCORES.names()).sort("entity_id", "ts_utc", maintain_order=True).match_to_schema(SCORES)
