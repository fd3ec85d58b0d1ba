"""Networks over several boards as plans: what is packed, where cuts lie, what is refused."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

import hlsgen
from hlsgen.boards import board, read_board
from hlsgen.boards.topology import topologies, topology
from hlsgen.errors import BoardError, Infeasible, PlanError, UsageError
from hlsgen.kernel.packing import Packed, Packing
from hlsgen.model.links import packing
from hlsgen.model.pipelined_timing import pipelined_timing
from hlsgen.model.processes import wire_cycles
from hlsgen.plan import Plan
from hlsgen.rewrites.parts import crossing, parts
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import Goal
from hlsgen.system.cuts import row_of
from hlsgen.system.search import check_link_pins, plan_row, plan_system, row_lengths, unequal
from hlsgen.zoo import network
from tests.support.networks import parse

# Vectors of an image and bits of a vector: they share words, fill them up, take several.
LINKS = [[(12, 128)], [(13, 32)], [(5, 512)], [(12, 128), (3, 512)], [(8, 32), (9, 256), (2, 1024)]]


@pytest.mark.parametrize("tensors", LINKS)
def test_every_vector_is_packed_once_in_order(tensors):
    packed = Packing(tuple(Packed(f"t{i}", n, b, 1, 256) for i, (n, b) in enumerate(tensors)))
    order, vector, ends = packed.schedule
    for i, (count, _) in enumerate(tensors):
        assert vector[(order == i) & (vector >= 0)].tolist() == list(range(count))
    assert len(order) == packed.turns and ends.sum() == packed.words
    taken, sent = packed.sent()
    read, left = packed.received()
    assert len(sent) == len(read) == packed.words
    assert [len(t) for t in taken] == [len(t) for t in left] == [n for n, _ in tensors]
    # A word leaves when its vectors are there, and comes before they go on.
    assert (read <= sent).all()
    assert all((mine >= first).all() for mine, first in zip(left, taken, strict=True))


@pytest.mark.parametrize("tensors", LINKS[3:])
def test_rounds_keep_step(tensors):
    packed = Packing(tuple(Packed(f"t{i}", n, b, 1, 256) for i, (n, b) in enumerate(tensors)))
    assert packed.rounds * packed.groups(packed.tensors[0]) == packed.tensors[0].groups
    for counts, (total, _) in zip(packed.pixels_needed(), tensors, strict=True):
        assert counts[-1] == total and (np.diff(counts) >= 0).all()


def test_parts_are_the_network():
    graph = hlsgen.load_graph(network("lenet5"))
    found = parts(graph, (2, 5, len(graph.layers)))
    assert sum((part.layers for part in found), ()) == graph.layers
    assert crossing(graph, 2) == (graph.layers[1].output,)
    assert [[p.name for p in part.outputs] for part in found] == [[""], [""], ["output"]]


@pytest.fixture(scope="module")
def residual():
    return hlsgen.load_graph(
        parse(
            """(float[1,8,16,16] x, float[16,8,3,3] a, float[16,16,3,3] b, float[16,16,3,3] c)
            => (float[1,16,16,16] y) { p = Conv<pads=[1,1,1,1]>(x, a) q = Relu(p)
            r = Conv<pads=[1,1,1,1]>(q, b) s = Relu(r) t = Conv<pads=[1,1,1,1]>(s, c)
            y = Add(t, q) }""",
            inputs=("x",),
        )
    )


@pytest.fixture(scope="module")
def halved(residual):
    return plan_row(residual, ["p520_max"] * 2, topology("chain"), Goal(), {}, (2, 4))


def test_the_slowest_sets_the_rate(halved):
    rates = [found.throughput for found in halved.estimates]
    assert halved.throughput == min(rates)
    assert replace(halved, copies=3).throughput == 3 * min(rates)
    assert halved.latency > max(found.latency for found in halved.estimates)


def test_a_slow_link_sets_the_rate(halved):
    plan, graph, target = halved.plans[0], halved.graphs[0], halved.boards[0]
    slow = replace(target, io_channels=replace(target.io_channels, gbits=1.0))
    found = pipelined_timing(graph, plan, slow, 300.0)
    words = packing(graph, plan, plan.leaving).words
    assert found.bottleneck == "leaving link"
    assert found.throughput == pytest.approx(1e9 / (words * plan.leaving.bits))


@pytest.mark.parametrize("clock", [200.0, 313.0])
def test_words_take_their_time_on_the_wire_at_any_clock(halved, clock):
    packed, target = (
        packing(halved.graphs[0], halved.plans[0], halved.plans[0].leaving),
        halved.boards[0],
    )
    seconds = wire_cycles(packed, target, clock) / (clock * 1e6)
    assert seconds == pytest.approx(packed.words * 256 / 40e9, rel=0.01)


def test_plans_of_parts_are_checked(halved):
    plan, graph = halved.plans[0], halved.graphs[0]
    assert check_plan(graph, plan) == replace(plan, network=graph.name)
    with pytest.raises(PlanError, match="not those that lead to other boards"):
        check_plan(graph, replace(plan, leaving=replace(plan.leaving, tensors=("t_q",))))
    with pytest.raises(PlanError, match="links need one copy"):
        check_plan(graph, replace(plan, copies=2))


def test_cuts_follow_the_work(residual):
    """The bounds alone put about as much on each board, and never go below the quickest kernels."""
    plan = Plan(residual.name, "p520_max", "pipelined")
    row = row_of(residual, ["p520_max"] * 2, topology("chain"), plan, Goal(), {}, False)
    pace, ends = row.best()
    assert pace >= row.bounds["p520_max"].least
    assert 0 < ends[0] < ends[1] == len(residual.layers)
    assert row.filled(pace) and row.filled(pace - 1) is None
    assert row.filled(row.bounds["p520_max"].least - 1) is None


def test_equal_rows():
    chain, pair = topology("chain"), topology("pair")
    assert row_lengths(["a"] * 6, chain) == [6, 3, 2, 1]
    assert row_lengths(["a", "b"], chain) == [2]
    assert row_lengths(["a"] * 4, pair) == [2, 1]
    with pytest.raises(UsageError, match="2 boards at most"):
        row_lengths(["a", "b", "c"], pair)


def test_topologies():
    target = board("p520_max")
    assert set(topologies()) == {"chain", "ring", "pair"}
    for cables in topologies().values():
        ends = cables.channels(target, target)
        assert len(set(ends)) == len(ends)
    with pytest.raises(BoardError, match="has no I/O channel"):
        topology("chain").channels(target, board("pac_a10"))
    with pytest.raises(BoardError, match="did you mean 'ring'"):
        topology("rign")


def test_board_files_state_their_channels():
    described = asdict(board("p520_max"))
    assert read_board(json.loads(json.dumps(described)), "mine") == board("p520_max")
    for change, words in (
        ({"inputs": ["a b"]}, "letters, digits and _"),
        ({"bits": 48}, "must be 32 or twice"),
        ({"inputs": ["a"]}, "other inputs than outputs"),
    ):
        wrong = described | {"io_channels": described["io_channels"] | change}
        with pytest.raises(BoardError, match=words):
            read_board(json.loads(json.dumps(wrong)), "mine")


def in_widths(plan, widths):
    return replace(
        plan, edges=tuple(replace(e, width=widths.get(e.tensor, e.width)) for e in plan.edges)
    )


@pytest.mark.parametrize(
    "sent, read, told", [(16, 8, 16), (4, 8, None), (8, 8, None), (16, 16, None)]
)
def test_both_ends_of_a_link_fill_words_alike(halved, sent, read, told):
    """A vector of two words has both in a row: as two vectors they would change turns with another
    tensor's. Vectors that share a word go alike in any width."""
    graph, link = halved.graphs[1], halved.plans[1].arriving
    link = replace(link, channels=link.channels[:1])
    tensor = link.tensors[0]
    writer = in_widths(halved.plans[0], {tensor: sent})
    reader = replace(in_widths(halved.plans[1], {tensor: read}), arriving=link)
    pins = unequal(graph, writer, reader)
    wanted = {(layer.name, "input_width"): told for layer in graph.consumers[tensor]}
    assert pins == (wanted if told else {})
    found = [packing(graph, plan, link) for plan in (writer, reader)]
    assert (found[0].rounds == found[1].rounds) or pins


