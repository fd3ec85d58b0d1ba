// The page of an exploration: designs as points, those on the Pareto front large, and all as a
// table.
"use strict";

const COLOURS = ["var(--busy)", "var(--hot)", "var(--memory)", "var(--room)", "var(--input)",
  "var(--heat2)", "var(--heat3)", "var(--dim)"];
const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "wye", "cross", "times"];

function pointText(r) {
  const built = r.built === r.style ? "" : `, built as ${r.built}`;
  return `${r.key}${built}: ${figure(r.throughput_fps)} images a second, ` +
    `${Number(r.latency_ms.toPrecision(3))} ms, ${whole(r.dsps)} DSPs, ${whole(r.blocks)} ` +
    `blocks, ${whole(r.alms)} ALMs`;
}

// One picture, both axes logarithmic.
function scatter(results, { x, y, xTitle, yTitle }, look, width) {
  const line = d3.sort(results.filter((r) => r.pareto), (r) => r[x]);
  return Plot.plot({
    width, height: Math.min(420, Math.max(300, width * 0.7)), marginLeft: 60, marginRight: 20,
    marginTop: 28, marginBottom: 44, grid: true, style: FONT,
    ariaLabel: `${yTitle} against ${xTitle}`,
    x: logScale(around(results.map((r) => r[x])), xTitle, Math.floor(width / 80)),
    y: logScale(around(results.map((r) => r[y])), yTitle, 8),
    symbol: { domain: SYMBOLS, range: SYMBOLS },
    marks: [
      Plot.dot(d3.sort(results, (r) => r.pareto), {
        x, y, r: (r) => (r.pareto ? 7 : 4), symbol: (r) => look.get(r.board)[1],
        fill: (r) => look.get(r.board)[0], fillOpacity: 0.85,
        stroke: (r) => (r.pareto ? "var(--ink)" : "var(--paper)"),
      }),
      Plot.tip(results, Plot.pointer({ x, y, title: pointText, lineWidth: 26 })),
    ],
    r: { type: "identity" },
  });
}

function resultsTable(results) {
  const known = (text) => (r) => (r.error ? "" : text(r));
  return table("designs", [
    ["point", (r) => [r.key, ...r.others].join(", ")], ["built as", (r) => r.built || "-"],
    ["images/s", known((r) => figure(r.throughput_fps)), true],
    ["ms", known((r) => String(Number(r.latency_ms.toPrecision(3)))), true],
    ...[["ALMs", "alms"], ["blocks", "blocks"], ["DSPs", "dsps"], ["MHz", "fmax"]]
      .map(([title, name]) => [title, known((r) => whole(r[name])), true]),
    ["bottleneck, or why not", (r) => r.error || r.bottleneck],
  ], results, (r) => (r.pareto ? "front" : null));
}

function showExploration({ title, plots, results }) {
  const built = results.filter((r) => !r.error);
  const boards = [...new Set(built.map((r) => r.board))];
  const look = new Map(boards.map((name, n) =>
    [name, [COLOURS[n % COLOURS.length], SYMBOLS[n % SYMBOLS.length]]]));
  document.querySelector("main").replaceChildren(
    element("h1", {}, title),
    element("p", { class: "dim" }, built.length ? "Predicted by the model. Large points and " +
      "shaded rows are on the Pareto front of throughput, latency, DSPs, memory blocks and ALMs."
      : "None of these designs can be built; the table says why."),
    key(boards.map((name) => [look.get(name)[0], name])),
    element("div", { class: "pair" }, built.length
      ? plots.map((plot) => drawn((width) => scatter(built, plot, look, width))) : []),
    resultsTable(results));
}

showExploration(JSON.parse(document.getElementById("data").textContent));
