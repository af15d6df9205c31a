"""The report's chapter on feeders, from a ranking of three."""

import datetime as dt
import json
import re

import polars as pl

from loadproof.evaluation.report_chapters_feeders import RiskContent, feeders_chapter
from loadproof.schema import FORECASTS, LEVELS, RISK

T0 = dt.datetime(2013, 12, 2, tzinfo=dt.UTC)
PEAK = T0 + dt.timedelta(hours=18)


def content():
    limits = [("s<b>", "substation", "transformer", 50.0, 0.4), ("f1", "feeder", "fuse", 30.0, 0.0),
              ("f2", "feeder", "fuse", 30.0, 0.0)]  # fmt: skip
    rows = [
        (rank, name, level, limit, kwh, "test", p, PEAK, p, min(1.0, 2 * p), 1.0, PEAK, 20.0, kwh - 40, PEAK, "m", T0)
        for rank, (name, level, limit, kwh, p) in enumerate(limits, start=1)
    ]
    forecasts = [
        ("m", name, T0, T0 + dt.timedelta(minutes=30 * step), level, 20.0 + 10 * level, None)
        for name in ("s<b>", "f1")
        for step in range(48)
        for level in LEVELS
    ]
    recent = [("s<b>", T0 - dt.timedelta(minutes=30 * back), 18.0) for back in range(48, 0, -1)]
    schema = {"entity_id": pl.String, "ts_utc": pl.Datetime("us", "UTC"), "energy_kwh": pl.Float64}
    return RiskContent(
        pl.DataFrame(rows, schema=RISK, orient="row"), pl.DataFrame(forecasts, schema=FORECASTS, orient="row"),
        pl.DataFrame(recent, schema=schema, orient="row"),
        {"horizon_steps": 48, "notes": ["ratings are by practice"], "tree": {"s<b>": ["f1", "f2"]}},
    )  # fmt: skip


def test_the_worst_stands_first_with_its_chance_and_the_tree_holds_its_feeders():
    chapter = feeders_chapter(content())
    assert "40.0\u00a0% to 80.0\u00a0%" in chapter.body
    assert "Ratings are by practice." in chapter.body
    assert chapter.body.index("s&lt;b&gt;") < chapter.body.index("f1")
    assert re.search(r'class="tree"><li><b>s&lt;b&gt;</b>.*<ul><li><b>f1</b>.*<li><b>f2</b>', chapter.body)
    assert "s<b>" not in re.sub(r"<script.*?</script>", "", chapter.body)


def test_the_fan_has_its_limit_drawn_in_and_who_has_no_forecast_has_no_chart():
    specs = [json.loads(text) for text in re.findall(r"<script[^>]*>(.*?)</script>", feeders_chapter(content()).body)]
    assert len(specs) == 2
    rules = [layer for layer in specs[0]["layer"] if layer["mark"].get("style") == "limit"]
    (rows,) = [specs[0]["datasets"][layer["data"]["name"]] for layer in rules]
    assert rows == [{"name": "transformer", "kwh": 50.0}]


def test_without_a_run_the_chapter_says_what_would_make_it():
    assert "loadproof feeders risk" in feeders_chapter(None).body
