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


def joined(problems: Sequence[HlsgenError], reading: str = "") -> HlsgenError:
    """One error for several, each with its place, reason and remedy; equal ones share a line.

    Supported operators are listed where one is missing. `reading`: how the network was read, where
    that matters.
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
    if listed:
        remedy += f"; supported ONNX operators: {', '.join(sorted(onnx_importers()))}"
    if all(isinstance(p, ModelError) for p in problems):
        return ModelError(reason, where=where, remedy=remedy)
    return UnsupportedError(reason, where=where, remedy=remedy, needs_constant=wanted)


def lines(problems: Sequence[HlsgenError]) -> str:
    """What `reasons` tells, with remedies, a line each."""
    return "\n".join(
        f"  - {text}" + (f" ({remedy})" if remedy else "") for text, remedy in told(problems)
    )


def reasons(problems: Sequence[HlsgenError]) -> tuple[str, ...]:
    """Every reason with the places that gave it."""
    return tuple(text for text, _ in told(problems))


def told(problems: Sequence[HlsgenError]) -> list[tuple[str, str]]:
    """Every reason with the places that gave it, and its remedy."""
    places: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        places.setdefault((problem.reason, problem.remedy), []).append(problem.where)
    return [
        (f"{', '.join(dict.fromkeys(where))}: {reason}", remedy)
        for (reason, remedy), where in places.items()
    ]
