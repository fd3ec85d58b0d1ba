// Charts of the pages, by Observable Plot.
"use strict";

const FONT = { fontSize: "12px", fontFamily: "system-ui, sans-serif", overflow: "visible" };
const BUSY = "var(--busy)", OTHER = "var(--other)", INPUT = "var(--input)", ROOM = "var(--room)";
const WAIT = "var(--wait)";

// Margin for names at the left, which are shortened on narrow pages.
function names(list, width) {
  const most = width < 600 ? 14 : 28;
  const longest = d3.max(list, (name) => Math.min(name.length, most)) || 1;
  return { most, margin: Math.ceil(12 + 7.2 * longest) };
}

// Ticks of a logarithmic axis: as many of 1, 2 and 5 a decade as have room.
function logTicks([low, high], room) {
  const decades = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1);
  const within = (steps) => decades.flatMap((n) => steps.map((step) => step * 10 ** n))
    .filter((value) => value >= low && value <= high);
  const fine = within([1, 2, 5]);
  if (fine.length <= room) return fine;
  const tens = within([1]);
  const every = Math.ceil(tens.length / room);
  return tens.filter((_, index) => index % every === 0);
}

// Limits of a logarithmic axis round values.
function around(values, share = 1.5) {
  const known = values.filter((value) => value > 0);
  return [d3.min(known) / share, d3.max(known) * share];
}

// 0.05, 20, 5k, 1M.
const short = (value) => (value && value < 1 ? d3.format("~g") : d3.format("~s"))(value);

// Options and marks of logarithmic axes, each `{domain, label, room}`. (Plot's own leave labels of
// ticks out that there is room for.)
function logAxes(x, y) {
  const ticks = (axis) => logTicks(axis.domain, axis.room);
  return {
    x: { type: "log", domain: x.domain, label: x.label, axis: null },
    y: { type: "log", domain: y.domain, label: y.label, axis: null },
    marks: [
      Plot.gridX(ticks(x)), Plot.gridY(ticks(y)),
      Plot.axisX(ticks(x), { text: short, label: x.label, labelAnchor: "right" }),
      Plot.axisY(ticks(y), { text: short, label: y.label, labelAnchor: "top" }),
    ],
  };
}

// Cycles of every layer: its multipliers work, other iterations, and in a pipeline what it waits.
function cyclesChart(data, width) {
  const { most, margin } = names(data.layers.map((layer) => layer.name), width);
  const interval = data.resources.fmax * 1e6 * data.copies / data.throughput_fps;
  const parts = data.layers.flatMap((layer) => [
    { layer, kind: BUSY, cycles: layer.ideal_cycles },
    { layer, kind: OTHER, cycles: layer.cycles - layer.ideal_cycles },
    { layer, kind: WAIT, cycles: layer.pipelined ? Math.max(interval - layer.cycles, 0) : 0 },
  ]);
  return Plot.plot({
    width, marginLeft: margin, marginRight: 24, marginBottom: 40,
    height: 60 + 20 * data.layers.length, style: FONT, ariaLabel: "cycles of every layer",
    x: { label: "cycles an image", tickFormat: short, grid: true, ticks: Math.floor(width / 110) },
    y: { domain: data.layers.map((layer) => layer.name), label: null,
      tickFormat: (name) => shorten(name, most), tickSize: 0 },
    marks: [
      Plot.barX(parts, {
        x: "cycles", y: (part) => part.layer.name, fill: (part) => part.kind, insetTop: 2,
        insetBottom: 2,
      }),
      Plot.ruleX([0]),
      Plot.tip(data.layers, Plot.pointerY({
        x: "cycles", y: "name", textPadding: 8, lineWidth: 26,
        title: (layer) => `${layer.name}: ${whole(layer.cycles)} cycles` +
          (layer.ideal_cycles ? `, multipliers work ${percent(layer.utilisation)} of them` : "") +
          (layer.why ? `\n${layer.why}` : ""),
      })),
    ],
  });
}

