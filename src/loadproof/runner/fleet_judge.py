"""A morning's day judged among all groups, whose rows never meet: each leaves a little, and ranks its own among all.

Below the folder under way: ``leaves/<detector>`` of each group; then by detector, and by the groups among which is
judged, ``pool`` and ``counted`` of each period, ``landed``, ``tally`` and ``ranked`` of each group.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from loadproof.anomaly.alert_rule import AlertTally
from loadproof.anomaly.day_frames import frame_of_ranked, judged_of_frame, scores_of_frames
from loadproof.anomaly.pool import Landed, Leaves, Pool, among_all, gather, land, limit_of, rank_day
from loadproof.anomaly.sweep import DayScores
from loadproof.anomaly.watch import achieved_rate, nothing_to_judge
from loadproof.parts import Map
from loadproof.runner.fleet_group import Morning, judged_step, numbered
from loadproof.runner.groups import Group, GroupFailed, attempt, carry, name_of
from loadproof.runner.track import Track
from loadproof.seeds import rng_for

__all__ = ["Judgement", "judge_groups"]


class Judgement(NamedTuple):
    """What a day is judged among, and what came of it.

    Attributes:
        among: Names the groups.
        groups: They.
        watched: By detector its rate of alerts, and from which p-value on a reading is odd.
        failed: Groups that did not rank their day, each with why.
    """

    among: str
    groups: list[Group]
    watched: dict[str, Any]
    failed: dict[int, str]


def _periods(morning: Morning) -> range:
    return range(len(morning.history.periods_for(morning.day)))


def _scored(morning: Morning, group: Group) -> Iterator[tuple[str, DayScores]]:
    """Yield by detector the days that a group has scored."""
    for name in morning.detectors:
        if (frame := morning.folder.read(f"days/{name}", group.number)) is not None:
            yield name, scores_of_frames([frame], morning.interval_mins)


def _gather(morning: Morning, among: str, groups: Sequence[Group]) -> bool:
    """Put in place what the groups tell of each period; return whether there are strangers to be counted."""
    folder, step = morning.folder, judged_step("pool", among)
    if (standing := folder.done(step, 0)) is not None:
        return bool(standing["strangers"])
    strangers = 0
    for name in morning.detectors:
        table, own = judged_step(f"pool/{name}", among), f"leaves/{name}"
        numbers = [group.number for group in groups if folder.holds(own, group.number)]
        for period in _periods(morning):
            if not folder.holds(table, period):
                pool = gather(partial(_leaves, morning, own, numbers, period), morning.history)
                folder.keep_arrays(table, period, pool._asdict())
            strangers += len(folder.array(table, period, "asked"))
    folder.keep(step, 0, {}, {"strangers": strangers})
    return strangers > 0


def _leaves(morning: Morning, table: str, numbers: Sequence[int], period: int) -> Iterator[Leaves]:
    for number in numbers:
        yield Leaves(**morning.folder.arrays(table, number, f"{period}/"))


def count_group(morning: Morning, among: str, group: Group) -> int | GroupFailed:
    """Count where a group's past scores lie among those of all strangers; unless an earlier run did."""
    return attempt(group, partial(_count, morning, among, group))


def _count(morning: Morning, among: str, group: Group) -> None:
    folder, step = morning.folder, judged_step("count", among)
    if folder.done(step, group.number) is None:
        landed = {}
        for name, found in _scored(morning, group):
            pools = judged_step(f"pool/{name}", among)
            asked = [folder.array(pools, period, "asked") for period in _periods(morning)]
            landed[judged_step(f"landed/{name}", among)] = numbered(land(found, morning.history, morning.day, asked))
        folder.keep(step, group.number, {}, {}, landed)


def _complete(morning: Morning, among: str, groups: Sequence[Group]) -> None:
    """Put in place how strangers rank among the past scores of all groups."""
    folder, step = morning.folder, judged_step("counted", among)
    if folder.done(step, 0) is not None:
        return
    for name in morning.detectors:
        landed, counted = (judged_step(f"{table}/{name}", among) for table in ("landed", "counted"))
        for period in _periods(morning):
            if folder.holds(counted, period):
                continue
            pool = Pool(**folder.arrays(judged_step(f"pool/{name}", among), period))
            places = (
                Landed(**folder.arrays(landed, group.number, f"{period}/"))
                for group in groups
                if folder.holds(landed, group.number)
            )
            at_least = among_all(pool, places).at_least
            folder.keep_arrays(counted, period, {"at_least": at_least})
    folder.keep(step, 0, {}, {})


