"""Names of layers: C identifiers, unique whatever the nodes are called, and found without a
search."""

import pytest

import hlsgen
from hlsgen.errors import ModelError
from hlsgen.frontend.scopes import SCOPES
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


BLOCK = """(float[1,3,4,4] x, float[3,3,1,1] w) => (float[1,3,4,4] y) {
  a = Conv(x, w) b = Relu(a) c = Conv(b, w) d = Add(c, x) y = MaxPool<kernel_shape=[1,1]>(d) }"""
PLACES = ["b.0.b1", "b.0.act", "b.0.b2", "b.0", "pool"]
LEGACY = [
    "/b/b.0/b1/Conv", "/b/b.0/act/Relu", "/b/b.0/b2/Conv_1", "/b/b.0/Add", "/pool/MaxPool",
]  # fmt: skip


def test_layers_are_called_after_the_modules_of_the_program():
    """As both of PyTorch's exporters tell of them: in the metadata, and in names."""
    new, old = parse(BLOCK), parse(BLOCK)
    for number, (node, place) in enumerate(zip(new.graph.node, PLACES, strict=True)):
        node.name = f"node_conv_{number}"
        entry = node.metadata_props.add()
        outer = place.split(".")[0]
        entry.key, entry.value = SCOPES, repr(["", outer, place, "conv2d"])
    for node, name in zip(old.graph.node, LEGACY, strict=True):
        node.name = name
    for model in (new, old):
        names = [layer.name for layer in hlsgen.load_graph(model).layers]
        assert names == ["b_0_b1", "b_0_b2", "b_0_add", "pool"]


@pytest.mark.parametrize("told", ["", "['x'", "{}", "[]", "['only']", "5"])
def test_scopes_that_say_nothing_change_nothing(told):
    model = parse(BLOCK)
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
        entry = node.metadata_props.add()
        entry.key, entry.value = SCOPES, told
    assert hlsgen.load_graph(model).layers[0].name == "n_a"


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_what_pytorch_saved_gets_the_lines_that_export_it(suffix, tmp_path):
    path = tmp_path / f"mine{suffix}"
    path.write_bytes(b"PK")
    with pytest.raises(ModelError) as raised:
        hlsgen.load_graph(path)
    assert "import torch" in str(raised.value) and '"mine.onnx"' in str(raised.value)
