"""The report of a design as one HTML page that needs nothing else."""

from __future__ import annotations

from typing import Any

from hlsgen.audit.verdict import line
from hlsgen.codegen.render import render
from hlsgen.report import charts


def page(data: dict[str, Any]) -> str:
    """The page of what `report_data` gives."""
    data = data | {"audit_line": line(data["audit"]) if data["audit"] else ""}
    pictures = {
        name: getattr(charts, name)(data)
        for name in ("network", "resource_bars", "roofline", "cycle_bars")
    }
    return render("report.html.j2", d=data, **pictures) + "\n"
