"""Quantised networks: what is fused, and that the references equal onnxruntime bit for bit."""

import numpy as np
import onnx
import pytest

from hlsgen.errors import UnsupportedError
from hlsgen.frontend.batch import prepare
from hlsgen.frontend.fuse_quantised import fuse_quantised
from hlsgen.frontend.load import load
from hlsgen.frontend.source import open_model
from hlsgen.reference import run_network
from tests.support.quantised import Builder, by_onnxruntime, fused_by_onnxruntime, operators


def conv(b, x, channels, filters, kernel=3, bias=True, axis=0, group=1, **attributes):
    """A quantised value, convolved."""
    source = next(n for n in b.nodes if n.output[0] == x)
    weight, scale = b.weight((filters, channels // group, kernel, kernel), axis)
    inputs = [x, weight] + ([b.bias(filters, source.input[1], scale)] if bias else [])
    return b.node("Conv", inputs, group=group, **attributes)


def case_conv(b):
    x = b.quantised(b.input((1, 5, 9, 8)))
    return b.quantised(conv(b, x, 5, 7, pads=[1, 1, 1, 1]), low=0.1, high=0.5)


def case_softmax(b):
    x = b.quantised(b.input((1, 21)), low=0.05, high=0.2)
    least = np.iinfo(b.kind).min
    own = [b.constant("s", np.float32(2.0**-8)), b.constant("z", b.kind(least))]
    return b.quantised(b.node("Softmax", [x]), own)


def case_softmax_of_channels(b):
    x = b.quantised(b.input((1, 37, 2, 3)), low=0.02, high=0.05)
    return b.quantised(b.node("Softmax", [x], axis=1), low=0.002, high=0.003)


def case_conv_per_tensor_without_bias(b):
    x = b.quantised(b.input((1, 5, 9, 8)))
    return b.quantised(conv(b, x, 5, 7, bias=False, axis=None, strides=[2, 2]), low=0.1, high=0.5)


def case_depthwise_relu(b):
    x = b.quantised(b.input((1, 6, 9, 8)))
    y = b.node("Relu", [conv(b, x, 6, 6, group=6, pads=[1, 1, 1, 1])])
    return b.quantised(y, low=0.05, high=0.1, zero=np.iinfo(b.kind).min)


def case_conv_relu_that_stays(b):
    x = b.quantised(b.input((1, 4, 6, 6)))
    return b.quantised(b.node("Relu", [b.quantised(conv(b, x, 4, 4), low=0.1, high=0.5)]))


def case_conv_float_bias(b):
    x = b.quantised(b.input((1, 4, 6, 6)))
    weight, _ = b.weight((6, 4, 3, 3), 0)
    bias = b.constant("bias", b.rng.normal(size=6).astype(np.float32))
    return b.quantised(b.node("Conv", [x, weight, bias]), low=0.1, high=0.5)


def case_conv_float_weight(b):
    x = b.quantised(b.input((1, 4, 6, 6)))
    weight = b.constant("w", b.rng.normal(0.1, size=(6, 4, 3, 3)).astype(np.float32))
    bias = b.constant("bias", b.rng.normal(size=6).astype(np.float32))
    return b.quantised(b.node("Conv", [x, weight, bias]), low=0.1, high=0.5)


def case_gemm_float_weight(b):
    x = b.quantised(b.input((1, 32)))
    weight = b.constant("w", b.rng.normal(0.1, size=(32, 9)).astype(np.float32))
    return b.quantised(b.node("Gemm", [x, weight]), low=0.1, high=0.5)


def case_conv_unsigned_weight(b):
    x = b.quantised(b.input((1, 4, 6, 6)))
    values = b.rng.integers(0, 256, (6, 4, 3, 3)).astype(np.uint8)
    given = [
        b.constant("w", values),
        b.constant("ws", np.float32(0.01)),
        b.constant("wz", np.uint8(77)),
    ]
    return b.quantised(b.node("Conv", [x, b.node("DequantizeLinear", given)]), low=0.1, high=0.5)


def case_conv_max_pool(b):
    x = b.quantised(b.input((1, 4, 8, 8)))
    y = b.node(
        "MaxPool", [conv(b, x, 4, 6, pads=[1, 1, 1, 1])], kernel_shape=[2, 2], strides=[2, 2]
    )
    return b.quantised(y, low=0.1, high=0.5)


def case_gemm(b):
    x = b.quantised(b.input((1, 2, 4, 4)))
    pair = next(n for n in b.nodes if n.output[0] == x).input[1:]
    f = b.quantised(b.node("Flatten", [x]), list(pair))
    weight, scale = b.weight((32, 10), 1)
    y = b.node("Gemm", [f, weight, b.bias(10, pair[0], scale)])
    return b.quantised(y, low=0.2, high=0.6)


def case_gemm_behind_flatten(b):
    """onnxruntime moves DequantizeLinear past a Reshape, and not past a Flatten."""
    x = b.quantised(b.input((1, 2, 4, 4)))
    weight, _ = b.weight((32, 10), 1)
    return b.quantised(b.node("Gemm", [b.node("Flatten", [x]), weight]), low=0.2, high=0.6)


def case_gemm_to_float(b):
    x = b.quantised(b.input((1, 32)))
    weight, _ = b.weight((10, 32), 0)
    return b.node("Gemm", [x, weight], transB=1, alpha=0.3)


def case_matmul(b):
    x = b.quantised(b.input((1, 4, 20)))
    weight, _ = b.weight((20, 7), None)
    return b.quantised(b.node("MatMul", [x, weight]), low=0.2, high=0.6)


def case_matmul_add(b):
    x = b.quantised(b.input((1, 20)))
    weight, _ = b.weight((20, 7), None)
    bias = b.constant("bias", b.rng.normal(size=7).astype(np.float32))
    return b.quantised(b.node("Add", [b.node("MatMul", [x, weight]), bias]), low=0.2, high=0.6)


def case_matmul_to_float(b):
    x = b.quantised(b.input((1, 20)))
    weight, _ = b.weight((20, 7), 1)
    return b.node("MatMul", [x, weight])


def case_residual(b):
    x = b.quantised(b.input((1, 4, 6, 6)), low=0.03, high=0.05)
    y = b.quantised(conv(b, x, 4, 4, pads=[1, 1, 1, 1]), low=0.1, high=0.5)
    return b.quantised(b.node("Add", [x, y]), low=0.1, high=0.5)


def case_gate(b):
    x = b.quantised(b.input((1, 6, 5, 5)))
    pooled = b.quantised(b.node("GlobalAveragePool", [x]), low=0.004, high=0.02)
    gate = b.quantised(b.node("Sigmoid", [pooled]), low=0.003, high=0.005)
    return b.quantised(b.node("Mul", [x, gate]))


def case_average_pool(b):
    x = b.quantised(b.input((1, 5, 8, 8)))
    return b.quantised(b.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2]))


