"""What derives from the description of a kernel, against a walk over its iterations one by one, and
against closed forms."""

import itertools

import numpy as np
import pytest

import hlsgen
from hlsgen.kernel import derive
from hlsgen.kernel.events import events, needed_pixels
from hlsgen.kernel.weight_order import weight_order
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan
from hlsgen.sparsify import sparsify
from tests.support.cases import case
from tests.support.networks import parse

PLANS = (
    KernelPlan("", 4, 4),
    KernelPlan("", 1, 1, unroll_window=True),
    KernelPlan("", 2, 2, unroll_window=True, lane_folding=2),
    KernelPlan("", 2, 4, partial_sums=4, vectors_per_cycle=2),
    KernelPlan("", 2, 4, row_tiles=1),
    KernelPlan("", 4, 4, nonzeros_per_lane=2),
)
SPARSE = """(float[1,12,7,6] x, float[8,12,3,3] w, float[9,160] v) => (float[1,9] y) {
  c = Conv(x, w) f = Flatten(c) y = Gemm<transB=1>(f, v) }"""
NAMES = (
    "conv_asymmetric_pads", "conv_depthwise", "conv_dilated_strided", "conv_grouped",
    "conv_pointwise_strided", "conv_stride_beyond_kernel", "conv_wide_pads", "gemm_flattened",
    "global_average_pool", "max_pool_ceil", "average_pool_excluding_pads",
)  # fmt: skip


def described():
    """Layers of the cases with every plan that they can have."""
    sparse = sparsify(parse(SPARSE), "relative", sparsity=0.85).model
    graphs = [*(hlsgen.load_graph(case(name)) for name in NAMES), hlsgen.load_graph(sparse)]
    for graph, plan in itertools.product(graphs, PLANS):
        for layer in graph.layers:
            op = operator(layer.op)
            tensors = (*graph.input_tensors(layer), graph.output_tensor(layer))
            legal = plan.input_width == plan.output_width or not op.same_width(layer)
            legal &= plan.lane_folding in op.lane_folding_options(layer, plan)
            legal &= plan.vectors_per_cycle in op.vectors_per_cycle_options(layer, graph, plan)
            legal &= plan.row_tiles in op.row_tile_options(layer, graph, plan)
            widths = (plan.input_width, plan.output_width)
            legal &= all(
                op.legal_widths(layer, t, w) for t, w in zip(tensors, widths, strict=False)
            )
            legal &= plan.nonzeros_per_lane in op.nonzeros_options(layer, graph, plan)
            if legal:
                yield layer, graph, plan, op.nest(layer, graph, plan)


def walk(n):
    """The iterations of an image, one after another: counters of the position, of its loops."""
    rows, columns = n.raster.loops if n.raster else (None, None)
    for y, x in itertools.product(
        range(rows.bound if rows else 1), range(columns.bound if columns else 1)
    ):
        at = {"y": y, "x": x}
        due = n.raster is None or all(holds(g, at) for g in n.raster.due)
        taking = [loop for loop in n.sequential if loop.arrives]
        others = [loop for loop in n.sequential if not loop.arrives]
        if n.fills:  # first all words, then the rest
            yield from ((False, at | more) for more in counted(taking))
            if due:
                yield from ((True, at | more) for more in counted(others))
        else:
            yield from ((due, at | more) for more in counted(n.sequential if due else taking))


def names(loops):
    """Of loops."""
    return [loop.name for loop in loops]


def counted(loops):
    """The counters of nested loops, iteration by iteration."""
    for values in itertools.product(*(range(loop.bound) for loop in loops)):
        yield dict(zip(names(loops), values, strict=True))


def holds(guard, at):
    """Whether a guard is true."""
    return at[guard.loop] in range(
        guard.first, guard.first + guard.count * guard.stride, guard.stride
    )


