// The page of an exploration: designs as points, those on the Pareto front large, and all as a
// table.
"use strict";

const COLOURS = ["var(--busy)", "var(--hot)", "var(--memory)", "var(--room)", "var(--input)",
  "var(--heat2)", "var(--heat3)", "var(--dim)"];
const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "wye", "cross", "times"];
const SIGNS = ["●", "■", "▲", "◆", "★", "Y", "✚", "✖"];

function pointText(r) {
  const built = r.built === r.style ? "" : `, built as ${r.built}`;
  return `${r.key}${built}: ${figure(r.throughput_fps)} images a second, ` +
    `${Number(r.latency_ms.toPrecision(3))} ms, ${whole(r.dsps)} DSPs, ${whole(r.blocks)} ` +
    `blocks, ${whole(r.alms)} ALMs`;
}

// One picture, both axes logarithmic.
function scatter(results, { x, y, xTitle, yTitle }, look, width) {
  const axes = logAxes(
    { domain: around(results.map((r) => r[x])), label: xTitle, room: Math.floor(width / 60) },
    { domain: around(results.map((r) => r[y])), label: yTitle, room: 10 });
  return Plot.plot({
    width, height: Math.min(420, Math.max(300, width * 0.7)), marginLeft: 60, marginRight: 20,
    marginTop: 28, marginBottom: 44, style: FONT,
    ariaLabel: `${yTitle} against ${xTitle}`,
    x: axes.x, y: axes.y,
    symbol: { domain: SYMBOLS, range: SYMBOLS },
    marks: [
      ...axes.marks,
      Plot.dot(d3.sort(results, (r) => r.pareto), {
        x, y, r: (r) => (r.pareto ? 7 : 4), symbol: (r) => SYMBOLS[look.get(r.board)[1]],
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
    [name, [COLOURS[n % 8], (n + Math.floor(n / 8)) % 8]]));
  document.querySelector("main").replaceChildren(
    element("h1", {}, title),
    element("p", { class: "dim" }, built.length ? "Predicted by the model. Large points and " +
      "shaded rows are on the Pareto front of throughput, latency, DSPs, memory blocks and ALMs."
      : "None of these designs can be built; the table says why."),
    element("p", { class: "key" }, boards.map((name) => element("span", {},
      element("b", { style: `color:${look.get(name)[0]}` }, SIGNS[look.get(name)[1]]), ` ${name}`))),
    element("div", { class: "pair" }, built.length
      ? plots.map((plot) => drawn((width) => scatter(built, plot, look, width))) : []),
    element("h2", {}, "Designs"), resultsTable(results));
}

showExploration(JSON.parse(document.getElementById("data").textContent));
