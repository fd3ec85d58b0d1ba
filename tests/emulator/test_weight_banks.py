"""A reader a bank for the weights of many layers in turn: right on the emulator, counted as it is
generated, as fast as the model says, chosen where memory would be the limit."""

import re
from dataclasses import replace

import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.errors import PlanError, UsageError
from hlsgen.host.design import HostDesign
from hlsgen.host.executor import bank_flag
from hlsgen.host.manifest import Buffer
from hlsgen.kernel.weight_banks import BLOCK, BLOCK_BYTES, ROOM, Bank, Stream
from hlsgen.model.estimate import estimate
from hlsgen.model.pipelined_timing import memory_seconds, streamed_bytes
from hlsgen.model.structure import structure
from hlsgen.model.weight_banks import bank_bandwidth, weight_banks
from hlsgen.plan import Plan
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.scheduler import schedule
from tests.emulator.test_streamed import CASES, planned
from tests.schedule.test_structure import global_accesses, kernels_of
from tests.support.networks import assert_right, parse


def shared(case, readers, **changes):
    """The graph and plan of a case, with readers that layers share."""
    graph, plan = planned(*case)
    return graph, check_plan(graph, replace(plan, weight_readers=readers, **changes))


@pytest.mark.emulator
@pytest.mark.parametrize(("case", "readers", "strict"), [(0, 1, True), (1, 2, False), (4, 3, True)])
def test_right_on_the_emulator(case, readers, strict, tmp_path):
    graph, plan = shared(CASES[case], readers)
    design = HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path)
    assert_right(design, images=3, strict=strict)


def two_layers(**goal):
    """The graph and plan of two layers that one reader serves."""
    model = parse("""(float[1,16,6,6] x, float[24,16,3,3] a, float[40,384] e) => (float[1,40] y) {
        p = Conv(x, a) f = Flatten(p) y = Gemm<transB=1>(f, e) }""")
    pins = {("p", "row_tiles"): 2, ("y", "row_tiles"): 1, ("memory", "weight_readers"): 1}
    graph = hlsgen.load_graph(model)
    return graph, schedule(graph, style="pipelined", goal=Goal(pins=pins, **goal))


@pytest.mark.emulator
def test_narrow_weights_are_right(tmp_path):
    graph, plan = two_layers(weights="bfloat16")
    assert plan.weight_readers == 1
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert_right(HostDesign(design.path), images=2, strict=True)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("const bool", "const bool"),
        (r"turn\.y \* 64 \+ word", "turn.y * 63 + word"),  # the wrong words
        (r"next_1 = block == \d+ \?", "next_1 = false ?"),  # no row tile begins anew
        (r"if \(n < \d+\)\n", "if (n < 9)\n"),  # vectors that are left out
        (r" && left_0 > 0", ""),  # blocks that no image is there for, in another layer's place
        (r"n % (\d+) == \d+\)", r"n % \1 == \1)"),  # room that is never told
    ],
)
def test_a_wrong_kernel_is_found(right, wrong, tmp_path):
    graph, plan = two_layers()
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    path = next((design.path / "kernels").glob("*.cl"))
    text, count = re.subn(right, wrong, path.read_text())
    assert count
    path.write_text(text)
    if right == wrong:  # what this test does to the text does no harm by itself
        assert_right(HostDesign(design.path), images=2, strict=True)
        return
    with pytest.raises(Exception):  # noqa: B017 a wrong result, or kernels that wait for each other
        assert_right(HostDesign(design.path), images=2, strict=True, timeout=2.0)


