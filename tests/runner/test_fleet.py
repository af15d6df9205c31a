"""A morning's run: what each entity gets is what it gets by itself, and nothing is done twice or lost."""

import datetime as dt
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial

import polars as pl
import pytest
from tests.runner.made_stores import make_store

from loadproof import morning_folder
from loadproof.anomaly.sweep import Sweep
from loadproof.config import ExperimentConfig
from loadproof.errors import ConfigError, EngineError, SchemaError
from loadproof.files import write_together
from loadproof.morning_folder import MorningFolder
from loadproof.runner.detect import detect, detect_day
from loadproof.runner.fleet import FleetAsked, fleet
from loadproof.runner.groups import GroupFailed, name_of, numbered_groups
from loadproof.runner.predict import predict
from loadproof.runner.train import train
from loadproof.store import Store

SECTIONS = {
    "forecast": {"valid_from": "2013-02-20", "test_from": "2013-03-20", "test_until": "2013-03-27"},
    "anomaly": {"alerts_per_week": 1, "threads": 1, "clean_days": 28, "rule_days": 14},
    "evaluation": {"bootstrap_draws": 100},
    "ridge": {"lookbacks_steps": [336], "penalties": [10.0]},
}
CONFIG = ExperimentConfig.model_validate(SECTIONS)
MORNING = dt.date(2013, 3, 25)
EVENING_BEFORE = dt.date(2013, 3, 24)
STEPS_TO_T0 = 83 * 48
HOMES = [f"lcl:MAC{number:06d}" for number in range(1, 5)]
# The third home stops the day before, the fourth has half a day.
KEEP = {HOMES[2]: slice(0, STEPS_TO_T0 - 60), HOMES[3]: slice(STEPS_TO_T0 - 24, STEPS_TO_T0 + 96)}
score = Sweep.score
ASKED = FleetAsked(("ridge",), ("physical", "sub_pca"), 48, group_size=2)
TIGHT, WIDE = "5,0.5,0.5", "500,1,1"  # kVA, cyclic ratio, power factor: 0.625 and 250 kWh a half hour
RATINGS = f"""entity_id,transformer_kva,cyclic_ratio,power_factor
{HOMES[0]},{WIDE}
{HOMES[1]},{TIGHT}
{HOMES[2]},{TIGHT}
{HOMES[3]},1,1,1
"""


def make_morning(root):
    """Write readings, a forecaster, two detectors and ratings below a folder; return it and the store."""
    store = make_store(root, homes=4, days=86, keep=KEEP)
    train(store, "lcl", "ridge", root / "models", config=CONFIG)
    for name in ASKED.detectors:
        detect(store, "lcl", name, root / "watch", config=CONFIG, models_root=root / "models")
    (root / "ratings.csv").write_text(RATINGS)
    return root, store


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_morning(tmp_path_factory.mktemp("fleet"))


def run(made, out, asked=ASKED, at=MORNING, store=None, **more):
    root, first = made
    ratings = FleetAsked(**{**vars(asked), "assets": root / "ratings.csv"})
    return fleet(
        store or first, "lcl", at, out, config=CONFIG, asked=ratings, models_root=root / "models", **more
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(made, tmp_path_factory):
    return run(made, tmp_path_factory.mktemp("out"))


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder, table):
    path = folder / table
    return pl.read_parquet(sorted(path.glob("*.parquet")) if path.is_dir() else path.with_suffix(".parquet"))


def test_the_forecasts_are_those_of_the_forecast_command_whose_groups_are_as_large(made, ran, tmp_path):
    root, store = made
    asked = {"config": CONFIG, "horizon_steps": 48, "models_root": root / "models"}
    said = predict(store, "lcl", "ridge", MORNING, tmp_path, homes_a_task=2, **asked)
    assert rows(ran.folder, "forecasts/ridge").equals(pl.read_parquet(said.path))
    assert ran.summary["forecast"] == {"ridge": 3}
    assert ran.summary["left_out"] == {"ridge": 1} and said.left_out == HOMES[3:]
    assert sum(ran.summary["fallbacks"]["ridge"].values()) >= 1


def test_scores_and_alerts_are_those_of_the_last_published_day_watched_by_itself(made, ran, tmp_path):
    root, store = made
    assert ran.summary["day"] == "2013-03-24"
    for name in ASKED.detectors:
        alone = detect_day(store, "lcl", name, EVENING_BEFORE, tmp_path, config=CONFIG, models_root=root / "models")
        assert rows(ran.folder, f"scores/{name}").equals(pl.read_parquet(alone.paths[0]))
        assert rows(ran.folder, f"alerts/{name}").equals(pl.read_parquet(alone.paths[1]))
        assert ran.summary["watched"][name]["rate"] == json.loads(alone.paths[2].read_text())["rate"]
        assert ran.summary["alerts"][name] == json.loads(alone.paths[2].read_text())["kinds"]


