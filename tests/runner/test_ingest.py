import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from tests.conftest import lcl_line
from tests.test_store import two_homes

from loadproof import __version__
from loadproof.errors import SchemaError, SourceError
from loadproof.ingestion.lcl import LCLIngestor
from loadproof.runner.ingest import ingest
from loadproof.staging import Stage
from loadproof.store import Store

ROOT = Path(__file__).parents[2]
BAD = lcl_line(stamp="2013-01-21 12:37:27.0000000", value="Null")


def digests(root):
    """Every file below a folder with its SHA-256, locks and leftovers of staging left out."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".staging" not in path.parts
    }


def run(root, out, **options):
    settings = {"mode": "files", "max_rejected_share": 0.05, **options}
    return ingest(LCLIngestor(root), Store(out / "processed"), **settings)


def test_rows_read_are_rows_written_plus_rows_set_aside(lcl_root, tmp_path):
    lines = two_homes()
    report = run(lcl_root([*lines[:100], lines[99], BAD], lines[100:]), tmp_path / "out")
    assert (report.rows_read, report.rows_written, report.rows_rejected) == (3842, 3840, 2)
    assert report.rejected_by_reason == {"duplicate": 1, "null_off_grid": 1}
    assert (report.entities, report.first_ts_utc, report.last_ts_utc) == (
        2,
        "2013-01-20T00:00:00Z",
        "2013-02-28T23:30:00Z",
    )


def test_the_summary_on_disk_holds_the_report_with_the_digest_of_each_source(lcl_root, tmp_path):
    root = lcl_root(two_homes())
    run(root, tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summaries" / "ingest_lcl.json").read_text())
    raw = (root / "lcl" / "LCL-June2015v2_0.csv").read_bytes()
    assert summary["sources"] == [
        {"name": "LCL-June2015v2_0.csv", "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest(),
         "rows_read": 3840, "rows_rejected": 0, "months": ["2013-01", "2013-02"]}
    ]  # fmt: skip
    assert summary["loadproof_version"] == __version__


def test_rows_set_aside_lie_beside_the_readings_with_file_line_reason_and_raw_text(lcl_root, tmp_path):
    run(lcl_root([BAD, *two_homes()]), tmp_path / "out")
    (row,) = pl.read_parquet(tmp_path / "out" / "rejected" / "lcl").rows(named=True)
    assert row == {"file": "LCL-June2015v2_0.csv", "line": 2, "reason": "null_off_grid", "raw": BAD.rstrip("\r\n")}


def test_a_midnight_repeated_across_two_parts_is_kept_once_and_its_text_found_again(lcl_root, tmp_path):
    lines = two_homes()
    report = run(lcl_root(lines[:100], lines[99:]), tmp_path / "out")
    assert report.rejected_by_reason == {"duplicate": 1}
    (row,) = pl.read_parquet(tmp_path / "out" / "rejected" / "lcl").rows(named=True)
    assert (row["file"], row["line"], row["raw"]) == ("LCL-June2015v2_1.csv", 2, lines[99].rstrip("\r\n"))


@pytest.mark.parametrize("split", [False, True])
def test_contradicting_rows_fail_the_ingest_or_are_all_set_aside(lcl_root, tmp_path, split):
    lines = two_homes()
    contra = lines[99].replace(" 0.099 ", " 0.5 ")
    root = lcl_root([*lines[:100], contra, lines[99], *lines[100:]]) if not split else lcl_root(
        [*lines[:100], contra], [lines[99], *lines[100:]]
    )  # fmt: skip
    with pytest.raises(
        SourceError,
        match=r"3 rows give one half hour two values: LCL-June2015v2_0\.csv, line 101: .* --accept-conflicts",
    ):
        run(root, tmp_path / "out")
    assert not (tmp_path / "out" / "processed").exists()
    report = run(root, tmp_path / "out", accept_conflicts=True)
    assert report.rejected_by_reason == {"conflict": 3}
    assert report.rows_written == 3839


def test_more_rows_set_aside_than_the_limit_fail_the_ingest_with_the_counts(lcl_root, tmp_path):
    root = lcl_root([*two_homes(days=1), *[BAD] * 8])
    with pytest.raises(
        SourceError, match=r"8 of 104 rows \(7\.7%\) were set aside, more than the limit of 5\.0% \(8 null_off_grid\)"
    ):
        run(root, tmp_path / "out")
    assert digests(tmp_path / "out") == {}
    assert run(root, tmp_path / "out", max_rejected_share=0.1).rows_rejected == 8


def test_a_file_without_one_good_row_fails(lcl_root, tmp_path):
    with pytest.raises(SourceError, match="no row of 1 could be used"):
        run(lcl_root([BAD]), tmp_path / "out", max_rejected_share=1)


def test_samples_never_take_the_place_of_files(lcl_root, tmp_path):
    root = lcl_root(two_homes())
    run(root, tmp_path / "out")
    before = digests(tmp_path / "out")
    with pytest.raises(SourceError, match="holds real lcl readings, which a sample run would replace"):
        run(root, tmp_path / "out", mode="samples")
    assert digests(tmp_path / "out") == before


def test_a_second_ingest_leaves_identical_bytes_also_in_one_thread(lcl_root, tmp_path):
    lines = two_homes()
    root = lcl_root([BAD, *lines[:2000]], lines[1999:])
    run(root, tmp_path / "a")
    first = digests(tmp_path / "a")
    run(root, tmp_path / "a")
    assert digests(tmp_path / "a") == first
    run(root, tmp_path / "b", map_=map)
    assert digests(tmp_path / "b") == first
    code = (
        "from pathlib import Path; from loadproof.runner.ingest import ingest; from loadproof.store import Store; "
        "from loadproof.ingestion.lcl import LCLIngestor; "
        f"ingest(LCLIngestor(Path({str(root)!r})), Store(Path({str(tmp_path / 'c' / 'processed')!r})), "
        "mode='files', max_rejected_share=0.05)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "POLARS_MAX_THREADS": "1"})
    assert digests(tmp_path / "c") == first
    assert len(first) == 4


def test_an_input_that_shrank_takes_its_months_away(lcl_root, tmp_path):
    run(lcl_root(two_homes()), tmp_path / "out")
    report = run(lcl_root(two_homes(days=3)), tmp_path / "out")
    assert set(report.months) == {"2013-01"}
    assert [path.name for path in (tmp_path / "out" / "processed" / "dataset=lcl").iterdir()] == ["month=2013-01"]


class Adding(LCLIngestor):
    """A source that publishes bit by bit, as SSEN does a day at a time."""

    adds = True
    conflicts_are_expected = True


def add(root, out, **options):
    return ingest(Adding(root), Store(out / "processed"), **{"mode": "files", "max_rejected_share": 0.5, **options})


HOURS = ("01:00", "01:30", "02:00")


def days(*numbers):
    """One part a day of one home in 2013, three half hours each."""
    return [
        [lcl_line(stamp=f"2013-{month:02d}-{day:02d} {hour}:00.0000000", value=f" {value} ") for hour in HOURS]
        for month, day, value in numbers
    ]  # fmt: skip


def rename(root, number, name):
    (root / "lcl" / f"LCL-June2015v2_{number}.csv").rename(root / "lcl" / f"LCL-June2015v2_{name}.csv")


def energy(out):
    frame = Store(out / "processed").scan_readings("lcl").sort("ts_utc").collect()
    return [round(value, 3) for value in frame["energy_kwh"]]


def test_a_day_that_arrives_late_joins_the_others_and_rewrites_no_other_month(lcl_root, tmp_path):
    out = tmp_path / "out"
    root = lcl_root(*days((1, 5, 0.1), (2, 5, 0.2)))
    add(root, out)
    january = out / "processed" / "dataset=lcl" / "month=2013-01" / "part-00000.parquet"
    before = january.stat().st_ino, january.read_bytes()
    for file in (root / "lcl").iterdir():
        file.unlink()
    lcl_root(*days((2, 6, 0.3)))
    rename(root, 0, 2)
    report = add(root, out)
    assert energy(out) == [0.1] * 3 + [0.2] * 3 + [0.3] * 3
    assert (january.stat().st_ino, january.read_bytes()) == before
    assert (report.rows_read, report.rows_written, len(report.sources)) == (9, 9, 3)
    assert report.months == {"2013-01": 3, "2013-02": 6}


def test_a_republished_day_replaces_its_own_rows_and_what_was_set_aside_of_it(lcl_root, tmp_path):
    out = tmp_path / "out"
    (first, second) = days((1, 5, 0.1), (1, 6, 0.2))
    root = lcl_root([*first, BAD], [*second, second[0]])
    assert add(root, out).rejected_by_reason == {"duplicate": 1, "null_off_grid": 1}
    (root / "lcl" / "LCL-June2015v2_1.csv").unlink()
    lcl_root(*days((1, 5, 0.9)))
    report = add(root, out)
    assert energy(out) == [0.9] * 3 + [0.2] * 3
    assert report.rejected_by_reason == {"duplicate": 1}
    assert report.rows_read == 7


def test_adding_day_by_day_ends_in_the_bytes_of_one_ingest_of_all_days(lcl_root, tmp_path):
    every = days((1, 5, 0.1), (1, 6, 0.2), (2, 1, 0.3))
    root = lcl_root(*every)
    add(root, tmp_path / "once")
    for number in range(3):
        for file in (root / "lcl").iterdir():
            file.unlink()
        lcl_root(every[number])
        if number:
            rename(root, 0, number)
        add(root, tmp_path / "daily")
    once, daily = digests(tmp_path / "once"), digests(tmp_path / "daily")
    assert {name for name in once if once[name] != daily.get(name)} == set()


def test_a_late_row_that_contradicts_one_at_rest_takes_both_aside_with_their_values(lcl_root, tmp_path):
    out = tmp_path / "out"
    root = lcl_root(*days((1, 5, 0.1)))
    add(root, out)
    (root / "lcl" / "LCL-June2015v2_0.csv").unlink()
    lcl_root(days((1, 5, 0.7))[0][:1])
    rename(root, 0, 1)
    report = add(root, out, max_rejected_share=1)
    assert energy(out) == [0.1, 0.1]
    aside = pl.read_parquet(out / "rejected" / "lcl").rows(named=True)
    assert [(row["line"], row["reason"]) for row in aside] == [(0, "conflict"), (2, "conflict")]
    assert aside[0]["raw"].startswith("lcl:MAC000002,2013-01-05 00:30:00.000000")
    assert report.rows_read == 4


def test_a_broken_part_is_reported_and_the_others_are_ingested(lcl_root, tmp_path):
    root = lcl_root(two_homes(days=2), b"")
    report = run(root, tmp_path / "out")
    assert report.rows_written == 192
    name = "LCL-June2015v2_1.csv"
    assert report.broken == [
        {"name": name, "error": f"{name}, line 1: the file is empty; fetch it again or remove it"},
    ]
    with pytest.raises(SourceError, match="line 1: the file is empty"):
        run(root, tmp_path / "strict", strict=True)
    assert digests(tmp_path / "strict") == {}


def test_a_part_that_breaks_later_keeps_the_rows_it_once_gave(lcl_root, tmp_path):
    lines = two_homes(days=2)
    root = lcl_root(lines[:96], lines[96:])
    run(root, tmp_path / "out")
    (root / "lcl" / "LCL-June2015v2_1.csv").write_bytes(b"")
    report = run(root, tmp_path / "out")
    assert report.rows_written == 192
    assert [part["name"] for part in report.broken] == ["LCL-June2015v2_1.csv"]


def test_a_swap_that_was_cut_off_is_finished_before_anything_else(lcl_root, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(lcl_root(two_homes(days=2)), out)
    swapped = []

    def cut_off(self, new, old):
        if swapped:
            raise KeyboardInterrupt
        swapped.append(new)
        new.rename(old) if not old.exists() else (self._discard(old), new.rename(old))

    root = lcl_root(two_homes())
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Stage, "_swap", cut_off)
        run(root, out)
    with pytest.raises(SourceError, match="no Low Carbon London files"):
        run(tmp_path, out)
    run(lcl_root(two_homes(days=1)), out)
    assert json.loads((out / "summaries" / "ingest_lcl.json").read_text())["months"] == {"2013-01": 96}
    assert pl.read_parquet(out / "processed", hive_partitioning=True).height == 96


def test_the_disk_holds_2_months_before_the_mark_the_mark_before_a_rename_and_the_summary_before_the_mark_goes(
    lcl_root, tmp_path, monkeypatch
):
    done, sync, rename = [], os.fsync, Path.rename

    def told_sync(number):
        done.append(("sync", Path(f"/proc/self/fd/{number}").readlink().name))
        sync(number)

    def told_rename(old, new):
        done.append(("rename", old.name if old.suffix or "=" in old.name or old.name == "rejected" else "stage"))
        return rename(old, new)

    monkeypatch.setattr(os, "fsync", told_sync)
    monkeypatch.setattr(Path, "rename", told_rename)
    run(lcl_root(two_homes()), tmp_path / "out")
    assert done[:3] == [("sync", "part-00000.parquet")] * 3  # two months, and what was set aside
    assert done[3] == ("sync", "committing.json")
    assert set(done[4:-2]) == {("rename", "month=2013-01"), ("rename", "month=2013-02"), ("rename", "rejected")}
    assert done[-2:] == [("sync", "ingest_lcl.json"), ("rename", "stage")]


def test_a_file_that_was_read_as_it_is_now_is_not_read_again(lcl_root, tmp_path, monkeypatch):
    out = tmp_path / "out"
    root = lcl_root(*days((1, 5, 0.1), (1, 6, 0.2)))
    first = add(root, out)
    read = []
    original = Adding.read
    monkeypatch.setattr(Adding, "read", lambda self, part: (read.append(part.name), original(self, part))[1])
    assert add(root, out) == first
    assert read == []
    lcl_root(*days((1, 5, 0.9)))
    add(root, out)
    assert read == ["LCL-June2015v2_0.csv"]
    (out / ".staging" / "read_lcl.json").unlink()
    add(root, out)
    assert len(read) == 3
    assert energy(out) == [0.9] * 3 + [0.2] * 3


class KilledError(BaseException):
    """Stands for SIGKILL: nothing in the house catches it."""


class Fuse:
    """Blows at the n-th change of the file system that Python makes."""

    left = 0
    changes = frozenset({"os.rename", "os.remove", "os.rmdir", "os.mkdir"})

    def __call__(self, event, args):
        if self.left and (event in self.changes or (event == "open" and "w" in str(args[1]))):
            self.left -= 1
            if not self.left:
                self.blow()

    def blow(self):
        raise KilledError


FUSE = Fuse()
sys.addaudithook(FUSE)


def killed_at(change, root, out, **options):
    """Whether a run was killed at that change; false where it ended before."""
    FUSE.left = change
    try:
        run(root, out, map_=map, **options)
    except KilledError:
        return True
    finally:
        FUSE.left = 0
    return False


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.runner import test_ingest
def die():
    os.kill(os.getpid(), signal.SIGKILL)
test_ingest.FUSE.blow = die
test_ingest.FUSE.left = int(sys.argv[1])
test_ingest.run(Path(sys.argv[2]), Path(sys.argv[3]))
"""


