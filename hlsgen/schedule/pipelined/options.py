"""The ways to build a layer of a pipelined design, with cycles and cost: widths, window unrolled or
not, vectors at once, zeros skipped or not, weights on chip or from memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from math import ceil
from operator import le
from typing import Any

import numpy as np

from hlsgen.boards import Board
from hlsgen.errors import Infeasible
from hlsgen.graph import Graph, Layer
from hlsgen.kernel.weight_banks import BLOCK_BYTES
from hlsgen.model.pipelined_timing import lead, pipelined_cycles
from hlsgen.model.weight_banks import stream_of
from hlsgen.ops import operator
from hlsgen.ops.arrays import vectors
from hlsgen.ops.skip import nonzeros
from hlsgen.ops.sparse import WORTHWHILE
from hlsgen.plan import KernelPlan, Plan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined.charges import option_cost, whole
from hlsgen.schedule.pipelined.choices import WIDTHS, partial_sums_of

# Lanes of the vectors of convolutions whose weights stream from memory: narrow ones would take long
# for a row tile's rows, wide ones leave less choice of how many vectors are multiplied at once.
STREAMED_WIDTHS = (4, 8)
# Row tiles that the search tries: more take weights from memory too often.
STRIPS = (1, 2, 7)


@dataclass(frozen=True)
class Option:
    """One way to build a layer: its kernel, cycles an image, (ALMs, blocks, DSPs) scaled by SCALE,
    bytes of weights that it takes from memory for an image, and the share of its input that it
    needs before its first output."""

    kernel: KernelPlan
    cycles: int
    cost: tuple[int, ...]
    bytes: int = 0
    lead: float = 0.0


@dataclass(frozen=True)
class OptionCache:
    """What was built before within one search, by all that it depends on: options of layers, and of
    a layer's kernels whether pins allow them and others beat them or not. A kernel that takes
    weights from memory is another one where a bank's reader brings them."""

    options: dict[Any, tuple[Option, ...]] = field(default_factory=dict)
    kernels: dict[Any, dict[tuple[KernelPlan, bool], Option]] = field(default_factory=dict)


def alike(layer: Layer, graph: Graph) -> Any:
    """What layers have in common that have the same options: all that these depend on but widths,
    how many weights of a vector are zero included; or the layer itself where its weights have zeros
    to skip."""
    shapes = tuple(
        (graph.tensors[name].shape, graph.tensors[name].type)
        for name in (*layer.inputs, layer.output)
    )
    weights: tuple[Any, ...] = tuple(
        (name, w.shape, w.dtype.str) for name, w in layer.weights.items()
    )
    # A bias without values, as of every layer that has none, is no zero to skip.
    weight = layer.weights.get("weight")
    if weight is not None and nonzeros(weight) < WORTHWHILE * weight.size:
        weights = (("of", layer.name),)
    op = operator(layer.op)
    chosen = [op.nonzeros_per_vector_options(layer, KernelPlan(layer.name, n)) for n in WIDTHS]
    return layer.op, op.structure(layer), layer.activation, shapes, weights, tuple(chosen)


def layer_options(
    layer: Layer, graph: Graph, board: Board, plan: Plan, goal: Goal, classes: dict[str, str],
    widths: dict[str, tuple[int, ...]], convert: np.ndarray,
    built: dict[tuple[KernelPlan, bool], Option], streams: bool = True,
) -> tuple[Option, ...]:  # fmt: skip
    """Every kernel of a layer that pins allow, with cycles and cost; `built` remembers them.
    Without `streams`: every one whose weights are on chip."""
    source, result = classes[layer.inputs[0]], classes[layer.output]
    windows = window_choices(layer, plan)
    found = []
    for width in widths[source]:
        for output in (width,) if source == result else widths[result]:
            for window in windows:
                pinned = goal.pins.get((layer.name, "row_tiles"))
                choices = kernels_of(
                    layer,
                    graph,
                    plan,
                    KernelPlan(layer.name, width, output, window),
                    pinned if streams else 0,
                )
                keys = [
                    (kernel, kernel.row_tiles > 0 and plan.weight_readers > 0)
                    for kernel in choices
                    if goal.allows(kernel)
                ]
                new = [key for key in keys if key not in built]
                kernels = [kernel for kernel, _ in new]
                built |= zip(new, costed(layer, graph, board, plan, kernels, convert), strict=True)
                found += undominated([built[key] for key in keys])
    if not found:
        raise Infeasible("cannot be built as --set asks for", where=f"layer {layer.name}")
    return tuple(found)


def window_choices(layer: Layer, plan: Plan) -> tuple[bool, ...]:
    """Whether a layer's window may be unrolled, or must be."""
    if not plan.enabled("unroll"):
        return (False,)
    if hasattr(layer.attributes, "counted_pads"):
        return (True,)  # pooling always reduces its whole window at once
    return (False, True) if hasattr(layer.attributes, "window") else (False,)


def undominated(options: list[Option]) -> list[Option]:
    """The options of one pair of widths without those that another beats, or equals, in time and in
    every resource."""
    ordered = sorted(options, key=lambda o: (o.cycles, sum(o.cost)))
    kept: list[Option] = []
    prices: list[tuple[int, ...]] = []
    for option in ordered:
        price = (*option.cost, option.bytes)
        if not any(all(map(le, best, price)) for best in prices):
            kept.append(option)
            prices.append(price)
    return kept


