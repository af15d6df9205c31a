"""How fast our PatchTST trains and predicts against neuralforecast's: same layers, batch, precision and data, one run.

    pip install -c constraints.txt -e '.[bench]'
    python benchmarks/train_speed.py --json docs/results/train_speed.json
    python benchmarks/train_speed.py --device cuda --precision bf16 --json docs/results/train_speed_cuda.json

Both get complete series and no features, and batches of as many windows. What is timed, in bursts that take turns:

* training: ours through ``models.training.epochs``, each burst an epoch of a few batches, judged on one window; the
  peer through its own ``training_step`` on batches of its own loader, then backward, its own optimiser and scheduler.
  Windows are cut or gathered within that time on both sides.
* prediction: windows of the series to quantiles, without gradients; the peer through its own ``predict_step``.

Set-up is left out on both sides, and Lightning's trainer on the peer's, in its favour. The peer runs in several forms,
see ``PEERS``. Peak memory is that of a process of its own for each, from when it is built.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from loadproof import __version__
from loadproof.models.examples import Batch, SeriesExamples
from loadproof.models.losses import pinball, squared
from loadproof.models.patchtst import PatchTST
from loadproof.models.training import Schedule, epochs
from loadproof.ranks import ALONE, Ranks
from loadproof.schema import LEVELS
from loadproof.seeds import rng_for

__all__ = ["PEERS", "Form", "Shape", "Side", "main", "make_ours", "make_peer", "make_series", "summarise"]


class Shape(NamedTuple):
    """What both sides build, and from what."""

    context_steps: int = 336
    horizon_steps: int = 48
    patch_steps: int = 16
    stride_steps: int = 8
    width: int = 64
    heads: int = 4
    layers: int = 3
    feedforward: int = 128
    dropout: float = 0.2
    batch: int = 512
    series: int = 32
    series_steps: int = 17_520


class Way(NamedTuple):
    """How both sides compute."""

    device: str = "cpu"
    precision: str = "fp32"
    compiled: bool = False
    steps: int = 2  # batches in a burst


class Form(NamedTuple):
    """How the peer is asked to work."""

    series_a_batch: int
    every_steps: int = 1
    residual_attention: bool = False


PEERS: Final = {
    "default": Form(series_a_batch=32),
    "daily": Form(series_a_batch=32, every_steps=48),
    "single": Form(series_a_batch=1),
    "residual": Form(series_a_batch=1, residual_attention=True),
}
"""With its default loader, which mixes homes in a batch as ours does and copies every window of 32 series at each step;
the same with one window a day alone; one series a batch, whose windows it need not copy, so that no batch mixes homes;
and that with residual attention, its default layer and not ours."""


class Side(NamedTuple):
    """One side: each call takes one burst and returns its windows."""

    train: Callable[[], int]
    predict: Callable[[], int]
    step: Callable[[], Any]  # forward and backward of one batch, to count what is computed
    parameters: int


def make_series(shape: Shape, *, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return complete made series, kWh, ``(S, T)``: speed does not depend on what they say."""
    return rng.gamma(1.0, 0.2, size=(shape.series, shape.series_steps)).astype(np.float32)


def _autocast(way: Way) -> torch.autocast:
    return torch.autocast(way.device, torch.bfloat16, enabled=way.precision == "bf16")