def test_a_run_killed_at_some_moments_and_started_again_ends_in_the_same_bytes(lcl_root, tmp_path):
    lines = two_homes(days=120)
    root = lcl_root(*[[*lines[at : at + 700], BAD] for at in range(0, len(lines), 699)])
    run(root, tmp_path / "whole")
    out = tmp_path / "killed"
    for change in (120, 90, 60):  # of some 340 in all, by threads that come to them in no order
        command = [sys.executable, "-c", KILLED, str(change), root, out]
        assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
        for path in (out / "processed").rglob("*.parquet"):
            pl.read_parquet(path)  # a reader never meets half a file
    run(root, out)
    assert digests(out) == digests(tmp_path / "whole")
    assert not list((out / ".staging").glob("lcl-*"))


def test_a_run_cut_off_at_any_change_of_the_file_system_ends_in_the_same_bytes(lcl_root, tmp_path):
    lines = two_homes(days=15)
    root = lcl_root([*lines[:700], BAD], lines[699:])
    run(lcl_root_of(tmp_path / "before", two_homes(days=50)), tmp_path / "old")
    run(root, tmp_path / "whole")
    expected = digests(tmp_path / "whole")
    change, cuts = 1, 0
    while True:
        out = tmp_path / f"out{change}"
        if change % 2:
            shutil.copytree(tmp_path / "old", out)  # half of the runs replace an older ingest
        cut = killed_at(change, root, out)
        cuts += cut
        run(root, out)
        assert digests(out) == expected, change
        assert [path.name for path in (out / ".staging").iterdir() if path.name != "lcl.lock"] == [], change
        if not cut:
            break
        shutil.rmtree(out)
        change += 1 if change > 20 else 3
    assert cuts > 15


