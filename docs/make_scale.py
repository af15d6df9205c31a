"""Write docs/scale.md and docs/results/scale.svg from the records of benchmarks/scale.py.

nice -n 5 python benchmarks/scale.py --work /tmp/scale
python docs/make_scale.py
"""

import json
import math
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import altair as alt
import vl_convert

DOCS: Final = Path(__file__).parent
RECORDS: Final = DOCS / "results" / "records" / "scale"

OPERATORS: Final = 5
FEEDERS: Final = 400_000
ROWS_A_YEAR: Final = 1.5e9
"""Of one operator. Source: SSEN's published days of 2024: 86,600 feeders of 48 half hours make 1.5 billion a year."""
CORES: Final = 16
MEMORY_GB: Final = 64
AIM_ROWS: Final = 10**7
AIM_MORE: Final = 1.15
HOURS: Final = 1.0
"""A morning's run should be over in this time."""

LEFT: Final = 4
"""So much load a point leaves behind itself: two workers, of two threads each."""

NAMES: Final = {"plain": "one process", "dask1": "dask, 1 worker", "dask2": "dask, 2 workers"}
SHAPES: Final = {"": "an ingest", "first": "a first morning", "next": "the next morning"}
PLANNED: Final = {
    "ingest": (10**6, 10**7, 10**8), "day": (10**6, 10**7, 3 * 10**7), "fleet": (10**2, 10**3, 10**4, 10**5),
}  # fmt: skip
WHATS: Final = {"ingest": "rows", "day": "rows at rest", "fleet": "feeders"}
DAY_ROWS: Final = 10**6
MONTH_DAYS: Final = 30

Record = dict[str, Any]

HEAD = """# What scale costs

Made by `python docs/make_scale.py` from the records that `benchmarks/scale.py` left, a small file a point. Rows are
made SSEN days of 2024's format, feeders are sums of the simulator's homes, forecast by `ridge` and watched by
`sub_pca`. A *first* morning finds nothing kept, the *next* one finds the days that it scored.

**How far to trust it.** Each point was taken once, on a machine of {cpus} cores; the load before a point was
{load_low:.0f} to {load_high:.0f}, of which the point before it left up to {left:.0f}. Points that came after more than
that ({busy}) were taken beside other work, and so their wall seconds say little; processor seconds, peak memory and
bytes are steadier, and the sums below are made of those alone. The largest points measured are {rows:,} rows and
{feeders:,} feeders{missing}.
"""

FIGURE = """
![Processor seconds over rows and over feeders](results/scale.svg)
"""


class Line(NamedTuple):
    """A quantity as it grows: so much at the start, and so much a row or feeder, between its two largest points.

    Of a single point all is taken to grow, the start too, so that it says the most.
    """

    start: float
    each: float

    def at(self, size: float) -> float:
        """Return the quantity at a size."""
        return self.start + self.each * size


def _wrapped(text: str) -> str:
    """Return paragraphs and headings with their lines filled anew."""
    return "\n\n".join(textwrap.fill(part, 120) for part in text.strip().split("\n\n"))


def _records() -> list[Record]:
    found = [json.loads(path.read_text()) for path in sorted(RECORDS.glob("*.json"))]
    return sorted(found, key=lambda one: (one["what"], one["size"], one["engine"], one["morning"]))


def _cpu_s(record: Record) -> float:
    return float(record["main_cpu_s"] + record["workers_cpu_s"])


def _line(records: list[Record], value: Callable[[Record], float], **of: str) -> Line | None:
    """Return how a value grows among the records that are of this kind; None without any."""
    points = [(one["size"], value(one)) for one in records if all(one[name] == wanted for name, wanted in of.items())]
    if not points:
        return None
    if len(points) == 1:
        return Line(0.0, points[0][1] / points[0][0])
    (small, less), (large, more) = points[-2:]
    each = max((more - less) / (large - small), 0.0)
    return Line(max(less - each * small, 0.0), each)


