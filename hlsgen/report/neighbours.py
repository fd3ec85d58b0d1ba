"""Plans near a plan: each differs from it in one decision that a user could take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from hlsgen.boards import Board, boards
from hlsgen.boards import board as find_board
from hlsgen.engines import engine
from hlsgen.errors import HlsgenError
from hlsgen.graph import Graph, Layer
from hlsgen.model.calibration import Calibration
from hlsgen.model.pipelined_timing import pipelined_cycles
from hlsgen.model.resources import Caps
from hlsgen.plan import KernelPlan, Plan
from hlsgen.report.kernels import area
from hlsgen.rewrites.prefix import has_prefix
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.schedule.folded.planner import evaluate
from hlsgen.schedule.folded.shapes import bursts
from hlsgen.schedule.goal import MOST_COPIES, MOST_IMAGES, Goal
from hlsgen.schedule.knobs import flag_of, owned
from hlsgen.schedule.pipelined.charges import option_cost
from hlsgen.schedule.pipelined.options import kernels_of, window_choices
from hlsgen.style import having
from hlsgen.types import STORAGE_TYPES
from hlsgen.words import counted

# A step towards a faster pipeline changes no more kernels than these.
MOST_KERNELS = 12
# Steps that are tried, each to the pace of the next slower kernels.
LEVELS = 6
ENGINES = "engines"


@dataclass(frozen=True)
class Neighbour:
    """`change` says in words what differs; `flags` are the options of `build` that ask for it. Of
    those of a `kind` the best alone is of interest."""

    kind: str
    change: str
    flags: tuple[str, ...]
    plan: Plan


def neighbours(graph: Graph, plan: Plan, calibration: Calibration) -> Iterator[Neighbour]:
    """All that are tried. The graph has the plan's weights."""
    board = find_board(plan.board)
    if plan.style in having("edges") and plan.kernels:
        yield from quicker_kernels(graph, plan, board, calibration)
        yield from cheaper_kernels(graph, plan, board, calibration)
    if plan.style in having("copies"):
        yield from more_copies(plan)
    if plan.engines is not None and not has_prefix(plan):
        yield from larger_engines(graph, plan, calibration)
        yield from fuller_launches(graph, plan, calibration)
        yield from narrower_weights(graph, plan, calibration)
    yield from other_boards(plan)


def quicker_kernels(
    graph: Graph, plan: Plan, board: Board, calibration: Calibration
) -> Iterator[Neighbour]:
    """The slowest kernels with more multipliers, so that they keep up with the next slower ones,
    and so on. Vectors keep their widths, so that no other kernel changes."""
    layers = [graph.layer(kernel.layer) for kernel in plan.kernels]
    cycles = {
        layer.name: pipelined_cycles(layer, graph, plan.kernel(layer.name), plan, board)
        for layer in layers
    }
    for pace in sorted(set(cycles.values()), reverse=True)[1 : LEVELS + 1]:
        slow = [layer for layer in layers if cycles[layer.name] > pace]
        if len(slow) > MOST_KERNELS:
            return
        found = [cheapest(layer, graph, plan, board, calibration, pace) for layer in slow]
        kernels = [kernel for kernel in found if kernel is not None]
        if len(kernels) < len(slow):
            return
        yield with_kernels(plan, kernels, "faster")


def cheaper_kernels(
    graph: Graph, plan: Plan, board: Board, calibration: Calibration
) -> Iterator[Neighbour]:
    """Every kernel as cheap as the pace of the slowest allows, widths kept."""
    layers = [graph.layer(kernel.layer) for kernel in plan.kernels]
    pace = max(
        pipelined_cycles(layer, graph, plan.kernel(layer.name), plan, board) for layer in layers
    )
    found = [cheapest(layer, graph, plan, board, calibration, pace) for layer in layers]
    changed = [kernel for kernel in found if kernel and kernel != plan.kernel(kernel.layer)]
    if changed:
        yield with_kernels(plan, changed, "cheaper")


def cheapest(
    layer: Layer, graph: Graph, plan: Plan, board: Board, calibration: Calibration, pace: int
) -> KernelPlan | None:
    """The kernel of a layer, its vectors as wide as now, that takes least of the board and no more
    cycles than `pace`; the one of the plan where none takes less. None where none is so quick."""
    now = plan.kernel(layer.name)
    bare = KernelPlan(layer.name, now.input_width, now.output_width)
    shapes = [
        kernel
        for window in window_choices(layer, plan)
        for kernel in kernels_of(layer, graph, plan, replace(bare, unroll_window=window))
    ]
    quick = [
        kernel
        for kernel in (now, *shapes)
        if pipelined_cycles(layer, graph, kernel, plan, board) <= pace
    ]
    whole = np.array([board.device.alms, board.device.blocks, board.device.dsps])

    def share(kernel: KernelPlan) -> float:
        cost = area(option_cost(layer, graph, board, plan, kernel), calibration)
        return float(np.sum(np.array([cost["alms"], cost["blocks"], cost["dsps"]]) / whole))

    return min(quick, key=share, default=None)


