"""Pages as a browser without a window shows them."""

import html
import json
import re
import shutil
import subprocess

import pytest

# A browser without a window has a least width of its own, so pages are looked at inside frames.
# What is measured stands in the title in the end.
PROBE = """<!DOCTYPE html><html><body style="margin:0"><script>
const frames = FRAMES.map(([width, page]) => {
  const frame = document.createElement("iframe");
  frame.style = `width:${width}px;height:1200px;border:0`;
  frame.srcdoc = page;
  document.body.append(frame);
  return frame;
});
function shown(part) { return part.getClientRects().length > 0; }
function own(part) {
  return [...part.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
}
function size(part) {
  const scale = part.getScreenCTM ? part.getScreenCTM().a : 1;
  return scale * parseFloat(part.ownerDocument.defaultView.getComputedStyle(part).fontSize);
}
function cut(svg) {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter(shown).filter((text) => {
    const { left, right, top, bottom } = text.getBoundingClientRect();
    return left < box.left - 1 || right > box.right + 1 || top < box.top - 1 ||
      bottom > box.bottom + 1;
  }).map((text) => text.textContent);
}
function keys(d) {
  const svg = d.querySelector("svg.network");
  if (!svg) return null;
  const press = (key) => svg.dispatchEvent(new d.defaultView.KeyboardEvent("keydown",
    { key, bubbles: true, cancelable: true }));
  const zoomed = () => svg.querySelector("g").getAttribute("transform");
  svg.focus();
  const before = zoomed();
  press("+");
  const after = zoomed();
  press("ArrowRight"), press("ArrowRight");
  const chosen = svg.querySelector(".node.chosen .name")?.textContent;
  return { focused: d.activeElement === svg, zooms: before !== after, chosen,
    details: d.querySelector(".details").textContent };
}
function measured(frame) {
  const d = frame.contentDocument, w = frame.contentWindow;
  const texts = [...d.querySelectorAll("body *:not(script)")].filter(own).filter(shown);
  return {
    scroll: d.documentElement.scrollWidth,
    least: Math.min(...texts.map(size)),
    cut: [...d.querySelectorAll(".chart svg")].flatMap(cut),
    charts: d.querySelectorAll(".chart svg").length,
    nodes: d.querySelectorAll("svg.network .node").length,
    text: d.querySelector("main").textContent,
    loaded: w.performance.getEntriesByType("resource").map(({ name }) => name),
    dark: w.matchMedia("(prefers-color-scheme: dark)").matches,
    paper: w.getComputedStyle(d.body).backgroundColor,
    keys: keys(d),
  };
}
function ready({ contentDocument: d }) {
  return d.querySelector("h1") && [...d.querySelectorAll(".chart, svg.network")].every((part) =>
    part.querySelector("svg, .node"));
}
const wait = setInterval(() => {
  if (!frames.every(ready)) return;
  clearInterval(wait);
  document.title = JSON.stringify(frames.map(measured));
}, 500);
</script></body></html>"""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
    "--window-size=1500,1300",
    "--dump-dom",
)
DARK = "--blink-settings=preferredColorScheme=0"


def chromium():
    """The browser; skips the test where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return pytest.skip("no Chromium on this machine")


def looked_at(pages, folder, dark=False):
    """What is measured of `pages`, each `(width, text)`, and what the console said."""
    frames = json.dumps(pages).replace("<", "\\u003c")
    (folder / "probe.html").write_text(PROBE.replace("FRAMES", frames))
    options = [*FLAGS, *[DARK] * dark, f"--user-data-dir={folder}/profile"]
    found = subprocess.run(
        [chromium(), *options, f"file://{folder}/probe.html"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    title = re.search(r"<title>(.*?)</title>", found.stdout)
    assert title, found.stderr[-500:]
    said = [line for line in found.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(title.group(1))), said