def cheapest(options: list[Option]) -> list[Option]:
    """The options among which one is best where time does not matter: of every pair of widths, and
    with every number of row tiles, those that no other one beats, or equals, in every resource."""
    groups: dict[tuple[int, int, int], list[Option]] = {}
    for option in sorted(options, key=lambda o: (sum(o.cost), o.bytes)):
        kernel, price = option.kernel, (*option.cost, option.bytes)
        kept = groups.setdefault((kernel.input_width, kernel.output_width, kernel.row_tiles), [])
        if not any(
            all(a <= b for a, b in zip((*o.cost, o.bytes), price, strict=True)) for o in kept
        ):
            kept.append(option)
    return [option for kept in groups.values() for option in kept]


def kernels_of(
    layer: Layer, graph: Graph, plan: Plan, kernel: KernelPlan, row_tiles: int | None = None
) -> list[KernelPlan]:
    """The kernels of given widths: folded or not, skipping zeros or not, with one input vector a
    turn or several, weights on chip or from memory (in so many `row_tiles`, where a pin says
    so)."""
    op, free = operator(layer.op), plan.enabled("fuse") and plan.enabled("tile")
    shapes = [
        replace(kernel, lane_folding=folding)
        for folding in (op.lane_folding_options(layer, kernel) if free else (1,))
    ]
    if free and plan.enabled("unroll") and plan.enabled("cached_writes"):
        shapes += [
            replace(kernel, nonzeros_per_lane=count)
            for count in op.nonzeros_options(layer, graph, kernel)
            if count
        ]
        shapes += [
            replace(kernel, vectors_per_cycle=count)
            for count in op.vectors_per_cycle_options(layer, graph, kernel)
            if count > 1
        ]
        shapes += [
            replace(shape, nonzeros_per_vector=count)
            for shape in shapes
            for count in op.nonzeros_per_vector_options(layer, shape)
            if count
        ]
        shapes += streaming(layer, graph, kernel, row_tiles)
    sums = [partial_sums_of(layer, graph, shape) for shape in shapes]
    return [
        shape if n == shape.partial_sums else replace(shape, partial_sums=n)
        for shape, n in zip(shapes, sums, strict=True)
    ]


def streaming(
    layer: Layer, graph: Graph, kernel: KernelPlan, pinned: int | None
) -> list[KernelPlan]:
    """The kernels of given widths whose weights stream from memory: those that are `pinned`, else
    those that have less on chip than the weights are."""
    op = operator(layer.op)
    if (
        pinned is None
        and op.works_in_row_tiles(layer)
        and {kernel.input_width, kernel.output_width} - set(STREAMED_WIDTHS)
    ):
        return []
    here, found = on_chip(layer, graph, kernel), []
    wanted = STRIPS if pinned is None else (pinned,)
    for shape in (
        replace(kernel, row_tiles=n)
        for n in op.row_tile_options(layer, graph, kernel)
        if n and n in wanted
    ):
        if pinned is not None or on_chip(layer, graph, shape) < here:
            inputs = vectors(graph.tensors[layer.inputs[0]].channels, kernel.input_width)
            counts = {
                ceil(inputs / n): n
                for n in reversed(op.vectors_per_cycle_options(layer, graph, shape))
            }
            found += [replace(shape, vectors_per_cycle=n) for n in counts.values()]
    return found


def on_chip(layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
    """Bits of a kernel's memories."""
    memories = operator(layer.op).pipelined_body(layer, graph, kernel).memories
    return sum(memory.depth * memory.bits * memory.banks * memory.copies for memory in memories)


def option_bytes(layer: Layer, graph: Graph, plan: Plan, kernel: KernelPlan) -> int:
    """Bytes of weights that a kernel takes from memory for an image, in whole blocks where a bank's
    reader brings them."""
    if plan.weight_readers and kernel.row_tiles:
        return stream_of(graph, kernel).blocks * kernel.row_tiles * BLOCK_BYTES
    return operator(layer.op).streamed_values(layer, graph, kernel) * layer.weight_type.bytes


def costed(
    layer: Layer,
    graph: Graph,
    board: Board,
    plan: Plan,
    kernels: list[KernelPlan],
    convert: np.ndarray,
) -> list[Option]:
    """Kernels with cycles and cost."""
    table = np.array(
        [option_cost(layer, graph, board, plan, kernel) for kernel in kernels]
    ).reshape(-1, 5)

    @cache
    def first(row_tiles: int) -> float:
        """What a kernel needs before its first output: widths change nothing of it."""
        kernel = next(kernel for kernel in kernels if kernel.row_tiles == row_tiles)
        return lead(layer, graph, kernel)

    return [
        Option(
            kernel,
            pipelined_cycles(layer, graph, kernel, plan, board),
            cost,
            option_bytes(layer, graph, plan, kernel),
            first(kernel.row_tiles),
        )
        for kernel, cost in zip(kernels, map(tuple, whole(table @ convert.T).tolist()), strict=True)
    ]
