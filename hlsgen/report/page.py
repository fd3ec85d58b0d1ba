"""HTML pages that need nothing else: data, the libraries of `vendor` and the scripts of `assets` in
one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from hlsgen.codegen.render import render
from hlsgen.records import jsonable

# Libraries first, in the order in which they need each other.
CHARTS = ("vendor/d3.js", "vendor/plot.js", "assets/dom.js", "assets/charts.js")
REPORT = (*CHARTS, "vendor/dagre.js", "assets/layout.js", "assets/network.js", "assets/report.js")
EXPLORATION = (*CHARTS, "assets/explore.js")


def page(data: Mapping[str, Any]) -> str:
    """The page of what `report_data` gives, or of `designs`, several of them side by side."""
    designs = data.get("designs", [data])
    title = " and ".join(f"{design['network']} on {design['board']}" for design in designs)
    return document(title, data, REPORT)


def document(title: str, data: Mapping[str, Any], scripts: tuple[str, ...]) -> str:
    """A page that its scripts draw from data."""
    # No text of the data may end the element that it stands in.
    text = json.dumps(jsonable(data), allow_nan=False).replace("<", "\\u003c")
    sources = [read(name) for name in scripts]
    return render(
        "page.html.j2", title=title, data=text, style=read("assets/page.css"), scripts=sources
    )


def read(name: str) -> str:
    """A file of this package."""
    return resources.files("hlsgen.report").joinpath(name).read_text()
