import datetime as dt
import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time

import polars as pl
import pytest
from tests.ingestion.servers import FakeClock, Reply, as_html, serving
from tests.runner.ssen_servers import FEEDERS, LOOKUP, Bucket, day_csv, etag_of
from tests.runner.test_ingest import digests

from loadproof.errors import ConfigError, SourceError
from loadproof.ingestion import ssen
from loadproof.ingestion.ssen import SSENIngestor
from loadproof.runner.ingest import ingest
from loadproof.runner.ssen import Remote, ingest_ssen
from loadproof.schema import NETWORK
from loadproof.store import Store

DAYS = ("2024-02-12", "2024-02-13", "2024-02-14")
MANY = [f"0002002{number:03d}02" for number in range(20)]


@pytest.fixture
def bucket():
    return Bucket(**{f"d{day}": day_csv(day, f"{1000 + n}.0") for n, day in enumerate(DAYS)})


@pytest.fixture
def server(bucket):
    with serving(bucket.answer) as server:
        yield server


@pytest.fixture
def home(tmp_path):
    """A working folder with the full lookup beside the input root, so that no CKAN is asked."""
    folder = tmp_path / "raw" / "ssen"
    folder.mkdir(parents=True)
    (folder / "LV_FEEDER_LOOKUP.csv").write_text(LOOKUP)
    return tmp_path


def run(home, server, out="out", **settings):
    clock = FakeClock()
    remote = {"listing_url": f"{server.url}/LV_FEEDER_USAGE/", "candidates": (), "clock": clock, "sleep": clock.sleep}
    remote |= {name: settings.pop(name) for name in list(settings) if name in Remote.__dataclass_fields__}
    settings = {"source": "listing", "api_key": None, "mode": "files", "max_rejected_share": 0.05, **settings}
    return ingest_ssen(home / "raw", Store(home / out / "processed"), remote=Remote(home / ".cache", **remote),
                       **settings)  # fmt: skip


@pytest.fixture
def stumbling(home, monkeypatch):
    """Three days' files, of which the second fails to open by an error, so many times."""
    for day in DAYS:
        (home / "raw" / "ssen" / f"{day}.csv").write_bytes(day_csv(day))
    opened, tries = ssen.open_binary, []

    def fail(number, times):
        def stumble(path):
            tries.extend([path] * path.name.startswith(DAYS[1]))
            if path.name.startswith(DAYS[1]) and len(tries) <= times:
                raise OSError(number, os.strerror(number), str(path))
            return opened(path)

        monkeypatch.setattr(ssen, "open_binary", stumble)
        return tries

    return fail


def read_files(home):
    store = Store(home / "out" / "processed")
    return ingest(SSENIngestor(home / "raw" / "ssen"), store, mode="files", max_rejected_share=0.05)


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EAGAIN])
def test_a_day_that_a_shared_folder_fails_to_open_once_is_in(home, stumbling, number):
    tries = stumbling(number, times=1)
    done = read_files(home)
    assert len(tries) == 2
    assert not done.broken
    assert done.rows_written == len(DAYS) * len(FEEDERS) * 4


@pytest.mark.parametrize(("number", "tried"), [(errno.ESTALE, 3), (errno.EACCES, 1)])
def test_a_day_that_stays_closed_is_reported_and_one_that_is_forbidden_is_not_tried_again(
    home, stumbling, number, tried
):
    tries = stumbling(number, times=9)
    done = read_files(home)
    assert len(tries) == tried
    (told,) = done.broken
    assert told["error"].startswith(str(home)) and os.strerror(number) in told["error"]
    assert done.rows_written == (len(DAYS) - 1) * len(FEEDERS) * 4


def readings(home, out="out"):
    return pl.read_parquet(home / out / "processed", hive_partitioning=True).sort("entity_id", "ts_utc")


def days_of(seen):
    return [one.path.rpartition("/")[2] for one in seen if one.path.endswith(".csv")]


# The listing


