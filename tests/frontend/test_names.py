"""Names of layers: C identifiers, unique whatever the nodes are called, and found without a
search."""

import pytest

import hlsgen
from hlsgen.ops.importing import GraphBuilder
from tests.support.networks import parse


def test_names_that_share_their_beginning_are_numbered():
    builder = GraphBuilder({}, {})
    stem = "a" * 60
    assert [builder.unique(stem + end) for end in "xyz"] == [
        "a" * 48,
        "a" * 48 + "_2",
        "a" * 48 + "_3",
    ]
    assert builder.unique("a" * 48 + "_3") == "a" * 48 + "_4"
    assert builder.unique("b_2") == "b_2"
    assert [builder.unique("b") for _ in range(3)] == ["b", "b_3", "b_4"]


def test_no_name_is_tried_twice():
    """4,000 nodes that share 48 characters: each asks the names in use once, not all those before
    it again."""

    class Counting(set):
        asked = 0

        def isdisjoint(self, other):
            Counting.asked += 1
            return super().isdisjoint(other)

    builder = GraphBuilder({}, {})
    builder._names = Counting(builder._names)
    names = [
        builder.unique(f"/model/backbone/features/stage/blocks/block/layers/{n}")
        for n in range(4000)
    ]
    assert len(set(names)) == 4000
    assert Counting.asked < 2 * 4000


@pytest.mark.parametrize("name", ["", "relu", "for", "a/b:0", "\u8f38\u5165"])
def test_nodes_may_share_a_name(name):
    model = parse(
        "(float[1,3,4,4] x) => (float[1,3,4,4] y) { t = MaxPool<kernel_shape=[1,1]>(x) y = Abs(t) }"
    )
    for node in model.graph.node:
        node.name = name
    names = [layer.name for layer in hlsgen.load_graph(model).layers]
    assert len(set(names)) == len(names)
    assert all(n.isidentifier() and n.isascii() for n in names)
