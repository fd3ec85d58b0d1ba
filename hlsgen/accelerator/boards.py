"""`compile_boards`: from a model to a system of several boards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hlsgen.accelerator.accelerator import Accelerator, predicted
from hlsgen.accelerator.build import Shapes, caps_of, read
from hlsgen.accelerator.sources import Source
from hlsgen.boards.topology import topology as find_topology
from hlsgen.codegen.generate import check_target
from hlsgen.errors import Infeasible, UsageError
from hlsgen.frontend.cut import Ends
from hlsgen.graph import Graph
from hlsgen.host.bench import PREDICTION
from hlsgen.left import QUANTISATION, leave
from hlsgen.model.calibration import load_calibration
from hlsgen.model.estimate import Estimate
from hlsgen.progress import stage
from hlsgen.quantise.request import QuantiseOptions
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.schedule.goal import SECONDS, Goal, check_goal
from hlsgen.schedule.knobs import parse_pins
from hlsgen.schedule.provenance import headline
from hlsgen.schedule.scheduler import schedule
from hlsgen.style import AUTO
from hlsgen.system.build import generate_system
from hlsgen.system.search import SystemPlan, plan_system
from hlsgen.types import FLOAT32

STYLES = (AUTO, "pipelined")


@dataclass(frozen=True)
class Alone:
    """What one of the boards reaches by itself, in the style that suits it best."""

    style: str
    estimate: Estimate


@dataclass(frozen=True)
class Built:
    """A system that was built: the accelerator that runs it, its plan, and, where that was asked
    for and can be, what one board reaches alone."""

    accelerator: Accelerator
    plan: SystemPlan
    alone: Alone | None


def compile_boards(
    model: Source,
    boards: Sequence[str],
    out: str | Path,
    *,
    topology: str = "chain",
    style: str = AUTO,
    shapes: Shapes | None = None,
    cut: Sequence[str] = (),
    cut_start: Sequence[str] = (),
    weights: str = FLOAT32.name,
    pins: Sequence[str] = (),
    caps: Mapping[str, float] | None = None,
    time_limit: float = SECONDS,
    sparsify: str = "",
    quantise: str | Path | QuantiseOptions | None = None,
    calibration: str | Path | None = None,
) -> Built:
    """Lower a network to designs for several boards in a row, and write them to the directory
    `out`.

    `boards` are names or files, one a board, and `topology` says how they are cabled. With `style`
    auto the best design for one board alone is sought too, for comparison. The other arguments are
    those of `compile`. Raises what `compile` raises.
    """
    if style not in STYLES:
        raise UsageError(
            f"a {style} design has no channels that lead to other boards",
            where="--style",
            remedy=f"choose one of {', '.join(STYLES)}",
        )
    cables = find_topology(topology)
    goal = check_goal(
        Goal(
            pins=parse_pins(list(pins)),
            calibration=load_calibration(calibration),
            seconds=time_limit,
            caps=caps_of(caps or {}),
            weights=weights,
        )
    )
    check_target(Path(out))
    ends = Ends(tuple(cut_start), tuple(cut))
    graph, quantised = read(model, None, shapes, "", sparsify, quantise, ends)
    plan = plan_system(graph, boards, cables, goal)
    alone = best_alone(graph, boards[0], goal) if style == AUTO else None
    stage("generating kernels")

    def finish(number: int, folder: Path) -> None:
        own, part = plan.plans[number], plan.graphs[number]
        prediction = predicted(part, own, plan.estimates[number], goal.calibration)
        (folder / PREDICTION).write_text(prediction.to_json())

    set_aside = generate_system(graph, plan, out, finish, goal.calibration)
    if quantised is not None:
        leave(Path(out), QUANTISATION, quantised.to_dict())
    made = Accelerator(out, calibration=calibration)
    made.set_aside = set_aside
    return Built(made, plan, alone)


def best_alone(graph: Graph, board: str, goal: Goal) -> Alone | None:
    """The best design for one board; None where none fits it."""
    try:
        plan = schedule(graph, board, AUTO, (), goal)
    except Infeasible:
        return None
    found = headline(with_storage(graph, plan.weights), plan, goal.calibration)
    return Alone(plan.style, found)
