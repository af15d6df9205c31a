"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 34rem)");
  const charts = [...document.querySelectorAll(".panel")].map((panel) => ({
    panel,
    box: panel.querySelector(".chart"),
    spec: JSON.parse(panel.querySelector("script").textContent),
    drawn: null,
  }));

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const tokens = (letter, n) => Array.from({ length: n }, (_, i) => token(letter + (i + 1)));

  // The one place where a chart gets its colours: from the page's own custom properties.
  const theme = (width) => {
    const [ink, soft, line, grid, panel, accent] = ["ink", "soft", "line", "grid", "panel", "accent"].map(token);
    const font = token("sans");
    const ramp = tokens("r", 7);
    const small = width < 480;
    return {
      background: null,
      font,
      view: { stroke: null },
      mark: { color: accent },
      range: { category: tokens("m", 8), diverging: tokens("c", 5), heatmap: ramp, ramp },
      axis: {
        domainColor: line, tickColor: line, gridColor: grid, labelColor: soft, titleColor: soft, labelFontSize: 11.5,
        titleFontSize: 11.5, titleFontWeight: 400, labelPadding: 6, labelSeparation: 8, titlePadding: 10, labelOverlap: true, labelLimit: small ? 110 : 200,
      },
      axisY: { domain: false, ticks: false, titlePadding: 8, labelLimit: 190 },
      title: { color: ink, fontSize: 13, fontWeight: 600, anchor: "start", offset: 8 },
      legend: {
        symbolBaseFillColor: soft, orient: "top", direction: "horizontal", columns: width < 380 ? 1 : small ? 2 : 0, labelColor: ink, titleColor: soft, titleFontWeight: 400,
        titleFontSize: 11.5, labelFontSize: 12, labelLimit: 150, titleLimit: 300, symbolStrokeWidth: 2, symbolSize: 90,
        gradientLength: small ? 150 : 220, offset: 12, rowPadding: 4, columnPadding: 14,
      },
      style: {
        day: { cornerRadius: 1.5 },
        count: { color: accent, fillOpacity: 0.16 },
        band: { color: accent, opacity: 0.2 },
        mean: { color: accent, strokeWidth: 2.4 },
        muted: { color: token("muted"), strokeWidth: 1.2 },
        divider: { color: grid, strokeWidth: 1 },
        band90: { color: accent, opacity: 0.2 },
        band80: { color: accent, opacity: 0.22 },
        band50: { color: accent, opacity: 0.4 },
        median: { color: accent, strokeWidth: 2.2 },
        truth: { color: token("truth"), strokeWidth: 1.4, strokeJoin: "round" },
        gap: { color: token("gap"), opacity: 0.28 },
        alert: { color: token("warn"), opacity: 0.2 },
        limit: { color: token("warn"), strokeWidth: 2 },
        origin: { color: soft, strokeWidth: 1.2, strokeDash: [3, 3] },
        ideal: { color: soft, strokeWidth: 1.2, strokeDash: [4, 4] },
        edge: { color: soft, strokeWidth: 0.8, strokeOpacity: 0.55 },
        whisker: { strokeWidth: 2.4, strokeOpacity: 0.55, strokeCap: "round" },
        point: { filled: true, size: 85, opacity: 1, stroke: panel, strokeWidth: 1 },
        middle: { filled: true, size: 95, opacity: 1, color: ink, stroke: panel, strokeWidth: 1.5 },
        home: { thickness: 1.5, opacity: 0.45, bandSize: 18 },
        series: { strokeWidth: 2 },
      },
    };
  };

  // A narrow screen shows less of what came before, so that what is to be seen has room.
  const fitted = ({ spec }) => {
    const from = spec.usermeta && spec.usermeta.narrow_from;
    if (!from || !narrow.matches) return spec;
    const kept = (rows) => rows.filter((row) => !row.t || (row.until || row.t) >= from).map((row) => (row.t < from ? { ...row, t: from } : row));
    return { ...spec, datasets: Object.fromEntries(Object.entries(spec.datasets).map(([name, rows]) => [name, kept(rows)])) };
  };

  const draw = async (chart) => {
    try {
      if (chart.drawn) chart.drawn.finalize();
      const options = {
        mode: "vega-lite", renderer: "svg", actions: false, config: theme(chart.box.clientWidth), tooltip: { theme: dark.matches ? "dark" : "light" },
      };
      chart.drawn = await vegaEmbed(chart.box, fitted(chart), options);
    } catch (error) {
      chart.box.classList.add("failed");
      chart.box.textContent = "This chart could not be drawn: " + error.message;
    }
  };

  let round = 0;
  const drawAll = async () => {
    const mine = ++round;
    document.documentElement.dataset.charts = dark.matches ? "dark" : "light";
    for (const chart of charts) {
      if (mine !== round) return;
      await draw(chart);
    }
    document.documentElement.dataset.drawn = String(charts.length);
  };
  dark.addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);

  const save = async (button) => {
    const kind = button.dataset.save;
    const figure = button.closest("figure");
    const name = figure.querySelector("h3").textContent.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
    const mine = charts.filter((chart) => figure.contains(chart.panel) && chart.drawn);
    for (const [i, chart] of mine.entries()) {
      const link = document.createElement("a");
      link.href = await chart.drawn.view.background(token("panel")).runAsync().then((v) => v.toImageURL(kind, kind === "png" ? 2 : 1));
      link.download = "loadproof-" + name + (mine.length > 1 ? "-" + (i + 1) : "") + "." + kind;
      link.click();
    }
  };
  for (const button of document.querySelectorAll("[data-save]")) button.addEventListener("click", () => save(button));

  const links = new Map([...document.querySelectorAll(".rail a")].map((a) => [a.hash.slice(1), a]));
  const rail = document.querySelector(".rail");
  const mark = () => {
    const sections = [...document.querySelectorAll("main > section")];
    const here = sections.filter((s) => s.getBoundingClientRect().top < innerHeight * 0.35).pop() || sections[0];
    for (const [id, a] of links) {
      if (id !== here.id) { a.removeAttribute("aria-current"); continue; }
      if (a.hasAttribute("aria-current")) continue;
      a.setAttribute("aria-current", "true");
      rail.scrollTo({ left: a.offsetLeft - 40 });
    }
  };
  addEventListener("scroll", mark, { passive: true });
  mark();
  drawAll();
})();
