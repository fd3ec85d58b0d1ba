"""How each style is planned, checked and explained: its room, by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hlsgen.boards import Board
from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate
from hlsgen.plan import Plan
from hlsgen.schedule.draft import Draft, Earlier
from hlsgen.schedule.folded.check import check_folded
from hlsgen.schedule.folded.explain import engines_limit, engines_text
from hlsgen.schedule.folded.planner import draft_folded
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.hybrid.check import check_hybrid
from hlsgen.schedule.hybrid.explain import hybrid_text
from hlsgen.schedule.hybrid.planner import draft_hybrid
from hlsgen.schedule.layered.check import check_layered
from hlsgen.schedule.layered.explain import layered_limit, layered_text
from hlsgen.schedule.layered.planner import draft_layered
from hlsgen.schedule.pipelined.check import check_pipelined
from hlsgen.schedule.pipelined.explain import pipeline_limit, pipeline_text
from hlsgen.schedule.pipelined.planner import draft_pipelined


@dataclass(frozen=True)
class Planner:
    """What schedule does for a style.

    `draft` completes a plan that has network, board and switches alone; it raises Infeasible.
    `check` raises PlanError for a plan, perhaps edited, that the style cannot build. `describe`
    says what a design consists of, `limit` what keeps it from being faster. The search of another
    style that it `follows` comes first; where that finds nothing, neither does this one.
    """

    draft: Callable[[Graph, Board, Plan, Goal, Earlier], Draft]
    check: Callable[[Graph, Plan], None]
    describe: Callable[[Graph, Plan, Estimate], str]
    limit: Callable[[Plan, Estimate], str]
    follows: str = ""


LAYERED = Planner(draft_layered, check_layered, layered_text, layered_limit)
PLANNERS = {
    "base": LAYERED,
    "pipelined": Planner(draft_pipelined, check_pipelined, pipeline_text, pipeline_limit),
    "folded": Planner(draft_folded, check_folded, engines_text, engines_limit),
    "hybrid": Planner(draft_hybrid, check_hybrid, hybrid_text, engines_limit, follows="folded"),
    "layered": LAYERED,
}
