"""A fixed batch becomes one image where images do not mix; where they do, the whole batch is one
input, or is refused."""

import numpy as np
import pytest

import hlsgen
from hlsgen.errors import UnsupportedError
from hlsgen.frontend import batch
from hlsgen.ops import onnx_importers
from hlsgen.ops.first_axis import HOST_RULES, RULES
from hlsgen.own_model import OwnModel
from hlsgen.reference import run_network
from tests.support.batched_networks import batched_network
from tests.support.networks import parse

BACK = "<int64[1] b = {-1}, int64[1] e = {-1000000000}, int64[1] a = {0}, int64[1] s = {-1}>"
MIXING = {
    "reversed": (BACK, "r = Relu(x) y = Slice(r, b, e, a, s)"),
    "reversed, axes left out": (BACK, "r = Relu(x) y = Slice(r, b, e, , s)"),
    "moved on": ("<int64[8] p = {1,0,0,0,-1,0,0,0}>", "r = Relu(x) y = Pad(r, p)"),
    "moved on, axes given": (
        "<int64[2] p = {1,-1}, int64[1] a = {-4}>",
        "r = Relu(x) y = Pad(r, p, , a)",
    ),
    "ranks": ("<int64[2] a = {1,2}>", "m = ReduceSum<keepdims=0>(x, a) y = Add(x, m)"),
    "copied": ("<int64[5] t = {4,4,3,4,8}>", "r = Relu(x) y = Expand(r, t)"),
    "divided by the batch": (
        "",
        "s = Shape<start=0, end=1>(x) f = Cast<to=1>(s) r = Relu(x) y = Div(r, f)",
    ),
    "cut where the batch ends": (
        "<int64[1] a = {3}>",
        "s = Shape<end=1>(x) n = Add(s, a) y = Slice(x, s, n, a)",
    ),
    "softmax": ("", "r = Relu(x) y = Softmax<axis=-4>(r)"),
    "transposed": ("", "r = Relu(x) y = Transpose<perm=[2,1,0,3]>(r)"),
    "folded": ("<int64[4] t = {3,4,4,8}>", "r = Relu(x) y = Reshape(r, t)"),
    "summed": ("<int64[1] a = {0}>", "r = Relu(x) y = ReduceSum(r, a)"),
    "numbers of each image": (
        "<float[4,3] c = {1,2,3,4,5,6,7,8,9,10,11,12}>",
        'r = Relu(x) y = Einsum<equation="bijk,bi->bijk">(r, c)',
    ),
    "side by side": ("", "r = Relu(x) y = Concat<axis=0>(r, x)"),
    "shuffled": ("<int64[4] i = {2,3,0,1}>", "r = Relu(x) y = Gather(r, i)"),
}
APART = {
    "a slice of all": (
        BACK.replace("-1}", "0}").replace("-", "").replace("s = {0}", "s = {1}"),
        "y = Slice(x, b, e, a, s)",
    ),
    "sizes": ("<int64[4] z = {4,3,8,16}>", "r = Relu(x) y = Resize(r, , , z)"),
    "a target in a node": ("", "t = Constant<value_ints=[4,-1]>() r = Relu(x) y = Reshape(r, t)"),
    "a target that is computed": (
        "<int64[1] m = {-1}>",
        "s = Shape<end=1>(x) t = Concat<axis=0>(s, m) r = Relu(x) y = Reshape(r, t)",
    ),
    "normalised": (
        "<float[3] g = {1.0,2.0,3.0}, float[3] h = {0.0,1.0,2.0}>",
        "n = GroupNormalization<num_groups=1>(x, g, h) y = Relu(n)",
    ),
}


def network(row, shape="4,3,4,8"):
    declared, nodes = row
    model = parse(f"(float[{shape}] x) => (float[] y) {declared} {{ {nodes} }}", 21)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def difference(model):
    """The largest difference between a network by the numpy references and the user's own in
    onnxruntime; and its graph."""
    graph = hlsgen.load_graph(model)
    (port,) = graph.inputs
    random = np.random.default_rng(1)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    images = random.standard_normal(
        (batch if port.view.value_shape[0] == 1 else 1, *port.image_shape[1:]), np.float32
    )
    wanted = OwnModel(model, {"x": port.view.value_shape})({"x": images})["y"]
    found = np.concatenate(
        [run_network(graph, {"x": image[None]})["y"].reshape(1, -1) for image in images]
    )
    return np.abs(found - wanted.reshape(found.shape)).max(), graph


@pytest.mark.parametrize("row", MIXING.values(), ids=MIXING)
def test_images_that_mix_stay_together(row):
    error, graph = difference(network(row))
    assert error < 1e-5
    assert graph.inputs[0].view.value_shape == (4, 3, 4, 8)


@pytest.mark.parametrize("row", APART.values(), ids=APART)
def test_images_that_do_not_mix_become_one(row):
    error, graph = difference(network(row))
    assert error < 1e-5
    assert graph.inputs[0].view.value_shape == (1, 3, 4, 8)


def test_a_network_that_cannot_take_its_batch_whole_says_which_node_mixes():
    model = network((BACK, "p = MaxPool<kernel_shape=[2,2]>(x) y = Slice(p, b, e, a, s)"))
    model.graph.node[1].name = "turn"
    with pytest.raises(UnsupportedError, match=r"batch of 4 .*turn \(Slice\) works along it"):
        hlsgen.load_graph(model)


def test_a_shape_may_be_given_for_the_batch_or_for_an_image():
    model = network(("", "y = Relu(x)"), "4,3,h,w")
    for first in (1, 4):
        graph = hlsgen.load_graph(model, {"x": (first, 3, 4, 8)})
        assert graph.inputs[0].view.value_shape == (1, 3, 4, 8)


def test_the_graph_keeps_the_model_of_the_user():
    model = network(("", "y = Relu(x)"))
    assert hlsgen.load_graph(model).model is model


def test_every_operator_has_a_rule():
    """Upsample is read as Resize."""
    assert set(RULES) == set(onnx_importers()) - {"Upsample"}
    assert not RULES.keys() & HOST_RULES.keys()


@pytest.mark.parametrize("first", range(0, 160, 40))
def test_random_movements_of_a_batch(first):
    for seed in range(first, first + 40):
        error, _ = difference(batched_network(seed))
        assert error < 1e-4, seed


def test_a_wrong_rewrite_would_be_seen(monkeypatch):
    monkeypatch.setattr(batch, "nodes_along", lambda *arguments: {})
    error, graph = difference(network(MIXING["reversed"]))
    assert graph.inputs[0].view.value_shape == (1, 3, 4, 8) and error > 0.1