def test_the_two_homes_with_a_limit_near_their_peak_pass_it_and_a_wrong_rating_is_told(ran):
    ranked = rows(ran.folder, "risk")
    assert sorted(ranked["entity_id"].to_list()[:2]) == HOMES[1:3]
    assert ranked.select("rank", "limit_kwh").rows()[2] == (3, 250.0)
    assert (ran.summary["limits"], ran.summary["over_limit"]) == (3, 2)
    assert rows(ran.folder, "risk_half_hours").height == 3 * 48
    assert ran.summary["bad_ratings"] == ["line 5: transformer_kva 1 lies outside 5 to 2500; give kVA, not VA or MVA"]


def test_a_second_run_changes_nothing_and_any_group_size_tells_the_same_alerts(made, ran, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in ran.folder.rglob("*")}
    again = run(made, ran.folder.parents[2])
    assert again.stood and again.summary == ran.summary
    assert {path: path.stat().st_mtime_ns for path in ran.folder.rglob("*")} == before
    assert [path.name for path in ran.folder.parent.iterdir()] == ["fleet"]
    for size in (1, 3):
        other = run(made, tmp_path / str(size), FleetAsked(**{**vars(ASKED), "group_size": size}))
        for table in [f"{kind}/{name}" for name in ASKED.detectors for kind in ("scores", "alerts")]:
            assert rows(other.folder, table).equals(rows(ran.folder, table)), (size, table)
        assert other.summary["watched"] == ran.summary["watched"]


def test_what_came_after_the_morning_is_not_looked_at(made, ran, tmp_path):
    cut = {name: slice(0, STEPS_TO_T0) for name in HOMES}
    known = make_store(tmp_path / "cut", homes=4, days=86, keep={**cut, HOMES[2]: KEEP[HOMES[2]],
                       HOMES[3]: slice(STEPS_TO_T0 - 24, STEPS_TO_T0)})  # fmt: skip
    same = run(made, tmp_path / "out", store=known)
    for table in ("forecasts/ridge", "scores/sub_pca", "alerts/sub_pca", "risk"):
        assert rows(same.folder, table).equals(rows(ran.folder, table)), table


def test_a_reading_that_stands_twice_fails_its_group_alone_which_alone_is_done_when_it_is_mended(made, ran, tmp_path):
    store = make_store(tmp_path / "bad", homes=4, days=86, keep=KEEP)
    march = store.root / "dataset=lcl" / "month=2013-03" / "part-00000.parquet"
    good = pl.read_parquet(march)
    pl.concat([good, good.filter(entity_id=HOMES[3])]).write_parquet(march)
    first = run(made, tmp_path / "out", store=store)
    (told,) = first.failed
    assert told.startswith("group 1 (lcl:MAC000003 to lcl:MAC000004): ") and "share entity_id and ts_utc" in told
    assert first.summary["failed"] == {"1": told} and first.summary["forecast"] == {"ridge": 2}
    assert rows(first.folder, "forecasts/ridge")["entity_id"].unique().sort().to_list() == HOMES[:2]
    stamp = march.stat()
    good.write_parquet(march)
    mended = run(made, tmp_path / "out", store=store)
    assert not mended.failed and march.stat() != stamp
    for table in ("forecasts/ridge", "scores/sub_pca", "alerts/sub_pca", "risk"):
        assert rows(mended.folder, table).equals(rows(ran.folder, table)), table


def test_a_group_that_a_shared_folder_failed_twice_is_done_in_the_same_run(made, ran, tmp_path, monkeypatch):
    stumbles = []

    def stumbling(folder, step, number, *rest):
        if number == 1 and len(stumbles) < 2:
            stumbles.append(step)
            raise OSError(errno.ESTALE, "Stale file handle")
        keep(folder, step, number, *rest)

    keep = MorningFolder.keep
    monkeypatch.setattr(MorningFolder, "keep", stumbling)
    done = run(made, tmp_path)
    assert stumbles == ["forecast", "forecast"]
    assert not done.failed
    assert content(done.folder) == content(ran.folder)