def test_pins_that_a_link_cannot_have_are_refused():
    needed = {("t", "input_width"): 16}
    check_link_pins(needed, {("t", "input_width"): 16, ("t", "output_width"): 8})
    with pytest.raises(UsageError, match="the board before sends vectors of 16 channels"):
        check_link_pins(needed, {("t", "input_width"): 8})


def test_what_is_left_untried_is_no_faster(residual):
    """A row is skipped only where no clock would make it as fast as what is asked for."""
    boards, chain = ["p520_max"] * 2, topology("chain")
    found = plan_row(residual, boards, chain, Goal(), {})
    again = plan_row(residual, boards, chain, Goal(), {}, least=0.99 * found.throughput)
    assert again.throughput == found.throughput
    with pytest.raises(Infeasible, match="not faster than"):
        plan_row(residual, boards, chain, Goal(), {}, least=1e9)


def test_why_a_part_does_not_fit_is_told(residual):
    pins = {("p", "output_width"): 16, ("r", "input_width"): 8}
    with pytest.raises((Infeasible, UsageError)) as told:
        plan_row(residual, ["p520_max"], topology("chain"), Goal(pins=pins), {})
    assert "not faster than" not in str(told.value)
    with pytest.raises(UsageError, match="no boards"):
        plan_system(residual, [], topology("chain"), Goal())


@pytest.mark.parametrize(
    "pin, told",
    [
        (("engines", "width"), "no pipelined design takes it"),
        (("nosuch", "input_width"), "no layer 'nosuch'"),
    ],
)
def test_pins_that_no_board_could_have_are_refused(pin, told, residual):
    with pytest.raises(UsageError, match=told):
        plan_system(residual, ["p520_max"] * 2, topology("chain"), Goal(pins={pin: 4}))


def test_pinned_row_tiles_are_tried_with_weights_from_memory():
    graph = hlsgen.load_graph(network("lenet5"))
    goal = Goal(pins={("fc1", "row_tiles"): 1})
    plan = plan_row(graph, ["p520_max"] * 2, topology("chain"), goal, {})
    assert [k.row_tiles for p in plan.plans for k in p.kernels if k.layer == "fc1"] == [1]
