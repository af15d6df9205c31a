"""Run the command line on an input in this process, and say what came of it."""

import contextlib
import datetime as dt
import io
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import polars as pl
from tests.hostile.good_files import BEFORE, Sort, write_good
from typer.main import get_command

from loadproof.cli import app as cli

if TYPE_CHECKING:
    from tests.hostile.make_bad_inputs import BadInput
    from tests.hostile.surroundings import Surroundings

COMMAND = get_command(cli.app)
DAY = dt.timedelta(days=1)


class Outcome(NamedTuple):
    """What a run of ``loadproof ingest`` left behind. Counts are rows; ``aside`` counts them by reason."""

    code: int
    errors: tuple[str, ...]
    stderr: str
    rows_read: int
    written: int
    aside: Mapping[str, int]
    values_aside: Mapping[str, int]
    good: int
    """Of those written, the rows of the sound file."""
    nothing: bool
    """Whether no table, summary or row set aside was put in place."""


def run(*words: object) -> tuple[int, str, str]:
    """Run ``loadproof`` as its entry point does; return the exit code and what it printed on either stream."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    argv = ["loadproof", *map(str, words)]
    once = mock.patch.object(cli, "app", COMMAND)  # what Typer would build anew for each of some hundred runs
    with once, mock.patch.object(sys, "argv", argv), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    return code, out.getvalue(), err.getvalue()


def ingest(sort: Sort, root: Path, out: Path, *options: str) -> Outcome:
    """Ingest ``root`` into ``out`` and look at all of what lies there afterwards; assert that it is whole."""
    source = sort.source
    code, _, stderr = run("ingest", source, "--input-root", root, "--output-root", out / "processed",
                          "--no-use-samples", *options)  # fmt: skip
    at = out / "summaries" / f"ingest_{source}.json"
    summary = json.loads(at.read_text()) if at.exists() else {}
    table = out / "weather" if source == "weather" else out / "processed"
    written = counts(table, pl.col("ts_utc").is_between(sort.first - BEFORE - DAY, sort.first - BEFORE + 5 * DAY))
    aside = counts(out / "rejected" / source, pl.col("reason"))
    values = counts(out / "rejected" / "weather_values", pl.col("reason"))
    assert sum(written.values()) == summary.get("rows_written", 0)
    assert aside == summary.get("rejected_by_reason", {})
    assert summary.get("rows_read", 0) == summary.get("rows_written", 0) + summary.get("rows_rejected", 0)
    assert [path for path in out.rglob("*") if path.name.endswith(".tmp")] == []
    errors = tuple(short(line, root, out) for line in stderr.splitlines() if line.startswith("error: "))
    return Outcome(code, errors, stderr, summary.get("rows_read", 0), sum(written.values()), aside, values,
                   written.get("true", 0), nothing_is_in(out))  # fmt: skip


def counts(folder: Path, what: pl.Expr) -> dict[str, int]:
    """Read every Parquet file of a folder to its last row, and count the rows by a fact."""
    found: dict[str, int] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        assert file.suffix == ".parquet", file
        for value, count in pl.read_parquet(file).select(what.cast(pl.String)).to_series().value_counts().rows():
            found[value] = found.get(value, 0) + count
    return dict(sorted(found.items()))


def observe(case: "BadInput | Surroundings", folder: Path) -> tuple[Outcome, Outcome]:
    """Run a case in a folder of its own; return what it gets, and what with ``--strict`` or after its mend."""
    folder.mkdir()
    folder.parent.chmod(0o755)
    if hasattr(case, "nothing"):
        return case.make(case.sort, folder)
    root, out, strict = folder / "raw", folder / "data", folder / "strict"
    write_good(root, case.sort)
    case.make(case.sort, root / case.sort.bad)
    before = sorted(folder.rglob("*"))
    got = ingest(case.sort, root, out)
    # ``--strict`` is the runner's, which is one for all readings and another for the weather.
    again = got.errors and case.sort.source in ("lcl", "weather")
    both = got, ingest(case.sort, root, strict, "--strict") if again else got
    assert sorted(path for path in folder.rglob("*") if not {out, strict} & {path, *path.parents}) == before
    return both


def short(line: str, *folders: Path) -> str:
    """Return an error with the folders of this run left out, as it is everywhere."""
    for folder in folders:
        line = line.replace(f"{folder}/", "").replace(str(folder), ".")
    line = re.sub(r"(No space left on device: )'[^']*'", r"\1'...'", line)  # which file it is depends on the disk
    return re.sub(r"midas-open_\w[\w.-]*_(\d{4})\.csv", r"midas-open_..._\1.csv", line)


def nothing_is_in(out: Path) -> bool:
    """Whether no table, summary or row set aside was put in place."""
    return [path for path in out.rglob("*") if path.is_file() and ".staging" not in path.parts] == []