def case_average_pool_padded(b):
    x = b.quantised(b.input((1, 5, 7, 7)))
    return b.quantised(
        b.node("AveragePool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    )


def case_concat(b):
    x, z = b.quantised(b.input((1, 4, 5, 5))), b.quantised(b.input((1, 4, 5, 5)))
    return b.quantised(b.node("Concat", [x, z], axis=1))


def case_leaky(b):
    return b.quantised(b.node("LeakyRelu", [b.quantised(b.input((1, 3, 4, 4)))], alpha=0.2))


def case_rescaled_movement(b):
    x = b.quantised(b.input((1, 4, 4, 4)))
    y = b.quantised(b.node("DepthToSpace", [x], blocksize=2))
    return b.node("Transpose", [y], perm=[0, 1, 3, 2])


def case_two_pairs(b):
    x = b.quantised(b.quantised(b.input((1, 4, 5, 5))))
    y = conv(b, x, 4, 6)
    return b.quantised(b.quantised(y, low=0.1, high=0.5), low=0.1, high=0.5)


def case_three_pairs(b):
    return b.quantised(b.quantised(b.quantised(b.input((1, 4, 5, 5)))))


def case_pairs_around_a_movement(b):
    x = b.quantised(b.input((1, 4, 6, 6)))
    moved = b.node("Transpose", [x], perm=[0, 1, 3, 2])
    return b.quantised(conv(b, b.quantised(moved), 4, 4), low=0.1, high=0.5)


def case_two_pairs_with_two_readers(b):
    x = b.quantised(b.input((1, 4, 5, 5)))
    return b.node("Add", [x, b.quantised(x)])


def case_float_island(b):
    x = b.quantised(b.input((1, 4, 4, 4)))
    y = b.node("Sub", [x, b.quantised(b.input((1, 4, 4, 4)))])
    return b.quantised(y)


CASES = {name[5:]: case for name, case in globals().items() if name.startswith("case_")}
# By the type of activations. onnxruntime has no kernel for uint8 weights with int8 activations.
OF_TYPES = [
    (name, kind)
    for name in CASES
    for kind in (np.uint8, np.int8)
    if (name, kind) != ("conv_unsigned_weight", np.int8)
]


@pytest.mark.parametrize(("name", "kind"), OF_TYPES)
def test_operators_are_fused_where_onnxruntime_fuses_them(name, kind, tmp_path):
    b = Builder(1, kind)
    model = b.model(CASES[name](b))
    prepared = prepare(open_model(model))
    fuse_quantised(prepared)
    assert operators(prepared.nodes) == operators(fused_by_onnxruntime(model, tmp_path).graph.node)


@pytest.mark.parametrize("ties", [False, True], ids=["plain", "ties"])
@pytest.mark.parametrize(("name", "kind"), OF_TYPES)
def test_references_equal_onnxruntime(name, kind, ties):
    for seed in range(3):
        b = Builder(seed, kind, ties)
        model = b.model(CASES[name](b))
        graph, feeds = load(model), b.feeds()
        (found,) = run_network(graph, feeds).values()
        (wanted,) = by_onnxruntime(model, feeds)
        assert len(np.unique(wanted)) > 3
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", ["conv", "gemm_to_float", "matmul_to_float", "gate", "concat"])
def test_files_with_operators_on_integers_are_read(name, tmp_path):
    """What onnxruntime wrote after it fused."""
    b = Builder(2, np.uint8)
    model = b.model(CASES[name](b))
    fused, feeds = fused_by_onnxruntime(model, tmp_path), b.feeds()
    assert operators(fused.graph.node)
    (found,) = run_network(load(fused), feeds).values()
    np.testing.assert_array_equal(found, by_onnxruntime(model, feeds)[0])


@pytest.mark.parametrize("name", CASES)
def test_a_batch_of_operators_on_integers_is_taken_image_by_image(name, tmp_path):
    """What onnxruntime wrote after it fused a network of two images."""
    b = Builder(2, np.uint8)
    model = b.model(CASES[name](b))
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 2
    fused = fused_by_onnxruntime(model, tmp_path)
    graph = load(fused)
    assert all(port.view.value_shape[0] == 1 for port in (*graph.inputs, *graph.outputs))
    feeds = b.feeds(2)
    wanted = by_onnxruntime(model, feeds)[0]
    for image in range(2):
        one = {name: values[image : image + 1] for name, values in feeds.items()}
        (found,) = run_network(graph, one).values()
        np.testing.assert_array_equal(found, wanted[image : image + 1])


@pytest.mark.parametrize("opset", [10, 11, 13, 18, 21, 23])
def test_opsets(opset):
    b = Builder(4, np.int8, opset=opset)
    model = b.model(case_conv_per_tensor_without_bias(b))
    graph, feeds = load(model), b.feeds()
    assert "quantised_conv" in [layer.op for layer in graph.layers]
    (found,) = run_network(graph, feeds).values()
    np.testing.assert_array_equal(found, by_onnxruntime(model, feeds)[0])


def test_inputs_and_outputs_of_integers():
    """A network that is quantised from end to end."""
    b = Builder(5, np.int8)
    x = b.input((1, 3, 6, 6))
    pair = b.pair()
    moved = b.node("Transpose", [x], perm=[0, 1, 3, 2])
    y = b.node("Relu", [b.node("DequantizeLinear", [moved, *pair])])
    model = b.model(b.node("QuantizeLinear", [y, *b.pair()]))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.INT8
    graph = load(model)
    assert [port.dtype for port in (*graph.inputs, *graph.outputs)] == ["int8", "int8"]
    feeds = {x: b.rng.integers(-128, 128, (1, 3, 6, 6)).astype(np.int8)}
    (found,) = run_network(graph, feeds).values()
    np.testing.assert_array_equal(found, by_onnxruntime(model, feeds)[0])
    assert found.dtype == np.int8


@pytest.mark.parametrize("op", ["Relu", "Abs", "GlobalAveragePool"])
def test_zero_points_that_are_left_out_have_the_type_of_what_is_read(op):
    b = Builder(0, np.int8)
    pair = b.pair(zero=0)
    x = b.node("QuantizeLinear", [b.input((1, 3, 6, 6)), *pair])
    moved = b.node("Transpose", [x], perm=[0, 1, 3, 2])
    y = b.node(
        "QuantizeLinear", [b.node(op, [b.node("DequantizeLinear", [moved, pair[0]])]), *pair]
    )
    model = b.model(b.node("DequantizeLinear", [y, pair[0]]))
    feeds = b.feeds()
    (found,) = run_network(load(model), feeds).values()
    np.testing.assert_array_equal(found, by_onnxruntime(model, feeds)[0])


def test_zero_points_that_are_none_are_refused():
    b = Builder(0)
    pair = [b.constant("s", np.float32(0.1)), b.constant("z", np.zeros(0, np.uint8))]
    y = b.node("Relu", [b.quantised(b.input((1, 3, 6, 6)), pair)])
    with pytest.raises(UnsupportedError, match="0 zero points for 1 scales"):
        load(b.model(b.quantised(y, pair)))


@pytest.mark.parametrize("op", ["DynamicQuantizeLinear", "ConvInteger"])
def test_scales_that_follow_the_data_are_refused(op):
    b = Builder(0)
    x = b.input((1, 3, 6, 6))
    made = onnx.helper.make_node("DynamicQuantizeLinear", [x], ["q", "s", "z"], "dynamic")
    weight = b.constant("w", np.ones((4, 3, 3, 3), np.int8))
    b.nodes += [made]
    y = b.node("Cast", [b.node("ConvInteger", ["q", weight, "z"])], to=1)
    with pytest.raises(UnsupportedError, match=f"{op}.*scales follow the data"):
        load(b.model(b.node("Mul", [y, "s"])))
