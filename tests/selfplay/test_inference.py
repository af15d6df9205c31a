"""Comparisons by sums that can be done by hand, drawn over seeds, homes and weeks together."""

import numpy as np
import polars as pl
import pytest

from loadproof.errors import SchemaError
from loadproof.selfplay.board import (
    ENDPOINTS,
    complete_seeds,
    corrected,
    frames_of,
    in_events,
    pair_figures,
    seeds_needed,
)
from loadproof.selfplay.inference import PRIMARY, compare, sums_of
from loadproof.selfplay.plan import STAGES, Stage, jobs


def frame(by, *, name="hard", homes=6, weeks=5, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    rows = [
        (name, f"lcl:{home}", week, 7, float(7 * by * (1 + home) * np.exp(noise * rng.normal())), 336, 300, 1.0, 7.0)
        for home in range(homes)
        for week in range(weeks)
    ]  # fmt: skip
    columns = ["slice", "entity_id", "week", "windows", "loss", "half_hours", "in_90", "tail_loss", "score"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def pair(first, second, name="hard"):
    return (1.0, sums_of(first, name), sums_of(second, name))


def test_a_loss_lower_by_a_tenth_in_every_home_is_the_logarithm_of_0_9_whatever_is_drawn():
    first, second = ({seed: frame(factor) for seed in (1, 2)} for factor in (0.9, 1.0))
    said = compare([pair(first, second)], draws=200, rng=np.random.default_rng(0))
    for value in (said.value, said.low, said.high, said.trimmed, *said.by_seed):
        assert value == pytest.approx(np.log(0.9))
    assert (said.seeds, said.homes) == (2, 6)


def test_homes_count_alike_however_much_they_use():
    one = frame(1.0)
    other = one.with_columns(
        pl.when(pl.col("entity_id") == "lcl:5").then(pl.col("loss") * 2).otherwise(pl.col("loss")).alias("loss")
    )
    said = compare([pair({1: other}, {1: one})], draws=10, rng=np.random.default_rng(0))
    assert said.value == pytest.approx(np.log(2) / 6)
    assert np.isnan(said.low)  # one seed tells of no spread between seeds


def test_seeds_that_disagree_widen_the_interval():
    same = {seed: frame(1.0) for seed in (1, 2, 3)}
    apart = {seed: frame(factor) for seed, factor in ((1, 0.8), (2, 1.0), (3, 1.25))}
    said = compare([pair(apart, same)], draws=500, rng=np.random.default_rng(0))
    assert said.low < -0.1
    assert said.high > 0.1
    assert said.by_seed == pytest.approx(np.log([0.8, 1.0, 1.25]))


SWAY = 0.1
"""By so much every second seed, home or week is worse than its fellows, and the others are better."""


def swayed(ways, *, of=16, elsewhere=4):
    """Return how wide the interval is where seeds, homes or weeks sway; ``of`` each of those, ``elsewhere`` others."""
    sizes = {way: of if way in ways else elsewhere for way in ("seed", "home", "week")}
    apart = {}
    for seed in range(sizes["seed"]):
        rows = frame(1.0, homes=sizes["home"], weeks=sizes["week"])
        odd = {
            "seed": pl.lit(seed % 2),
            "home": pl.col("entity_id").str.slice(4).cast(int) % 2,
            "week": pl.col("week") % 2,
        }
        away = sum(SWAY * (2 * odd[way] - 1) for way in ways)
        apart[seed] = rows.with_columns(pl.col("loss") * away.exp())
    same = dict.fromkeys(apart, frame(1.0, homes=sizes["home"], weeks=sizes["week"]))
    said = compare([pair(apart, same)], draws=2000, rng=np.random.default_rng(0))
    return said.high - said.low


@pytest.mark.parametrize("way", ["seed", "home", "week"])
def test_what_a_whole_seed_home_or_week_shares_is_as_uncertain_as_they_are_few_however_many_the_rest(way):
    by_hand = 2 * 1.96 * SWAY  # over the root of how many there are
    assert swayed([way]) == pytest.approx(by_hand / 16**0.5, rel=0.1)
    assert swayed([way], of=64) == pytest.approx(by_hand / 64**0.5, rel=0.1)
    assert swayed([way], elsewhere=16) == pytest.approx(by_hand / 16**0.5, rel=0.1)  # no narrower: they say nothing new


def test_what_homes_weeks_and_seeds_share_adds_up_in_squares():
    each = 2 * 1.96 * SWAY / 16**0.5
    assert swayed(["home", "week"]) == pytest.approx(2**0.5 * each, rel=0.1)
    assert swayed(["seed", "home", "week"]) == pytest.approx(3**0.5 * each, rel=0.1)


def test_no_difference_is_found_in_noise_nineteen_times_of_twenty():
    misses = 0
    for trial in range(40):
        first, second = (
            {s: frame(1.0, noise=0.3, seed=1000 * which + 10 * trial + s) for s in range(1, 6)} for which in (1, 2)
        )
        said = compare([pair(first, second)], draws=100, rng=np.random.default_rng(trial))
        misses += not said.low <= 0 <= said.high
    assert misses <= 6


def test_arms_judged_on_other_windows_are_refused():
    with pytest.raises(SchemaError, match="different windows"):
        compare([pair({1: frame(1.0)}, {1: frame(1.0, weeks=4)})], draws=5, rng=np.random.default_rng(0))
    with pytest.raises(SchemaError, match="share no seed"):
        compare([pair({1: frame(1.0)}, {2: frame(1.0)})], draws=5, rng=np.random.default_rng(0))


def test_half_of_the_primary_endpoint_is_real_and_half_unseen():
    assert sum(one.weight for one in PRIMARY) == pytest.approx(1)
    assert sum(one.weight for one in PRIMARY if one.name == "hard") == pytest.approx(0.5)
    for one in PRIMARY:
        assert (one.left_out, one.name) != ("new_load", "VACANCY")  # shown changed occupancies there
        assert (one.left_out, one.name) != ("occupancy", "HEAT_PUMP")  # shown cars and added loads there


def test_every_pair_is_told_on_what_both_have():
    names = {slice_.name for slices in ENDPOINTS.values() for slice_ in slices}

    def every(factor):
        return pl.concat([frame(factor, name=name) for name in sorted(names)])

    records = [({"arm": "real", "left_out": "none", "seed": 1}, every(1.0))]
    records += [({"arm": "full", "left_out": out, "seed": 1}, every(0.95)) for out in ("new_load", "occupancy")]
    found = pair_figures(frames_of(records), "full", "real", draws=10)
    assert set(found) == {*ENDPOINTS, "tail"}
    assert found["primary"]["value"] == pytest.approx(np.log(0.95), abs=1e-5)
    assert pair_figures(frames_of(records[:2]), "full", "real", draws=10).keys() == {"HEAT_PUMP"}


def test_four_points_between_seeds_want_sixteen_of_them():
    assert seeds_needed([-0.0204 * 2**0.5, 0.0204 * 2**0.5]) == 16
    assert seeds_needed([0.1]) is None


def test_a_study_plays_one_seed_after_the_other_and_plain_arms_once():
    planned = list(jobs(arms=["real", "full"], seeds=2, folds=["held_2013-01-01"], halves=["A"]))
    assert [job.path.split("/", 2)[2] for job in planned] == [
        "none/real-seed1", "new_load/full-seed1", "occupancy/full-seed1",
        "none/real-seed2", "new_load/full-seed2", "occupancy/full-seed2",
    ]  # fmt: skip


def test_the_confirmation_meets_no_half_or_seed_of_another_stage_and_no_quarter_but_the_plain_splits():
    ours = STAGES["confirmation"]
    planned = {name: list(jobs(**stage._asdict())) for name, stage in STAGES.items()}
    for other in ("pilot", "screen", "further", "third", "plain"):
        assert not set(ours.halves) & set(STAGES[other].halves)
        # The plain split has a name of its own for the last quarter; whom it judges there, the confirmation did not.
        assert other == "plain" or not set(ours.folds) & set(STAGES[other].folds)
        assert not {job.seed for job in planned["confirmation"]} & {job.seed for job in planned[other]}
    assert {name: len(some) for name, some in planned.items()} == {
        "pilot": 38, "confirmation": 80, "screen": 114, "further": 48, "third": 36, "plain": 21,
    }  # fmt: skip
    assert {job.seed for job in planned["confirmation"][:10]} == {101}  # both quarters of a seed, then the next seed


def test_the_p_value_is_twice_the_share_of_draws_on_the_other_side():
    better, same = {seed: frame(0.9) for seed in (1, 2)}, {seed: frame(1.0) for seed in (1, 2)}
    assert compare([pair(better, same)], draws=199, rng=np.random.default_rng(0)).p_value == pytest.approx(0.01)
    assert compare([pair(same, same)], draws=199, rng=np.random.default_rng(0)).p_value == 1
    assert np.isnan(compare([pair({1: frame(0.9)}, {1: frame(1.0)})], draws=9, rng=np.random.default_rng(0)).p_value)


def test_many_draws_weighed_in_parts_are_those_weighed_at_once(monkeypatch):
    first, second = ({s: frame(1.0, noise=0.2, seed=10 * at + s) for s in (1, 2, 3)} for at in (1, 2))
    whole = compare([pair(first, second)], draws=50, rng=np.random.default_rng(4))
    monkeypatch.setattr("loadproof.selfplay.inference._TOGETHER", 7)
    parts = compare([pair(first, second)], draws=50, rng=np.random.default_rng(4))
    assert (parts.value, parts.low, parts.high, parts.p_value) == pytest.approx(whole[:4])


def test_a_seed_cut_off_by_the_clock_counts_in_no_arm():
    stage = Stage(("real", "uniform"), 5, 2, ("held_2013-01-01", "held_2013-07-01"), ("A",))
    records = [(job._asdict(), frame(1.0)) for job in jobs(**stage._asdict())]
    assert len(records) == 12  # two quarters, two seeds, one plain training and two played
    assert complete_seeds(records, stage) == records
    kept = complete_seeds(records[:-1], stage)
    assert {facts["seed"] for facts, _ in kept} == {5}
    assert len(kept) == 6


def test_a_seeds_two_quarters_are_one_frame_and_a_week_that_they_share_is_added_up():
    spring, summer = frame(1.0, weeks=3), frame(2.0, weeks=4).filter(pl.col("week") >= 2)
    facts = {"arm": "real", "left_out": "none", "seed": 1}
    whole = frames_of([(facts, spring), (facts, summer)])["real"]["none"][1]
    assert whole["week"].unique().sort().to_list() == [0, 1, 2, 3]
    assert whole["loss"].sum() == pytest.approx(spring["loss"].sum() + summer["loss"].sum())
    shared = whole.filter((pl.col("week") == 2) & (pl.col("entity_id") == "lcl:0")).row(0, named=True)
    assert (shared["windows"], shared["loss"]) == (14, 7.0 + 14.0)


def test_weeks_of_one_cold_spell_or_holiday_are_one_event_and_their_sums_are_kept():
    def weeks(name, some):
        return frame(1.0, name=name, weeks=8).filter(pl.col("week").is_in(some))

    of = pl.concat([weeks("clean", range(8)), weeks("hard:cold", (0, 1, 4)), weeks("hard:holidays", (1, 2, 5, 7))])
    events = in_events({"real": {"none": {1: of}}})["real"]["none"][1]
    clean = events.filter((pl.col("slice") == "clean") & (pl.col("entity_id") == "lcl:0"))
    assert clean.sort("week")["week"].to_list() == [0, 3, 4, 5, 6, 7]  # cold joins 0 and 1, holidays 1 and 2
    assert clean.sort("week")["windows"].to_list() == [21, 7, 7, 7, 7, 7]
    assert events["loss"].sum() == pytest.approx(of["loss"].sum())


def test_comparisons_of_one_seed_are_no_tests_to_correct_for():
    assert corrected({"a": {"p_value": 0.01}, "b": {"p_value": None}, "c": {"p_value": 0.04}}) == {"a": 0.02, "c": 0.04}