def table(records: list[Record], what: str) -> str:
    """Return a row a point."""
    unit = WHATS[what]
    head = f"| {unit} | | wall s | processor s | {unit} a processor s | main, MB | a worker, MB | over the wire, MB |"
    lines = [head, "|---:|---|" + "---:|" * 6]
    for one in records:
        if one["what"] == what:
            kind = NAMES[one["engine"]] + (f", {one['morning']} morning" if one["morning"] else "")
            wire = "" if one["engine"] == "plain" or one["wire_bytes"] is None else f"{one['wire_bytes'] / 1e6:.2f}"
            worker = f"{one['worker_peak_mb']:,}" if one["engine"] != "plain" else ""
            cells = (f"{one['size']:,}", kind, f"{one['wall_s']:,.0f}", f"{_cpu_s(one):,.1f}",
                     f"{one['size'] / _cpu_s(one):,.0f}", f"{one['main_peak_mb']:,}", worker, wire)  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def days(records: list[Record]) -> str:
    """Return what a day costs that comes to a month at rest, a row a point; empty where none was measured."""
    mine = [one for one in records if one["what"] == "day"]
    if not mine:
        return ""
    lines = ["| rows at rest | | wall s | processor s | main, MB | a worker, MB |", "|---:|---|" + "---:|" * 4]
    for one in mine:
        worker = f"{one['worker_peak_mb']:,}" if one["engine"] != "plain" else ""
        cells = (f"{one['size']:,}", NAMES[one["engine"]], f"{one['wall_s']:,.0f}", f"{_cpu_s(one):,.1f}",
                 f"{one['main_peak_mb']:,}", worker)  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    about = (
        f"**A day more**, of {DAY_ROWS:,} rows, for a month that has so many at rest. Files that were read before are "
        "not read again, but the month is merged anew, and that is one task, on two threads"
    )
    rest, fresh = (_line(records, _cpu_s, what=what, engine="plain") for what in ("day", "ingest"))
    if rest is not None and fresh is not None and rest.start:
        about += (
            f": a row at rest costs {rest.each * 1e6:.2f} µs of processor time again, {rest.each / fresh.each:.0%} of "
            "what it cost when it came"
        )
    return f"{_wrapped(f'{about}.')}\n\n" + "\n".join(lines)


def overhead(records: list[Record]) -> str:
    """Return in a sentence or two what the engine costs beside the plain run."""
    said = []
    for what, morning in (("ingest", ""), ("fleet", "first"), ("fleet", "next")):
        pairs: dict[int, dict[str, Record]] = {}
        for one in records:
            if (one["what"], one["morning"]) == (what, morning):
                pairs.setdefault(one["size"], {})[one["engine"]] = one
        some = []
        for size, pair in pairs.items():
            engine = next((name for name in ("dask1", "dask2") if {"plain", name} <= set(pair)), None)
            if engine is not None:
                ours, plain = _cpu_s(pair[engine]), _cpu_s(pair["plain"])
                two = "" if engine == "dask1" else " with two workers"
                some.append(f"{ours / plain - 1:+.0%} ({ours - plain:+.1f} s) at {size:,} {WHATS[what]}{two}")
        said += [f"{SHAPES[morning]} {', '.join(some)}"] * bool(some)
    words = "; ".join(said) or "not measured yet"
    aim = {one["engine"]: _cpu_s(one) for one in records if (one["what"], one["size"]) == ("ingest", AIM_ROWS)}
    taken = ", a point that was not taken"
    if {"plain", "dask1"} <= set(aim):
        taken = ", which is reached" if aim["dask1"] < AIM_MORE * aim["plain"] else ", which is not reached"
    return _wrapped(
        "**The engine's overhead**, the processor time of one worker and its command beside that of one process: "
        f"{words}. The aim is under {AIM_MORE - 1:.0%} at {AIM_ROWS:,} rows{taken}. "
        "Of a small point most of it is the start: libraries, keys, a scheduler and a worker."
    )


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds >= 3600 else f"{seconds / 60:,.1f} min"


