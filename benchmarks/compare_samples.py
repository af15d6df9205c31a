"""Compare simulated homes with Low Carbon London's: a table into ``docs/samples.md``, a figure beside it.

    LOADPROOF_REAL_DATA=... python benchmarks/compare_samples.py
    python benchmarks/compare_samples.py --real "Partitioned LCL Data.zip"

Both fleets become one matrix of half hours of 2013, homes by T = 17,520, kWh, with NaN where nothing was read.
"""

import argparse
import datetime as dt
import os
import re
import zipfile
from pathlib import Path

import altair as alt
import numpy as np
import polars as pl

from loadproof.samples.clock import Clock, build_clock
from loadproof.samples.homes import draw_home
from loadproof.samples.pulses import BoolArray, FloatArray, half_hour_energy_wh
from loadproof.samples.simulation import meter_w, simulate_home
from loadproof.samples.weather import simulate_weather
from loadproof.seeds import rng_for

__all__ = ["main"]

ARCHIVE = "lcl/Partitioned LCL Data.zip"
DOCS = Path(__file__).parents[1] / "docs"
FIRST_DAY, N_DAYS = dt.date(2013, 1, 1), 365
SEASONS = {"winter": (12, 1, 2), "summer": (6, 7, 8)}
COLOURS = {"real": "#0072B2", "simulated": "#D55E00"}
DAY_STEPS = 48


def read_real(path: Path) -> FloatArray:
    """Return the homes of an LCL archive, or of a folder of its parts, ``(homes, T)``."""
    if path.is_dir():
        parts = [file.read_bytes() for file in sorted(path.rglob("*.csv"))]
    else:
        with zipfile.ZipFile(path) as archive:
            parts = [archive.read(name) for name in archive.namelist() if name.endswith(".csv")]
    rows = pl.concat([_parse(part) for part in parts]).unique(["home", "step"], maintain_order=True)
    homes = rows["home"].unique(maintain_order=True).to_list()
    matrix = np.full((len(homes), N_DAYS * DAY_STEPS), np.nan)
    number = rows["home"].replace_strict(homes, range(len(homes)), return_dtype=pl.Int64)
    matrix[number.to_numpy(), rows["step"].to_numpy()] = rows["kwh"].to_numpy()
    return matrix