def _loss(network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sum of pinball and squared errors and the number of truths."""
    out = network(batch.context)  # (B, H, 1 + Q)
    levels = torch.tensor(LEVELS, device=out.device)
    errors = pinball(batch.truth, out[..., 1:], levels).mean(dim=-1) + squared(batch.truth, out[..., 0])  # (B, H)
    return errors.sum(), torch.tensor(float(errors.numel()), device=out.device)


def _weights(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def make_ours(series: NDArray[np.float32], shape: Shape, way: Way, *, ranks: Ranks = ALONE) -> Side:
    """Return our side, or a rank's part of it; a batch is drawn from all windows of all series."""
    sizes = {name: value for name, value in shape._asdict().items() if name not in ("batch", "series", "series_steps")}
    network = PatchTST(quantiles=len(LEVELS), **sizes).to(way.device)
    values = torch.from_numpy(series).to(way.device)

    def examples(starts: range) -> SeriesExamples:
        first = torch.tensor(starts, device=way.device).repeat(shape.series)
        rows = torch.arange(shape.series, device=way.device).repeat_interleave(len(starts))
        return SeriesExamples(values, rows, first, shape.context_steps, shape.horizon_steps)

    last = shape.series_steps - shape.context_steps - shape.horizon_steps
    every, daily = examples(range(last + 1)), examples(range(last % 48, last + 1, 48))
    one = SeriesExamples(values, every.rows[:1], every.starts[:1], shape.context_steps, shape.horizon_steps)
    burst = way.steps * shape.batch
    schedule = Schedule(
        epochs=1_000_000, batch=shape.batch, learning_rate=1e-3, epoch_examples=burst, bf16=way.precision == "bf16",
        compiled=way.compiled,
    )  # fmt: skip
    running = epochs(network, every, one, _loss, schedule, rng=rng_for(0, "train_speed"), ranks=ranks)

    def train() -> int:
        next(running)
        return burst

    def predict() -> int:
        network.eval()
        with torch.inference_mode(), _autocast(way):
            index = torch.arange(burst, device=way.device) % len(daily)
            parts = [network(daily.batch(some).context)[..., 1:] for some in index.split(shape.batch)]
            windows = len(torch.cat(parts))
        network.train()
        return windows

    def step() -> None:
        with _autocast(way):
            total, weight = _loss(network, every.batch(torch.arange(shape.batch, device=way.device)))
        (total / weight).backward()  # type: ignore[no-untyped-call]

    return Side(train, predict, step, _weights(network))


def make_peer(series: NDArray[np.float32], shape: Shape, way: Way, form: Form) -> Side:
    """Return neuralforecast's side in one of its forms."""
    from neuralforecast.losses.pytorch import MQLoss
    from neuralforecast.models import PatchTST as Peer
    from neuralforecast.tsdataset import TimeSeriesDataModule, TimeSeriesDataset

    model = Peer(
        h=shape.horizon_steps, input_size=shape.context_steps, patch_len=shape.patch_steps, stride=shape.stride_steps,
        hidden_size=shape.width, n_heads=shape.heads, encoder_layers=shape.layers,
        linear_hidden_size=shape.feedforward, dropout=shape.dropout, revin=True, revin_subtract_last=False,
        res_attention=form.residual_attention, loss=MQLoss(quantiles=list(LEVELS)), step_size=form.every_steps,
        batch_size=form.series_a_batch, windows_batch_size=shape.batch, inference_windows_batch_size=shape.batch,
        learning_rate=1e-3,
    ).to(way.device)  # fmt: skip
    per_series = -(-shape.batch // form.series_a_batch)  # windows to predict, so that a batch of series fills one
    model.predict_step_size = 1 if form.series_a_batch == 1 else 48
    ahead = shape.horizon_steps + model.predict_step_size * (per_series - 1)
    model.val_size, model.n_predicts, model.explain = 0, 1, False
    model.log = lambda *_, **__: None  # the trainer's, which is left out
    values = np.stack([series.ravel(), np.ones(series.size, dtype=np.float32)], axis=1)  # (S T, 2)
    starts = np.arange(0, series.size + 1, shape.series_steps)
    dataset = TimeSeriesDataset(values, ["y", "available_mask"], starts, 0)
    module = TimeSeriesDataModule(dataset, batch_size=form.series_a_batch, valid_batch_size=form.series_a_batch)
    chosen = model.configure_optimizers()
    optimiser, scheduler = chosen["optimizer"], chosen["lr_scheduler"]["scheduler"]
    if way.compiled:
        model.model = torch.compile(model.model)
    to_learn, to_predict = _endless(module.train_dataloader, way), _endless(module.predict_dataloader, way)

    def loss() -> torch.Tensor:
        model.test_size = 0
        with _autocast(way):
            return model.training_step(next(to_learn), 0)  # type: ignore[no-any-return]

    def train() -> int:
        model.train()
        for _ in range(way.steps):
            optimiser.zero_grad()
            loss().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            scheduler.step()
        return way.steps * shape.batch

    def predict() -> int:
        model.eval()
        model.test_size = ahead
        with torch.inference_mode(), _autocast(way):
            return len(torch.cat([model.predict_step(next(to_predict), 0) for _ in range(way.steps)]))

    return Side(train, predict, lambda: loss().backward(), _weights(model))


def _endless(loader: Callable[[], Any], way: Way) -> Iterator[dict[str, Any]]:
    """Yield the peer's batches on the device, over and over."""
    whole = loader()
    while True:
        for batch in whole:
            yield {**batch, "temporal": batch["temporal"].to(way.device, non_blocking=True)}


def _build(name: str, shape: Shape, way: Way) -> Side:
    series = make_series(shape, rng=rng_for(0, "train_speed/series"))
    return make_ours(series, shape, way) if name == "ours" else make_peer(series, shape, way, PEERS[name])


def _windows_per_s(work: Callable[[], int], way: Way) -> tuple[float, float]:
    """Return windows per second of wall time and of processor time."""
    _settle(way)
    began, began_cpu = time.perf_counter(), time.process_time()
    windows = work()
    _settle(way)
    return windows / (time.perf_counter() - began), windows / (time.process_time() - began_cpu)


def _settle(way: Way) -> None:
    if way.device == "cuda":
        torch.cuda.synchronize()


def run_rounds(shape: Shape, way: Way, rounds: int) -> dict[str, Any]:
    """Return the figures of all sides in turn; the first round warms up and is not kept."""
    sides = {name: _build(name, shape, way) for name in ("ours", *PEERS)}
    found: dict[str, Any] = {"parameters": {name: side.parameters for name, side in sides.items()}}
    for task in ("training", "prediction"):
        speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        for turn in range(rounds + 1):
            for name, side in sides.items():
                speed = _windows_per_s(side.train if task == "training" else side.predict, way)
                print(f"{task} {turn}/{rounds} {name:10} {speed[0]:10,.0f} windows/s", file=sys.stderr)
                speeds[name] += [speed] if turn else []
        found[task] = summarise(speeds)
    if way.device == "cuda":
        found["card"] = _card(sides["ours"], shape, way, found["training"]["ours"]["windows_per_s"])
    return found


def summarise(speeds: dict[str, list[tuple[float, float]]]) -> dict[str, dict[str, float]]:
    """Return each side's median speed, and for each peer our speed over its in the same round.

    Args:
        speeds: By side, windows per second of wall and of processor time, a pair a round.
    """
    found: dict[str, dict[str, float]] = {}
    for name, some in speeds.items():
        wall, cpu = zip(*some, strict=True)
        found[name] = {
            "windows_per_s": round(statistics.median(wall), 1), "windows_per_cpu_s": round(statistics.median(cpu), 1)
        }  # fmt: skip
        if name != "ours":
            pairs = list(zip(speeds["ours"], some, strict=True))
            ratios, cpu_ratios = ([own[at] / other[at] for own, other in pairs] for at in (0, 1))
            figures = {"ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios)}
            figures["cpu_ratio"] = statistics.median(cpu_ratios)
            found[name] |= {which: round(value, 2) for which, value in figures.items()}
    return found


def _card(ours: Side, shape: Shape, way: Way, windows_per_s: float, *, size: int = 8192) -> dict[str, Any]:
    """Return what we compute per second, and what a large matrix product reaches on this card in the same precision."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:
        ours.step()
    achieved = counted.get_total_flops() / shape.batch * windows_per_s
    kind = torch.bfloat16 if way.precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size, device=way.device, dtype=kind) for _ in range(2))
    _windows_per_s(lambda: len(a @ b), way)
    products_per_s, _ = _windows_per_s(lambda: sum(len(a @ b) == size for _ in range(20)), way)
    figures = {"achieved_tflops": achieved / 1e12, "matmul_tflops": products_per_s * 2 * size**3 / 1e12}
    return {"name": torch.cuda.get_device_name(), **{name: round(value, 2) for name, value in figures.items()}}


def _memory_mb() -> tuple[float, float]:
    """Return what this process holds and what it held at most."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(told["VmRSS"].split()[0]) / 1024, int(told["VmHWM"].split()[0]) / 1024


def peak_memory(name: str, shape: Shape, way: Way) -> dict[str, int]:
    """Return this process's memory once a side is built, and at most in one burst of training."""
    side = _build(name, shape, way)
    built_mb, _ = _memory_mb()
    side.train()
    device = {"device_mb": torch.cuda.max_memory_allocated() / 2**20} if way.device == "cuda" else {}
    return {key: round(mb) for key, mb in {"built_mb": built_mb, "peak_mb": _memory_mb()[1], **device}.items()}


def main() -> None:
    """Measure, print the figures, and leave them as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--compiled", action="store_true", help="torch.compile on both sides")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=Shape().batch, help="windows a batch")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--memory-of", choices=("ours", *PEERS), default=None, help="one burst of one side alone")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shape, way = Shape(batch=options.batch), Way(options.device, options.precision, options.compiled)
    if options.memory_of:
        print(json.dumps(peak_memory(options.memory_of, shape, way)))
        return
    versions = {"loadproof": __version__, **{name: version(name) for name in ("torch", "neuralforecast")}}
    figures = {"versions": versions, "cpus": os.cpu_count(), "threads": options.threads, "rounds": options.rounds,
               "load_before": round(os.getloadavg()[0], 1),
               **way._asdict(), "shape": shape._asdict(), **run_rounds(shape, way, options.rounds)}  # fmt: skip
    figures["memory"] = {name: _ask_memory(name) for name in ("ours", *PEERS)}
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _ask_memory(name: str) -> dict[str, int]:
    """Ask a process of its own, with the options of this one."""
    command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", name]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(told.splitlines()[-1]))


if __name__ == "__main__":
    main()
