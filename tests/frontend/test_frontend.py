"""Normalisation: what is folded, fused, absorbed, and what must stay."""

import numpy as np
import onnx
import pytest

import hlsgen
from hlsgen.errors import UnsupportedError
from hlsgen.reference import run_network
from tests.support.networks import parse, random_inputs, run_onnxruntime


def check(model, *, ops, activations=None, inputs=None):
    """Load, compare with onnxruntime, and return the graph; `ops` are the layers expected in
    order."""
    graph = hlsgen.load_graph(model)
    inputs = inputs or random_inputs(model)
    for name, value in run_onnxruntime(model, inputs).items():
        np.testing.assert_allclose(run_network(graph, inputs)[name], value, rtol=1e-4, atol=1e-5)
    assert [layer.op for layer in graph.layers] == ops
    if activations is not None:
        assert [
            layer.activation.kind if layer.activation else None for layer in graph.layers
        ] == activations
    return graph


BN = "float[4] s, float[4] b, float[4] m, float[4] var"


def test_batch_normalization_folds_into_convolution():
    graph = check(
        parse(f"(float[1,3,5,5] x, float[4,3,3,3] w, {BN}) => (float[1,4,3,3] y) "
              "{ t = Conv(x, w) u = BatchNormalization(t, s, b, m, var) y = Relu(u) }"),
        ops=["conv"], activations=["relu"],
    )  # fmt: skip
    assert len(graph.layers[0].nodes) == 3


def test_batch_normalization_folds_into_gemm():
    check(
        parse(
            f"(float[1,6] x, float[6,4] w, {BN}) => (float[1,4] y) {{ t = Gemm(x, w) y = "
            f"BatchNormalization(t, s, b, m, var) }}"
        ),
        ops=["dense"],
    )


def test_batch_normalization_after_relu_stays():
    check(
        parse(f"(float[1,3,5,5] x, float[4,3,3,3] w, {BN}) => (float[1,4,3,3] y) "
              "{ t = Conv(x, w) u = Relu(t) y = BatchNormalization(u, s, b, m, var) }"),
        ops=["conv", "scale"], activations=["relu", None],
    )  # fmt: skip


def test_batch_normalization_before_padded_convolution_stays():
    """Folding it forward would be wrong at the borders: the pads are zeros after, not before, the
    shift."""
    check(
        parse(f"(float[1,4,5,5] x, {BN}, float[2,4,3,3] w) => (float[1,2,5,5] y) "
              "{ t = BatchNormalization(x, s, b, m, var) y = Conv<pads=[1,1,1,1]>(t, w) }"),
        ops=["scale", "conv"],
    )  # fmt: skip


def test_batch_normalization_of_a_shared_result_stays():
    check(
        parse(f"(float[1,3,3,3] x, float[4,3,1,1] w, {BN}) => (float[1,4,3,3] y) "
              "{ t = Conv(x, w) u = BatchNormalization(t, s, b, m, var) y = Add(t, u) }"),
        ops=["conv", "scale", "binary"],
    )  # fmt: skip


def test_scales_fold_into_each_other():
    check(
        parse(
            "(float[1,4,3,3] x, float[4,1,1] k, float[4,1,1] c) => (float[1,4,3,3] y) { t = "
            "Mul(x, k) y = Add(t, c) }"
        ),
        ops=["scale"],
    )


def test_activation_of_an_output_stays():
    check(
        parse(
            "(float[1,3,3,3] x, float[4,3,1,1] w) => (float[1,4,3,3] y, float[1,4,3,3] z) { "
            "y = Conv(x, w) z = Relu(y) }"
        ),
        ops=["conv", "activation"],
    )


def test_relabelling_disappears():
    graph = check(
        parse(
            "(float[1,4,3,2] x, float[24,5] w) => (float[5] y) { i = Identity(x) d = "
            "Dropout(i) f = Flatten(d) "
            "g = Gemm(f, w) y = Squeeze(g) }"
        ),
        ops=["dense"],
    )
    assert graph.outputs[0].view.value_shape == (5,)


def test_pad_folds_into_pooling():
    pads = "p = Constant<value_ints=[0,0,1,0,0,0,1,1]>()"
    check(
        parse(
            f"(float[1,2,5,5] x) => (float[1,2,6,5] y) {{ {pads} t = Pad(x, p) y = "
            f"AveragePool<kernel_shape=[2,2]>(t) }}"
        ),
        ops=["average_pool"],
    )
    low = "f = Log(z)"  # minus infinity
    model = parse(
        f"(float[1,2,5,5] x) => (float[1,2,6,5] y) {{ {pads} z = "
        f"Constant<value_float=0.0>() {low} t = Pad(x, p, f) "
        "y = MaxPool<kernel_shape=[2,2]>(t) }"
    )
    check(model, ops=["max_pool"])


