"""What feeders and their substations used, as one panel: real feeders, or pseudo-feeders of homes."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loadproof.errors import ConfigError
from loadproof.features.panel import Panel, panel_from_readings
from loadproof.feeders.aggregate import ScaleUp, aggregate, as_feeders, scale_up
from loadproof.feeders.groupings import groups_of, groups_of_network, groups_of_size

__all__ = [
    "PSEUDO_SUBSTATION",
    "Loads",
    "last_common_end",
    "network_loads",
    "power_factors",
    "pseudo_loads",
    "read_between",
    "recent_loads",
    "tree_at_risk",
    "widen",
]

PSEUDO_SUBSTATION: Final = "pseudo:substation"

_SUBSTATION: Final = "secondary_substation"

_STEPS_A_DAY: Final = 48
_SUBSTATIONS_SHOWN: Final = 8
_FEEDERS_SHOWN: Final = 12
_RECENT_DAYS: Final = 28
"""A home that reported little of so many days before ``t0`` is in no pseudo-feeder."""


@dataclass(frozen=True, eq=False)
class Loads:
    """The loads that limits are held against.

    Attributes:
        panel: Feeders and substations, each a series of kWh per half hour.
        levels: ``feeder`` or ``substation`` of each.
        members: The feeders or homes of each substation or pseudo-feeder, where they are known.
        devices: MPANs, or homes, of each; absent where unknown.
        reported_share: Mean share of the devices that reported; absent where unknown.
        relative_se: Standard error of the scaled-up load over the load; absent where nothing was scaled up.
        scaled_by: How silent devices were counted.
    """

    panel: Panel
    levels: Mapping[str, str]
    members: Mapping[str, Sequence[str]]
    devices: Mapping[str, int]
    reported_share: Mapping[str, float]
    relative_se: Mapping[str, float]
    scaled_by: ScaleUp


def last_common_end(readings: pl.LazyFrame) -> dt.datetime | None:
    """Return the end of the last half hour in which at least half as many report as ever did; None without readings."""
    counts = readings.group_by("ts_utc").agg(n=pl.len(), mins=pl.col("interval_mins").max()).collect(engine="streaming")
    if counts.is_empty():
        return None
    most = counts["n"].to_numpy().max()
    last = counts.filter(2 * pl.col("n") >= most).sort("ts_utc").row(-1, named=True)
    end: dt.datetime = last["ts_utc"] + dt.timedelta(minutes=last["mins"])
    return end


def read_between(readings: pl.LazyFrame, since: dt.datetime, until: dt.datetime) -> pl.LazyFrame:
    """Return the readings from ``since`` to before ``until``."""
    return readings.filter(pl.col("ts_utc") >= since, pl.col("ts_utc") < until)


def _homes(readings: pl.LazyFrame, t0: dt.datetime, share: float) -> NDArray[np.str_]:
    """Return the homes that reported at least a share of the half hours of the last ``_RECENT_DAYS``."""
    recent = readings.filter(pl.col("ts_utc") >= t0 - dt.timedelta(days=_RECENT_DAYS))
    counts = recent.group_by("entity_id").agg(n=pl.len()).collect(engine="streaming")
    able = counts.filter(pl.col("n") >= share * _RECENT_DAYS * _STEPS_A_DAY)["entity_id"].sort()
    return np.array(able.to_list(), dtype=np.str_)


def _loads(
    feeders: pl.DataFrame, levels: Mapping[str, str], members: Mapping[str, Sequence[str]], scaled_by: ScaleUp
) -> Loads:
    facts = feeders.group_by("entity_id").agg(
        devices=pl.col("devices").max(),
        share=(pl.col("reporting") / pl.col("devices")).mean(),
        se=pl.col("energy_se_kwh").mean() / pl.col("energy_kwh").mean(),
    )
    known = {
        name: dict(facts.filter(pl.col(name).is_finite()).select("entity_id", name).iter_rows())
        for name in ("devices", "share", "se")
    }
    panel = panel_from_readings(feeders)
    kept = {name: levels[name] for name in panel.entities.tolist()}
    return Loads(panel, kept, members, known["devices"], known["share"], known["se"], scaled_by)


def pseudo_loads(
    readings: pl.LazyFrame, t0: dt.datetime, *, size: int, min_reporting: float, rng: np.random.Generator
) -> Loads:
    """Return random disjoint pseudo-feeders of ``size`` homes that report before ``t0``, and their substation.

    The few homes that are silent in a half hour are taken to use what the others do, which ``relative_se`` counts; a
    half hour in which fewer than ``min_reporting`` report is missing. No factor of diversity: a sum is diverse.

    Raises:
        ConfigError: When the homes fill no feeder.
    """
    groups = groups_of_size(_homes(readings, t0, min_reporting), size, rng=rng)
    names = groups["group_id"].unique().sort().to_list()
    all_homes = groups_of({PSEUDO_SUBSTATION: groups["entity_id"].to_list()})
    both = aggregate(readings, pl.concat([groups, all_homes]))
    scaled = scale_up(both, "mean_of_reporting", min_reporting=min_reporting).collect()
    if scaled.is_empty():
        raise ConfigError(
            f"in no half hour {min_reporting:.0%} of a feeder's {size} homes report; ask for less with "
            "risk.min_reporting, or ingest more"
        )
    levels = dict.fromkeys(names, "feeder") | {PSEUDO_SUBSTATION: "substation"}
    members = {
        str(name): part["entity_id"].to_list() for (name,), part in pl.concat([groups, all_homes]).group_by("group_id")
    }
    members[PSEUDO_SUBSTATION] = names
    return _loads(scaled, levels, members, "mean_of_reporting")


def network_loads(
    readings: pl.LazyFrame, network: pl.DataFrame | None, *, how: ScaleUp, min_reporting: float,
    relative_sd: float | None,
) -> Loads:  # fmt: skip
    """Return real feeders, and the substations whose feeders are named by the network table.

    A substation's half hour is the sum of its feeders that have readings, and missing where one of them is. Under
    ``as_reported`` a load is that of the smart meters that reported, which is less than the feeder's whole.

    Args:
        readings: Columns of ``READINGS``, of feeders.
        network: The table ``NETWORK``; None leaves substations out.
        how: How silent devices are counted.
        min_reporting: The least share that must report where they are scaled up.
        relative_sd: Deviation between devices over their mean, for what scaling up is uncertain by.

    Raises:
        ConfigError: When scaling up leaves nothing.
    """
    feeders = as_feeders(readings)
    levels: dict[str, str] = {}
    members: dict[str, Sequence[str]] = {}
    parts = [feeders]
    seen = readings.select(pl.col("entity_id").unique()).collect(engine="streaming")["entity_id"]
    if network is not None:
        groups = groups_of_network(network.filter(pl.col("entity_id").is_in(seen.implode())), _SUBSTATION)
        sizes = groups.group_by("group_id").agg(pl.col("entity_id").sort(), n=pl.len())
        members = dict(sizes.select("group_id", "entity_id").iter_rows())
        whole = feeders.join(groups.lazy().select("group_id", "entity_id"), on="entity_id").group_by(
            "group_id", "ts_utc"
        ).agg(present=pl.len()).join(sizes.lazy().select("group_id", "n"), on="group_id").filter(
            pl.col("present") == pl.col("n")
        ).select(pl.col("group_id").alias("entity_id"), "ts_utc")  # fmt: skip
        parts.append(aggregate(feeders, groups).join(whole, on=["entity_id", "ts_utc"], how="semi"))
        levels = dict.fromkeys(members, "substation")
    levels |= dict.fromkeys(seen.to_list(), "feeder")
    both = pl.concat(parts)
    if how == "as_reported":
        frame = both.with_columns(energy_se_kwh=pl.lit(None, dtype=pl.Float64)).collect(engine="streaming")
    else:
        frame = scale_up(both, how, min_reporting=min_reporting, relative_sd=relative_sd).collect(engine="streaming")
    if frame.is_empty():
        raise ConfigError(
            f"of no feeder {min_reporting:.0%} of the MPANs reported with a known count; ingest the lookup with the "
            "usage, lower risk.min_metered, or take --scale as_reported"
        )
    return _loads(frame, levels, members, how)


def power_factors(readings: pl.LazyFrame, members: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return each feeder's power factor over all half hours whose active and reactive meters are equally many.

    A substation's is that of its feeders' sums, as far as they are measured. Reactive import alone is published; a
    feeder that exports reactive energy looks better than it is.

    Args:
        readings: Columns of ``READINGS``, of feeders.
        members: The feeders of each substation.
    """
    facts = {
        name: pl.col("extras").str.json_path_match(f"$.{name}").cast(pl.Float64, strict=False)
        for name in ("device_count", "device_count_reactive", "reactive_kvarh")
    }
    sums = (
        readings.select("entity_id", pl.col("energy_kwh").cast(pl.Float64), **facts)
        .filter(pl.col("device_count") == pl.col("device_count_reactive"), pl.col("reactive_kvarh").is_not_null())
        .group_by("entity_id")
        .agg(p=pl.col("energy_kwh").sum(), q=pl.col("reactive_kvarh").sum())
        .collect(engine="streaming")
    )
    of = {"entity_id": [name for feeders in members.values() for name in feeders],
          "above": [name for name, feeders in members.items() for _ in feeders]}  # fmt: skip
    above = pl.DataFrame(of, schema={"entity_id": pl.String, "above": pl.String}).join(sums, on="entity_id")
    together = above.group_by(entity_id="above").agg(pl.col("p", "q").sum())
    factor = pl.col("p") / (pl.col("p") ** 2 + pl.col("q") ** 2).sqrt()
    found = pl.concat([sums, together]).filter(pl.col("p") > 0).select("entity_id", factor.alias("factor"))
    return dict(found.sort("entity_id").iter_rows())


