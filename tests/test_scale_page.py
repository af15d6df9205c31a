"""The page on scale is what its records say."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_scale", ROOT / "docs" / "make_scale.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(what, size, engine="plain", morning="", *, main_cpu_s, workers_cpu_s=0.0, **more):
    return {
        "what": what, "size": size, "engine": engine, "morning": morning, "main_cpu_s": main_cpu_s, "cpus": 2,
        "workers_cpu_s": workers_cpu_s, "wall_s": 9.0, "main_peak_mb": 100 + size / 100, "worker_peak_mb": 300,
        "wire_bytes": 1000, "out_bytes": 5 * size, "kept_bytes": 7 * size, "load_before": 1.0, **more,
    }  # fmt: skip


def test_a_line_grows_as_between_the_two_largest_points_and_so_leaves_the_start_out(make):
    points = [record("ingest", size, main_cpu_s=cpu_s) for size, cpu_s in ((10, 90.0), (100, 12.0), (1000, 102.0))]
    line = make._line(points, make._cpu_s, what="ingest")
    assert (line.each, line.start) == (pytest.approx(0.1), pytest.approx(2.0))
    assert line.at(10_000) == pytest.approx(1002)
    assert make._line(points, make._cpu_s, what="fleet") is None


def test_a_national_day_of_20_million_rows_at_10_s_a_million_is_205_s(make):
    rows = [record("ingest", 10**6, main_cpu_s=12.0), record("ingest", 10**7, main_cpu_s=102.0)]
    fleets = [
        record("fleet", size, morning=morning, main_cpu_s=size * each)
        for size in (100, 1000)
        for morning, each in (("first", 0.02), ("next", 0.009))
    ]
    said = make.national([*rows, *fleets])
    assert "| ingest of a day's rows | 20.5 million | 3.4 min |" in said
    assert "| the next morning's run | 400,000 feeders | 1.0 h | 3.8 min |" in said
    assert "| readings at rest, a year | 38 GB | 5.0 bytes a row |" in said
    assert "Not enough is measured yet" in make.national(rows)


def test_a_day_for_a_month_at_rest_pays_for_its_30_days_again_in_one_task_an_operator(make):
    rows = [record("ingest", 10**6, main_cpu_s=12.0), record("ingest", 10**7, main_cpu_s=102.0)]  # 10 us a row
    at_rest = [record("day", 10**6, main_cpu_s=13.0), record("day", 3 * 10**7, main_cpu_s=71.0)]  # 2 us
    told = " ".join(make.days([*rows, *at_rest]).split())
    assert "a row at rest costs 2.00 µs of processor time again, 20% of what it cost when it came." in told
    assert "| 30,000,000 | one process | 9 | 71.0 | 300,100.0 | |" in told
    assert make.days(rows) == ""
    fleets = [
        record("fleet", size, morning=morning, main_cpu_s=size * 0.01)
        for size in (100, 1000)
        for morning in ("first", "next")
    ]
    # 205 s of new rows, and 616 million again at 2 us: 1,233 s, a fifth of it in each operator's task.
    said = make.national([*rows, *at_rest, *fleets])
    assert "30 days at rest to merge anew | 616 million | 24.0 min | 4.3 min, a task an operator |" in said
    assert "at rest" not in make.national([*rows, *fleets]).replace("readings at rest", "")


def test_the_overhead_is_told_by_size_and_held_against_15_per_cent_at_10_million_rows(make):
    def said(cpu_s):
        points = [
            record("ingest", 10**7, main_cpu_s=40.0),
            record("ingest", 10**7, "dask1", main_cpu_s=4.0, workers_cpu_s=cpu_s - 4),
            record("fleet", 10**4, morning="next", main_cpu_s=100.0),
            record("fleet", 10**4, "dask2", "next", main_cpu_s=3.0, workers_cpu_s=98.0),
        ]
        return " ".join(make.overhead(points).split())

    assert (
        "an ingest +5% (+2.0 s) at 10,000,000 rows; the next morning +1% (+1.0 s) at 10,000 feeders with two"
        in said(42)
    )
    assert "which is reached" in said(45.9)
    assert "which is not reached" in said(46.1)
    assert "a point that was not taken" in make.overhead([])


def test_points_of_the_plan_without_a_record_are_told_on_the_page(make):
    records = make._records()
    whole = " ".join(make.page(records).split())
    less = [one for one in records if (one["what"], one["size"], one["engine"]) != ("ingest", 10**6, "dask2")]
    assert "1,000,000 rows (dask, 2 workers)" in " ".join(make.page(less).split())
    assert "1,000,000 rows (dask, 2 workers)" not in whole


def wall_of(make, each_mb, each_s):
    points = [
        record("fleet", size, "dask1", "next", main_cpu_s=9 + size * each_s, workers_cpu_s=1.0)
        | {"main_peak_mb": 100 + size * each_mb}
        for size in (1000, 10_000)
    ]
    return " ".join(make.wall(points).split())


def test_the_first_wall_is_the_hour_where_memory_would_last_longer(make):
    said = wall_of(make, 0.01, 0.001)
    assert "10.0 kB and 1.00 ms of processor time more" in said
    assert "at 3,600,000 that process alone takes 1 h: the first wall is time" in said
    assert "and all 400,000 feeders as one are below it" in said


def test_the_first_wall_is_memory_where_a_machine_is_full_earlier_and_it_is_said_who_is_below_it(make):
    said = wall_of(make, 0.2, 0.001)  # 63.9 GB of 0.2 MB
    assert "A machine of 64 GB is full at 320,000 feeders of one operator" in said
    assert "the first wall is memory, and an operator is below it, and all 400,000 feeders as one are not" in said
    assert "neither one operator nor all of them together" in wall_of(make, 1, 0.001)


def test_what_did_not_grow_is_no_wall_and_a_single_point_tells_of_none(make):
    assert "At 3,600,000 that process alone takes 1 h: the first wall is time" in wall_of(make, 0, 0.001)
    assert "they show no wall" in wall_of(make, 0, 0)
    assert make.wall([record("fleet", 1000, "dask1", "next", main_cpu_s=1.0)]) == ""


def test_mornings_of_one_process_that_held_all_rows_are_told_from_those_of_groups(make):
    fleets = [record("fleet", size, "dask1", "next", main_cpu_s=size * 0.001) for size in (1000, 10_000)]
    assert "when the main process judged all rows at once" in " ".join(make.wall(fleets).split())
    assert "all rows at once" not in make.wall([one | {"judged_in": "groups"} for one in fleets])


def test_judging_alone_is_told_at_the_sizes_that_were_measured(make):
    fleets = [record("fleet", size, "dask1", "next", main_cpu_s=size * 0.001) for size in (1000, 10_000)]
    said = " ".join(make.wall([*fleets, record("judge", 400_000, main_cpu_s=12.0)]).split())
    assert "Judging alone" in said and "400,000 feeders 4,100 MB and 12.0 s." in said
    assert "Judging alone" not in make.wall(fleets)


def test_the_committed_page_and_curves_are_made_of_the_committed_records(make):
    records = make._records()
    assert (ROOT / "docs" / "scale.md").read_text() == make.page(records)
    assert len({(one["what"], one["size"], one["engine"], one["morning"]) for one in records}) == len(records)
    for path in make.RECORDS.glob("*.json"):
        one = json.loads(path.read_text())
        words = [one["what"], str(one["size"]), one["engine"], *([one["morning"]] if one["morning"] else [])]
        assert path.stem == "-".join(words)