def test_counted_as_generated(tmp_path):
    """Kernels, load-store units and channels of the text against the model's."""
    graph, plan = shared(CASES[0], 3)
    source = hlsgen.generate(graph, plan, tmp_path / "design").source
    design, texts = structure(graph, plan), kernels_of(source)
    assert {kernel.name for kernel in design.kernels} == texts.keys()
    for kernel in design.kernels:
        assert global_accesses(texts[kernel.name]) == len(kernel.lsus), kernel.name
        assert kernel.autorun == (f"STREAMING_KERNEL\n__kernel void {kernel.name}(" in source)
        ends = re.findall(r"(?:channel_intel|ROOM)\(", texts[kernel.name])
        assert kernel.channel_ends == len(ends) or "fully" in texts[kernel.name], kernel.name
    declared = dict(re.findall(r"^channel \w+ (\w+)\S* __attr.*?depth\(\D*(\d+)", source, re.M))
    for fifo in design.fifos:
        name, _, kind = fifo.name.rpartition(" ")
        if kind in ("words", "room", "streamed"):
            assert int(declared[f"{name}_{kind}"]) == fifo.depth
    assert sum(kind.endswith(" turns") for kind in (f.name for f in design.fifos)) == 3


def test_banks_by_hand():
    """Blocks of 64 words of 64 bytes; large layers first, each to the bank with the least."""
    stream = Stream("p", 256, 1440, 3)
    assert (stream.parts, stream.blocks, stream.turns) == (2, 12, 12 * 64 * 2)
    bank = Bank(1, (stream, Stream("y", 128, 10, 1)))
    assert (bank.first, bank.blocks, bank.bytes) == ((0, 12), 3 * 12 + 1, 37 * BLOCK_BYTES)
    graph, plan = shared(CASES[0], 2)
    banks = weight_banks(graph, plan)
    sizes = {s.layer: s.blocks * s.row_tiles for bank in banks for s in bank.streams}
    assert sizes["p"] == 36 == max(sizes.values())
    assert max(bank.blocks for bank in banks) <= max(36, 0.6 * sum(sizes.values()))
    assert sorted(sizes) == ["p", "r", "s", "t", "y"]
    assert sum(bank.bytes for bank in banks) >= streamed_bytes(graph, plan)


def test_time_by_hand():
    """The fullest bank at its own bandwidth, or a word a cycle; without shared readers all bytes at
    what so many readers reach."""
    target = board("pac_d5005")
    assert bank_bandwidth(target, 1, 3, 300.0) == pytest.approx(76.8e9 / 4 * 0.87)
    assert bank_bandwidth(target, 1, 3, 200.0) == 200e6 * 64
    assert bank_bandwidth(board("de10_nano"), 1, 1, 300.0) == pytest.approx(
        board("de10_nano").sustained_bandwidth(2) * 1e9
    )
    assert bank_bandwidth(target.at_worst(), 1, 3, 300.0) == pytest.approx(76.8e9 / 4 * 0.26)


def test_inputs_and_results_by_hand():
    """They have a bank of their own beside those of weights; a single bank serves all in turn."""
    graph, plan = shared(CASES[0], 3)
    target = board("pac_d5005")
    seconds = memory_seconds(graph, plan, target, 300.0, 1e9, 0.0)
    assert seconds == pytest.approx(1e9 / (76.8e9 / 4 * 0.87))
    target, plan = board("de10_nano"), replace(plan, board="de10_nano", weight_readers=1)
    (bank,) = weight_banks(graph, plan)
    seconds = memory_seconds(graph, plan, target, 300.0, bank.bytes, 0.0)
    assert seconds == pytest.approx(2 * bank.bytes / (target.sustained_bandwidth(2) * 1e9))


def test_where_they_lie(tmp_path):
    """A bank each beside that of inputs and results, which is not interleaved with them; a board
    with one bank has nothing to tell apart."""
    graph, plan = shared(CASES[0], 3)
    design = hlsgen.generate(graph, plan, tmp_path / "three")
    buffers = design.manifest.buffers
    assert {n: b.bank for n, b in buffers.items() if b.bank > 1} == {
        f"filters_{n}": n + 1 for n in (1, 2, 3)
    }
    assert all(b.bank for b in buffers.values())
    assert "-no-interleaving=default" in (design.path / "Makefile").read_text()
    assert bank_flag(buffers["filters_2"]) == 3 << 16 and bank_flag(Buffer(1, "uint8")) == 0
    for other in (
        replace(plan, weight_readers=0),
        replace(plan, board="de10_nano", weight_readers=1),
    ):
        design = hlsgen.generate(graph, other, tmp_path / "other")
        assert not any(b.bank for b in design.manifest.buffers.values())
        assert "interleaving" not in (design.path / "Makefile").read_text()