def rank_group(morning: Morning, among: str, group: Group) -> int | GroupFailed:
    """Rank a group's day among all groups, and tally what tells on the threshold; unless an earlier run did."""
    return attempt(group, partial(_rank, morning, among, group))


def _rank(morning: Morning, among: str, group: Group) -> None:
    folder, step, rate = morning.folder, judged_step("rank", among), morning.config.anomaly.alerts_per_week
    if folder.done(step, group.number) is not None:
        return
    frames, tallies = {}, {}
    for name, found in _scored(morning, group):
        ranked = rank_day(found, morning.history, morning.day, _pools(morning, among, name), alerts_per_week=rate)
        tallies[judged_step(f"tally/{name}", among)] = ranked.tally._asdict()
        if len(ranked.p):
            frames[judged_step(f"ranked/{name}", among)] = frame_of_ranked(ranked.found, ranked.p)
    folder.keep(step, group.number, frames, {}, tallies)


def _pools(morning: Morning, among: str, name: str) -> Iterator[Pool]:
    pools, counted = (judged_step(f"{table}/{name}", among) for table in ("pool", "counted"))
    for period in _periods(morning):
        pool = Pool(**morning.folder.arrays(pools, period))
        yield pool._replace(**morning.folder.arrays(counted, period))


def _judge(morning: Morning, among: str, groups: Sequence[Group]) -> dict[str, Any]:
    """Choose each detector's threshold, and say how often it alarms; unless an earlier run did."""
    folder, step, config = morning.folder, judged_step("judge", among), morning.config
    if (standing := folder.done(step, 0)) is not None:
        return dict(standing["watched"])
    watched, numbers = {}, [group.number for group in groups]
    for name in morning.detectors:
        ranked, tally = (judged_step(f"{table}/{name}", among) for table in ("ranked", "tally"))
        if not any(folder.part(ranked, number).is_file() for number in numbers):
            raise nothing_to_judge(sum(group.size for group in groups), morning.history)
        tallies = (AlertTally(**folder.arrays(tally, number)) for number in numbers if folder.holds(tally, number))
        limit = limit_of(
            tallies, morning.history, morning.day, alerts_per_week=config.anomaly.alerts_per_week,
            interval_mins=morning.interval_mins,
        )  # fmt: skip
        sums = (judged_of_frame(f, morning.interval_mins, limit).sums() for f in folder.read_all(ranked, numbers))
        rate = achieved_rate(sums, draws=config.evaluation.bootstrap_draws, rng=rng_for(config.seed, "anomaly/rate"))
        odd = {morning.day.isoformat(): limit}
        watched[name] = {"rate": rate.as_json(), "odd_from_p_value": odd}
    folder.keep(step, 0, {}, {"watched": watched})
    return watched


def judge_groups(morning: Morning, groups: Sequence[Group], map_: Map, track: Track) -> Judgement:
    """Judge the day of some groups by what came before it in all of them.

    A group that fails on the way is left out, and the others are judged without it; where all fail, nothing is watched.

    Args:
        morning: The run.
        groups: Those that were forecast.
        map_: Carries them.
        track: Shows progress.

    Raises:
        ConfigError: If no day can be judged.
        SchemaError: If no day was scored.
    """
    left, failed = list(groups), dict[int, str]()
    while left:
        among = name_of(left)
        lost = dict[int, str]()
        if _gather(morning, among, left):
            count = partial(count_group, morning, among)
            lost = carry(map_, count, left, morning.folder, judged_step("count", among), track)
        if not lost:
            _complete(morning, among, left)
            rank = partial(rank_group, morning, among)
            lost = carry(map_, rank, left, morning.folder, judged_step("rank", among), track)
        if not lost:
            return Judgement(among, left, _judge(morning, among, left), failed)
        failed |= lost
        left = [group for group in left if group.number not in lost]
    return Judgement(name_of(left), left, {}, failed)