def test_a_group_that_failed_for_want_of_disk_is_tried_again_and_no_other(made, tmp_path, monkeypatch):
    def full(folder, step, number, *rest):
        if number == 1:
            raise OSError(28, "No space left on device")
        keep(folder, step, number, *rest)

    keep = MorningFolder.keep
    monkeypatch.setattr(MorningFolder, "keep", full)
    assert "No space left" in run(made, tmp_path).failed[0]
    (done,) = tmp_path.glob("at/*/.fleet-*/done/forecast/00000.json")
    before = done.stat().st_mtime_ns
    monkeypatch.undo()
    seen = []

    def noting(function, items):
        for item in items:
            seen.append((function.func.__name__, item.number, done.stat().st_mtime_ns == before))
            yield function(item)

    assert not run(made, tmp_path, map_=noting).failed
    assert seen[:2] == [("forecast_group", 0, True), ("forecast_group", 1, True)]


def test_the_next_morning_scores_one_day_to_the_same_bytes_and_all_that_a_revised_reading_touches(
    made, tmp_path, monkeypatch
):
    store = make_store(tmp_path / "data", homes=4, days=86, keep=KEEP)
    scored = []
    monkeypatch.setattr(
        Sweep, "score", lambda days, detector: scored.append(len(days.midnights)) or score(days, detector)
    )
    one = FleetAsked(("ridge",), ("sub_pca",), 48, group_size=4)
    run(made, tmp_path / "out", one, store=store)
    assert scored == [33]  # from 20 February, where the clean history begins, to the day itself
    second = run(made, tmp_path / "out", one, dt.date(2013, 3, 26), store=store)
    assert scored[1:] == [1]
    fresh = run(made, tmp_path / "fresh", one, dt.date(2013, 3, 26), store=store)
    assert content(second.folder) == content(fresh.folder)
    march = store.root / "dataset=lcl" / "month=2013-03" / "part-00000.parquet"
    table, noon = pl.read_parquet(march), dt.datetime(2013, 3, 20, 12, tzinfo=dt.UTC)
    revised = pl.when(entity_id=HOMES[0], ts_utc=noon).then(9.0).otherwise("energy_kwh").cast(pl.Float32)
    table.with_columns(energy_kwh=revised).write_parquet(march)
    run(made, tmp_path / "out", one, dt.date(2013, 3, 26), store=store)
    assert scored[3:] == [6]  # from 20 March on


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.runner import test_fleet as t
from loadproof.store import Store

def deadly(function, items):
    for item in items:
        yield function(item)
        if function.func.__name__ == sys.argv[3]:
            os.kill(os.getpid(), signal.SIGKILL)

