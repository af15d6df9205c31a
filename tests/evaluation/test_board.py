import numpy as np
import polars as pl
import pytest
from tests.evaluation.score_fixtures import START, rows_of

from loadproof.errors import SchemaError
from loadproof.evaluation.board import BOARD, SHOWN, Part, board_rows
from loadproof.evaluation.board_hourly import hourly_rows
from loadproof.evaluation.board_judge import sums_frame
from loadproof.evaluation.buildingsbench import hour_sums, median_nrmse
from loadproof.evaluation.comparison import compare
from loadproof.evaluation.metrics import METRIC_UNITS, metric_values
from loadproof.evaluation.sums import sum_scores
from loadproof.schema import LEVELS

DAY = np.timedelta64(1, "D")
HOMES = [f"h{i}" for i in range(6)]


def sums_case(model, spread, *, first=0, n_days=35, homes=HOMES, seed=3):
    """Sums of a model whose quantiles are so wide, all models on the same truth."""
    rng = np.random.default_rng(seed + first)
    entity = np.repeat(homes, n_days)
    t0 = np.tile(START + (first + np.arange(n_days)) * DAY, len(homes))
    truth = rng.gamma(2.0, 0.2, (len(entity), 48)).astype(np.float32)
    truth[rng.random(truth.shape) < 0.1] = np.nan
    quantiles = 0.35 + spread * (np.array(LEVELS) - 0.5) + 0 * truth[..., None]
    quantiles = np.nan_to_num(quantiles, nan=0.35) + spread * (np.array(LEVELS) - 0.5)
    return sum_scores(
        rows_of(entity, t0, quantiles, model=model), truth, interval_mins=30, scales_kwh=dict.fromkeys(homes, 0.3)
    ).over_all_times()  # fmt: skip


def part(model, spread, *, fold="held_a", half="A", level="home", arm="none", variant="raw", seen=(), every=1, **case):
    frame = sums_frame(sums_case(model, spread, **case), seen=np.array(seen, dtype=str), every=every)
    facts = {
        "model": model, "fold": fold, "half": half, "level": level, "arm": arm, "data_lag_steps": 0,
        "variant": variant,
    }  # fmt: skip
    return Part(facts, frame)


def rows_from(parts, draws=200):
    return board_rows(parts, dataset="lcl", draws=draws, seed=1)


def one(rows, **which):
    found = rows.filter(**{name: pl.lit(value) for name, value in which.items()})
    assert found.height == 1
    return found.row(0, named=True)


def test_the_figures_of_a_table_are_those_of_its_sums_within_a_hundredth_of_a_per_cent():
    rows = rows_from([part("m", 0.4)])
    assert rows.schema == BOARD
    cells = sums_case("m", 0.4).values[:, :, 0]
    want = dict(zip(METRIC_UNITS, metric_values(cells.sum(axis=(0, 1))), strict=True))
    for metric in SHOWN:
        got = one(rows, metric=metric)
        assert got["value"] == pytest.approx(want[metric], rel=3e-4)
        assert got["low"] <= got["value"] <= got["high"]
    assert one(rows, metric="pinball")["n"] == cells[..., 0].sum()


def test_a_ratio_to_the_bar_is_that_of_a_paired_comparison():
    rows = rows_from([part("persistence_ensemble", 1.5), part("m", 0.4)])
    got = one(rows, subject="m", metric="pinball_ratio_to:persistence_ensemble")
    pair = sums_case("m", 0.4), sums_case("persistence_ensemble", 1.5)
    want = compare(*pair, "pinball", draws=2000, rng=np.random.default_rng(0)).ratio
    assert got["value"] == pytest.approx(want.value, rel=1e-3)
    assert got["low"] == pytest.approx(want.low, abs=0.01)
    assert got["high"] == pytest.approx(want.high, abs=0.01)
    assert not rows.filter(subject="persistence_ensemble", metric="pinball_ratio_to:persistence_ensemble").height


def test_homes_seen_and_unseen_stand_in_2_tables_and_each_is_of_both_halves():
    halves = {"A": HOMES[:3], "B": HOMES[3:]}
    parts = [part("m", 0.4, half=half, seen=homes) for half, homes in halves.items()]
    rows = rows_from(parts)
    assert set(rows["split"]) == {"unseen_homes_and_time", "unseen_time"}
    for split in set(rows["split"]):
        figure = one(rows, split=split, metric="pinball")
        assert figure["parts"] == 2
        assert figure["n"] == sums_case("m", 0.4).values[..., 0].sum()


def test_a_home_judged_in_2_blocks_is_1_home_and_a_week_that_both_share_is_1_week():
    parts = [part("m", 0.4, fold=f"held_{first}", first=first, n_days=17) for first in (0, 17)]
    whole = rows_from(parts)
    mase = one(whole, metric="mase")
    assert mase["n"] == 6
    assert mase["low"] is not None
    short = rows_from(parts[:1])  # 3 weeks are too few for an interval
    assert one(short, metric="mase")["low"] is None