@pytest.mark.parametrize(
    ("body", "ops"),
    [("y = MaxPool<kernel_shape=[2,2]>(t)", ["gather", "max_pool"]), ("y = Relu(t)", ["gather"])],
)
def test_pad_that_cannot_fold_is_a_movement(body, ops):
    pads = "p = Constant<value_ints=[0,0,1,1,0,0,1,1]>()"
    check(
        parse(f"(float[1,2,5,5] x) => (float[1,2,N,M] y) {{ {pads} t = Pad(x, p) {body} }}"),
        ops=ops,
    )


def test_nhwc_network_costs_no_layer():
    graph = check(
        parse(
            "(float[1,5,6,3] x, float[4,3,3,3] w, float[4] c) => (float[1,3,4,4] y) { t = "
            "Transpose<perm=[0,3,1,2]>(x) u = Conv(t, w) "
            "v = Transpose<perm=[0,2,3,1]>(u) b = Add(v, c) y = Relu(b) }"
        ),
        ops=["conv"],
        activations=["relu"],
    )
    assert graph.inputs[0].view.value_shape == (1, 5, 6, 3)
    assert graph.tensors[graph.inputs[0].tensor].shape == (3, 5, 6)


def test_transpose_that_moves_data_is_a_layer():
    check(
        parse("(float[1,4,4,4] x, float[4,4,1,1] w, float[4,4,1,1] v) => (float[1,4,4,4] y) "
              "{ t = Conv(x, w) u = Transpose<perm=[0,2,3,1]>(t) y = Conv(u, v) }"),
        ops=["conv", "gather", "conv"],
    )  # fmt: skip


def test_movements_that_follow_each_other_are_one():
    check(
        parse(
            "(float[1,6,4,4] x, float[6,6,1,1] w) => (float[1,6,6,2] y) { t = Conv(x, w) s = "
            "Constant<value_ints=[1,2,3,4,4]>() "
            "u = Reshape(t, s) v = Transpose<perm=[0,2,1,3,4]>(u) r = "
            "Constant<value_ints=[1,6,4,4]>() z = Reshape(v, r) "
            'p = Constant<value_ints=[0,0,1,0,0,0,1,0]>() q = Pad<mode="edge">(z, p) a = '
            "Constant<value_ints=[1]>() "
            "b = Constant<value_ints=[3]>() d = Constant<value_ints=[3]>() y = Slice(q, a, "
            "b, d) }"
        ),
        ops=["conv", "gather"],
    )


@pytest.mark.parametrize(
    ("body", "kind"),
    [("s = Sigmoid(t) y = Mul(t, s)", "silu"), ("s = HardSigmoid(t) y = Mul(s, t)", "hard_swish")],
)
def test_gates_are_activations(body, kind):
    text = f"(float[1,2,5,5] x, float[2,2,1,1] w) => (float[1,2,5,5] y) {{ t = Conv(x, w) {body} }}"
    check(parse(text), ops=["conv"], activations=[kind])


def test_a_batch_is_a_number_of_images():
    graph = hlsgen.load_graph(
        parse(
            "(float[4,3,5,5] x, float[4,3,3,3] w, float[36,7] v) => (float[4,7] y) { t = "
            "Conv(x, w) "
            "s = Constant<value=int64[2] {4,-1}>() f = Reshape(t, s) y = MatMul(f, v) }"
        )
    )
    assert graph.inputs[0].view.value_shape == (1, 3, 5, 5)
    assert graph.outputs[0].view.value_shape == (1, 7)


def test_a_first_axis_that_mixes_is_no_batch():
    graph = hlsgen.load_graph(parse("(float[4,3] x) => (float[4,3] y) { y = Softmax<axis=0>(x) }"))
    assert [layer.op for layer in graph.layers] == ["softmax"]
    assert graph.inputs[0].view.value_shape == (4, 3)
    assert graph.inputs[0].image_shape == (1, 4, 3)


def test_constants_are_computed():
    graph = check(
        parse(
            "(float[1,2,3,4] x, float[24,5] w) => (float[1,5] y) { s = Shape(x) i = "
            "Constant<value_ints=[0]>() "
            "n = Gather<axis=0>(s, i) m = Constant<value_ints=[-1]>() t = Concat<axis=0>(n, "
            "m) r = Reshape(x, t) y = MatMul(r, w) }"
        ),
        ops=["dense"],
    )
    assert graph.layers[0].attributes.outputs == 5