def with_kernels(plan: Plan, kernels: list[KernelPlan], how: str) -> Neighbour:
    """The plan with other kernels of some layers."""
    new = {kernel.layer: kernel for kernel in kernels}
    names = [f"{how} {kernels[0].layer}"]
    if len(kernels) == 2:
        names.append(kernels[1].layer)
    elif len(kernels) > 2:
        names.append(counted(len(kernels) - 1, "other kernel"))
    flags = tuple(
        f"{flag_of(kernel.layer, knob.field)}={int(getattr(kernel, knob.field))}"
        for kernel in kernels
        for knob in {knob.field: knob for knob in owned(kernel.layer)}.values()
        if getattr(kernel, knob.field) != getattr(plan.kernel(kernel.layer), knob.field)
    )
    changed = tuple(new.get(kernel.layer, kernel) for kernel in plan.kernels)
    return Neighbour(
        f"{how} {len(kernels)}", " and ".join(names), flags, replace(plan, kernels=changed)
    )


def more_copies(plan: Plan) -> Iterator[Neighbour]:
    """The pipeline several times."""
    for copies in (2 * plan.copies, 3 * plan.copies, 4 * plan.copies, 6 * plan.copies):
        if copies <= MOST_COPIES:
            yield Neighbour(
                "copies",
                f"{copies} copies of the pipeline",
                (f"--copies {copies}",),
                replace(plan, copies=copies),
            )


def goal_of(plan: Plan, calibration: Calibration) -> Goal:
    """What the steps of a plan are planned for."""
    caps = Caps(*plan.evidence.caps) if plan.evidence.caps else Caps()
    return Goal(caps=caps, calibration=calibration, images=plan.images, weights=plan.weights)


def replanned(
    graph: Graph, changes: Iterable[Neighbour], calibration: Calibration
) -> Iterator[Neighbour]:
    """Folded designs with the best steps on their engines; those that cannot be are left out."""
    for found in changes:
        stored, board = with_storage(graph, found.plan.weights), find_board(found.plan.board)
        try:
            plan = evaluate(stored, found.plan, board, goal_of(found.plan, calibration)).plan
        except HlsgenError:
            continue
        yield replace(found, plan=plan)


def larger_engines(graph: Graph, plan: Plan, calibration: Calibration) -> Iterator[Neighbour]:
    """Each size of an engine one larger, and twice as large; so too the weights a cycle."""
    e = plan.engines
    assert e is not None
    found = []
    if 2 * e.burst in bursts(graph, e.width):
        change = f"{2 * e.burst} weight vectors a cycle"
        flags = (f"{flag_of(ENGINES, 'burst')}={2 * e.burst}",)
        found.append(
            Neighbour("burst", change, flags, replace(plan, engines=replace(e, burst=2 * e.burst)))
        )
    for name, sizes in e.sizes.items():
        for size in engine(name).sizes:
            for value in sorted({sizes[size.name] + 1, 2 * sizes[size.name]} & set(size.values)):
                engines = e.sized(**{name: dict(sizes) | {size.name: value}})
                words = f"{size.name.replace('_', ' ')} {value} of the {name} engine"
                flags = (f"{flag_of(ENGINES, f'{name}.{size.name}')}={value}",)
                found.append(
                    Neighbour(f"{name}.{size.name}", words, flags, replace(plan, engines=engines))
                )
    yield from replanned(graph, found, calibration)


def fuller_launches(graph: Graph, plan: Plan, calibration: Calibration) -> Iterator[Neighbour]:
    """More images a launch, which share weights."""
    counts = (2 * plan.images, 4 * plan.images, 16 * plan.images)
    found = [
        Neighbour("images", f"{n} images a launch", (f"--images {n}",), replace(plan, images=n))
        for n in counts
        if n <= MOST_IMAGES
    ]
    yield from replanned(graph, found, calibration)


def narrower_weights(graph: Graph, plan: Plan, calibration: Calibration) -> Iterator[Neighbour]:
    """Weights of fewer bits in memory."""
    bits = STORAGE_TYPES[plan.weights].bits
    found = [
        Neighbour(
            "weights",
            f"weights rounded to {name} in memory",
            (f"--weights {name}",),
            replace(plan, weights=name),
        )
        for name, kind in STORAGE_TYPES.items()
        if kind.bits < bits
    ]
    yield from replanned(graph, found[:1], calibration)


def other_boards(plan: Plan) -> Iterator[Neighbour]:
    """The same design on every other board that the SDK supports."""
    for name, board in boards().items():
        if board.opencl and name != plan.board:
            yield Neighbour(
                "board",
                f"the same design on {board.title}",
                (f"--board {name}",),
                replace(plan, board=name),
            )
