"""Draw ten scenarios of one or more played jobs, as many of each, docs/figures/selfplay_scenarios.png.

    cd data/derived/selfplay/work/small/held_2013-10-01/B
    python .../docs/make_selfplay_pictures.py occupancy/full-seed101.pictures.parquet new_load/full-seed101...

They show readings of single homes, which are not kept in the repository: they are drawn where the study ran.
"""

import argparse
from pathlib import Path

import altair as alt
import polars as pl

from loadproof.records import read_record

SHOWN = 10
PICTURE = Path(__file__).with_name("figures") / "selfplay_scenarios.png"


def picture(rows: pl.DataFrame) -> alt.VConcatChart:
    """Return ten scenarios, each with what the solver said before and after."""
    colours = {"before": "#d95f02", "after": "#1f78b4"}
    charts = []
    for number in rows["picture"].unique().sort():
        one = rows.filter((pl.col("picture") == number) & (pl.col("step") >= -96))
        kind, told, onset = one.select("kind", "parameters", "onset_steps").row(0)
        base = alt.Chart(one).encode(
            x=alt.X("step:Q", title="half hours from t0", axis=alt.Axis(values=list(range(-96, 49, 24))))
        )
        layers = [
            base.mark_area(opacity=0.2, color=colour).encode(
                y=alt.Y(f"{when}_low_kwh:Q", title="kWh"), y2=f"{when}_high_kwh:Q"
            )
            for when, colour in colours.items()
        ]
        layers += [
            base.mark_line(color="#bbbbbb", strokeWidth=1).encode(y="real_kwh:Q"),
            base.mark_line(color="black", strokeWidth=1).encode(y="played_kwh:Q"),
            *(base.mark_line(color=c, strokeWidth=1.5).encode(y=f"{w}_middle_kwh:Q") for w, c in colours.items()),
        ]
        title = alt.Title(f"{kind}, {-onset / 48:.1f} days before t0", subtitle=told or "no parameters")
        charts.append(alt.layer(*layers).properties(width=420, height=120, title=title))
    pairs = [alt.hconcat(*charts[at : at + 2]) for at in range(0, len(charts), 2)]
    return alt.vconcat(*pairs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="+")
    paths = parser.parse_args().pictures
    each = SHOWN // len(paths)
    parts = [read_record(path).frame.filter(pl.col("picture") <= each) for path in paths]
    shown = [part.with_columns(pl.col("picture") + at * each) for at, part in enumerate(parts)]
    picture(pl.concat(shown)).save(PICTURE, scale_factor=1.5)