def _parse(part: bytes) -> pl.DataFrame:
    """Return ``home, step, kwh`` of one part; ``Null``, off-grid and other years' rows are left out."""
    raw = pl.read_csv(part, infer_schema=False).rename(str.strip)
    since = pl.col("DateTime").str.slice(0, 19).str.to_datetime() - dt.datetime.combine(FIRST_DAY, dt.time())
    return (
        raw.select(
            home="LCLid",
            seconds=since.dt.total_seconds() - 1800,  # stamps mark the end of the half hour
            kwh=pl.col("KWH/hh (per half hour)").str.strip_chars().cast(pl.Float64, strict=False),
        )
        .filter(pl.col("kwh").is_not_null(), pl.col("seconds") % 1800 == 0)
        .with_columns(step=pl.col("seconds") // 1800)
        .filter(pl.col("step").is_between(0, N_DAYS * DAY_STEPS - 1))
        .select("home", "step", "kwh")
    )


def simulate_fleet(n_homes: int, clock: Clock, *, seed: int) -> FloatArray:
    """Return ``n_homes`` simulated homes, ``(homes, T)``."""
    weather = simulate_weather(clock, rng=rng_for(seed, "samples/weather"))
    fleet = []
    for number in range(n_homes):
        rng = rng_for(seed, f"samples/fleet/{number}")
        power_w = simulate_home(draw_home(rng=rng), clock, weather, rng=rng)
        fleet.append(half_hour_energy_wh(meter_w(power_w)) / 1000)
    return np.array(fleet)


def summarise(fleet: FloatArray, clock: Clock) -> dict[str, str]:
    """Return the facts of one fleet, ``(homes, T)``, as the table prints them."""
    values = fleet[np.isfinite(fleet)]
    home_mean, mean_home = np.nanmean(fleet, axis=1), np.nanmean(fleet, axis=0)  # (homes,), (T,)
    median, p90, p99, p999 = np.quantile(values, (0.5, 0.9, 0.99, 0.999))
    low, high = np.quantile(home_mean, (0.1, 0.9))
    season_mean = {name: float(np.nanmean(fleet[:, in_season(name)])) for name in SEASONS}
    peaks = {name: int(profile(fleet, clock, name)[30:].argmax()) + 30 for name in SEASONS}
    return {
        "homes": f"{len(fleet)}",
        "half hours read": f"{len(values):,}",
        "mean, kWh": f"{values.mean():.3f}",
        "median, kWh": f"{median:.3f}",
        "90 % quantile, kWh": f"{p90:.3f}",
        "99 % quantile, kWh": f"{p99:.2f}",
        "99.9 % quantile, kWh": f"{p999:.2f}",
        "largest half hour, kWh": f"{values.max():.2f}",
        "share of exact zeros": f"{100 * (values == 0).mean():.1f} %",
        "winter mean over summer mean": f"{season_mean['winter'] / season_mean['summer']:.2f}",
        "evening peak begins, winter (local time)": clock_time(peaks["winter"]),
        "evening peak begins, summer (local time)": clock_time(peaks["summer"]),
        "load factor of a home (median)": f"{np.median(home_mean / np.nanmax(fleet, axis=1)):.3f}",
        "load factor of all homes together": f"{mean_home.mean() / mean_home.max():.2f}",
        "same half hour a day later, autocorrelation (median)": f"{np.nanmedian([lag_day(h) for h in fleet]):.2f}",
        "mean of a home, kWh, from 10 % to 90 % of homes": f"{low:.3f} to {high:.3f}",
        "mean of a home, standard deviation over mean": f"{home_mean.std() / home_mean.mean():.2f}",
    }


def in_season(name: str) -> BoolArray:
    """Return which half hours lie in a season, ``(T,)``."""
    months = [(FIRST_DAY + dt.timedelta(days=i)).month for i in range(N_DAYS)]
    return np.repeat(np.isin(months, SEASONS[name]), DAY_STEPS)


def profile(fleet: FloatArray, clock: Clock, season: str) -> FloatArray:
    """Return the mean half hour by local time of day, kWh ``(48,)``."""
    mean_home, chosen = np.nanmean(fleet, axis=0), in_season(season)  # (T,)
    step = clock.minute_of_day[::30] // 30
    return np.array([mean_home[chosen & (step == i)].mean() for i in range(DAY_STEPS)])


def lag_day(home: FloatArray) -> float:
    """Return one home's autocorrelation at 48 half hours, over pairs that were both read; NaN below thirty days."""
    earlier, later = home[:-DAY_STEPS], home[DAY_STEPS:]
    both = np.isfinite(earlier) & np.isfinite(later)
    return float(np.corrcoef(earlier[both], later[both])[0, 1]) if both.sum() >= 30 * DAY_STEPS else float("nan")


def clock_time(step: int) -> str:
    """Return the start of the half hour ``step`` of a day."""
    return f"{step // 2:02d}:{step % 2 * 30:02d}"


def plot(fleets: dict[str, FloatArray], clock: Clock) -> alt.VConcatChart:
    """Return four panels: winter's and summer's day, the quantiles of a half hour, load duration of all homes."""
    days = [_profile_panel(fleets, clock, season) for season in SEASONS]
    shares = np.concatenate([np.linspace(0.01, 0.98, 98), np.linspace(0.981, 0.9999, 60)])
    quantiles = {name: np.quantile(fleet[np.isfinite(fleet)], shares) for name, fleet in fleets.items()}
    duration = {name: np.sort(np.nanmean(fleet, axis=0))[::-1] for name, fleet in fleets.items()}
    every = 73  # one point in three hours of the year is as much as the eye sees
    hours = np.arange(0, N_DAYS * DAY_STEPS, every) / DAY_STEPS / N_DAYS * 100
    below = _lines(
        {name: (shares * 100, np.maximum(values, 0.001)) for name, values in quantiles.items()},
        x=alt.X("x:Q", title="share of half hours below, %"),
        y=alt.Y(
            "y:Q",
            title="kWh in a half hour",
            scale=alt.Scale(type="log"),
            axis=alt.Axis(values=[0.001, 0.01, 0.1, 1, 10]),
        ),
        title="One home's half hours: quantiles",
    )
    above = _lines(
        {name: (hours, values[::every]) for name, values in duration.items()},
        x=alt.X("x:Q", title="share of the year above, %"),
        y=alt.Y("y:Q", title="kWh in a half hour, mean of homes", scale=alt.Scale(zero=True)),
        title="All homes together: load duration",
    )
    chart = alt.vconcat(alt.hconcat(*days), alt.hconcat(below, above)).configure_view(stroke=None)
    return chart.configure_axis(gridColor="#e6e6e6", domainColor="#888", tickColor="#888").configure_legend(title=None)


def _profile_panel(fleets: dict[str, FloatArray], clock: Clock, season: str) -> alt.Chart:
    ceiling = max(profile(fleet, clock, "winter").max() for fleet in fleets.values())
    hours = np.arange(DAY_STEPS) / 2
    return _lines(
        {name: (hours, profile(fleet, clock, season)) for name, fleet in fleets.items()},
        x=alt.X(
            "x:Q", title="local time, h", scale=alt.Scale(domain=[0, 24]), axis=alt.Axis(values=list(range(0, 25, 3)))
        ),
        y=alt.Y("y:Q", title="kWh in a half hour, mean of homes", scale=alt.Scale(domain=[0, ceiling * 1.05])),
        title=f"The day in {season}",
    )


def _lines(curves: dict[str, tuple[FloatArray, FloatArray]], *, x: alt.X, y: alt.Y, title: str) -> alt.Chart:
    rows = [
        {"fleet": name, "x": float(a), "y": float(b)}
        for name, (xs, ys) in curves.items()
        for a, b in zip(xs, ys, strict=True)
    ]
    colour = alt.Color("fleet:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())))
    chart = alt.Chart(alt.Data(values=rows), title=title, width=340, height=210)
    return chart.mark_line(strokeWidth=1.8, clip=True).encode(x=x, y=y, color=colour, order="x:Q")


def write_table(page: Path, columns: dict[str, dict[str, str]]) -> None:
    """Put the table between the page's two markers."""
    facts = next(iter(columns.values()))
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {fact} | " + " | ".join(column[fact] for column in columns.values()) + " |" for fact in facts]
    text, n = re.subn(
        r"(<!-- comparison -->\n).*?(<!-- /comparison -->)",
        lambda found: found[1] + "\n".join(lines) + "\n" + found[2],
        page.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    if n != 1:
        raise SystemExit(f"{page} has no place for the table: put <!-- comparison --> and <!-- /comparison --> into it")
    page.write_text(text, encoding="utf-8")


def main() -> None:
    """Read, simulate, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = os.environ.get("LOADPROOF_REAL_DATA")
    parser.add_argument("--real", type=Path, default=Path(folder) / ARCHIVE if folder else None)
    parser.add_argument("--seed", type=int, default=2013)
    parser.add_argument("--homes", type=int, default=138, help="simulated homes; the public extract has 138 real ones")
    settings = parser.parse_args()
    if settings.real is None:
        parser.error("no real data: give --real PATH, or set LOADPROOF_REAL_DATA")
    clock = build_clock(FIRST_DAY, N_DAYS)
    real = read_real(settings.real)
    simulated = [simulate_fleet(settings.homes, clock, seed=settings.seed + i) for i in range(2)]
    columns = {"real": summarise(real, clock)}
    columns |= {f"simulated, seed {settings.seed + i}": summarise(fleet, clock) for i, fleet in enumerate(simulated)}
    write_table(DOCS / "samples.md", columns)
    chart = plot({"real": real, "simulated": simulated[0]}, clock)
    chart.save(DOCS / "figures" / "samples_comparison.png", ppi=110)
    chart.save(DOCS / "figures" / "samples_comparison.svg")
    for fact in columns["real"]:
        print(f"{fact:55}", *(f"{column[fact]:>18}" for column in columns.values()))


if __name__ == "__main__":
    main()