def national(records: list[Record]) -> str:
    """Return what a national run would take, by the records."""
    rows = _line(records, _cpu_s, what="ingest", engine="plain")
    bytes_a_row = _line(records, lambda one: one["out_bytes"], what="ingest", engine="plain")
    mornings = {name: _line(records, _cpu_s, what="fleet", engine="plain", morning=name) for name in ("first", "next")}
    out, kept = (
        _line(records, lambda one, name=name: one[name], what="fleet", engine="plain", morning="next")
        for name in ("out_bytes", "kept_bytes")
    )
    if None in (rows, bytes_a_row, out, kept, *mornings.values()):
        return "## A national run\n\nNot enough is measured yet.\n"
    a_day, a_year = OPERATORS * ROWS_A_YEAR / 365, OPERATORS * ROWS_A_YEAR
    rest = _line(records, _cpu_s, what="day", engine="plain")
    points = sum((one["what"], one["engine"]) == ("ingest", "plain") for one in records)
    largest = max(one["size"] for one in records if (one["what"], one["engine"]) == ("fleet", "plain"))
    alone = "; of rows there is one such point, and its start is taken to grow too" if points == 1 else ""
    day_s, year_s = rows.each * a_day, rows.each * a_year
    lines = [
        ("ingest of a day's rows", f"{a_day / 1e6:,.1f} million", _hours(day_s), _hours(day_s / CORES)),
    ]
    if rest is not None:
        again, again_s = a_day * MONTH_DAYS, rest.each * a_day * MONTH_DAYS
        shared = f"{_hours(day_s / CORES + again_s / OPERATORS)}, a task an operator"
        title = f"the same, with {MONTH_DAYS} days at rest to merge anew"
        lines.append((title, f"{again / 1e6:,.0f} million", _hours(day_s + again_s), shared))
    lines += [
        ("ingest of a year at once", f"{a_year / 1e9:,.1f} billion", _hours(year_s), _hours(year_s / CORES)),
    ]
    for name, line in mornings.items():
        total = OPERATORS * line.at(FEEDERS / OPERATORS)
        title = f"the {'first' if name == 'first' else 'next'} morning's run"
        lines.append((title, f"{FEEDERS:,} feeders", _hours(total), _hours(total / CORES)))
    rows_table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    stored = [
        (
            "readings at rest, a year",
            f"{bytes_a_row.each * a_year / 1e9:,.0f} GB",
            f"{bytes_a_row.each:.1f} bytes a row",
        ),
        ("a morning's tables", f"{out.each * FEEDERS / 1e9:,.1f} GB", f"{out.each / 1e3:,.1f} kB a feeder"),
        ("the same, a year of mornings", f"{out.each * FEEDERS * 365 / 1e12:,.2f} TB", ""),
        (
            "days that are kept for the next",
            f"{kept.each * FEEDERS / 1e9:,.1f} GB",
            f"{kept.each / 1e3:,.1f} kB a feeder",
        ),
    ]
    storage = "\n".join("| " + " | ".join(cells) + " |" for cells in stored)
    about = _wrapped(
        f"{OPERATORS} operators of {FEEDERS // OPERATORS:,} feeders and {ROWS_A_YEAR / 1e9:g} billion rows a year "
        "each, every morning. Processor time grows from here as it does between the two largest points measured with "
        f"one process{alone}. An operator has {FEEDERS // OPERATORS:,} feeders, the largest fleet so measured "
        f"{largest:,}; take the sums for an order of magnitude all the same."
    )
    return f"""## A national run

{about}

| | how much | processor time | on {CORES} cores, if all of it is shared |
|---|---:|---:|---:|
{rows_table}

| Storage | | measured |
|---|---:|---:|
{storage}
"""