// What every kernel does in the course of the simulation, a row each: from below it works, waits
// for input, waits for room.
function timelineChart(simulation, width) {
  const kernels = simulation.kernels;
  const { most, margin } = names(kernels.map((kernel) => kernel.name), width);
  const spans = kernels[0].input.length, step = simulation.cycles / spans;
  const areas = kernels.flatMap((kernel, row) => d3.range(spans + 1).flatMap((n) => {
    const at = Math.min(n, spans - 1), on = at * step < kernel.end ? 1 : 0;
    const input = on * kernel.input[at] / 100, room = on * kernel.room[at] / 100;
    const busy = Math.max(on - input - room, 0);
    let low = row + 0.92;
    return [[BUSY, busy], [INPUT, input], [ROOM, room]].map(([kind, share]) => {
      const part = { kind, series: `${row} ${kind}`, x: n * step, low, high: low - 0.84 * share };
      low = part.high;
      return part;
    });
  }));
  return Plot.plot({
    width, marginLeft: margin, marginRight: 24, marginTop: 28, marginBottom: 40,
    height: 70 + 20 * kernels.length, style: FONT, ariaLabel: "timeline of every kernel",
    x: { label: "cycles", domain: [0, simulation.cycles], tickFormat: short,
      ticks: Math.floor(width / 110) },
    y: { domain: [0, kernels.length], reverse: true, label: null, tickSize: 0,
      ticks: kernels.map((_, row) => row + 0.5),
      tickFormat: (at) => shorten(kernels[Math.floor(at)].name, most) },
    marks: [
      Plot.areaY(areas, { x: "x", y1: "low", y2: "high", z: "series", fill: "kind",
        curve: "step-after" }),
      Plot.ruleX(simulation.completions, { stroke: "var(--ink)", strokeDasharray: "3,3" }),
      Plot.text(simulation.completions, { x: (cycle) => cycle, frameAnchor: "top", dy: -14,
        text: (_, n) => (width < 600 && n % 2 ? "" : `image ${n + 1}`), textAnchor: "end" }),
      Plot.tip(kernels, Plot.pointerY({
        x: () => simulation.cycles / 2, y: (_, row) => row + 0.5, lineWidth: 26,
        title: trackText,
      })),
    ],
  });
}

// What a kernel does between two images, in words.
function trackText(kernel) {
  const { input, room } = kernel.waits;
  const lines = [`${kernel.name}: works ${percent(Math.max(1 - input - room, 0))} of the time`];
  for (const blocker of kernel.blockers.filter(({ share }) => share >= 0.005)) {
    const what = blocker.for === "input" ? "input from" : "room towards";
    lines.push(`waits ${percent(blocker.share)} for ${what} ${blocker.kernel}`);
  }
  return lines.join("\n");
}

// Layers that an engine computes one after another.
function stepsChart(steps, width) {
  const engines = [...new Set(steps.map((step) => step.engine))];
  const { most, margin } = names(engines, width);
  return Plot.plot({
    width, marginLeft: margin, marginRight: 24, marginBottom: 40,
    height: 60 + 36 * engines.length, style: FONT, ariaLabel: "layers on their engines",
    x: { label: "cycles an image", tickFormat: short, ticks: Math.floor(width / 110) },
    y: { domain: engines, label: null, tickSize: 0, tickFormat: (name) => shorten(name, most) },
    marks: [
      Plot.barX(steps, { x1: "start", x2: (step) => step.start + step.cycles, y: "engine",
        fill: BUSY, stroke: "var(--paper)", insetTop: 3, insetBottom: 3 }),
      Plot.tip(steps, Plot.pointerX({ x: (step) => step.start + step.cycles / 2, y: "engine",
        lineWidth: 26, title: (step) => `${step.name}: ${whole(step.cycles)} cycles` })),
    ],
  });
}

