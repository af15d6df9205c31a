"""Write docs/results/etth1.md and docs/results/train_speed.md from what the benchmarks of the network left there.

LOADPROOF_REAL_DATA=... python benchmarks/etth1.py
python benchmarks/train_speed.py --json docs/results/train_speed.json
python -m benchmarks.train_ranks --json docs/results/train_ranks.json
python docs/make_network.py
"""

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

RESULTS = Path(__file__).with_name("results")
MSE_AIMS: Final = {(336, 96): 0.379, (512, 720): 0.456}
"""Largest mean MSE by lookback and horizon: the published one and what its dropped last batch was worth."""
PUBLISHED_MSE: Final = {(336, 96): 0.375, (512, 720): 0.447}
"""Source: Nie et al., ICLR 2023, table 3."""
RATIO_AIMS: Final = {"training": 4.0, "prediction": 3.0}
"""How many times the peer's windows per second ours should reach."""
FORMS: Final = {
    "default": "its default loader: 32 series a batch",
    "daily": "32 series a batch, one window a day alone (`step_size=48`)",
    "single": "one series a batch",
    "residual": "one series a batch, residual attention",
}
"""The forms in which the peer runs."""

Records = list[dict[str, Any]]


def _groups(records: Records) -> list[Records]:
    """Return the records by horizon, model and lookback; a group holds the seeds of one network."""
    groups: dict[tuple[int, bool, int], Records] = {}
    for one in records:
        groups.setdefault((one["horizon_steps"], one["model"] != "ridge", one["lookback_steps"]), []).append(one)
    return [groups[key] for key in sorted(groups)]


def _over(records: Records, name: str) -> str:
    """Return the mean over the seeds, with the range where there are several."""
    values = [record[name] for record in records]
    spread = f" ({min(values):.4f} to {max(values):.4f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread}"


def _etth1_row(records: Records) -> str:
    one = records[0]
    case = (one["lookback_steps"], one["horizon_steps"])
    names = ("mse", "mae", "valid_mse")
    asked = ("ridge, closed form", "", "", "")
    if one["model"] != "ridge":
        asked = ("PatchTST", str(len(records)), f"{MSE_AIMS[case]:.3f}", f"{PUBLISHED_MSE[case]:.3f}")
    seconds = f"{statistics.mean(record['seconds'] for record in records):,.0f}"
    cells = [asked[0], *map(str, case), asked[1], *(_over(records, name) for name in names), *asked[2:], seconds]
    return "| " + " | ".join(cells) + " |"


def _etth1_verdicts(groups: list[Records]) -> Iterator[str]:
    """Yield for each network whether its aim is reached, and where the ridge stands."""
    ridges = {some[0]["horizon_steps"]: some[0]["mse"] for some in groups if some[0]["model"] == "ridge"}
    for some in groups:
        lookback, horizon = some[0]["lookback_steps"], some[0]["horizon_steps"]
        if some[0]["model"] == "ridge":
            continue
        mse, aim = statistics.mean(record["mse"] for record in some), MSE_AIMS[lookback, horizon]
        verdict = "reached" if mse <= aim else f"**not reached**, by {mse - aim:.4f}"
        share = 1 - ridges[horizon] / mse
        stands = f"{abs(share):.1%} {'under' if share > 0 else 'over'} the network"
        yield (
            f"* {horizon} steps: aim {aim:.3f}, mean of {len(some)} seeds {mse:.4f}: {verdict}. The ridge,"
            f" {ridges[horizon]:.4f}, lies {stands}."
        )


def etth1_page(records: Records) -> str:
    """Return docs/results/etth1.md."""
    groups = _groups(records)
    rows = "\n".join(_etth1_row(some) for some in groups)
    windows = " and ".join(f"{one['windows']:,} at {one['horizon_steps']}" for one in (some[0] for some in groups[::2]))
    versions = sorted({json.dumps(one["versions"]) for one in records})
    made_by = "; ".join(", ".join(f"{name} {word}" for name, word in json.loads(one).items()) for one in versions)
    digests = ", ".join(sorted({f"`{record['data_sha256'][:12]}`" for record in records}))
    return f"""# ETTh1: is the network built right?

Made by `python docs/make_network.py` from [etth1.jsonl](etth1.jsonl), a line a run, which `benchmarks/etth1.py` left.
Split of 12, 4 and 4 months of 30 days, z-scores by the training block, seven channels as series of their own, no
gaps. Errors are over **all** windows of the test block, all steps and channels ({windows}
steps). The published figures dropped the last test batch, worth about 0.004 at 96 and 0.009 at 720 steps; the aims
allow for that. The ridge's lookback and penalty and the network's epoch are chosen on the validation block. In
brackets, the range over the seeds.

| model | lookback | horizon | seeds | test MSE | test MAE | validation MSE | aim | published | seconds a run |
|---|---:|---:|---:|---|---|---|---:|---:|---:|
{rows}

{chr(10).join(_etth1_verdicts(groups))}

The table says whether the network is built as it was published. It does not say that this data needs one: a linear map
of the context, solved in one step, is an opponent that published networks seldom beat here. Seconds are of a machine of
two cores that others used too. {made_by}; data {digests}.
"""