def wall(records: list[Record]) -> str:
    """Return where the first wall stands: what one process does for all groups."""
    nexts = [one for one in records if (one["what"], one["morning"]) == ("fleet", "next") and one["engine"] != "plain"]
    engine = max(nexts, key=lambda one: one["size"], default={"engine": ""})["engine"]
    memory, seconds = (
        _line(records, value, what="fleet", engine=engine, morning="next")
        for value in (lambda one: one["main_peak_mb"], lambda one: one["main_cpu_s"])
    )
    worker = [one["worker_peak_mb"] for one in records if one["what"] == "fleet" and one["engine"] != "plain"]
    if memory is None or seconds is None or not (memory.start or seconds.start):
        return ""  # a single point says nothing of growth
    own = FEEDERS / OPERATORS
    about = (
        f"A worker needed {max(worker):,} MB at most. A day is judged among the scores "
        "of all groups, and no process holds those: each group leaves the excesses of its homes over their thresholds, "
        "the main process merges them, each group ranks its own day among them, and the threshold comes of merged "
        "counts. With all else it does, such as sending tasks and putting tables in place, the main process took "
        f"{memory.each * 1000:,.1f} kB and {seconds.each * 1000:.2f} ms of processor time more for each feeder more. "
        f"An operator of {own:,.0f} feeders, who is judged by itself, so wants {memory.at(own) / 1000:,.1f} GB in one "
        f"process and {_hours(seconds.at(own))} in which no other core helps. {_walls(memory, seconds)} These slopes "
        "come of two points each, whose noise is as large, and no place is told here for what grows with the square: "
        "each group reads what all groups left, so that far beyond an operator's size a worker's memory and reading "
        "are the wall."
    )
    if not all(one.get("judged_in") == "groups" for one in records if one["what"] == "fleet"):
        about += (
            " **These mornings were measured when the main process judged all rows at once**, before groups did; they "
            "are to be measured anew."
        )
    return "\n\n".join(["## Where the first wall stands", _wrapped(about), _judging(records)]).strip()


def _walls(memory: Line, seconds: Line) -> str:
    """Return which wall comes first, and on which side of it an operator and all of them together are."""
    at = {
        "memory": (MEMORY_GB * 1000 - memory.start) / memory.each if memory.each else math.inf,
        "time": (HOURS * 3600 - seconds.start) / seconds.each if seconds.each else math.inf,
    }
    walls = {
        "memory": "a machine of {memory_gb} GB is full at {feeders} feeders of one operator",
        "time": "at {feeders} that process alone takes {hours:g} h",
    }
    said = [
        walls[name].format(feeders=_feeders(where), memory_gb=MEMORY_GB, hours=HOURS)
        for name, where in at.items()
        if math.isfinite(where)
    ]
    if not said:
        return "Neither grew between the two largest points, so they show no wall."
    first = min(at, key=lambda name: at[name])
    below = "neither one operator nor all of them together as one are below it"
    if at[first] >= FEEDERS / OPERATORS:
        below = f"an operator is below it, and all {FEEDERS:,} feeders as one are not"
    if at[first] >= FEEDERS:
        below = f"all {FEEDERS:,} feeders as one are below it"
    told = ", and ".join(said)
    return f"{told[0].upper()}{told[1:]}: the first wall is {first}, and {below}."


def _judging(records: list[Record]) -> str:
    """Return what the main process needs to judge alone, where that was measured."""
    alone = [one for one in records if one["what"] == "judge"]
    if not alone:
        return ""
    points = "; ".join(
        f"{one['size']:,} feeders {one['main_peak_mb']:,.0f} MB and {one['main_cpu_s']:,.1f} s" for one in alone
    )
    return _wrapped(
        "**Judging alone**, without forecasts, tasks and tables, from what groups of made scores leave "
        f"(`benchmarks/judging.py`; peak memory and processor seconds of the one process): {points}. All groups show "
        "the files of three, so the disk had them at hand."
    )


def _feeders(count: float) -> str:
    """Return a count to two figures."""
    digits = 10 ** max(int(math.log10(max(count, 1))) - 1, 0)
    return f"{round(count / digits) * digits:,}"