def test_a_model_that_lacks_a_fold_is_set_in_ratio_on_the_other_alone():
    bars = [part("persistence_ensemble", 1.5, fold=f"held_{f}", first=f) for f in (0, 35)]
    rows = rows_from([*bars, part("m", 0.4, fold="held_35", first=35)])
    got = one(rows, subject="m", metric="pinball_ratio_to:persistence_ensemble")
    alone = rows_from([bars[1], part("m", 0.4, fold="held_35", first=35)])
    assert got["parts"] == 1
    assert got == one(alone, subject="m", metric="pinball_ratio_to:persistence_ensemble")


def test_a_slow_model_is_set_in_ratio_on_every_7th_window_alone():
    thin = part("persistence_ensemble", 1.5, every=7, first=70)
    both = Part(thin.facts, pl.concat([part("persistence_ensemble", 1.5).frame, thin.frame]))
    rows = rows_from([both, part("slow", 0.4, every=7, first=70)])
    slow = one(rows, subject="slow", metric="pinball_ratio_to:persistence_ensemble")
    assert slow["every"] == 7
    assert slow["n"] == sums_case("slow", 0.4, first=70).values[..., 0].sum()
    assert one(rows, subject="persistence_ensemble", metric="pinball")["every"] == 1


def test_calibrated_models_meet_the_bar_as_it_is_and_calibrated():
    parts = [
        part(model, spread, variant=variant)
        for model, spread in (("persistence_ensemble", 1.5), ("m", 0.4))
        for variant in ("raw", "calibrated")
    ]
    metrics = rows_from(parts).filter(subject="m", variant="calibrated")["metric"].to_list()
    assert "pinball_ratio_to:persistence_ensemble" in metrics
    assert "pinball_ratio_to:persistence_ensemble_calibrated" in metrics


def test_an_arm_of_weather_is_set_in_ratio_to_none_of_the_same_model():
    arms = {"none": 0.8, "perfect": 0.4}
    parts = [part("m", spread, fold="chronological", half="all", arm=arm) for arm, spread in arms.items()]
    rows = rows_from(parts)
    ratio = one(rows, arm="perfect", metric="pinball_ratio_to:none")
    own = [one(rows, arm=arm, metric="pinball")["value"] for arm in ("perfect", "none")]
    assert ratio["value"] == pytest.approx(own[0] / own[1])
    assert set(rows["split"]) == {"chronological"}


def test_one_sum_of_homes_has_intervals_over_its_6_weeks():
    rows = rows_from([part("m", 0.4, level="sum_100", homes=["s"], n_days=42)])
    got = one(rows, metric="pinball")
    assert got["low"] < got["value"] < got["high"]


def test_models_judged_on_different_half_hours_are_refused():
    parts = [part("persistence_ensemble", 1.5), part("m", 0.4, seed=4)]
    with pytest.raises(SchemaError, match="persistence_ensemble was judged on other half hours"):
        rows_from(parts)


def hourly_part(model, noise, block):
    rng = np.random.default_rng(block)
    entity = np.repeat(HOMES, 10)
    truth = rng.gamma(2.0, 0.2, (60, 24)).astype(np.float32)
    quantiles = np.clip(truth[..., None] + noise * rng.normal(size=(60, 24, 1)), 0, None) + np.zeros(7)
    rows = rows_of(entity, np.tile(START + np.arange(10) * DAY, 6), quantiles, model=model)
    sums = hour_sums(rows.forecast, truth, entity).with_columns(seen=pl.lit(False))
    facts = {"model": model, "fold": f"held_{block}", "half": "A", "level": "buildingsbench", "variant": "raw"}
    return Part(facts, sums)


def test_a_building_s_year_is_put_together_from_2_blocks_and_set_in_ratio_to_persistence():
    parts = [hourly_part(m, noise, b) for m, noise in (("persistence_ensemble", 0.4), ("m", 0.2)) for b in (0, 1)]
    rows = hourly_rows(parts, dataset="lcl", seed=1)
    assert rows.schema == BOARD
    got = one(rows, subject="m", metric="nrmse_median")
    want = median_nrmse(pl.concat([p.frame for p in parts[2:]]), draws=100, rng=np.random.default_rng(0))
    assert got["value"] == pytest.approx(want.value)
    assert (got["parts"], got["n"]) == (2, 6)
    ratio = one(rows, subject="m", metric="nrmse_median_ratio_to:persistence_ensemble")
    assert 0.3 < ratio["low"] < ratio["value"] < ratio["high"] < 0.7
    assert rows_from(parts).is_empty()