def test_3_listed_days_of_8_rows_become_24_readings_from_files_in_the_cache(home, server):
    report = run(home, server)
    assert (report.rows_written, report.entities, report.broken) == (24, 2, [])
    assert [source["name"] for source in report.sources] == [f"{day}.csv" for day in DAYS]
    assert [path.name for path in sorted((home / ".cache" / "ssen_files").glob("[!.]*"))] == [f"{d}.csv" for d in DAYS]
    assert readings(home)["ts_utc"].min() == dt.datetime(2024, 2, 12, tzinfo=dt.UTC)
    assert json.loads(readings(home)["extras"][0])["mpan_count"] == 40


@pytest.mark.parametrize("tells_etag", [True, False])
def test_a_second_run_asks_for_the_listing_alone_and_reads_nothing(home, server, bucket, read, tells_etag):
    bucket.tells_etag = tells_etag
    first = run(home, server)
    before, asked = digests(home), len(server.seen)
    read.clear()
    assert run(home, server) == first
    assert [seen.path for seen in server.seen[asked:]] == ["/LV_FEEDER_USAGE/"]
    assert read == []
    assert {name: was for name, was in before.items() if digests(home)[name] != was and "ssen_api" not in name} == {}


def test_a_day_published_again_replaces_its_own_rows_and_no_others(home, server, bucket, read):
    run(home, server)
    before, asked = readings(home), len(server.seen)
    bucket.days[DAYS[1]] = day_csv(DAYS[1], "9000.0", steps=3)
    read.clear()
    report = run(home, server)
    assert days_of(server.seen[asked:]) == [f"{DAYS[1]}.csv"]
    assert read == [f"{DAYS[1]}.csv"]
    again = pl.col("source") == f"{DAYS[1]}.csv"
    assert readings(home).filter(~again).equals(before.filter(~again))
    assert readings(home).filter(again)["energy_kwh"].to_list() == [9.0] * 6
    assert (report.rows_read, report.rows_written, len(report.sources)) == (22, 22, 3)


def test_a_late_day_joins_and_the_outcome_is_that_of_one_run(home, server, bucket, read):
    late = bucket.days.pop(DAYS[1])
    run(home, server)
    read.clear()
    bucket.days[DAYS[1]] = late
    run(home, server)
    assert read == [f"{DAYS[1]}.csv"]
    run(home, server, "once")
    once, twice = digests(home / "once"), digests(home / "out")
    assert {name for name in once if once[name] != twice.get(name)} == set()


def test_a_body_cut_once_goes_on_from_where_it_broke(home, server, bucket):
    body = bucket.days[DAYS[0]] = day_csv(DAYS[0], feeders=MANY, steps=48)
    server.faults.extend([None, Reply(200, body, {"ETag": f'"{etag_of(body)}"'}, cut_at=150_000)])
    report = run(home, server)
    assert (report.rows_written, report.broken) == (20 * 48 + 16, [])
    assert server.seen[2].headers["Range"] == "bytes=131072-"  # two pieces of 64 KiB were whole


@pytest.mark.parametrize("damage", ["gone", "cut", "short", "another"])
def test_a_day_that_cannot_be_had_is_reported_and_the_others_are_in(home, server, bucket, damage):
    name, error = f"{DAYS[1]}.csv", {
        "gone": "answered 404 Not Found; it may have moved: look at the dataset's page",
        "cut": "broke off after 0 bytes, 4 times",
        "short": "bytes where 1792 were expected",
        "another": "another version",
    }  # fmt: skip
    if damage == "gone":
        bucket.gone.add(DAYS[1])
    elif damage == "cut":
        bucket.cuts[DAYS[1]] = 0
    else:
        whole = bucket.days[DAYS[1]]
        bucket.tells_etag = damage == "another"
        bucket.sent[DAYS[1]] = whole[:-100] if damage == "short" else whole.replace(b"1001.0", b"1002.0")
        error["short"] = f"has {len(whole) - 100} bytes where {len(whole)} were expected"
    report = run(home, server)
    assert report.rows_written == 16
    (broken,) = report.broken
    assert broken["name"] == name
    assert error[damage] in broken["error"]
    assert json.loads((home / "out" / "summaries" / "ingest_ssen.json").read_text())["broken"] == [broken]
    assert run(home, server).broken == [broken]
    with pytest.raises(SourceError, match=f"{name}: .*{DAYS[1]}"):
        run(home, server, "strict", strict=True)
    assert not (home / "strict" / "processed").exists()
    bucket.gone, bucket.cuts, bucket.sent = set(), {}, {}
    assert (run(home, server).rows_written, run(home, server).broken) == (24, [])