def test_unused_nodes_are_dropped():
    check(
        parse("(float[1,2,3,3] x) => (float[1,2,3,3] y) { u = Sigmoid(x) y = Relu(x) }"),
        ops=["activation"],
    )


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12, 13, 18, 21])
def test_every_opset(opset):
    text = (
        f"(float[1,3,8,8] x, float[4,3,3,3] w, {BN}, float[16,5] f) => (float[1,5] y) {{ "
        "t = Conv(x, w) "
        "u = BatchNormalization(t, s, b, m, var) r = Relu(u) p = "
        "MaxPool<kernel_shape=[3,3], strides=[3,3]>(r) "
        "d = Dropout(p) g = Flatten(d) e = Gemm(g, f, z) y = Softmax<axis=1>(e) }"
    ).replace("float[16,5] f)", "float[16,5] f, float[5] z)")
    check(parse(text, opset=opset), ops=["conv", "max_pool", "dense", "softmax"])


def test_weights_as_graph_inputs():
    """Before IR version 4 initializers are graph inputs too; bound ones are constants."""
    model = parse(
        "(float[1,3,5,5] x, float[4,3,3,3] w) => (float[1,4,3,3] y) { y = Conv(x, w) }", opset=8
    )
    model.ir_version = 3
    model.graph.input.append(onnx.helper.make_tensor_value_info("w", 1, [4, 3, 3, 3]))
    graph = hlsgen.load_graph(model)
    assert [port.name for port in graph.inputs] == ["x"]


def test_weights_as_constant_nodes():
    model = parse("(float[1,3,5,5] x, float[4,3,3,3] w) => (float[1,4,3,3] y) { y = Conv(x, w) }")
    tensor = model.graph.initializer.pop()
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["w"], value=tensor))
    check(model, ops=["conv"], inputs=random_inputs(model))


def test_external_data(tmp_path):
    model = parse("(float[1,3,5,5] x, float[4,3,3,3] w) => (float[1,4,3,3] y) { y = Conv(x, w) }")
    inputs = random_inputs(model)
    expected = run_network(hlsgen.load_graph(model), inputs)["y"]
    onnx.save(
        model,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="data.bin",
        size_threshold=0,
    )
    np.testing.assert_array_equal(
        run_network(hlsgen.load_graph(tmp_path / "m.onnx"), inputs)["y"], expected
    )


def test_symbolic_batch_is_one():
    graph = hlsgen.load_graph(
        parse(
            "(float[batch,3,5,5] x, float[4,3,3,3] w) => (float[batch,4,3,3] y) { y = Conv(x, w) }"
        )
    )
    assert graph.inputs[0].view.value_shape == (1, 3, 5, 5)


def test_names_become_identifiers():
    model = parse(
        "(float[1,3,5,5] x, float[4,3,3,3] w) => (float[1,4,3,3] y) { t = Conv(x, w) u = "
        "Relu(t) v = Sigmoid(u) y = Sigmoid(v) }"
    )
    for node, name in zip(
        model.graph.node, ["/features/0/Conv*/", "x", "while", "*/ } kernel"], strict=True
    ):
        node.name = name
    names = [layer.name for layer in hlsgen.load_graph(model).layers]
    assert all(name.isidentifier() and name not in ("while", "kernel") for name in names)
    assert names[0] == "features_0_conv" and len(set(names)) == len(names)


def test_the_model_is_not_changed():
    model = parse(
        "(float[N,3,5,5] x, float[4,3,3,3] w) => (float[N,4,3,3] y) { y = Conv(x, w) }", opset=9
    )
    before = model.SerializeToString(deterministic=True)
    hlsgen.load_graph(model)
    assert model.SerializeToString(deterministic=True) == before


def test_further_outputs_matter_only_when_used():
    text = (
        "(float[1,2,4,4] x) => (float[1,2,3,3] y{more}) "
        "{{ d, mask = Dropout(x) p, i = MaxPool<kernel_shape=[2,2]>(d) y = Relu(p) }}"
    )
    check(parse(text.format(more="")), ops=["max_pool"], activations=["relu"])
    with pytest.raises(UnsupportedError, match="further outputs"):
        hlsgen.load_graph(parse(text.format(more=", int64[1,2,3,3] i")))


def test_outputs_without_shape():
    model = parse("(float[1,3,5,5] x, float[4,3,3,3] w) => (float[1,4,3,3] y) { y = Conv(x, w) }")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    check(model, ops=["conv"])