def widen(
    quantiles_kwh: NDArray[np.floating[Any]], levels: Sequence[float], relative_se: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return quantiles with the error of scaling up in them, added as the root of squares around the median.

    Args:
        quantiles_kwh: ``(N, H, Q)`` with the median among the levels.
        levels: ``(Q,)``.
        relative_se: Standard error over load, ``(N,)``; taken as a bell.
    """
    median = np.asarray(quantiles_kwh[..., list(levels).index(0.5)], dtype=np.float64)[..., None]  # (N, H, 1)
    away = quantiles_kwh - median  # (N, H, Q)
    bell = np.array([NormalDist().inv_cdf(level) for level in levels])  # (Q,)
    error = bell * relative_se[:, None, None] * median  # (N, H, Q)
    return np.asarray(np.maximum(median + np.sign(bell) * np.hypot(away, error), 0))


def tree_at_risk(loads: Loads, ranked: Sequence[str]) -> dict[str, list[str]]:
    """Return the substations of the entities that stand first in rank, each with its feeders, in that order."""
    feeders_of = {name: list(below) for name, below in loads.members.items() if loads.levels.get(name) == "substation"}
    above = {feeder: name for name, below in feeders_of.items() for feeder in below}
    first = dict.fromkeys(name if name in feeders_of else above.get(name) for name in ranked)
    return {name: feeders_of[name][:_FEEDERS_SHOWN] for name in [*filter(None, first)][:_SUBSTATIONS_SHOWN]}


def recent_loads(loads: Loads, entities: Sequence[str], t0: dt.datetime) -> pl.DataFrame:
    """Return ``entity_id, ts_utc, energy_kwh`` of some entities in the two days before ``t0``, by entity and time."""
    panel = loads.panel
    end = int(panel.steps_to(np.array([t0.replace(tzinfo=None)], dtype="datetime64[us]"))[0])
    steps = np.arange(max(end - 2 * _STEPS_A_DAY, 0), max(min(end, panel.energy_kwh.shape[1]), 0))
    rows = np.flatnonzero(np.isin(panel.entities, np.asarray(entities)))
    ts = panel.start + steps * np.timedelta64(panel.interval_mins, "m")
    kwh = panel.energy_kwh[np.ix_(rows, steps)]
    frame = pl.DataFrame(
        {
            "entity_id": np.repeat(panel.entities[rows], len(steps)),
            "ts_utc": pl.Series(np.tile(ts, len(rows)).astype("datetime64[us]")).dt.replace_time_zone("UTC"),
            "energy_kwh": kwh.ravel(),
        },
        schema_overrides={"entity_id": pl.String},
    )
    return frame.filter(pl.col("energy_kwh").is_not_nan())