def test_a_day_that_cannot_be_had_anew_keeps_its_old_rows_and_is_reported_although_nothing_is_read(
    home, server, bucket, read
):
    run(home, server)
    before = readings(home)
    read.clear()
    bucket.days[DAYS[1]] = day_csv(DAYS[1], "9000.0")
    bucket.gone.add(DAYS[1])
    report = run(home, server)
    assert [lost["name"] for lost in report.broken] == [f"{DAYS[1]}.csv"]
    assert read == []
    assert readings(home).equals(before)
    assert run(home, server, until=dt.date(2024, 2, 12)).broken == []


def test_strict_ends_at_the_first_day_that_cannot_be_had_and_asks_for_no_other(home, server, bucket):
    bucket.gone.add(DAYS[1])
    with pytest.raises(SourceError, match="answered 404"):
        run(home, server, strict=True)
    assert days_of(server.seen) == [f"{DAYS[0]}.csv", f"{DAYS[1]}.csv"]


def test_where_no_day_can_be_had_the_first_ones_error_ends_the_run(home, server, bucket):
    bucket.gone.update(DAYS)
    with pytest.raises(SourceError, match=rf"^{DAYS[0]}\.csv: .* answered 404"):
        run(home, server)
    assert digests(home / "out") == {}


def test_a_host_that_leaves_3_days_without_an_answer_is_not_asked_for_the_rest(home, server, bucket, monkeypatch):
    with serving(bucket.answer) as other:
        dead = other.url
    bucket.days = {f"2024-02-{day}": day_csv(f"2024-02-{day}") for day in range(10, 17)}
    bucket.links = {f"2024-02-{day}": dead for day in range(10, 15)}
    report = run(home, server)
    assert report.rows_written == 16
    assert ["no answer" in lost["error"] for lost in report.broken] == [True] * 3 + [False] * 2
    assert report.broken[4]["error"] == (
        "2024-02-14.csv: not asked for, since its host left 3 in a row without an answer; "
        "run the same command again later"
    )


def test_a_file_damaged_on_disk_is_fetched_again_and_force_refresh_fetches_all(home, server, bucket):
    run(home, server)
    before, asked = digests(home / "out"), len(server.seen)
    (home / ".cache" / "ssen_files" / f"{DAYS[2]}.csv").write_bytes(b"half")
    run(home, server)
    assert days_of(server.seen[asked:]) == [f"{DAYS[2]}.csv"]
    asked = len(server.seen)
    run(home, server, force_refresh=True)
    assert days_of(server.seen[asked:]) == [f"{day}.csv" for day in DAYS]
    assert digests(home / "out") == before


def test_since_and_until_choose_days_before_any_is_fetched(home, server):
    report = run(home, server, since=dt.date(2024, 2, 13), until=dt.date(2024, 2, 13))
    assert days_of(server.seen) == ["2024-02-13.csv"]
    assert report.rows_written == 8
    with pytest.raises(SourceError, match="lists 2024-02-12 to 2024-02-14, and no day from 2025-01-01 to the last"):
        run(home, server, since=dt.date(2025, 1, 1))


@pytest.mark.parametrize("source", ["files", "listing", "ckan"])
def test_a_first_day_after_the_last_is_refused_before_anything_is_asked(home, server, source):
    with pytest.raises(ConfigError, match="--since 2024-02-14 lies after --until 2024-02-12; swap them"):
        run(home, server, source=source, since=dt.date(2024, 2, 14), until=dt.date(2024, 2, 12))
    assert server.seen == []


DRIVER = """
import sys
from pathlib import Path
from loadproof.runner.ssen import Remote, ingest_ssen
from loadproof.store import Store
home = Path(sys.argv[1])
remote = Remote(home / ".cache", listing_url=sys.argv[2], candidates=(), rate_limit_s=0)
ingest_ssen(home / "raw", Store(home / "out" / "processed"), source="listing", remote=remote, api_key=None,
            mode="files", max_rejected_share=0.05)
"""


