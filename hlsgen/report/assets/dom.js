// Elements, figures and tables of the pages.
"use strict";

// An element with attributes (functions are listeners of events) and children, elements or texts.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null && child !== ""));
  return made;
}

// 413,715 or 171.7 or 0.038.
function figure(value) {
  if (value == null || !Number.isFinite(value)) return "";
  return value >= 1000 ? d3.format(",.0f")(value) : String(Number(value.toPrecision(4)));
}

const whole = d3.format(",.0f");
const percent = d3.format(".0%");

// "1 layer", "2 layers".
function counted(count, noun) {
  return `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
}

// A name of at most so many letters, its middle left out: names of one network differ at the end.
function shorten(name, most) {
  if (name.length <= most) return name;
  const end = Math.ceil(2 * (most - 1) / 3);
  return `${name.slice(0, most - 1 - end)}…${name.slice(-end)}`;
}

// A table that scrolls sideways where it is too wide. A column: its title, the text of a row there,
// and whether that is a figure.
function table(caption, columns, rows, classOf = () => null) {
  const head = columns.map(([title, , number]) =>
    element("th", { scope: "col", class: number ? "number" : null }, title));
  const body = rows.map((row) =>
    element("tr", { class: classOf(row) }, columns.map(([, text, number]) =>
      element("td", { class: number ? "number" : null }, text(row)))));
  return element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": caption },
    element("table", {}, element("thead", {}, element("tr", {}, head)),
      element("tbody", {}, body)));
}

// A choice of one of several, told to `chosen`. Options: value and text.
function choice(legend, options, chosen) {
  const group = `choice-${choice.count = (choice.count || 0) + 1}`;
  const buttons = options.map(([value, text], index) =>
    element("label", {}, element("input", {
      type: "radio", name: group, value, checked: index === 0 ? "" : null,
      change: () => chosen(value),
    }), text));
  return element("fieldset", { class: "choice" }, element("legend", {}, legend), buttons);
}

// A box whose content is drawn anew when its width changes; `draw` gets the width.
function drawn(draw) {
  const box = element("div", { class: "chart" });
  let width = 0;
  box.redraw = () => { if (width) box.replaceChildren(draw(width)); };
  new ResizeObserver(([entry]) => {
    const found = Math.floor(entry.contentRect.width);
    if (found === width) return;
    width = found;
    requestAnimationFrame(box.redraw);
  }).observe(box);
  return box;
}

// The colours and words of kinds, beside a chart.
function key(kinds) {
  return element("p", { class: "key" }, kinds.map(([colour, text]) =>
    element("span", {}, element("i", { style: `background:${colour}` }), text)));
}
