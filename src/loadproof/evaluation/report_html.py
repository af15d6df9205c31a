"""HTML by construction: text that is not marked as ``Html`` is escaped, wherever it came from."""

import datetime as dt
import functools
import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import NamedTuple

import vl_convert

from loadproof.evaluation.figures import Figure

__all__ = [
    "Chapter",
    "Html",
    "Panel",
    "absent",
    "breakable",
    "facts",
    "figure",
    "fragment",
    "legend",
    "page",
    "table",
    "tag",
]


class Html(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


class Panel(NamedTuple):
    """One chart of a figure, with a heading of its own where the figure has several."""

    chart: Figure
    heading: Html | None = None


class Chapter(NamedTuple):
    """A chapter of the page: the anchor, the heading, its short form for the contents, and what stands in it."""

    anchor: str
    heading: str
    short: str
    body: Html


def _escaped(text: str) -> Html:
    return text if isinstance(text, Html) else Html(html.escape(text))


def tag(name: str, *children: str, **attributes: str | None) -> Html:
    """Return one element; ``class_`` is written ``class``, an attribute that is None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{fragment(*children)}</{name}>")


def fragment(*children: str) -> Html:
    """Return children one after the other, each escaped unless it is HTML."""
    return Html("".join(_escaped(child) for child in children))


def breakable(name: str) -> Html:
    """Return a name that a narrow box may break after an underscore or a slash, and nowhere else by choice."""
    return Html("<wbr>".join(fragment(part) for part in re.split(r"(?<=[_/])", name)))


def absent(text: str) -> Html:
    """Return the box that says what a chapter lacks."""
    return tag("p", text, class_="absent")


def facts(pairs: Sequence[tuple[str, str]]) -> Html:
    """Return short facts in one flowing line of terms and values."""
    return tag("dl", *[tag("div", tag("dt", term), tag("dd", value)) for term, value in pairs], class_="facts")


def legend(entries: Sequence[tuple[str, str]]) -> Html:
    """Return a legend: the style of each mark, and what it means."""
    return tag("ul", *[tag("li", tag("i", class_=style), label) for style, label in entries], class_="legend")


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> Html:
    """Return a table in a box that scrolls sideways by itself; the first column heads its row.

    Args:
        caption: What the table shows.
        head: Column headings.
        rows: Cells, as text or as ready ``Html``; a cell that starts with ``<td`` is taken whole.
        numeric: Per column, whether it holds numbers and is set to the right.
    """
    kinds = ["num" if flag else None for flag in numeric]
    headings = [tag("th", text, scope="col", class_=kind) for text, kind in zip(head, kinds, strict=True)]
    lines = []
    for first, *others in rows:
        cells: list[str] = [tag("th", first, scope="row", class_=kinds[0])]
        for cell, kind in zip(others, kinds[1:], strict=True):
            whole = isinstance(cell, Html) and cell.startswith("<td")
            cells.append(cell if whole else tag("td", cell, class_=kind))
        lines.append(tag("tr", *cells))
    inner = tag("table", tag("caption", caption), tag("thead", tag("tr", *headings)), tag("tbody", *lines))
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _spec_json(chart: Figure) -> str:
    """Return a chart's specification as JSON that cannot end its script element."""
    spec = chart.to_dict()
    # Colours and fonts are the page's; the address of the schema is no use to a page that loads nothing.
    del spec["config"], spec["$schema"]
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    text = json.dumps(spec, separators=(",", ":"), ensure_ascii=False, default=_iso)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _iso(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    raise TypeError(f"a chart's data holds a {type(value).__name__}; turn it into text or a number first")


def figure(title: str, aid: str, panels: Sequence[Panel], *, layout: str = "", key: Html | None = None) -> Html:
    """Return a figure: heading, legend, charts, one sentence on how to read it, and two buttons to save it.

    Args:
        title: The heading.
        aid: The reading aid below.
        panels: Its charts.
        layout: ``many`` or ``pair`` sets panels side by side where there is room.
        key: A legend for styles that the charts cannot explain themselves.
    """
    drawn = []
    for panel in panels:
        spec = tag("script", Html(_spec_json(panel.chart)), type="application/json")
        about = f"{title}. {html.unescape(panel.heading)}" if panel.heading else title
        head = tag("h4", panel.heading) if panel.heading else Html()
        drawn.append(
            tag("div", head, spec, tag("div", class_="chart", role="img", aria_label=f"{about}. {aid}"), class_="panel")
        )
    save = [tag("button", f"Save {kind.upper()}", type="button", data_save=kind) for kind in ("svg", "png")]
    return tag(
        "figure",
        tag("h3", title),
        key or Html(),
        tag("div", *drawn, class_=f"panels {layout}".strip()),
        tag("figcaption", tag("p", aid), tag("div", *save, class_="save")),
    )


@functools.cache
def _bundle() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script that leaves one name, ``vegaEmbed``."""
    script = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    return "(() => {" + re.sub(r"</(?=script)", r"<\\/", script, flags=re.IGNORECASE) + "})();"


def page(title: str, chapters: Sequence[Chapter], footer: Html) -> str:
    """Return the whole page: chapters, contents, style, libraries and data in one file that loads nothing."""
    parts = files("loadproof.evaluation") / "report_page"
    links = [tag("li", tag("a", chapter.short, href=f"#{chapter.anchor}")) for chapter in chapters]
    sections = [
        tag("section", chapter.body if not i else Html(tag("h2", chapter.heading) + chapter.body), id=chapter.anchor)
        for i, chapter in enumerate(chapters)
    ]
    return Template((parts / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        css=(parts / "page.css").read_text(encoding="utf-8"),
        nav=tag("ol", *links),
        body="\n".join(sections),
        footer=footer,
        bundle=_bundle(),
        script=(parts / "page.js").read_text(encoding="utf-8"),
    )