def _speed_rows(figures: dict[str, Any]) -> Iterator[str]:
    for name in ("ours", *FORMS):
        training, prediction = figures["training"][name], figures["prediction"][name]
        cells = [FORMS.get(name, "**ours**")]
        for task in (training, prediction):
            cells += [f"{task['windows_per_s']:,.0f}", "" if name == "ours" else _ratio(task)]
        memory = figures["memory"][name]
        added = f"{memory['peak_mb']:,} ({memory['peak_mb'] - memory['built_mb']:,})"
        cells += [added, f"{figures['parameters'][name]:,}"]
        yield "| " + " | ".join(cells) + " |"


def _ratio(task: dict[str, float]) -> str:
    return f"{task['ratio']:.2f} ({task['ratio_min']:.2f} to {task['ratio_max']:.2f}); {task['cpu_ratio']:.2f}"


def _speed_verdicts(figures: dict[str, Any]) -> Iterator[str]:
    """Yield for each task and form whether the aim is reached."""
    for task, aim in RATIO_AIMS.items():
        found = {name: figures[task][name]["ratio"] for name in FORMS}
        strict = min(found, key=lambda name: found[name])
        usual, least = found["default"], found[strict]
        yield (
            f"* {task}, aim {aim:g}: {usual:.2f} against the default loader, {_reached(usual, aim)};"
            f" {least:.2f} against the form that comes closest ({FORMS[strict]}), {_reached(least, aim)}."
        )


def _reached(ratio: float, aim: float) -> str:
    return "reached" if ratio >= aim else "**not reached**"


def speed_page(figures: dict[str, Any]) -> str:
    """Return docs/results/train_speed.md."""
    shape, names = figures["shape"], ", ".join(f"{name} {word}" for name, word in figures["versions"].items())
    rows = "\n".join(_speed_rows(figures))
    network = (
        f"{shape['layers']} layers, width {shape['width']}, {shape['heads']} heads, patches of {shape['patch_steps']}"
        f" every {shape['stride_steps']} steps, lookback {shape['context_steps']}, horizon {shape['horizon_steps']},"
        " 7 quantiles"
    )
    return f"""# Training and prediction against neuralforecast's PatchTST

Made by `python docs/make_network.py` from [train_speed.json](train_speed.json), which
`python benchmarks/train_speed.py` left; its first lines say what is timed. {network}, {shape["batch"]} windows a
batch, {figures["precision"]}, {shape["series"]} made series of {shape["series_steps"]:,} half hours,
{figures["device"]}, {figures["threads"]} threads on {figures["cpus"]} cores, which others used too (load before:
{figures["load_before"]}). Medians of {figures["rounds"]} rounds in which all take turns; a ratio is our windows per
second over the peer's in the same round, in brackets its range, then the same of processor time, which others disturb
less. Memory is the most that a process of its own held in a burst of training, and how much of it that burst added.

| side | training, windows/s | ours over it | prediction, windows/s | ours over it | memory (added), MB | weights |
|---|---:|---|---:|---|---:|---:|
{rows}

{chr(10).join(_speed_verdicts(figures))}

Ours sees what is missing (a mask beside the values) and forecasts a mean beside the quantiles, which the peer does not;
that is the difference in weights. Both draw from every half hour of every series, save where the table says a day. The
default loader mixes 32 series in a batch and copies all their windows at every step, which is most of its time here;
with one series a batch nothing is copied, but a batch then holds one home. Nobody may read this table as the speed of a
network alone: against the tuned forms, what remains is the difference between the networks. {names}.
"""


def ranks_section(figures: dict[str, Any]) -> str:
    """Return what two ranks come to, to stand below the page of speed."""
    rows = [
        f"| {name} | {way['windows_per_s']:,.0f} | {way['ratio']:.2f} ({way['ratio_min']:.2f} to"
        f" {way['ratio_max']:.2f}) | {way['windows_per_cpu_s']:,.0f} |"
        for name, way in figures["ways"].items()
    ]
    wire_mb = 4 * figures["parameters"] / 1e6
    return f"""
## Two ranks on two cores

From [train_ranks.json](train_ranks.json), which `python -m benchmarks.train_ranks` left: the same network and series,
batches of {figures["shape"]["batch"]} windows shared by two processes over gloo on loopback
([how](../cluster_training.md)). Medians of {figures["rounds"]} rounds on {figures["cpus"]} cores that others used too
(load before: {figures["load_before"]}), so that wall time says more of the others than of us; processor time they
disturb less.

| way | windows/s | over one thread, same round | windows/processor s |
|---|---:|---|---:|
{chr(10).join(rows)}

A step sends {wire_mb:.1f} MB of gradients from each rank, by the count of weights, whatever the batch. GPUs were not
measured.
"""


def main() -> None:
    """Write each page whose figures are there."""
    records = RESULTS / "etth1.jsonl"
    if records.is_file():
        lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
        (RESULTS / "etth1.md").write_text(etth1_page(lines), encoding="utf-8")
    speed = RESULTS / "train_speed.json"
    if speed.is_file():
        page = speed_page(json.loads(speed.read_text()))
        page += ranks_section(json.loads((RESULTS / "train_ranks.json").read_text()))
        (RESULTS / "train_speed.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