def test_a_run_killed_in_the_middle_of_a_fetch_goes_on_and_ends_in_the_same_bytes(home, server, bucket):
    body = bucket.days[DAYS[1]] = day_csv(DAYS[1], feeders=MANY, steps=48)
    tag = {"ETag": f'"{etag_of(body)}"', "Content-Type": "text/csv"}
    server.faults.extend([None, None, Reply(200, body, tag, cut_at=150_000), Reply(206, b"", tag, hang_s=60)])
    process = subprocess.Popen([sys.executable, "-c", DRIVER, home, f"{server.url}/LV_FEEDER_USAGE/"])
    part = home / ".cache" / "ssen_files" / f"{DAYS[1]}.csv.part"
    deadline = time.monotonic() + 300
    while len(server.seen) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert part.stat().st_size == 131_072
    asked = len(server.seen)
    run(home, server)
    assert days_of(server.seen[asked:]) == [f"{DAYS[1]}.csv", f"{DAYS[2]}.csv"]
    assert server.seen[asked + 1].headers["Range"] == "bytes=131072-"
    run(home, server, "clean")
    assert digests(home / "out") == digests(home / "clean")
    assert not part.exists()


# The network table, and which lookup


def test_the_network_holds_every_feeder_of_the_lookup_and_with_readings_in_equal_bytes_each_time(home, server):
    run(home, server)
    path = home / "out" / "network" / "part-00000.parquet"
    table, before = pl.read_parquet(path), path.read_bytes()
    assert table.schema == NETWORK
    assert table["entity_id"].to_list() == ["ssen:000200200402", "ssen:000200200403", "ssen:000200200502"]
    known, _, unknown = table.rows(named=True)
    assert (known["postcodes"], known["total_mpan_count"]) == (["DD1 1AA", "DD1 1AB"], 40)
    assert (unknown["secondary_substation_id"], unknown["postcodes"], unknown["total_mpan_count"]) == ("005", [], None)
    run(home, server)
    assert path.read_bytes() == before
    path.unlink()
    run(home, server)
    assert path.read_bytes() == before
    assert [other.name for other in path.parent.iterdir()] == ["part-00000.parquet"]


def test_the_files_mode_writes_the_network_and_asks_nobody(home, server):
    (home / "raw" / "ssen" / "2024-02-12.csv").write_bytes(day_csv("2024-02-12"))
    run(home, server, source="files")
    assert pl.read_parquet(home / "out" / "network")["entity_id"].len() == 3
    assert server.seen == []


def test_samples_give_way_to_files_and_leave_no_simulated_row(home, server):
    (home / "samples").mkdir()
    (home / "samples" / "ssen_sample.csv").write_bytes(day_csv("2024-02-16", feeders=("099000300101",)))
    clock = FakeClock()
    settings = {"api_key": None, "max_rejected_share": 0.05, "remote": Remote(home / ".cache", sleep=clock.sleep)}
    store = Store(home / "out" / "processed")
    ingest_ssen(home / "samples", store, source="files", mode="samples", **settings)
    assert readings(home)["entity_id"].unique().to_list() == ["ssen:099000300101"]
    run(home, server)
    assert sorted(readings(home)["entity_id"].unique()) == [f"ssen:{feeder}" for feeder in FEEDERS]
    assert "ssen:099000300101" not in pl.read_parquet(home / "out" / "network")["entity_id"]
    with pytest.raises(SourceError, match="which a sample run would replace"):
        ingest_ssen(home / "samples", store, source="files", mode="samples", **settings)


def test_a_listing_that_does_not_come_says_so_and_writes_nothing(home, server, caplog):
    caplog.set_level(logging.INFO)
    server.faults.append(as_html("Access restricted to UK for this endpoint", 403))
    with pytest.raises(SourceError, match="status 403 Forbidden; try again later, or fetch the daily files by hand"):
        run(home, server)
    assert digests(home / "out") == {}
