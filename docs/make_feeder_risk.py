"""Write docs/results/feeder_risk.md and its figure from the record of one study.

loadproof ingest lcl --no-use-samples --input-root data/raw --output-root data/processed
loadproof feeders reliability --dataset lcl --model persistence_ensemble --model ridge --model lightgbm \
    --records docs/results/records/feeders
python docs/make_feeder_risk.py
"""

import textwrap
from pathlib import Path

import altair as alt
import polars as pl

from loadproof.records import Record, read_record

DOCS = Path(__file__).parent
RECORD = DOCS / "results" / "records" / "feeders" / "risk_reliability.parquet"
PAGE = DOCS / "results" / "feeder_risk.md"
FIGURE = DOCS / "figures" / "feeder_risk_reliability.svg"

BEST = "ridge/adaptive/exponential"
SUBJECTS = {
    "climatology:constant": "the percentile's own rate, always",
    "climatology:hourly": "its rate at that half hour in training",
    "climatology:recent": "its rate at that half hour in the last 28 days",
    "persistence_ensemble/none/exponential": "`persistence_ensemble`",
    "ridge/none/exponential": "`ridge`, as fitted",
    "ridge/static/exponential": "`ridge`, calibrated on September",
    BEST: "`ridge`, calibrated adaptively",
    "ridge/adaptive/none": "the same without a tail",
    "lightgbm/none/exponential": "`lightgbm`, as fitted",
    "lightgbm/adaptive/exponential": "`lightgbm`, calibrated adaptively",
}
PERCENTILES = (0.9, 0.95, 0.99)


def cell(rows: pl.DataFrame, digits: int, *, bounds: bool = True) -> str:
    """Return one figure with its interval."""
    if rows.is_empty():
        return ""
    row = rows.row(0, named=True)
    if row["value"] is None or row["value"] != row["value"]:
        return "–"
    text = f"{row['value']:.{digits}f}"
    known = bounds and row["low"] is not None and row["low"] == row["low"]
    return f"{text} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]" if known else text


