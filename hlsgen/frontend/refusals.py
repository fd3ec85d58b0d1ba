"""One error for everything that keeps a network from being built."""

from __future__ import annotations

from collections.abc import Sequence

from hlsgen.errors import HlsgenError, ModelError, UnsupportedError
from hlsgen.ops import onnx_importers
from hlsgen.words import counted

# Why some operators that networks are quantised with cannot be built.
DYNAMIC = "its scales follow the data, so a design would have to see a whole feature map before its"
DYNAMIC += " first value leaves: quantise the network statically"
REASONS = {
    "DynamicQuantizeLinear": DYNAMIC,
    "ConvInteger": f"it is part of dynamic quantisation: {DYNAMIC}",
    "MatMulInteger": f"it is part of dynamic quantisation: {DYNAMIC}",
    "DynamicQuantizeMatMul": DYNAMIC,
}


class MissingOperator(UnsupportedError):
    """A node whose operator no module imports."""


def joined(problems: Sequence[HlsgenError], reading: str = "", part: str = "") -> HlsgenError:
    """One error for several, each with its place, reason and remedy; equal ones share a line.

    Supported operators are listed where one is missing. `reading`: how the network was read, where
    that matters. `part`: how to cut out what can be built.
    """
    listed = [p for p in problems if isinstance(p, MissingOperator)]
    wanted = {n for p in problems if isinstance(p, UnsupportedError) for n in p.needs_constant}
    if len(problems) == 1:
        (only,) = problems
        where = f"{reading}, {only.where}" if reading and only.where else only.where or reading
        reason, remedy = (
            only.reason,
            only.remedy or "change or replace it and export the network again",
        )
    else:
        where = reading
        nodes = counted(len(problems), "node")
        reason = f"{nodes} of the network are not supported:\n{lines(problems)}"
        remedy = "change or replace them and export the network again"
    if part:
        remedy += f"; or build what comes before, cut out by {part}"
    if listed:
        remedy += f"; supported ONNX operators: {', '.join(sorted(onnx_importers()))}"
    if all(isinstance(p, ModelError) for p in problems):
        return ModelError(reason, where=where, remedy=remedy)
    return UnsupportedError(reason, where=where, remedy=remedy, needs_constant=wanted)


def lines(problems: Sequence[HlsgenError]) -> str:
    """A line for every reason with the places that gave it."""
    places: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        places.setdefault((problem.reason, problem.remedy), []).append(problem.where)
    return "\n".join(
        f"  - {', '.join(dict.fromkeys(where))}: {reason}" + (f" ({remedy})" if remedy else "")
        for (reason, remedy), where in places.items()
    )