ASSUMED = f"""## Assumed

* What is made costs what is real: real feeders have gaps, repeats and late days, which this leaves out.
* Processor time per row and feeder goes on as between the two largest points. Nothing was run at national size.
* Each operator's rows come as daily files of its own, and are judged by themselves.
* A new row costs what it costs in a fresh ingest, and one at rest what it costs in the largest month measured.
* Machines of {CORES} cores and {MEMORY_GB} GB on one shared folder that is as fast as a local disk. What reading costs
  is not told apart here.
* One forecaster and one detector. A second of each adds its own time and tables, and reads nothing again.
* A forecaster that is a network costs more on processors (docs/results/train_speed.md), and was not run here.
"""


def chart(records: list[Record]) -> str:
    """Return the curves as SVG: processor seconds over rows and over feeders, both axes by tens."""
    values = [
        {"size": one["size"], "seconds": _cpu_s(one), "what": one["what"],
         "kind": NAMES[one["engine"]], "morning": SHAPES[one["morning"]]}
        for one in records
    ]  # fmt: skip
    panels = []
    for what, title in (("ingest", "rows ingested"), ("fleet", "feeders in a morning")):
        mine = [value for value in values if value["what"] == what]
        drawn = alt.Chart(alt.Data(values=mine)).encode(
            x=alt.X("size:Q", title=title, scale=alt.Scale(type="log"), axis=alt.Axis(format="~s", tickCount=4)),
            y=alt.Y("seconds:Q", title="processor seconds", scale=alt.Scale(type="log"),
                    axis=alt.Axis(format="~s", tickCount=4)),
            color=alt.Color("kind:N", title=None, sort=list(NAMES.values()), scale=alt.Scale(scheme="tableau10")),
        )  # fmt: skip
        shapes = alt.Scale(domain=list(SHAPES.values()), range=["circle", "square", "triangle-up"])
        shape = alt.Shape("morning:N", title=None, sort=list(SHAPES.values()), scale=shapes)
        lines = drawn.mark_line(strokeWidth=1.5).encode(detail="morning:N")
        points = drawn.mark_point(size=60, filled=True, opacity=1).encode(shape=shape)
        panels.append((lines + points).properties(width=300, height=240))
    return str(vl_convert.vegalite_to_svg(alt.hconcat(*panels).to_dict()))


def page(records: list[Record]) -> str:
    """Return the page."""
    rows, feeders = (
        max((one["size"] for one in records if one["what"] == what), default=0) for what in ("ingest", "fleet")
    )
    taken = {(one["what"], one["size"], one["engine"]) for one in records}
    lacking = [
        f"{size:,} {WHATS[what]} ({', '.join(engines)})"
        for what, sizes in PLANNED.items()
        for size in sizes
        if (engines := [said for name, said in NAMES.items() if (what, size, name) not in taken])
    ]
    missing = f"; not taken were {'; '.join(lacking)}" if lacking else ""
    loads = [one["load_before"] for one in records]
    busy = [f"{size:,} {WHATS[what]}" for what, size in dict.fromkeys(
        (one["what"], one["size"]) for one in records if one["load_before"] > LEFT and one["what"] in WHATS
    )]  # fmt: skip
    head = HEAD.format(cpus=records[0]["cpus"], load_low=min(loads), load_high=max(loads), left=LEFT, rows=rows,
                       feeders=feeders, missing=missing, busy="; ".join(busy) or "none")  # fmt: skip
    measured = ["## Measured", table(records, "ingest"), days(records), table(records, "fleet"), overhead(records)]
    parts = [_wrapped(head), FIGURE, *measured, national(records), wall(records), ASSUMED]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def main() -> None:
    """Write the page and its figure."""
    records = _records()
    (DOCS / "results" / "scale.svg").write_text(chart(records), encoding="utf-8")
    (DOCS / "scale.md").write_text(page(records), encoding="utf-8")


if __name__ == "__main__":
    main()