def scores(frame: pl.DataFrame, percentile: float, days_ahead: int = 1) -> str:
    """Return the table of Brier scores at one percentile."""
    here = frame.filter(percentile=percentile, days_ahead=days_ahead, slice="all")
    lines = ["| who | Brier | skill over constant | over hourly | over recent | reliability error | mean probability |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for subject, words in SUBJECTS.items():
        mine = here.filter(subject=subject)
        cells = [cell(mine.filter(metric="brier"), 4)]
        for other in ("constant", "hourly", "recent"):
            skill = mine.filter(metric=f"brier_skill:{other}")
            cells.append("" if subject == f"climatology:{other}" else cell(skill, 3))
        cells.append(cell(mine.filter(metric="reliability_error"), 4))
        cells.append(cell(mine.filter(metric="mean_probability"), 4, bounds=False))
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def bins(frame: pl.DataFrame, percentile: float) -> str:
    """Return the reliability table of the best model."""
    here = frame.filter(percentile=percentile, days_ahead=1, subject=BEST)
    observed = here.filter(metric="observed")
    lines = ["| forecast between | half hours | mean forecast | observed |", "|---|---|---|---|"]
    for row in observed.iter_rows(named=True):
        mean = here.filter(metric="forecast", slice=row["slice"])["value"].item()
        seen = cell(pl.DataFrame([row]), 3)
        lines.append(f"| {row['slice'].replace('-', ' and ')} | {row['n']:,} | {mean:.3f} | {seen} |")
    return "\n".join(lines)


ALARMS = ("warned by", "precision of the likeliest 1", "4", "10 a day", "at", "hits", "false alarms", "misses",
          "precision", "recall", "lead, hours")  # fmt: skip


def alarms(frame: pl.DataFrame, percentile: float) -> str:
    """Return the decision table of the best model beside the recent climatology."""
    here = frame.filter(percentile=percentile, days_ahead=0)
    lines = ["| " + " | ".join(ALARMS) + " |", "|---" * len(ALARMS) + "|"]
    for subject in ("climatology:recent", "persistence_ensemble/none/exponential", BEST):
        mine = here.filter(subject=subject)
        first = [cell(mine.filter(metric="precision", slice=f"k={k}"), 2) for k in (1, 4, 10)]
        for number, threshold in enumerate((0.1, 0.25, 0.5)):
            at = mine.filter(slice=f"p={threshold:g}")
            counts = [cell(at.filter(metric=name), 0, bounds=False) for name in ("hits", "false_alarms", "misses")]
            rates = [cell(at.filter(metric=name), 2) for name in ("precision", "recall")]
            lead = cell(at.filter(metric="lead_hours"), 1, bounds=False)
            head = [SUBJECTS[subject], *first] if number == 0 else ["", "", "", ""]
            lines.append("| " + " | ".join([*head, f"{threshold:g}", *counts, *rates, lead]) + " |")
    return "\n".join(lines)


def by_day(frame: pl.DataFrame) -> str:
    """Return the best model's skill by day ahead."""
    lines = ["| day ahead | " + " | ".join(f"at the {100 * p:g}th" for p in PERCENTILES) + " |", "|---|---|---|---|"]
    for day in sorted(set(frame.filter(pl.col("days_ahead") > 0)["days_ahead"])):
        here = frame.filter(days_ahead=day, subject=BEST, metric="brier_skill:recent")
        lines.append(f"| {day} | " + " | ".join(cell(here.filter(percentile=p), 3) for p in PERCENTILES) + " |")
    return "\n".join(lines)


WAYS = {
    "least": "the likeliest half hour's alone (never more than the truth)",
    "most": "the sum of all, at most 1 (never less)",
    "apart": "as if half hours knew nothing of each other",
    "together": "**by the ranks of past days**",
}


def any_half_hour(frame: pl.DataFrame) -> str:
    """Return how well each way tells the chance of any half hour, of the best model, at each percentile."""
    lines = ["| at the | days exceeded | way | mean chance | Brier | skill over the first | reliability error |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for percentile in PERCENTILES:
        for way, words in WAYS.items():
            mine = frame.filter(subject=f"{BEST.split('/')[0]}/any/{way}", percentile=percentile, slice="all")
            first = way == "least"
            lead = [f"{100 * percentile:g}th", cell(mine.filter(metric="event_rate"), 3, bounds=False)]
            skill = "" if first else cell(mine.filter(metric="brier_skill:least"), 3)
            cells = [words, cell(mine.filter(metric="mean_probability"), 3, bounds=False)]
            cells += [cell(mine.filter(metric="brier"), 4), skill, cell(mine.filter(metric="reliability_error"), 4)]
            lines.append("| " + " | ".join((lead if first else ["", ""]) + cells) + " |")
    return "\n".join(lines)


def flowing(text: str) -> str:
    """Return a paragraph broken anew, after its figures were set in."""
    return textwrap.fill(" ".join(text.split()), 120, break_on_hyphens=False)


def rate(frame: pl.DataFrame, metric: str, percentile: float, days_ahead: int) -> float:
    """Return an event rate."""
    rows = frame.filter(metric=metric, percentile=percentile, days_ahead=days_ahead, subject=BEST)
    return float(rows["value"].item())


def page(record: Record) -> str:
    """Return docs/results/feeder_risk.md."""
    facts, frame = record.facts, record.frame
    knobs, risk = facts["forecast"], facts["risk"]
    winter = frame.filter(subject="winter_peak", metric="coverage_80").row(0, named=True)
    above = frame.filter(subject="winter_peak", metric="share_above_90")["value"].item()
    judged = flowing(f"""
        Judged are {facts["feeders"]} pseudo-feeders of {risk["feeder_homes"]} real homes: {risk["partitions"]} random
        partitions of the {facts["homes"]} homes of Low Carbon London that report all of 2013. Their limits are each
        feeder's **own percentiles of training load**, for no group of these homes nears a transformer's rating: what
        is judged is the probability, not the equipment. Fitted before {knobs["valid_from"]}, calibrated until
        {knobs["test_from"]}, judged until {knobs["test_until"]}, from each UK midnight {risk["study_days"]} days ahead.
        In brackets, 95 % intervals from weeks drawn with replacement, where four weeks or more have a say; feeders of
        different partitions share homes and so are never drawn: the intervals say nothing of other homes. loadproof
        {facts["loadproof_version"]}, seed {facts["seed"]}, sources' digest `{facts["data_sha256"][:12]}`.
    """)
    text = f"""# Whether the chances of exceeding a limit come true

Made by `python docs/make_feeder_risk.py` from one small record (its first lines hold the commands before).

{judged}

*Reliability error*: mean distance of forecast and observed frequency over the bins. *Skill*: how much smaller the Brier
score is than a climatology's on the same half hours; the third is the one to beat, for autumn is not spring.

![Reliability of ridge, calibrated adaptively, one day ahead](../figures/feeder_risk_reliability.svg)
"""
    for percentile in PERCENTILES:
        half_hours, days = rate(frame, "event_rate", percentile, 1), rate(frame, "day_rate", percentile, 0)
        text += f"""
## At the {100 * percentile:g}th percentile

Exceeded in {half_hours:.1%} of the half hours, and on {days:.1%} of the days.

{scores(frame, percentile)}

Reliability of `ridge`, calibrated adaptively, one day ahead:

{bins(frame, percentile)}

Days ranked and warned of, from the midnight they begin; a warning is a half hour at or above the probability. The lead
counts from the earliest forecast from which the warning stood unbroken, up to {risk["study_days"] - 1} days before the
day's own, to the first half hour that was exceeded (median over hits):

{alarms(frame, percentile)}
"""
    return (
        text
        + f"""
## Further ahead

Skill of `ridge`, calibrated adaptively, over the rate of the last 28 days:

{by_day(frame)}

## Any half hour of the day

The chance that a limit is passed at all, from each half hour's chance (`ridge`, calibrated adaptively, the day that
begins), four ways:

{any_half_hour(frame)}

## The winter peak

`feeders headroom` tells the highest half hour of a winter from its weeks. Each feeder's winter weeks of 2013, halved at
random ten times: the peak of one half lay in the 80 % interval told by the other in {winter["value"]:.1%} of
{winter["n"]:,} halvings, and above it in {above:.1%} (aim 10 %). All share the same weeks, so no interval is claimed.

## What it says, and what not

* At the 90th and 95th percentile, calibrating adaptively brings the chances nearest to what came: a calibration on
  September overstates them in winter, and the model as fitted understates them. `feeders risk` therefore calibrates so.
* At the 99th the model as fitted is better: calibrated adaptively it overstates, as the tail is meant to rather than
  understate, and its skill over the last 28 days' rate is within its interval of none. Read a ranking of such rare
  limits as an order, and its chances as high.
* `lightgbm` as fitted is the one that beats the last 28 days' rate at the 99th percentile too, and the only one whose
  chances there need no caution; below it the ridge is within its interval, at a small part of its time, and so the
  default. Ask `feeders risk --model lightgbm` where rare limits count.
* Whether a day passes a limit at all is told best by how past days' half hours hung together, at each percentile: the
  likeliest half hour alone understates, and half hours taken for independent overstate.
* Without the tail the chances are further from what came at every percentile; the Brier score hardly notices.
* The leads are long because events come in spells of evenings, which the last 28 days' rate knows as well. At one
  threshold the forecast warns of more of the days than that rate, with more false alarms; ranked, it is little better.
* One winter, one city, groups of {risk["feeder_homes"]} homes without electric heating or cars.
"""
    )


def draw(record: Record) -> alt.HConcatChart:
    """Return the reliability diagram, a panel a percentile; bins of fewer than 30 half hours are left out."""
    frame = record.frame.filter(subject=BEST, days_ahead=1)
    observed = frame.filter(metric="observed").select("percentile", "slice", "low", "high", "n", observed="value")
    told = frame.filter(metric="forecast").select("percentile", "slice", forecast="value")
    rows = observed.join(told, on=["percentile", "slice"]).filter(pl.col("n") >= 30)
    diagonal = alt.Chart(pl.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})).mark_line(strokeDash=[4, 3], color="#888")
    scale, panels = alt.Scale(domain=[0, 1]), []
    for percentile in PERCENTILES:
        base = alt.Chart(rows.filter(percentile=percentile)).encode(
            x=alt.X("forecast:Q", title="Forecast probability", scale=scale)
        )
        layers = alt.layer(
            diagonal.encode(x="x:Q", y="y:Q"),
            base.mark_rule(color="#3b6ea8").encode(
                y=alt.Y("low:Q", title="Observed frequency", scale=scale), y2="high:Q"
            ),
            base.mark_point(filled=True, color="#1f4e79", size=30).encode(y=alt.Y("observed:Q", scale=scale)),
        )
        panels.append(layers.properties(width=210, height=210, title=f"{100 * percentile:g}th percentile"))
    return alt.hconcat(*panels, background="white")


def main() -> None:
    """Write the page and its figure."""
    record = read_record(RECORD)
    PAGE.write_text(page(record), encoding="utf-8")
    FIGURE.parent.mkdir(exist_ok=True)
    draw(record).save(FIGURE)


if __name__ == "__main__":
    main()
