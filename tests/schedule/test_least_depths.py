"""FIFOs at their least depths never deadlock, whatever joins and works in row tiles."""

import numpy as np
import pytest

import hlsgen
from hlsgen.model.simulate import simulate
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan, Plan
from hlsgen.schedule.pipelined.fifo import MARGIN
from tests.emulator.test_streamed import planned
from tests.support.networks import parse


def random_network(random):
    """ONNX text of convolutions, poolings and additions of any tensors that there are."""
    height, width, count = (int(n) for n in random.integers((4, 4, 3), (13, 13, 8)))
    nodes, names, weights = [], ["x"], ""
    for i in range(count):
        kind, source = random.integers(4), names[int(random.integers(len(names)))]
        if kind == 3 and len(names) > 1:
            one, other = random.choice(len(names), 2, replace=False)
            nodes.append(f"v{i} = Add({names[one]}, {names[other]})")
        elif kind == 2:
            window = "kernel_shape=[3,3], pads=[1,1,1,1], strides=[1,1]"
            nodes.append(f"v{i} = MaxPool<{window}>({source})")
        else:
            size = int(random.choice([1, 3, 5]))
            pads = ",".join([str(size // 2)] * 4)
            nodes.append(f"v{i} = Conv<pads=[{pads}]>({source}, w{i})")
            weights += f", float[8,8,{size},{size}] w{i}"
        names.append(f"v{i}")
    text = " ".join(nodes)
    loose = [name for name in names[1:] if f"({name}," not in text and f", {name})" not in text
             and f"({name})" not in text]  # fmt: skip
    last = loose[0]
    for i, name in enumerate(loose[1:]):
        nodes.append(f"z{i} = Add({last}, {name})")
        last = f"z{i}"
    nodes.append(f"y = Relu({last})")
    shape = f"float[1,8,{height},{width}]"
    return f"({shape} x{weights}) => ({shape} y) {{ {' '.join(nodes)} }}"


@pytest.mark.parametrize("seeds", [range(12), range(150, 162)])
def test_no_deadlock_at_the_least_depths(seeds):
    for seed in seeds:
        random = np.random.default_rng(seed)
        text = random_network(random)
        graph, width = hlsgen.load_graph(parse(text)), int(random.choice([4, 8]))
        tiles = {}
        for layer in graph.layers:
            if operator(layer.op).works_in_row_tiles(layer) and random.integers(2):
                kernel = KernelPlan(layer.name, width, width, row_tiles=1)
                counts = operator(layer.op).row_tile_options(layer, graph, kernel)
                tiles |= {layer.name: int(random.choice(counts))} if any(counts) else {}
        graph, plan = planned(text, tiles, width, {}, plan=Plan("n", "pac_d5005", "pipelined"))
        assert not simulate(graph, plan, 4).deadlocked, (seed, tiles, text)


def test_a_kernel_that_gives_a_row_tile_holds_nobody_up():
    """`s` waits at a join for the whole image that `r` works on; `p` feeds both, and can go on only
    if all of a row tile of `s` has room meanwhile."""
    text = """(float[1,8,10,8] x, float[8,8,3,3] a, float[8,8,3,3] b, float[8,8,1,1] c,
float[8,8,1,1] d) => (float[1,8,10,8] y) { p = Conv<pads=[1,1,1,1]>(x, a)
q = Conv<pads=[1,1,1,1]>(p, b) r = Conv(p, c) s = Conv(q, d) y = Add(r, s) }"""
    graph, plan = planned(text, {"p": 1, "r": 1, "s": 2}, 4, {})
    late = next(e for e in plan.edges if e.consumer == "y" and e.tensor == "t_s")
    assert late.depth >= 40 * 2 + MARGIN
    assert not simulate(graph, plan, 4).deadlocked