// Multiply-accumulates a second against those a byte: of external memory, and of channels.
function rooflineChart(data, width) {
  const clock = data.resources.fmax * 1e6, moved = data.least_bandwidth_gbs * 1e9;
  const points = data.layers.filter((layer) => layer.macs).flatMap((layer) => [
    { name: layer.name, kind: "var(--memory)", where: "external memory", bytes: layer.bytes },
    { name: layer.name, kind: "var(--busy)", where: "channels", bytes: layer.channel_bytes },
  ].map((point) => ({ ...point, x: layer.macs / point.bytes,
    y: layer.macs / layer.cycles * clock }))).filter((point) => point.bytes > 0);
  points.push({ name: "the whole network", kind: "var(--hot)", where: "external memory",
    x: data.macs / Math.max(moved / data.throughput_fps, 1),
    y: data.macs * data.throughput_fps });
  const { macs, used_macs: used, bandwidth, channels } = data.peak;
  const xs = around([...points.map((point) => point.x), macs / bandwidth], 2);
  const ys = around([...points.map((point) => point.y), macs, used], 2);
  const slope = (rate, text, dash) => ({ rate, text, dash, line: d3.range(0, 65).map((n) => {
    const x = xs[0] * (xs[1] / xs[0]) ** (n / 64);
    return { x, y: x * rate };
  }).filter((point) => point.y <= macs && point.y >= ys[0]) });
  const slopes = [slope(bandwidth, "external memory"),
    ...(channels ? [slope(channels, "all channels", "4,3")] : [])]
    .filter((roof) => roof.line.length > 1);
  const label = (roof, n) => roof.line[Math.floor(roof.line.length * (n ? 0.65 : 0.3))];
  const axes = logAxes(
    { domain: xs, label: "multiply-accumulates a byte", room: Math.floor(width / 60) },
    { domain: ys, label: "multiply-accumulates a second", room: 10 });
  return Plot.plot({
    width, height: Math.min(460, Math.max(320, width * 0.6)), marginLeft: 56, marginRight: 24,
    marginTop: 28, marginBottom: 44, style: FONT, ariaLabel: "roofline", x: axes.x, y: axes.y,
    marks: [
      ...axes.marks,
      Plot.ruleY([macs], { stroke: "var(--ink)", strokeWidth: 2 }),
      Plot.ruleY(used ? [used] : [], { stroke: "var(--ink)", strokeDasharray: "4,3" }),
      Plot.text([[xs[1], macs, "all DSPs"]], { x: "0", y: "1", text: "2", dy: -8,
        textAnchor: "end" }),
      Plot.text(used ? [[xs[1], used, "DSPs of the design"]] : [], { x: "0", y: "1", text: "2", dy: 10,
        textAnchor: "end" }),
      ...slopes.map((roof) => Plot.line(roof.line, { x: "x", y: "y", stroke: "var(--ink)",
        strokeWidth: 2, strokeDasharray: roof.dash })),
      Plot.text(slopes, { x: (roof, n) => label(roof, n).x, y: (roof, n) => label(roof, n).y,
        text: "text", textAnchor: "start", dx: 8, dy: 8 }),
      Plot.dot(points, { x: "x", y: "y", fill: "kind", r: 5, fillOpacity: 0.85,
        stroke: "var(--paper)" }),
      Plot.tip(points, Plot.pointer({ x: "x", y: "y", lineWidth: 26, title: (point) =>
        `${point.name}: ${figure(point.x)} a byte of ${point.where}, ` +
        `${figure(point.y / 1e9)} G a second` })),
    ],
  });
}

// Shares of the device that the design takes, the ALMs' band with them.
function totalsChart(data, width) {
  const r = data.resources, of = data.totals;
  const rows = [["ALMs", r.alms, of.alms], ["memory blocks", r.blocks, of.blocks],
    ["DSPs", r.dsps, of.dsps]];
  return Plot.plot({
    width, height: 140, marginLeft: 104, marginRight: 24, marginBottom: 36, style: FONT,
    ariaLabel: "shares of the device",
    x: { domain: [0, Math.max(1, ...rows.map((row) => row[1] / row[2]))], tickFormat: ".0%",
      label: null, ticks: Math.floor(width / 100), grid: true },
    y: { domain: rows.map((row) => row[0]), label: null, tickSize: 0 },
    marks: [
      Plot.barX(rows, { x: (row) => row[1] / row[2], y: "0", fill: BUSY, insetTop: 4,
        insetBottom: 4 }),
      Plot.ruleY([r], { x1: r.alms_low / of.alms, x2: r.alms_high / of.alms, y: () => "ALMs",
        stroke: "var(--hot)", strokeWidth: 3 }),
      Plot.text(rows, { x: 0, y: "0", textAnchor: "start", dx: 6, fill: "var(--on)",
        text: (row) => `${whole(row[1])} of ${whole(row[2])}, ${percent(row[1] / row[2])}` }),
    ],
  });
}

// Share of a resource that each kernel takes, the largest first.
function areasChart(data, what, width) {
  const rows = d3.sort(data.areas.filter((row) => row[what] > 0), (row) => -row[what]);
  const { most, margin } = names(rows.map((row) => row.name), width);
  const share = (row) => row[what] / data.totals[what];
  return Plot.plot({
    width, marginLeft: margin, marginRight: 96, marginBottom: 40, style: FONT,
    height: 60 + 20 * rows.length, ariaLabel: "share of each kernel",
    x: { label: "share of the device", tickFormat: "~%", grid: true,
      ticks: Math.floor(width / 140) },
    y: { domain: rows.map((row) => row.name), label: null, tickSize: 0,
      tickFormat: (name) => shorten(name, most) },
    marks: [
      Plot.barX(rows, { x: share, y: "name", fill: BUSY, insetTop: 2, insetBottom: 2 }),
      Plot.text(rows, { x: share, y: "name", textAnchor: "start", dx: 6,
        text: (row) => `${whole(row[what])}, ${d3.format(".1%")(share(row))}` }),
      Plot.ruleX([0]),
    ],
  });
}
