"""What the audit takes from graph theory, against slow and plain ways to find the same: cycles,
dominators, loops, bits."""

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlsgen.audit.addresses import ALL, Known
from hlsgen.audit.cycles import Edge, heaviest
from hlsgen.audit.flow import dominators
from hlsgen.audit.types import Types

NODES = 6
edges = st.lists(
    st.builds(
        Edge,
        st.integers(0, NODES - 1),
        st.integers(0, NODES - 1),
        st.integers(0, 12).map(float),
        st.integers(1, 4),
    ),
    max_size=14,
)


def slow_ratio(found):
    """Over all elementary cycles, every choice among parallel edges."""
    best = 0.0
    graph = nx.MultiDiGraph()
    for e in found:
        graph.add_edge(e.source, e.target, latency=e.latency, distance=e.distance)
    for cycle in nx.simple_cycles(nx.DiGraph(graph)):
        sums = {(0.0, 0)}
        for u, v in zip(cycle, cycle[1:] + cycle[:1], strict=True):
            sums = {
                (a + d["latency"], b + d["distance"]) for a, b in sums for d in graph[u][v].values()
            }
        best = max([best, *(a / b for a, b in sums)])
    return best


@settings(max_examples=200, deadline=None)
@given(edges)
def test_the_heaviest_cycle(found):
    cycle = heaviest(found)
    assert cycle.ratio == pytest.approx(slow_ratio(found))
    if cycle.nodes:
        pairs = {(e.source, e.target) for e in found}
        assert all(
            p in pairs for p in zip(cycle.nodes, cycle.nodes[1:] + cycle.nodes[:1], strict=True)
        )


def test_cycles_whose_edges_span_no_turn_but_one():
    chain = [Edge(n, n + 1, 2.0, 0) for n in range(5)]
    assert heaviest([*chain, Edge(5, 0, 1.0, 1)]).ratio == 11
    assert heaviest([*chain, Edge(5, 0, 1.0, 4)]).ratio == 11 / 4
    assert heaviest(chain).ratio == 0


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.integers(0, NODES), st.lists(st.integers(0, NODES), max_size=3), min_size=1)
)
def test_dominators(flow):
    successors = {str(k): [str(v) for v in vs] for k, vs in flow.items()} | {
        "0": [str(v) for v in flow.get(0, [])]
    }
    successors = {str(n): successors.get(str(n), []) for n in range(NODES + 1)}
    expected = nx.immediate_dominators(nx.DiGraph(successors), "0")
    found = dominators("0", successors)
    assert {k: v for k, v in found.items() if k != "0"} == {
        k: v for k, v in expected.items() if k != "0"
    }


@given(st.integers(0, 1 << 20), st.integers(0, 1 << 20), st.integers(0, ALL), st.integers(0, ALL))
def test_known_bits_of_a_sum_are_those_of_every_sum(a, b, mask_a, mask_b):
    total = Known(mask_a, a & mask_a) + Known(mask_b, b & mask_b)
    assert not (a + b ^ total.value) & total.mask & ALL and not total.value & ~total.mask


def test_sums_of_what_is_known_in_full_are_known_in_full():
    assert Known(ALL, 96) + Known(ALL, 32) == Known(ALL, 128)
    # Three bits below a constant that starts above them.
    assert (Known(ALL & ~7, 0) + Known(ALL, 24)).mask == ALL & ~7


def test_sizes():
    types = Types({"%word": "{ [3 x <4 x float>], i32 }", "%struct.p": "<{ i8, i32 }>"})
    sizes = {
        "float": 4,
        "<2 x float>": 8,
        "<3 x float>": 16,
        "[5 x <16 x float>]": 320,
        "%word": 64,
        "%struct.p": 5,
        "i1": 1,
    }
    assert {kind: types.size(kind) for kind in sizes} == sizes
    assert types.step("%word", 1) == ("i32", 48, None) and types.step("[5 x i64]", None) == (
        "i64",
        8,
        5,
    )
