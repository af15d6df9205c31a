"""Hostile files through the program itself: how much time and memory they get."""

import re
import subprocess
import sys
import time

from tests.hostile import broken_packed as packed
from tests.hostile.good_files import SORTS, write_good

FAULTS = [packed.zip_bomb, packed.zip_bomb_that_lies, packed.zip_encrypted, packed.cut_in_half, packed.a_damaged_byte,
          packed.zip_of_a_symlink, packed.zip_of_a_name_that_speaks, packed.a_loop, packed.a_directory]  # fmt: skip


PROGRAM = """
import atexit, pathlib
status = pathlib.Path("/proc/self/status")
if status.exists():
    atexit.register(lambda: print("peak_kb", status.read_text().split("VmHWM:")[1].split()[0]))
from loadproof.cli.app import main
main()
"""


def run(source, root, out):
    """Run ``loadproof ingest``; return the exit code, what it printed, its seconds and its peak in MB."""
    words = ["ingest", source, "--no-use-samples", "--input-root", str(root), "--output-root", str(out / "processed")]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=False)
    peak_kb = re.search(r"peak_kb (\d+)", done.stdout)
    return done.returncode, done.stderr, time.perf_counter() - start, int(peak_kb[1]) / 1024 if peak_kb else 0


def test_9_bad_archives_cost_9_lines_and_nothing_else(tmp_path):
    sort = SORTS["lcl zip"]
    write_good(tmp_path / "raw", sort)
    for number, fault in enumerate(FAULTS):
        fault(sort, tmp_path / "raw" / "lcl" / f"bad_{number}.zip")
    code, text, seconds, mb = run("lcl", tmp_path / "raw", tmp_path / "data")
    assert (code, text.count("Traceback")) == (1, 0), text
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    for number in range(len(FAULTS)):
        assert [f"bad_{number}.zip" in line for line in errors].count(True) == 1
    assert errors[-1].startswith(f"error: {len(FAULTS)} part(s) could not be read; the others are in")
    assert "\x1b" not in text
    assert (mb < 500, seconds < 60) == (True, True), (mb, seconds)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "raw"]


def test_bombs_in_hdf5_files_take_less_memory_than_they_unpack_to(tmp_path):
    sort = SORTS["ukdale hdf5"]
    write_good(tmp_path / "raw", sort)
    faults = [packed.h5_bomb, packed.h5_of_claimed_rows, packed.h5_planted_where_we_read]
    for number, fault in enumerate(faults):
        fault(sort, tmp_path / "raw" / "ukdale" / f"b{number}.h5")
    code, text, seconds, mb = run("ukdale", tmp_path / "raw", tmp_path / "data")
    assert (code, text.count("Traceback"), text.count("\nerror: ")) == (1, 0, len(faults) + 1), text
    assert (mb < 500, seconds < 60) == (True, True), (mb, seconds)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "raw"]
