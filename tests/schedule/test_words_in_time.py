"""When kernels read words and write vectors: the description against a run of the loop that the
kernel prints, turn by turn."""

import numpy as np
import pytest

import hlsgen
from hlsgen.errors import HlsgenError
from hlsgen.kernel import derive
from hlsgen.kernel.events import events, needed_pixels
from hlsgen.kernel.memory import MEMORY_DISTANCE
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan
from tests.support.cases import CASES, case


def described(op, widths=(1, 4, 8)):
    """Every layer of an operator in the cases, its graph and its description at some widths."""
    for name in CASES:
        try:
            graph = hlsgen.load_graph(case(name))
        except HlsgenError:
            continue
        for layer in graph.layers:
            found = operator(layer.op)
            tensors = (*graph.input_tensors(layer), graph.output_tensor(layer))
            if layer.op != op or found.refusal(layer, graph, "pipelined"):
                continue
            for width in widths:
                if all(found.legal_widths(layer, tensor, width) for tensor in tensors):
                    yield (
                        layer,
                        graph,
                        found.nest(layer, graph, KernelPlan(layer.name, width, width)),
                    )


def assert_events(nest, turns, reads, writes):
    """What the loop did is what the description says."""
    moved = events(nest)
    assert derive.trip_count(nest) == turns
    assert [list(found) for found in moved.reads] == reads
    assert list(moved.writes) == writes


def moved_within_pixels(pixels, inputs, outputs, length):
    """The loop of templates/pipelined/gather.cl.j2 for values that move within their pixel."""
    reads, writes, turn = [], [], 0
    for p in range(pixels + 1):
        for c in range(length):
            if p < pixels and c < inputs:
                reads.append(turn)
            if p > 0 and c < outputs:
                writes.append(turn)
            turn += 1
    return turn, [reads], writes


def moved_by_rows(needed, row_in, rows_in, row_out, rows_out):
    """The same for values that move between pixels."""
    reads, writes, turn = [], [], 0
    n = got = y = out = pause = 0
    hold = MEMORY_DISTANCE
    while True:
        if got < needed[y] and hold > 0:
            hold -= 1
        elif got < needed[y]:
            reads.append(turn)
            pause = MEMORY_DISTANCE
            n += 1
            if n == row_in:
                n, got = 0, got + 1
        elif pause > 0:
            pause -= 1
        elif y < rows_out:
            hold = MEMORY_DISTANCE
            writes.append(turn)
            out += 1
            if out == row_out:
                out, y = 0, y + 1
        turn += 1
        if y == rows_out and got == rows_in and pause == 0:
            return turn, [reads], writes


def test_data_movement():
    kinds = set()
    for layer, graph, nest in described("gather"):
        a, result = layer.attributes, graph.output_tensor(layer)
        inputs, outputs = nest.sources[0].vectors, nest.loops[0].bound
        kinds.add(a.local)
        if a.local:
            wait = MEMORY_DISTANCE if inputs >= MEMORY_DISTANCE else 0
            length = max(inputs, outputs) + wait
            found = moved_within_pixels(nest.sources[0].pixels, inputs, outputs, length)
        else:
            _, height, width = a.source
            needed = [*a.needed_rows, height]
            found = moved_by_rows(
                needed, width * inputs, height, result.width * outputs, result.height
            )
        assert_events(nest, *found)
    assert kinds == {True, False}


def test_normalisation_across_channels():
    checked = 0
    for layer, _, nest in described("lrn"):
        source, width, after = nest.sources[0], nest.lanes, layer.attributes.after
        reads, writes, turn = [], [], 0
        for _ in range(source.pixels):
            for c in range(source.vectors * width + after):
                if c % width == 0 and c < source.vectors * width:
                    reads.append(turn)
                if c >= after and (c - after) % width == width - 1:
                    writes.append(turn)
                turn += 1
        assert_events(nest, turn, [reads], writes)
        checked += 1
    assert checked


def test_a_broadcast_operand_arrives_with_the_first_pixel():
    checked = 0
    for layer, graph, nest in described("binary"):
        count, pixels = nest.loops[0].bound, graph.output_tensor(layer).pixels
        turns = list(range(count * pixels))
        second = turns[:count] if layer.attributes.broadcast else turns
        assert_events(nest, len(turns), [turns, second], turns)
        needed = needed_pixels(nest, 1)
        if layer.attributes.broadcast:
            assert np.array_equal(needed, np.ones(pixels))
            checked += 1
        else:
            assert needed is None
    assert checked


def test_inputs_of_a_concatenation_take_turns_in_every_pixel():
    checked = 0
    for layer, graph, nest in described("concat"):
        counts = [tensor.channels // nest.lanes for tensor in graph.input_tensors(layer)]
        reads, turn = [[] for _ in counts], 0
        for _ in range(graph.output_tensor(layer).pixels):
            for source, count in enumerate(counts):
                reads[source] += range(turn, turn + count)
                turn += count
        assert_events(nest, turn, reads, list(range(turn)))
        checked += len(counts) > 2
    assert checked


@pytest.mark.parametrize("op", ["activation", "scale", "prelu"])
def test_a_vector_an_iteration(op):
    for layer, graph, nest in described(op):
        turns = list(range(nest.loops[0].bound * graph.output_tensor(layer).pixels))
        assert_events(nest, len(turns), [turns], turns)


def test_softmax_takes_a_pixel_at_a_time():
    for _, _, nest in described("softmax"):
        pixels, count = nest.sources[0].pixels, nest.sources[0].vectors
        assert derive.trip_count(nest) == pixels
        length, rest = divmod(derive.cycles(nest), pixels)
        assert rest == 0 and length >= 2 * count * nest.lanes + count
        moved = events(nest)
        for pixel in range(pixels):
            reads, writes = (
                w[pixel * count : (pixel + 1) * count] for w in (moved.reads[0], moved.writes)
            )
            assert list(reads) == list(range(pixel * length, pixel * length + count))
            assert writes[-1] == (pixel + 1) * length - 1 and (np.diff(writes) == 1).all()