root = Path(sys.argv[1])
t.run((root, Store(root / "processed")), Path(sys.argv[2]), map_=deadly)
"""


@pytest.mark.parametrize("step", ["forecast_group", "rank_group"])
def test_a_run_that_was_killed_after_a_group_goes_on_with_the_next_to_the_same_bytes(made, ran, tmp_path, step):
    words = [sys.executable, "-c", KILLED, str(made[0]), str(tmp_path), step]
    assert subprocess.run(
        words, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False
    ).returncode == (-signal.SIGKILL)
    assert not list(tmp_path.glob("at/*/fleet"))  # no table before all are whole
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*00000.*")}
    worked = []

    def noting(function, items):
        for item in items:
            worked.append(function(item))
            assert {path: path.stat().st_mtime_ns for path in files} == files
            yield worked[-1]

    done = run(made, tmp_path, map_=noting)
    assert content(done.folder) == content(ran.folder)


class Killed(BaseException):
    """What no run can catch."""


def test_a_run_that_is_killed_at_every_sixth_write_and_run_again_comes_to_the_same_bytes(
    made, ran, tmp_path, monkeypatch
):
    written = []

    def mortal(files, **more):
        if len(written) == 5:
            raise Killed
        written.append(len(files))
        write_together(files, **more)

    monkeypatch.setattr(morning_folder, "write_together", mortal)
    kills, done = 0, None
    while done is None:
        try:
            done = run(made, tmp_path)
        except Killed:
            kills += 1
            written.clear()
        assert kills < 20  # more would be a step that is begun from nothing each time
    assert kills >= 4  # while forecasts, pools, ranks and alerts were put in place
    assert content(done.folder) == content(ran.folder)


def test_a_group_that_cannot_rank_its_day_is_left_out_and_the_rest_is_judged_without_it(made, ran, tmp_path):
    def failing(step):
        def carry(function, items):
            for item in items:
                fails = function.func.__name__ == step and item.number == 1
                yield GroupFailed(1, f"{item}: as it was told to") if fails else function(item)

        return carry

    without, early = (run(made, tmp_path / step, map_=failing(step)) for step in ("rank_group", "forecast_group"))
    assert without.failed == early.failed == ("group 1 (lcl:MAC000003 to lcl:MAC000004): as it was told to",)
    assert rows(without.folder, "forecasts/ridge").equals(rows(ran.folder, "forecasts/ridge"))
    for name in ASKED.detectors:
        assert without.summary["watched"][name] == early.summary["watched"][name]
        assert rows(without.folder, f"scores/{name}").equals(rows(early.folder, f"scores/{name}"))
    assert not rows(without.folder, "scores/sub_pca").equals(rows(ran.folder, "scores/sub_pca"))
    mended = run(made, tmp_path / "rank_group")
    assert not mended.failed
    assert content(mended.folder) == content(ran.folder)


@pytest.mark.parametrize(
    ("asked", "at", "error", "message"),
    [
        (FleetAsked(("seasonal_naive",), (), 48), MORNING, ConfigError, "seasonal_naive is fitted on all entities"),
        (FleetAsked(("oracle",), (), 48), MORNING, ConfigError, "no model is called 'oracle'"),
        (FleetAsked(("lightgbm",), (), 48), MORNING, SchemaError, "holds no model; run 'loadproof train' first"),
        (FleetAsked(("ridge",), ("mstl",), 48), MORNING, SchemaError, "holds no detector"),
        (FleetAsked(("ridge",), (), 96), MORNING, ConfigError, "forecasts 48 intervals ahead and not 96"),
        (ASKED, dt.date(2013, 4, 20), ConfigError, "holds no reading of lcl from 2013-04-19 to .* ingest it first"),
        (ASKED, dt.date(2013, 3, 19), ConfigError, "is before 2013-03-20, from when on days are judged"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_before_any_group_is_begun(made, tmp_path, asked, at, error, message):
    with pytest.raises(error, match=message):
        run(made, tmp_path, asked, at)
    assert not list(tmp_path.iterdir())


def test_with_a_lag_of_a_day_the_day_before_is_told_of(made, tmp_path):
    root, store = made
    late = CONFIG.model_copy(update={"forecast": CONFIG.forecast.model_copy(update={"data_lag_steps": 48})})
    asked = FleetAsked((), ("sub_pca",), 48, group_size=4)
    done = fleet(store, "lcl", MORNING, tmp_path, config=late, asked=asked, models_root=root / "models")
    assert done.summary["day"] == "2013-03-23"
    assert rows(done.folder, "scores/sub_pca")["ts_utc"].max() == dt.datetime(2013, 3, 23, 23, 30, tzinfo=dt.UTC)


def test_groups_of_other_borders_have_another_name_though_their_numbers_are_the_same():
    before, after = numbered_groups(["b", "c", "d", "e"], 2), numbered_groups(["a", "b", "c", "d"], 2)
    assert [group.number for group in before] == [group.number for group in after]
    assert name_of(before) != name_of(after)


def test_what_is_damaged_under_way_is_named_and_the_mend_said(tmp_path):
    folder = MorningFolder(tmp_path, "lcl", "key")
    for path in (folder.part("days/ridge", 0), folder.part("leaves/ridge", 0).with_suffix(".safetensors")):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    for read in (partial(folder.read, "days/ridge", 0), partial(folder.arrays, "leaves/ridge", 0),
                 partial(folder.array, "leaves/ridge", 0, "over")):  # fmt: skip
        with pytest.raises(SchemaError, match=r"part-00000\..*is damaged .* remove the folder .fleet-"):
            read()


def hold_elsewhere(numbers, elsewhere):
    """Return a map by two machines, of which the one that has these groups does not share the output folder."""

    def two_machines(function, items):
        for item in items:
            morning, *rest = function.args
            folder = replace(morning.folder, root=elsewhere / morning.folder.root.name)
            there = partial(function.func, replace(morning, folder=folder), *rest)
            yield (there if item.number in numbers else function)(item)

    return two_machines


@pytest.mark.parametrize("numbers", [{1}, {0, 1}])
def test_a_worker_that_does_not_share_the_folder_is_found_out_before_anything_is_in_place(made, ran, tmp_path, numbers):
    with pytest.raises(EngineError, match=r"\.fleet-.*: group [01] .*done elsewhere, by a worker that does not share"):
        run(made, tmp_path / "out", map_=hold_elsewhere(numbers, tmp_path / "elsewhere"))
    assert not list(tmp_path.glob("out/at/*/fleet"))
    assert content(run(made, tmp_path / "out").folder) == content(ran.folder)


@pytest.mark.parametrize("step", ["forecast_group", "rank_group", "tell_group"])
def test_an_engine_that_is_lost_ends_the_run_leaves_the_old_tables_and_the_next_run_goes_on(made, ran, tmp_path, step):
    def lost(function, items):
        for item in items:
            if function.func.__name__ == step and item.number == 1:
                raise EngineError("the scheduler went away")
            yield function(item)

    one = FleetAsked(("ridge",), (), 48, group_size=2)
    before = content(run(made, tmp_path, one).folder)
    with pytest.raises(EngineError, match=r"^the scheduler went away$"):
        run(made, tmp_path, map_=lost)
    assert content(next(tmp_path.glob("at/*/fleet"))) == before
    assert list(tmp_path.glob("at/*/.fleet-*/done/forecast/00000.json"))
    assert content(run(made, tmp_path).folder) == content(ran.folder)


def test_a_table_that_a_record_tells_of_and_that_is_gone_is_not_left_out_in_silence(made, tmp_path):
    def losing(function, items):
        for item in items:
            yield function(item)
        if function.func.__name__ == "tell_group":
            next(tmp_path.glob("at/*/.fleet-*/forecasts/ridge/part-00001.parquet")).unlink()

    with pytest.raises(SchemaError, match=r"part-00001.parquet: is gone, .* remove the folder .fleet-\*"):
        run(made, tmp_path, map_=losing)
    assert not list(tmp_path.glob("at/*/fleet"))


@pytest.mark.parametrize("step", ["forecast_group", "tell_group"])
def test_the_same_morning_begun_a_second_time_is_refused_while_the_first_goes_on(made, ran, tmp_path, step):
    refused = []

    def twice(function, items):
        for item in items:
            yield function(item)
        if function.func.__name__ == step:
            with pytest.raises(ConfigError, match=r"fleet: another process makes it now; wait for it to end$"):
                run(made, tmp_path)
            refused.append(step)

    assert content(run(made, tmp_path, map_=twice).folder) == content(ran.folder)
    assert refused == [step]
    assert run(made, tmp_path).stood


def test_ratings_that_changed_since_hold_also_where_a_worker_has_read_the_old_ones(made, tmp_path):
    root = tmp_path / "made"
    shutil.copytree(made[0], root)
    store, ratings, one = Store(root / "processed"), root / "ratings.csv", FleetAsked(("ridge",), (), 48, group_size=4)

    def limit_of_the_first():
        ranked = rows(run((root, store), tmp_path / "out", one).folder, "risk")
        return ranked.filter(entity_id=HOMES[0])["limit_kwh"].item()

    assert limit_of_the_first() == 250.0
    ratings.write_text(RATINGS.replace(WIDE, TIGHT))
    assert limit_of_the_first() == 0.625


def test_what_one_device_found_is_not_taken_for_what_another_would_find(made, tmp_path):
    kept = []
    for device in ("cpu", "cuda"):  # which the forecaster and the detector here make no use of
        done = run(made, tmp_path, FleetAsked(("ridge",), ("physical",), 48, group_size=4), device=device)
        assert not done.stood
        kept += [path.name for path in (tmp_path / "at" / ".fleet-days").rglob("physical-*")]
    assert len(set(kept)) == 2


def test_a_morning_in_the_place_of_another_datasets_is_refused_before_any_group_is_begun(made, tmp_path):
    done = run(made, tmp_path, FleetAsked(("ridge",), (), 48))
    theirs = (done.folder / "fleet.json").read_text().replace('"lcl"', '"ssen"')
    (done.folder / "fleet.json").write_text(theirs)
    before = content(tmp_path)
    with pytest.raises(ConfigError, match=r"fleet: holds the morning of ssen; name another --output-dir$"):
        run(made, tmp_path)
    assert content(tmp_path) == before


def test_where_nothing_can_be_judged_what_failed_before_is_told_too(made, tmp_path, monkeypatch):
    def none(*_):
        raise SchemaError("no day was scored")

    def carry(function, items):
        for item in items:
            yield GroupFailed(1, f"{item}: No space left on device") if item.number == 1 else function(item)

    monkeypatch.setattr("loadproof.runner.fleet.judge_groups", none)
    with pytest.raises(SchemaError, match=r"no day was scored; and before that group 1 .*: No space left on device"):
        run(made, tmp_path, map_=carry)
