"""Write docs/reliability.md: what `loadproof ingest` answers to every bad input, by giving it each of them.

python docs/make_reliability.py
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.hostile import watch
from tests.hostile.make_bad_inputs import BAD_INPUTS
from tests.hostile.surroundings import SURROUNDINGS

if TYPE_CHECKING:
    from tests.hostile.make_bad_inputs import BadInput
    from tests.hostile.surroundings import Surroundings
    from tests.hostile.watch import Outcome

    Observe = Callable[[BadInput | Surroundings], tuple[Outcome, Outcome]]

HEAD = f"""# Reliability: bad inputs and what they get

Made by `python docs/make_reliability.py`, which writes each of {len(BAD_INPUTS)} bad files beside a sound one of its
source and runs `loadproof ingest` on the two. `tests/hostile/` holds every answer against the one it must be, and this
page against a fresh run.

What holds for all of them:

* **No traceback.** Exit code 0, or 1 and an error line that names the file, the line where there is one, and the mend.
* **Nothing half-written.** Tables, rows set aside and the summary are put in place whole or not at all, and agree.
* **Nothing lost.** Rows read = rows written + rows set aside, with file, line, reason and raw text.
* **A broken file costs itself alone.** The sound one is in, the broken one is reported, the exit code is 1. With
  `--strict` nothing is in. A broken table beside the data (households, labels, metadata) is reported likewise, and the
  rows are in without what it would say. Where more rows than `--max-rejected-share` are set aside (5 % by default),
  nothing is in either way: *all out* below.
* **Nothing outside is written or run.** Archives are read and never unpacked; pickles are read and never executed.

Limits, refused beyond: a line of 16 MiB (weather: 1 MiB), 1,000 columns, a ZIP member that unpacks to more than 100
times its packed size (from 16 MiB on), an HDF5 table that unpacks to more than 100 times (from 64 MiB on) or in chunks
of more than 256 MiB, a weather file of more than 256 MiB or a million lines.

*Set aside* counts rows of the bad file by reason; of UK-DALE, samples and bins. *Values* became null, and their rows
are in. *Kept* is what the store has of the bad file.
"""

AROUND = """## Bad surroundings

The input is sound. *Then*: the same command again after the mend.

| What | Source | Exit | Error line | Then |
|---|---|---|---|---|
"""


def cell(text: str) -> str:
    """Return a text that stays in its cell of a table."""
    text = text.removeprefix("error: ")
    text = text if len(text) <= 240 else f"{text[:150]} ... {text[-85:]}"
    return "`" + text.replace("`", "'").replace("|", "\\|") + "`" if text else ""


def row(bad: "BadInput", got: "Outcome") -> str:
    """Return the line of one bad input."""
    reasons = [f"{count} `{reason}`" for reason, count in got.aside.items()]
    reasons += [f"{count} `{reason}` (values)" for reason, count in got.values_aside.items()]
    kept = "*all out*" if not got.good else f"{got.written - got.good}"
    error = cell(got.errors[0]) if got.errors else ""
    return f"| {bad.name.replace('|', '')} | {got.code} | {kept} | {', '.join(reasons)} | {error} |"


def sections(observe: "Observe") -> Iterator[str]:
    """Yield the page's parts."""
    yield HEAD
    for name in dict.fromkeys(bad.sort.name for bad in BAD_INPUTS):
        bads = [bad for bad in BAD_INPUTS if bad.sort.name == name]
        lines = [f"## {name}: {bads[0].sort.bad.rsplit('/', 1)[-1]}\n"]
        lines += ["| Bad input | Exit | Kept | Set aside | Error line |", "|---|---|---|---|---|"]
        yield "\n".join([*lines, *(row(bad, observe(bad)[0]) for bad in bads), ""])
    lines = [
        f"| {case.name} | {case.sort.name} | {got.code} | {cell(got.errors[0])} | {then.code}, {then.good} rows |"
        for case in SURROUNDINGS
        for got, then in [observe(case)]
    ]
    yield AROUND + "\n".join([*lines, ""])


def render(observe: "Observe") -> str:
    """Return the page."""
    return "\n".join(sections(observe))


def observe_in(folder: Path, numbers: Iterable[int]) -> "Observe":
    """Return what runs a case in a new folder below ``folder``."""
    left = iter(numbers)
    return lambda case: watch.observe(case, folder / str(next(left)))


if __name__ == "__main__":
    for variable in ("CI", "GITHUB_ACTIONS", "USE_SAMPLES"):
        os.environ.pop(variable, None)
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="hostile-") as temporary:
        Path(temporary).chmod(0o755)
        page = render(observe_in(Path(temporary), range(10**6)))
    Path(__file__).with_name("reliability.md").write_text(page, encoding="utf-8")
