// The page of one design, or of two side by side, from the data that `hlsgen report --json` prints.
"use strict";

const AREAS = [["dsps", "DSPs"], ["blocks", "memory blocks"], ["alms", "ALMs"]];

// A section with a heading that the page's contents lead to; nothing of what is empty.
function section(prefix, title, note, ...content) {
  const id = `${prefix}${title.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  return element("section", { id }, element("h2", {}, title),
    note ? element("p", { class: "dim" }, note) : "", content);
}

function card(value, text) {
  return element("div", { class: "card" }, element("b", {}, value), element("span", {}, text));
}

function cards(data) {
  const r = data.resources;
  return element("div", { class: "cards" },
    card(figure(data.throughput_fps), `images a second, ${figure(data.throughput_low_fps)} to ` +
      figure(data.throughput_high_fps)),
    card(`${Number(data.latency_ms.toPrecision(3))} ms`,
      data.images > 1 ? `a launch of ${data.images} images` : "an image"),
    card(`${whole(r.fmax)} MHz`, `band ${whole(r.fmax_low)} to ${whole(r.fmax_high)}`),
    card(percent(data.roofline_share), "of the roofline"),
    card(`${Number(data.least_bandwidth_gbs.toPrecision(3))} GB/s`, "least memory bandwidth"),
    card(data.bottleneck, "bottleneck"));
}

function command(...words) {
  return element("code", {}, words.join(" "));
}

// The verdicts of validate and audit, or how to get them.
function verdicts(data) {
  const verdict = (found, text, name) => (found
    ? element("p", { class: found.ok ? "right" : "wrong" }, text)
    : element("p", {}, `Not ${name === "audit" ? "audited" : "validated"} yet: `,
      command("hlsgen", name, data.design)));
  const findings = data.audit?.findings || [];
  return [
    ...data.on_host_lines.map((line) => element("p", {}, line)),
    verdict(data.validation, data.validation_lines.join(" "), "validate"),
    verdict(data.audit, data.audit_line, "audit"),
    data.aoc_note ? element("p", {}, `${data.aoc_note}.`) : "",
    data.accuracy_line ? element("p", {}, `Quantised: ${data.accuracy_line}.`) : "",
    findings.length ? table("findings of the audit", [
      ["rule", (found) => found.rule], ["severity", (found) => found.severity],
      ["kernel", (found) => found.kernel],
      ["line", (found) => String(found.line), true], ["finding", (found) => found.detail],
    ], findings) : "",
  ];
}

// +4 %, 32 more DSPs.
function signed(value, text = whole) {
  return value ? `${value > 0 ? "+" : "−"}${text(Math.abs(value))}` : "0";
}

// What would make the design better, as the model reckons.
function adviceSection(data, prefix) {
  const note = data.advice.length ? "Each line is a second estimate of the model: the same design " +
    "but for one decision, FIFOs as deep as they are. A build with the options may find better."
    : "No design near this one is notably faster, or as fast for less, by the model.";
  return section(prefix, "Advice", note, data.advice.length ? table("advice", [
    ["instead", (row) => row.change],
    ["images/s", (row) => figure(row.throughput_fps), true],
    ["gain", (row) => (row.saves && row.gain < 0.01 ? "same"
      : signed(row.gain, d3.format(".1%"))), true],
    ["ms", (row) => String(Number(row.latency_ms.toPrecision(3))), true],
    ...AREAS.map(([name, title]) => [title, (row) => signed(row[name]), true]),
    ["fits", (row) => (row.fits ? "yes" : row.short)],
    ["options of build", (row) => command(row.flags.join(" "))],
  ], data.advice) : "");
}

function networkSection(data, prefix) {
  const piped = data.layers.some((layer) => layer.pipelined);
  const note = (piped ? "Boxes are as high as what their kernels take, and coloured by slack: " +
    "the share of the time in which a kernel waits for slower ones. " : "Boxes are as high as " +
    "what their engine takes, and coloured by their share of the time. ") +
    "Links say bits and depth of FIFOs; dashed ones pass through memory. Drag to pan; hold Ctrl " +
    "and turn the wheel, or use + and −, to zoom; arrow keys go from kernel to kernel.";
  const box = element("div", {}, networkView(data, data.graph));
  const graphs = [["graph", "layers"], ["engine_graph", "kernels of the engines"]];
  return section(prefix, "Network", note, data.engine_graph ? choice("Of", graphs, (name) =>
    box.replaceChildren(...networkView(data, data[name]).filter(Boolean))) : "", box);
}

function timeSection(data, prefix) {
  const content = [];
  if (data.simulation?.kernels.length) {
    content.push(
      element("p", { class: "dim" }, "The simulator's run of " +
        `${counted(data.simulation.completions.length, "image")}: a row a kernel. Dashed lines ` +
        "are when an image is complete."),
      key([[BUSY, "works"], [INPUT, "waits for input"], [ROOM, "waits for room in a FIFO"]]),
      drawn((width) => timelineChart(data.simulation, width)));
  } else if (data.simulation) {
    content.push(element("p", { class: "wrong" }, "The simulated design deadlocks: " +
      Object.entries(data.simulation.blocked).map(([name, what]) => `${name} waits for ${what}`)
        .join("; ")));
  } else if (data.layers.some((layer) => layer.pipelined)) {
    content.push(element("p", { class: "dim" }, "The network is too large to simulate here."));
  }
  if (data.steps.length) {
    content.push(element("p", { class: "dim" }, "Layers on their engines, one after another."),
      drawn((width) => stepsChart(data.steps, width)));
  }
  content.push(
    element("h3", {}, "Cycles of every layer"),
    key([[BUSY, "multipliers work"], [OTHER, "other cycles"],
      ...(data.layers.some((layer) => layer.pipelined) ? [[WAIT, "waits for others"]] : [])]),
    drawn((width) => cyclesChart(data, width)));
  return section(prefix, "Time", "", content);
}

function rooflineSection(data, prefix) {
  return section(prefix, "Roofline", "Each layer while it works; the whole network at its rate. " +
    "Channels are the FIFOs on the chip: their roof is a word a cycle of each.",
  key([["var(--memory)", "layers, external memory"],
    ...(data.peak.channels ? [["var(--busy)", "layers, channels"]] : []),
    ["var(--hot)", "the whole network"]]),
  drawn((width) => rooflineChart(data, width)));
}

function resourcesSection(data, prefix) {
  let what = "dsps";
  const bars = drawn((width) => areasChart(data, what, width));
  return section(prefix, "Resources", "Static region included; the red line is the band of ALMs.",
    drawn((width) => totalsChart(data, width)),
    element("h3", {}, "Shares of the kernels"),
    choice("Of", AREAS, (chosen) => { what = chosen; bars.redraw(); }), bars);
}

function layersTable(data) {
  return table("layers", [
    ["layer", (layer) => layer.name],
    ["MACs", (layer) => whole(layer.macs), true],
    ["cycles", (layer) => whole(layer.cycles), true],
    ["ms", (layer) => layer.milliseconds.toFixed(4), true],
    ["busy", (layer) => (layer.ideal_cycles ? percent(layer.utilisation) : ""), true],
    ["MB", (layer) => (layer.bytes / 1e6).toFixed(2), true],
    ["waits: input", (layer) => (layer.waits ? percent(layer.waits.input) : ""), true],
    ["room", (layer) => (layer.waits ? percent(layer.waits.room) : ""), true],
    ["bound by", (layer) => layer.bound],
    ["why idle", (layer) => layer.why],
  ], data.layers);
}

function kernelsTable(data) {
  const times = (row) => (row.copies > 1 ? `${row.name} × ${row.copies}` : row.name);
  return table("kernels", [
    ["kernel", times], ["autorun", (row) => (row.autorun ? "yes" : "")],
    ...[["LSUs", "lsus"], ...["ALUT", "FF", "RAM", "DSP", "MLAB"].map((name) => [name, name])]
      .map(([title, name]) => [title, (row) => whole(row[name]), true]),
  ], data.kernels);
}

function channelsTable(data) {
  const times = (row) => (row.copies > 1 ? `${row.name} × ${row.copies}` : row.name);
  return table("channels", [["channel", times], ["bits", (row) => whole(row.bits), true],
    ["depth", (row) => whole(row.depth), true]], data.fifos);
}

// aoc's figures beside ours.
function aocSection({ aoc }, prefix) {
  const pair = (name) => [[name, (row) => whole(row.ours[name]), true],
    ["aoc", (row) => whole(row.aoc[name]), true]];
  return section(prefix, "Beside aoc's estimate", aoc.fmax ? `Fitted: ${aoc.fmax} MHz.` : "",
    table("estimates", [["kernel", (row) => row.name],
      ...["ALUT", "FF", "RAM", "DSP"].flatMap(pair),
      ...(aoc.loops ? [["innermost loops", (row) => row.intervals.join(", ")]] : [])],
    aoc.kernels), aoc.loops ? element("p", {}, `${aoc.loops}.`) : "");
}

// One design.
function designView(data, prefix) {
  return element("article", {},
    element("h1", {}, `${data.network}: ${data.style} design for ${data.board_title}`),
    cards(data),
    element("p", { class: "dim" }, "Predicted by the model from the plan; nothing here was " +
      "measured on a board." + (data.unverified.length
      ? ` Board figures not verified: ${data.unverified.join(", ")}.` : "")),
    section(prefix, "Verdicts", "", verdicts(data)), adviceSection(data, prefix),
    networkSection(data, prefix), timeSection(data, prefix), rooflineSection(data, prefix),
    resourcesSection(data, prefix),
    section(prefix, "Decisions", "", element("p", {}, data.reason)),
    section(prefix, "Layers", "", layersTable(data)),
    section(prefix, "Kernels", "", kernelsTable(data)),
    section(prefix, "Channels", "", channelsTable(data)),
    data.aoc ? aocSection(data, prefix) : "");
}

// Links to the sections of a design.
function contents(view) {
  return element("nav", { "aria-label": "sections" }, [...view.querySelectorAll("section")].map(
    (part) => element("a", { href: `#${part.id}` }, part.querySelector("h2").textContent)));
}

// Figures of two designs, and the cycles of their layers.
function comparison({ designs, figures, layers }) {
  const titles = designs.map((design) => design.design);
  const columns = (name) => [[name, (row) => row[name]],
    [titles[0], (row) => figure(row.first), true], [titles[1], (row) => figure(row.second), true],
    ["ratio", (row) => (row.ratio == null ? "" : `${row.ratio.toFixed(2)} ×`), true]];
  return element("article", {}, element("h1", {}, titles.join(" beside ")),
    element("div", { class: "two" },
      element("section", { id: "figures" }, element("h2", {}, "Figures"),
        table("figures", columns("figure"), figures)),
      element("section", { id: "cycles" }, element("h2", {}, "Cycles of the layers"),
        table("cycles of the layers", columns("layer"), layers))));
}

function show(data) {
  const designs = data.designs || [data];
  const views = designs.map((design, index) => designView(design, `design${index}-`));
  views.forEach((view) => view.querySelector(".cards").after(contents(view)));
  document.querySelector("main").replaceChildren(...(data.designs
    ? [comparison(data), element("div", { class: "pair" }, views)] : views));
}

show(JSON.parse(document.getElementById("data").textContent));
