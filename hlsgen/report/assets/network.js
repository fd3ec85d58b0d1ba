// The network as boxes and links, with pan, zoom and keyboard by d3.
"use strict";

// Below this size on the screen, texts are left out rather than shown too small to read.
const LEAST_TEXT = 11;
const SIZES = [["dsps", "DSPs"], ["blocks", "memory blocks"], ["alms", "ALMs"],
  ["cycles", "cycles"]];
// Classes of slack, and of shares of the time, the most critical first.
const SLACK = [[0.05, "under 5 %"], [0.25, "to 25 %"], [0.5, "to 50 %"], [0.75, "to 75 %"],
  [Infinity, "more"]];
const TIME = [[0.1, "over 10 %"], [0.05, "over 5 %"], [0.02, "over 2 %"], [0.01, "over 1 %"],
  [-Infinity, "less"]];

// The number of a node's colour: by slack where it waits for others, else by its share of the time.
function heat(node, piped) {
  const load = node.load || 0;
  return piped ? SLACK.findIndex(([end]) => 1 - load < end)
    : TIME.findIndex(([least]) => load > least);
}

// A graph of a design, of its layers or of its engines' kernels, as a section's content.
function networkView(data, { nodes, links }) {
  const layers = new Map(data.layers.map((layer) => [layer.name, layer]));
  const piped = (node) => Boolean(layers.get(node.name)?.pipelined);
  const some = nodes.some(piped), rest = nodes.some((node) => node.op && !piped(node));
  const svg = d3.create("svg").attr("class", "network").attr("tabindex", 0)
    .attr("role", "application").attr("aria-label", "network: arrow keys go from kernel to " +
      "kernel, plus and minus zoom, 0 shows all, shift and arrow keys pan");
  const world = svg.append("g");
  const details = element("div", { class: "details", "aria-live": "polite" },
    "Choose a kernel to see its figures.");
  const state = { size: "dsps", chosen: null, placed: null };
  const zoom = d3.zoom().scaleExtent([0.1, 4])
    .filter((event) => event.type === "wheel" ? event.ctrlKey || event.metaKey
      : event.touches ? event.touches.length > 1 : !event.button)
    .on("zoom", ({ transform }) => {
      world.attr("transform", transform);
      svg.classed("far", 12 * transform.k < LEAST_TEXT);
    });
  svg.call(zoom).on("dblclick.zoom", null);

  const extent = () => {
    const box = svg.node().getBoundingClientRect();
    return [box.width, box.height];
  };
  const center = (k) => svg.call(zoom.transform, d3.zoomIdentity
    .translate(Math.max((extent()[0] - k * state.placed.width) / 2, 0), 0).scale(k));
  // All of it, as large as has room.
  const fit = () => {
    const [width, height] = extent(), { placed } = state;
    center(Math.min(1, width / placed.width, height / placed.height));
  };
  // From the top, as wide as the page, but for texts that would be too small.
  const read = () => {
    const k = extent()[0] / state.placed.width;
    center(k < LEAST_TEXT / 12 ? 1 : Math.min(k, 1));
  };
  const pan = (x, y) => svg.call(zoom.translateBy, x / d3.zoomTransform(svg.node()).k,
    y / d3.zoomTransform(svg.node()).k);
  const by = (factor) => svg.call(zoom.scaleBy, factor);
  const show = (name) => {
    const { x, y, width, height } = state.placed.boxes.find(({ node }) => node.name === name);
    const [right, bottom] = extent(), at = d3.zoomTransform(svg.node());
    const [left, top] = at.apply([x, y]), [end, low] = at.apply([x + width, y + height]);
    if (left < 0 || top < 0 || end > right || low > bottom) {
      svg.call(zoom.translateTo, x + width / 2, y + height / 2);
    }
  };
  const choose = (name) => {
    state.chosen = name;
    world.selectAll(".node").classed("chosen", ({ node }) => node.name === name);
    world.selectAll(".link").classed("chosen", ({ link }) => link.from === name ||
      link.to === name);
    details.replaceChildren(nodeDetails(nodes.find((node) => node.name === name),
      links, layers.get(name), data));
    show(name);
  };
  const step = (forward) => {
    const at = nodes.findIndex((node) => node.name === state.chosen);
    const next = at < 0 ? 0 : at + (forward ? 1 : -1);
    if (nodes[next]) choose(nodes[next].name);
  };
  svg.on("keydown", (event) => {
    if (!state.placed) return;
    const way = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60],
      ArrowDown: [0, -60] }[event.key];
    if (way && event.shiftKey) pan(...way);
    else if (way) step(way[0] < 0 || way[1] < 0);
    else if (event.key === "+" || event.key === "=") by(1.3);
    else if (event.key === "-") by(1 / 1.3);
    else if (event.key === "0") fit();
    else if (event.key === "1") read();
    else return;
    event.preventDefault();
  });

  const place = () => {
    state.placed = layout(nodes, links, state.size, extent()[0]);
    draw(world, state.placed, choose, piped, state.size);
    svg.style("height", `${Math.min(state.placed.height, 0.85 * window.innerHeight, 900)}px`);
    read();
    if (state.chosen) choose(state.chosen);
  };
  let width = 0;
  new ResizeObserver(([entry]) => {
    const found = entry.contentRect.width;
    if (Math.abs(found - width) < 1) return;
    width = found;
    requestAnimationFrame(place);
  }).observe(svg.node());

  const button = (text, label, action) =>
    element("button", { type: "button", "aria-label": label, title: label, click: action }, text);
  return [
    element("div", { class: "bar" },
      choice("Size", SIZES, (size) => { state.size = size; place(); }),
      element("div", { class: "buttons" }, button("+", "zoom in", () => by(1.3)),
        button("−", "zoom out", () => by(1 / 1.3)), button("all", "show all", fit),
        button("1:1", "readable size", read))),
    some ? key(SLACK.map(([, text], n) =>
      [`var(--heat${n})`, n ? text : `slack ${text}`])) : "",
    rest ? key(TIME.map(([, text], n) =>
      [`var(--heat${n})`, n ? text : `share of the time ${text}`])) : "",
    svg.node(), details,
  ];
}