def lcl_root_of(folder, lines):
    (folder / "lcl").mkdir(parents=True)
    (folder / "lcl" / "LCL-June2015v2_0.csv").write_text(
        "LCLid,stdorToU,DateTime,KWH/hh (per half hour) \r\n" + "".join(lines)
    )
    return folder


def test_a_table_half_swapped_is_not_read_and_another_input_finishes_the_swap_first(lcl_root, tmp_path):
    out = tmp_path / "out"
    run(lcl_root_of(tmp_path / "old", two_homes(days=80)), out)
    new = lcl_root_of(tmp_path / "new", two_homes(days=40))
    change = 1
    while not (out / ".staging").is_dir() or not Store(out / "processed").begun_commits("lcl"):
        assert killed_at(change, new, out)
        change += 1
    with pytest.raises(SchemaError, match="an ingest was cut off in its last step; run it again"):
        Store(out / "processed").scan_readings("lcl")
    contradicting = lcl_root_of(tmp_path / "bad", [lcl_line(), lcl_line(value=" 9 ")])
    with pytest.raises(SourceError, match="no row of 2 could be used"):
        run(contradicting, out)
    assert Store(out / "processed").scan_readings("lcl").collect().height == 3840
    assert json.loads((out / "summaries" / "ingest_lcl.json").read_text())["rows_written"] == 3840


def test_a_lost_summary_is_counted_anew_from_the_days_at_rest_and_no_day_is_lost(lcl_root, tmp_path):
    out = tmp_path / "out"
    root = lcl_root(*days((1, 5, 0.1), (2, 5, 0.2)))
    path = out / "summaries" / "ingest_lcl.json"
    add(root, out)
    whole = json.loads(path.read_text())
    path.unlink()
    (root / "lcl" / "LCL-June2015v2_0.csv").unlink()
    add(root, out)
    assert energy(out) == [0.1] * 3 + [0.2] * 3
    again = json.loads(path.read_text())
    gone, there = again.pop("sources")
    first, second = whole.pop("sources")
    assert (again, there) == (whole, second)
    assert gone == {**first, "bytes": 0, "sha256": ""}
