"""Networks over several boards as plans: what is packed, where cuts lie, what is refused."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

import hlsgen
from hlsgen.boards import board, read_board
from hlsgen.boards.topology import topologies, topology
from hlsgen.cli.main import main
from hlsgen.errors import BoardError, PlanError, UsageError
from hlsgen.kernel.packing import Packed, Packing
from hlsgen.model.links import packing
from hlsgen.model.pipelined_timing import pipelined_timing
from hlsgen.plan import Plan
from hlsgen.rewrites.parts import crossing, parts
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import Goal
from hlsgen.system.cuts import row_of
from hlsgen.system.search import plan_row, row_lengths
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


@pytest.mark.parametrize(
    "options, words",
    [
        (["--boards", "2", "--style", "folded"], "has no channels that lead to other boards"),
        (["--boards", "2", "--copies", "2"], "is not for several boards"),
        (["--boards", "99"], "choose 1 to 64"),
        (["--boards", "2", "--board", "pac_a10"], "has no I/O channel"),
        (["--boards", "2", "--topology", "star"], "unknown topology"),
    ],
)
def test_refused(options, words, tmp_path, capsys):
    import onnx

    onnx.save(network("lenet5"), tmp_path / "net.onnx")
    arguments = ["build", str(tmp_path / "net.onnx"), "--out", str(tmp_path / "s"), *options]
    assert main(arguments) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "s").exists()