def test_pins_and_edited_plans(tmp_path):
    graph, plan = shared(CASES[0], 2)
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    with pytest.raises(PlanError, match="at most 3"):
        check_plan(graph, replace(plan, weight_readers=4))
    with pytest.raises(PlanError, match="one copy"):
        check_plan(graph, replace(plan, copies=2))
    pins = {("p", "row_tiles"): 4, ("y", "row_tiles"): 1}
    for readers in (0, 2):
        goal = Goal(pins=pins | {("memory", "weight_readers"): readers})
        assert schedule(graph, style="pipelined", goal=goal).weight_readers == readers
    with pytest.raises(UsageError, match="banks for 1"):
        schedule(graph, "pac_a10", goal=Goal(pins=pins | {("memory", "weight_readers"): 2}))
    with pytest.raises(UsageError, match="pipelined designs take"):
        schedule(graph, style="folded", goal=Goal(pins={("memory", "weight_readers"): 1}))


@pytest.mark.slow
def test_chosen_where_memory_is_the_limit():
    """Six convolutions whose weights do not fit on chip: readers of their own would hold each other
    up."""
    weights = ", ".join(f"float[256,256,3,3] w{n}" for n in range(6))
    layers = " ".join(f"v{n + 1} = Conv<pads=[1,1,1,1]>(v{n}, w{n})" for n in range(6))
    model = parse(f"(float[1,256,7,7] v0, {weights}) => (float[1,256,7,7] v6) {{ {layers} }}",
                  inputs=("v0",))  # fmt: skip
    graph = hlsgen.load_graph(model)
    plan = schedule(graph, "pac_a10", "pipelined")
    assert plan.weight_readers == 1
    found = estimate(graph, plan)
    assert "through one reader that serves them in turn" in explain(graph, plan, found)
    own = schedule(graph, "pac_a10", "pipelined", goal=Goal(pins={("memory", "weight_readers"): 0}))
    assert own.weight_readers == 0 and estimate(graph, own).throughput < found.throughput


@pytest.mark.parametrize("demand", [(0.1, 0.2, 0.3), (0.5, 0.5, 0.5), (1.0, 0.05, 0.05, 0.05)])
def test_bank_serves_by_demand(demand):
    """Cycle by cycle: no channel ever holds more than there is room for, and layers get what they
    take, or together a word in nearly every cycle."""
    count, latency = len(demand), 300
    room, fifo, taken = [ROOM] * count, [0] * count, [0.0] * count
    waiting: list[tuple[int, int]] = []  # words on their way, with the cycle in which they come
    order: list[int] = []
    of, left, turn, sent, cycles = 0, 0, 0, 0, 40_000
    eaten = [0] * count
    for cycle in range(cycles):
        if room[of] and len(order) < 4:
            order.append(of)
            room[of] -= 1
        of = (of + 1) % count
        if not left and order:
            turn, left = order.pop(0), BLOCK
        if left:
            waiting.append((cycle + latency, turn))
            left, sent = left - 1, sent + 1
        while waiting and waiting[0][0] <= cycle:
            fifo[waiting.pop(0)[1]] += 1
        for layer, share in enumerate(demand):
            assert fifo[layer] <= ROOM * BLOCK
            taken[layer] = min(taken[layer] + share, 2.0)
            if taken[layer] > 1 - 1e-9 and fifo[layer]:
                taken[layer] -= 1.0
                fifo[layer] -= 1
                eaten[layer] += 1
                room[layer] += eaten[layer] % BLOCK == 0
    if sum(demand) <= 1:
        assert all(n >= 0.97 * cycles * d for n, d in zip(eaten, demand, strict=True))
    else:
        assert sent >= 0.97 * cycles
        assert min(eaten[n] / d for n, d in enumerate(demand)) >= 0.6 * cycles / sum(demand)