def test_time_is_that_of_a_walk():
    """Trip count, reads and writes, and the pixels that have arrived with each result."""
    checked = 0
    for layer, graph, plan, n in described():
        if n.phases:
            continue
        reads, writes, needed = [], [], []
        (source,) = n.sources
        for cycle, (due, at) in enumerate(walk(n)):
            resting = [at.get(loop.name, 0) for loop in n.sequential if not loop.arrives]
            takes = not (n.fills and due) and not any(resting)
            if takes and all(holds(g, at) for g in source.when):
                reads.append(cycle)
            done = (at[x.name] == x.bound - 1 for x in n.sequential if x.reduces or x.slices)
            if due and all(done):
                writes.append(cycle)
                needed.append(len(reads))
        moved = events(n)
        assert derive.trip_count(n) == cycle + 1
        assert moved.reads[0].tolist() == reads and moved.writes.tolist() == writes
        assert len(reads) == source.pixels * source.words
        result = graph.output_tensor(layer)
        vectors = -(-result.channels // plan.output_width)
        assert len(writes) == result.pixels * vectors
        # The last vector of a pixel leaves when all of the pixel's words are there.
        pixels = [count // source.words for count in needed[vectors - 1 :: vectors]]
        assert needed_pixels(n).tolist() == pixels
        checked += 1
    assert checked > 20


def test_needed_pixels_of_a_3x3_window():
    """Output (y, x) of a padded 3x3 window needs the input up to (y + 1, x + 1)."""
    ports = "(float[1,2,5,5] x, float[3,2,3,3] w) => (float[1,3,5,5] y)"
    graph = hlsgen.load_graph(parse(ports + " { y = Conv<pads=[1,1,1,1]>(x, w) }"))
    needed = operator("conv").needed_pixels(graph.layers[0], graph).reshape(5, 5)
    for y, x in itertools.product(range(5), range(5)):
        inside = y + 1 < 5
        assert needed[y, x] == ((y + 1) * 5 + min(x + 2, 5) if inside else 25)


def test_weights_are_those_that_iterations_take():
    """The order of the stream, value by value, by evaluating every index in every iteration."""
    checked = 0
    for layer, _, plan, n in described():
        if not (n.weights or n.streamed):
            continue
        given = operator(layer.op).indexed_weights(layer, plan)
        lanes = n.accumulator.lanes
        loops = [loop for loop in (*n.sequential, *n.unrolled) if not loop.walks]
        expected = []
        for counters in itertools.product(*(range(loop.bound) for loop in loops)):
            at = dict(zip((loop.name for loop in loops), counters, strict=True))
            group, first, channel, tap = (
                sum(at.get(name, 0) * factor for name, factor in index.terms)
                for index in (given.group, given.filter, given.input, given.tap)
            )
            _, filters, inputs, _ = given.values.shape
            expected.append(
                [
                    given.values[group, f, channel, tap] if f < filters and channel < inputs else 0
                    for f in range(first, first + lanes)
                ]
            )
        assert np.array_equal(weight_order(n, given), np.array(expected))
        checked += 1
    assert checked > 10


@pytest.mark.parametrize(
    ("filters", "partial_sums", "expected"),
    [
        (64, 1, (16, 0, 1)),  # 16 output vectors take turns: a memory
        (8, 4, (0, 4 * 2, 4)),
        (8, 1, (0, 2, 1)),
    ],
)
def test_sums_by_hand(filters, partial_sums, expected):
    """Of 2 input vectors times 9 taps: in a memory from 16 output vectors on, else in a shift
    register."""
    ports = f"(float[1,8,6,6] x, float[{filters},8,3,3] w) => (float[1,{filters},4,4] y)"
    graph = hlsgen.load_graph(parse(ports + " { y = Conv(x, w) }"))
    kernel = KernelPlan("y", 4, 4, partial_sums=partial_sums)
    n = operator("conv").nest(graph.layers[0], graph, kernel)
    found = derive.sums(n)
    assert derive.reduction(n) == (18, filters // 4)
    assert (found.memory, found.register_length, found.used) == expected
