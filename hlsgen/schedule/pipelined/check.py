"""Checks of pipelined plans, perhaps edited: whether they fit the network."""

from __future__ import annotations

from hlsgen.boards import board as find_board
from hlsgen.errors import PlanError, UsageError
from hlsgen.graph import Graph
from hlsgen.model.weight_banks import most_readers
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.rewrites.prefix import BETWEEN
from hlsgen.schedule.pipelined.choices import WIDTHS
from hlsgen.schedule.pipelined.fifo import least_depths, pixel_times


def check_copies(plan: Plan) -> None:
    """Raise UsageError for copies of kernels that the host would have to launch."""
    needed = ("channels", "cached_writes", "autorun", "concurrent_queues")
    off = [name for name in needed if not plan.enabled(name)]
    if plan.copies > 1 and off:
        raise UsageError(
            f"copies need kernels that start by themselves; {off[0]} is switched off",
            where="--copies",
            remedy="build one copy",
        )


def check_readers(plan: Plan) -> None:
    """Raise PlanError for readers of weights that the board or the plan cannot have."""
    most = most_readers(find_board(plan.board))
    if plan.weight_readers > most:
        raise PlanError(
            f"weight_readers is {plan.weight_readers}; at most {most} can be", where="plan"
        )
    if plan.weight_readers and (plan.copies > 1 or plan.disabled):
        raise PlanError("weight_readers need one copy, and all optimisations", where="plan")


def check_pipelined(graph: Graph, plan: Plan) -> None:
    """Raise PlanError when a (perhaps edited) plan does not fit the network."""
    check_copies(plan)
    check_readers(plan)
    widths: dict[str, int] = {}
    for layer in graph.layers:
        kernel, op = plan.kernel(layer.name), operator(layer.op)
        where = f"plan, kernel {layer.name}"
        pairs = [(t, kernel.input_width) for t in graph.input_tensors(layer)]
        pairs.append((graph.output_tensor(layer), kernel.output_width))
        for tensor, width in pairs:
            if width not in WIDTHS:
                raise PlanError(f"vector width {width} is not one of {WIDTHS}", where=where)
            if widths.setdefault(tensor.name, width) != width:
                raise PlanError(
                    f"reads or writes {tensor.name} {width} wide, its neighbour "
                    f"{widths[tensor.name]} "
                    "wide",
                    where=where,
                )
            if not op.legal_widths(layer, tensor, width):
                raise PlanError(
                    f"{tensor.channels} channels cannot be handled {width} at a time here",
                    where=where,
                )
        if op.same_width(layer) and kernel.input_width != kernel.output_width:
            raise PlanError("input_width and output_width must be equal", where=where)
        if kernel.lane_folding not in op.lane_folding_options(layer, kernel):
            raise PlanError(
                f"lane_folding {kernel.lane_folding} is not one of "
                f"{op.lane_folding_options(layer, kernel)}",
                where=where,
            )
        if kernel.nonzeros_per_lane not in op.nonzeros_options(layer, graph, kernel):
            raise PlanError(
                f"nonzeros_per_lane {kernel.nonzeros_per_lane} is not one of "
                f"{op.nonzeros_options(layer, graph, kernel)}",
                where=where,
            )
        if kernel.nonzeros_per_vector not in op.nonzeros_per_vector_options(layer, kernel):
            raise PlanError(
                f"nonzeros_per_vector {kernel.nonzeros_per_vector} is not one of "
                f"{op.nonzeros_per_vector_options(layer, kernel)}",
                where=where,
            )
        if kernel.vectors_per_cycle not in op.vectors_per_cycle_options(layer, graph, kernel) or (
            kernel.vectors_per_cycle > 1 and kernel.nonzeros_per_lane
        ):
            raise PlanError(
                f"vectors_per_cycle {kernel.vectors_per_cycle} is not one of "
                f"{op.vectors_per_cycle_options(layer, graph, kernel)}, without nonzeros_per_lane",
                where=where,
            )
        if kernel.row_tiles not in op.row_tile_options(layer, graph, kernel) or (
            kernel.row_tiles and kernel.nonzeros_per_lane
        ):
            raise PlanError(
                f"row_tiles {kernel.row_tiles} is not one of "
                f"{op.row_tile_options(layer, graph, kernel)}",
                where=where,
            )
        if kernel.row_tiles and not (plan.enabled("fuse") and plan.enabled("cached_writes")):
            raise PlanError("row tiles need the optimisations fuse and cached_writes", where=where)
        steps, _ = op.reduction(layer, graph, kernel)
        if kernel.partial_sums & (kernel.partial_sums - 1) or (
            kernel.partial_sums > 1 and kernel.partial_sums >= 2 * steps
        ):
            raise PlanError(
                f"partial_sums {kernel.partial_sums} must be a power of two below {2 * steps}",
                where=where,
            )
    check_edges(graph, plan, widths)


def check_edges(graph: Graph, plan: Plan, widths: dict[str, int]) -> None:
    """Raise PlanError when the plan's channels are not those of the network, or not as wide as the
    kernels at their ends."""
    expected = {(t, layer.name, i) for layer in graph.layers for i, t in enumerate(layer.inputs)}
    expected |= {(port.tensor, "", i) for i, port in enumerate(graph.outputs)}
    if {(e.tensor, e.consumer, e.position) for e in plan.edges} != expected:
        raise PlanError(
            "its channels are not those of the network",
            where="plan, edges",
            remedy="save a new plan with build",
        )
    if len(plan.edges) > len(expected):
        raise PlanError(
            "has a channel twice", where="plan, edges", remedy="save a new plan with build"
        )
    times = pixel_times(graph, {kernel.layer: kernel for kernel in plan.kernels})
    check_links(graph, plan)
    for edge in plan.edges:
        if edge.width not in WIDTHS:
            raise PlanError(
                f"vector width {edge.width} is not one of {WIDTHS}",
                where=f"plan, edge {edge.tensor}",
            )
        # An input that is an output too may pass through no kernel at all.
        if edge.width != widths.setdefault(edge.tensor, edge.width):
            raise PlanError(
                f"width {edge.width} differs from its kernels' {widths[edge.tensor]}",
                where=f"plan, edge {edge.tensor}",
            )
    for i, least in least_depths(graph, plan, times).items():
        if plan.edges[i].depth < least:
            raise PlanError(
                f"depth {plan.edges[i].depth} could deadlock; it takes {least}",
                where=f"plan, edge {plan.edges[i].tensor}",
            )


def check_links(graph: Graph, plan: Plan) -> None:
    """Raise PlanError where the tensors of links are not those that lead to other boards."""
    if not (plan.arriving or plan.leaving):
        return
    for name, link, ports in (
        ("arriving", plan.arriving, graph.inputs),
        ("leaving", plan.leaving, graph.outputs),
    ):
        wanted = {port.tensor for port in ports if port.name == BETWEEN}
        given = link.tensors if link else ()
        if set(given) != wanted or len(given) != len(wanted):
            raise PlanError(
                "its tensors are not those that lead to other boards", where=f"plan, {name}"
            )
    if plan.copies > 1 or plan.disabled:
        raise PlanError("links need one copy, and all optimisations", where="plan")
