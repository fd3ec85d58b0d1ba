"""Plans hybrid designs: depthwise layers that stream into the convolutions after them, and a prefix
of first layers as a pipeline of its own.

A network's first layers suit shared engines least: few channels, many pixels, pooling. As a
pipeline they need few multipliers, since they have as long as the engines take for all other
layers; they work on the images of the next launch meanwhile.
"""

from __future__ import annotations

from dataclasses import replace

from hlsgen.boards import Board
from hlsgen.errors import Infeasible
from hlsgen.graph import Graph
from hlsgen.model.estimate import estimate
from hlsgen.plan import Plan
from hlsgen.rewrites.prefix import halves
from hlsgen.schedule.draft import Draft, Earlier
from hlsgen.schedule.folded.planner import Candidate, plan_folded, score
from hlsgen.schedule.folded.steps import feeding_layers
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.hybrid.co_scheduling import Prefixes, co_scheduled, merged, outdone
from hlsgen.schedule.hybrid.partition import partitions
from hlsgen.schedule.pipelined.depths import WORK, deepen, trimmed
from hlsgen.schedule.pipelined.options import OptionCache

# So many pairs of a prefix and engines are planned, the most promising first, until so many layers
# of prefixes were searched.
TRIES, LAYERS = 32, 600
# Vectors that simulations of a prefix move, half of what a pipelined design is worth: prefixes
# leave memory blocks over.
PREFIX_WORK = WORK // 2


def draft_hybrid(graph: Graph, board: Board, plan: Plan, goal: Goal, earlier: Earlier) -> Draft:
    """The folded design with whatever of both makes it better. Raises Infeasible where neither
    does, and where no pipeline of as many first layers as a pin asks for can be."""
    paired, wanted = bool(feeding_layers(graph)), goal.pins.get(("prefix", "layers"))
    folded = earlier.plans.get("folded")
    plain = folded if folded is not None and not paired else plan_folded(graph, board, plan, goal)
    best = None
    if not plan.disabled and goal.objective != "resources" and wanted != 0:
        best = with_prefix(graph, board, plain, goal, earlier.options)
    if best is not None:
        found = best
        return Draft(found.plan, lambda: settled(graph, board, found, goal))
    if wanted or goal.layer_pins():
        first = f"its first {wanted} layers" if wanted else "first layers that obey --set"
        raise Infeasible(
            f"{first} cannot be a pipeline beside engines for the others",
            where=f"hybrid design on {board.name}",
            remedy="pin other values, or leave it to the search",
        )
    if not paired:
        raise Infeasible(
            "has no depthwise layer that alone feeds a 1x1 convolution, and its first layers "
            "as a pipeline do not make it better",
            where="hybrid design",
            remedy="use --style folded",
        )
    return Draft(plain, lambda: plain)


def with_prefix(
    graph: Graph, board: Board, plan: Plan, goal: Goal, cache: OptionCache | None = None
) -> Candidate | None:
    """The best of the most promising pairs of a prefix and engines; None where none is better than
    the folded `plan`."""
    start = Candidate(plan, estimate(graph, plan, goal.calibration, board))
    best = start if goal.pins.get(("prefix", "layers")) is None and not goal.layer_pins() else None
    assert plan.engines is not None
    pipelines, tries = Prefixes(graph, board, goal, plan.engines.width, cache), 0
    for partition in partitions(graph, board, plan, goal, start.predicted):
        if tries == TRIES or pipelines.layers > LAYERS or outdone(partition.rate, best, goal):
            break
        if pipelines.possible(partition.count):
            tries += 1
            found = co_scheduled(plan, goal, partition, pipelines, best)
            if found is not None and (
                best is None or score(found, board, goal) < score(best, board, goal)
            ):
                best = found
    return best if best is not start else None


def settled(graph: Graph, board: Board, found: Candidate, goal: Goal) -> Plan:
    """The plan with FIFOs in its prefix that sustain the rate."""
    (prefix, ahead), _ = halves(graph, found.plan)

    def fits(candidate: Plan) -> bool:
        predicted = estimate(graph, merged(found.plan, candidate), goal.calibration, board)
        return predicted.resources.fits(board, goal.caps)

    deepened = deepen(prefix, ahead, board, fits)
    deep, interval = trimmed(prefix, deepened, board, PREFIX_WORK)
    evidence = replace(found.plan.evidence, interval=interval, unlimited=deepened.interval)
    return replace(merged(found.plan, deep), evidence=evidence)
