// Places of boxes and links: ranks by dagre, from left to right in as many lines as the page needs,
// from top to bottom where it is narrow.
"use strict";

const BOX = { width: 138, label: 38, body: 72 };
// Pages of less width have the network from top to bottom.
const NARROW = 700;
// Between lines and round all of them; between links that run there side by side.
const GUTTER = 34, LANE = 5;
// Links that may go from one line to the next.
const MOST_CROSSING = 3;
// Room for the label of a link that leaves a line.
const LABEL = 92;

// Bits and depth of a FIFO.
function fifoText(link) {
  return `${link.bits} b × ${link.depth}`;
}

// Boxes `{node, x, y, width, height}` from their top left corners, links `{link, points, label}`,
// and the width and height of all; boxes are as high as the figure `size` of their nodes.
function layout(nodes, links, size, width) {
  const narrow = width < NARROW;
  const graph = ranked(nodes, links, size, narrow);
  const boxes = graph.nodes().map((name) => {
    const { node, x, y, width: wide, height: high } = graph.node(name);
    return { node, x: x - wide / 2, y: y - high / 2, width: wide, height: high };
  });
  const found = graph.edges().map((edge) => {
    const { link, points, x, y } = graph.edge(edge);
    // Beside links that go downwards, above others.
    const label = narrow ? { x: x + 8, y: y + 4, anchor: "start" } : { x, y: y - 5, anchor: "middle" };
    return { link, points, label: link.depth ? label : null };
  });
  return inLines(boxes, found, narrow ? [] : cuts(boxes, found, width - 2 * GUTTER - LABEL));
}

// The graph with the places that dagre gives it.
function ranked(nodes, links, size, narrow) {
  const most = d3.max(nodes, (node) => node[size] || 0) || 1;
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: narrow ? "TB" : "LR", nodesep: 16, edgesep: 12,
    ranksep: narrow ? 14 : 10 });
  for (const node of nodes) {
    const body = node.op ? Math.max(2, BOX.body * (node[size] || 0) / most) : 0;
    graph.setNode(node.name, { node, width: BOX.width, height: BOX.label + body });
  }
  links.forEach((link, index) => graph.setEdge(link.from, link.to, { link, labelpos: "c",
    width: link.depth ? 6.7 * fifoText(link).length + 10 : 0, height: link.depth ? 14 : 0 },
  `${index}`));
  dagre.layout(graph);
  return graph;
}

// Where the ranks are cut, so that no line is wider than `most`: among the last gaps that have room,
// at the one that the fewest links cross; nowhere that many do.
function cuts(boxes, links, most) {
  const starts = [...new Set(boxes.map((box) => box.x))].sort(d3.ascending);
  const gaps = starts.slice(1).map((start) => {
    const end = d3.max(boxes.filter((box) => box.x < start), (box) => box.x + box.width);
    return { at: start - 4, end, crossing: links.filter(({ points }) => points[0].x < start &&
      points.at(-1).x >= start).length };
  }).filter(({ crossing }) => crossing <= MOST_CROSSING);
  const found = [], right = d3.max(boxes, (box) => box.x + box.width);
  for (let start = 0; right - start > most;) {
    const room = gaps.filter((gap) => gap.at > start && gap.end - start <= most);
    if (!room.length) break;
    const last = room.slice(-Math.ceil(room.length / 3));
    start = last.reduceRight((best, gap) => gap.crossing < best.crossing ? gap : best).at;
    found.push(start);
  }
  return found;
}

// The ranks between two cuts in a line each, lines one under another.
function inLines(boxes, links, where) {
  const bounds = [0, ...where, Infinity];
  const lineOf = (x) => d3.bisectRight(where, x);
  const lines = d3.range(bounds.length - 1).map((n) => {
    const inside = boxes.filter((box) => lineOf(box.x) === n);
    const passing = links.flatMap(({ points }) => points).filter(({ x }) => lineOf(x) === n);
    const ys = [...inside.flatMap((box) => [box.y, box.y + box.height]),
      ...passing.map(({ y }) => y)];
    return { left: d3.min(inside, (box) => box.x), top: d3.min(ys), height: d3.max(ys) - d3.min(ys),
      width: d3.max(inside, (box) => box.x + box.width) - d3.min(inside, (box) => box.x) };
  });
  let y = GUTTER / 2;
  for (const line of lines) {
    line.y = y;
    y += line.height + GUTTER;
  }
  const side = where.length ? GUTTER : GUTTER / 2;
  const width = d3.max(lines, (line) => line.width) + 2 * side + (where.length ? LABEL : 0);
  const moved = (point, n) => ({ ...point, x: point.x - lines[n].left + side,
    y: point.y - lines[n].top + lines[n].y });
  let lane = 0;
  const routed = links.map(({ link, points, label }) => {
    const [from, to] = [lineOf(points[0].x), lineOf(points.at(-1).x)];
    const placed = label && moved(label, lineOf(label.x));
    if (from === to) return { link, points: points.map((p) => moved(p, from)), label: placed };
    const off = LANE * (lane++ % 4), turn = lines[to].y - GUTTER / 2 + off - 2 * LANE;
    const [right, left] = [width - 4 - off, 4 + off];
    const within = (n) => points.filter(({ x }) => lineOf(x) === n).map((p) => moved(p, n))
      .filter(({ x }) => x <= right);
    const first = within(from), last = within(to);
    return { link, label: placed, points: [...first, { x: right, y: first.at(-1).y },
      { x: right, y: turn }, { x: left, y: turn }, { x: left, y: last[0].y }, ...last] };
  });
  return { boxes: boxes.map((box) => moved(box, lineOf(box.x))), links: routed, width,
    height: y - GUTTER / 2 };
}
