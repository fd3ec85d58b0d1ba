"""Report folders in the shapes in which aoc writes them, with figures that a test chooses.

The shapes are those of public reports of aoc 18.1, 19.4 and 21.2; the figures are none of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Resources = Sequence[float]


def text(value: str) -> dict[str, str]:
    """A remark."""
    return {"type": "text", "text": value}


def place(line: int, file: str = "kernels.cl") -> list[list[dict[str, Any]]]:
    """Where something stands in the source."""
    return [[{"filename": f"/home/someone/secret/{file}", "line": line}]]


def memory(
    name: str, line: int, size: int, banks: int, width: int, replicates: int, stalls: bool = False
) -> dict[str, Any]:
    """An array in on-chip memory. `width`: bytes of a bank."""
    verdict = "Potentially Inefficient" if stalls else "Stall-Free"
    how = "stallable" if stalls else "stall-free"
    table = {
        "type": "table",
        "Private memory": verdict,
        "Requested size": f"{size} bytes",
        "Implemented size": f"{size * replicates} bytes",
        "Number of banks": f"{banks} (banked on bits 2, 3)" if banks > 1 else "1",
        "Bank width": f"{8 * width} bits",
        "Bank depth": f"{max(size // banks // width, 1)} words",
        "Total replication": str(replicates),
        "Additional information": [
            text(f"Requested size {size} bytes, implemented size {size} bytes, {how}, 1 read.")
        ],
    }
    brief = {"type": "brief", "text": f"{verdict},\n{size}B requested"}
    return {
        "name": f"kernels.cl:{line} ({name})",
        "type": "resource",
        "data": [0, 0, 1, 0, 0],
        "debug": place(line),
        "details": [table, brief],
    }


def older_memory(name: str, line: int, size: int, banks: int, replicates: int) -> dict[str, Any]:
    """The same as 17.1 and 18.1 say it: in a sentence, without the width of a bank."""
    sentence = (
        f"Private memory implemented in on-chip block RAM. Requested size {size} bytes (rounded up "
        f"to nearest power of 2), implemented size {size * replicates} bytes, replicated "
        f"{replicates} times total, stall-free, 1 read and 1 write."
    )
    split = text(f"Banked on bits 2, 3 into {banks} separate banks.")
    return {
        "name": f"kernels.cl:{line} ({name})",
        "type": "resource",
        "data": [0, 0, 1, 0],
        "details": [text(sentence), split],
    }


def registers(name: str, line: int) -> dict[str, Any]:
    """An array in registers."""
    return {
        "name": f"Private Variable: \n - '{name}' (kernels.cl:{line})",
        "type": "resource",
        "data": [8, 64, 0, 0, 0],
        "debug": place(line),
        "details": [text("Type: Register"), text("1 register of width 32")],
    }


def area(
    kernels: Mapping[str, tuple[Resources, Sequence[Mapping[str, Any]]]], loads: int, stores: int
) -> dict[str, Any]:
    """area.json: resources and arrays of each kernel."""
    said = f"Global interconnect for {loads} global loads and {stores} global stores. Reduce them."
    interconnect = {
        "name": "Global interconnect",
        "type": "resource",
        "data": [5904, 6443, 0, 0, 0],
        "details": [text(said)],
    }
    functions = [
        {
            "name": name,
            "compute_units": 1,
            "type": "function",
            "total_kernel_resources": list(resources),
            "children": list(arrays),
        }
        for name, (resources, arrays) in kernels.items()
    ]
    return {
        "columns": ["", "ALUTs", "FFs", "RAMs", "DSPs", "MLABs", "Details"],
        "type": "module",
        "name": "Kernel System",
        "max_resources": [1866240, 3732480, 11721, 5760, 93312],
        "children": [interconnect, *functions],
    }


def loops(kernels: Mapping[str, Sequence[tuple[int, str]]], kind: str = "") -> dict[str, Any]:
    """loops.json: lines and initiation intervals ("" of loops that are not pipelined)."""
    return {
        "columns": ["", "Pipelined", "II", "Speculated iterations", "Details"],
        "children": [
            {
                "name": f"Kernel: {name}",
                "data": ["", "", ""],
                "details": [{"type": "brief", "text": kind or "Single work-item execution"}],
                "children": [
                    {
                        "name": f"{name}.B{number}",
                        "data": ["Yes", interval, "0"] if interval else ["No", "n/a", "n/a"],
                        "debug": place(line),
                        "children": [],
                    }
                    for number, (line, interval) in enumerate(mine, 1)
                ],
            }
            for name, mine in kernels.items()
        ],
    }


INFO = {
    "18.1": '{"name":"Info","rows":[\n{"name":"AOC Version","data":["18.1.0 Build 625"]}\n]}',
    "19.4": '{"name":"Info","rows":[\n{"data":["19.4.0 Build 64"],"name":"AOC Version"}\n]}',
    "21.2": '{"compileInfo":{"nodes":[{"quartus":"20.4.0 Build 72","version":"21.2.0 Build 67"}]}}',
}


def write(folder: Path, area: Any, loops: Any = None, version: str = "19.4") -> Path:
    """A bare report as `aoc -rtl` leaves it."""
    lib = folder / "reports" / "lib" / "json"
    lib.mkdir(parents=True)
    (lib / "area.json").write_text(json.dumps(area))
    (lib / "info.json").write_text(INFO[version])
    if loops is not None:
        (lib / "loops.json").write_text(json.dumps(loops))
    return folder