// What `layout` has placed, as SVG.
function draw(world, placed, choose, piped, size) {
  world.selectAll("*").remove();
  const links = world.selectAll(".link").data(placed.links).join("g").attr("class", "link");
  links.append("path").attr("d", ({ points }) => d3.line(({ x }) => x, ({ y }) => y)(points))
    .attr("stroke-width", ({ link }) => (link.bits ? 1 + Math.log2(1 + link.bits / 32) / 2 : 1))
    .attr("stroke-dasharray", ({ link }) => (link.depth ? null : "4,4"));
  links.append("title").text(({ link }) => linkText(link));
  links.filter(({ label }) => label).append("text")
    .attr("text-anchor", ({ label }) => label.anchor)
    .attr("x", ({ label }) => label.x).attr("y", ({ label }) => label.y)
    .text(({ link }) => fifoText(link));
  const boxes = world.selectAll(".node").data(placed.boxes).join("g").attr("class", "node")
    .attr("transform", ({ x, y }) => `translate(${x},${y})`)
    .on("click", (_, { node }) => choose(node.name));
  boxes.append("rect").attr("class", "frame").attr("rx", 5)
    .attr("width", ({ width }) => width).attr("height", ({ height }) => height);
  const kernels = boxes.filter(({ node }) => node.op);
  kernels.append("rect").attr("y", BOX.label).attr("width", BOX.width)
    .attr("height", ({ height }) => height - BOX.label);
  kernels.append("rect").attr("width", 6).attr("height", BOX.label);
  kernels.selectAll("rect:not(.frame)")
    .attr("fill", ({ node }) => `var(--heat${heat(node, piped(node))})`);
  boxes.append("text").attr("x", 12).attr("y", 15).attr("class", "name")
    .text(({ node }) => shorten(node.name, 15));
  boxes.append("text").attr("x", 12).attr("y", 30)
    .text(({ node }) => (node.op ? sizeText(node, size) : [node.shape].flat().join(" × ")));
  boxes.append("title").text(({ node }) => node.name);
}

// A node's figure that gives it its size.
function sizeText(node, size) {
  return `${whole(node[size] || 0)} ${SIZES.find(([name]) => name === size)[1]}`;
}

// What lies between two kernels, in words.
function linkText(link) {
  const ends = `${link.from} to ${link.to}`;
  if (!link.depth) return `${ends}: through memory`;
  const held = link.held == null ? "" : `, at most ${link.held} held in the simulation`;
  const lanes = link.width ? `${link.width} lanes` : link.name;
  return `${ends}: ${lanes}, ${link.bits} bits, ${link.depth} deep${held}`;
}

// The figures of a node.
function nodeDetails(node, links, layer, data) {
  const rows = node.shape ? [["shape", [node.shape].flat().join(" × ")]] : [];
  if (node.engine) rows.push(["engine", node.engine]);
  if (layer) {
    rows.push(["cycles an image", whole(layer.cycles)]);
    if (layer.macs) rows.push(["multiply-accumulates", whole(layer.macs)]);
    if (layer.ideal_cycles) rows.push(["multipliers work", percent(layer.utilisation)]);
    rows.push(layer.pipelined ? ["slack", percent(1 - layer.load)]
      : ["share of the time", percent(layer.load)]);
    if (layer.why) rows.push(["why idle", layer.why]);
  }
  for (const [what, text] of SIZES.slice(0, 3)) {
    if (node[what] != null) rows.push([node.engine ? `${text} of its engine` : text,
      whole(node[what])]);
  }
  for (const [name, value] of Object.entries(node.decisions || {})) {
    rows.push([name.replaceAll("_", " "), String(value)]);
  }
  for (const link of links.filter(({ from, to }) => from === node.name || to === node.name)) {
    rows.push([link.to === node.name ? "takes" : "gives", linkText(link)]);
  }
  return element("div", {}, element("h3", {}, node.name, node.op ? ` (${node.op})` : ""),
    element("dl", {}, rows.map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value)))));
}
