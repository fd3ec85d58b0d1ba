"""The plan of a design, or of a system, that lies in a directory."""

from __future__ import annotations

from hlsgen.boards import board
from hlsgen.boards.topology import topology
from hlsgen.errors import PlanError
from hlsgen.graph import Graph
from hlsgen.host.design import HostDesign
from hlsgen.host.system import SystemDesign
from hlsgen.model.calibration import Calibration
from hlsgen.plan import Plan
from hlsgen.rewrites.parts import parts
from hlsgen.schedule.provenance import headline
from hlsgen.system.search import SystemPlan


def built_plan(design: HostDesign) -> Plan:
    """The plan of a design. Raises PlanError for one that is not what was built."""
    found = Plan.load(design.path / "plan.json")
    if design.differs("plan.json"):
        raise PlanError(
            "plan.json was edited since the build",
            where=str(design.path),
            remedy="build the system again"
            if design.manifest.part
            else "build it, with `hlsgen build MODEL --plan` and its path",
        )
    return found


def stored_plan(design: SystemDesign, graph: Graph, calibration: Calibration) -> SystemPlan:
    """The plan of a system, of whose whole network this is the graph. Raises PlanError, also for a
    board's plan that is not what was built."""
    ends = tuple(entry.end for entry in design.system.boards)
    graphs = parts(graph, ends)
    plans = tuple(map(built_plan, design.boards))
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
