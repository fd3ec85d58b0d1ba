"""The plan of a system that lies in a directory."""

from __future__ import annotations

from hlsgen.boards import board
from hlsgen.boards.topology import topology
from hlsgen.graph import Graph
from hlsgen.host.system import SystemDesign
from hlsgen.model.calibration import Calibration
from hlsgen.plan import Plan
from hlsgen.rewrites.parts import parts
from hlsgen.schedule.provenance import headline
from hlsgen.system.search import SystemPlan


def stored_plan(design: SystemDesign, graph: Graph, calibration: Calibration) -> SystemPlan:
    """The plan of a system, of whose whole network this is the graph. Raises PlanError."""
    entries = design.system.boards
    ends = tuple(entry.end for entry in entries)
    graphs = parts(graph, ends)
    plans = tuple(Plan.load(design.path / entry.directory / "plan.json") for entry in entries)
    pairs = zip(graphs, plans, strict=True)
    return SystemPlan(
        topology(design.system.topology),
        ends,
        graphs,
        plans,
        tuple(headline(part, plan, calibration) for part, plan in pairs),
        tuple(board(plan.board) for plan in plans),
        design.system.copies,
    )
