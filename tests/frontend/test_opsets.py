"""One little network a row, written as each opset wants it: arguments that moved or changed their
default are found."""

import numpy as np
import pytest

import hlsgen
from hlsgen.reference import run_network
from tests.support.networks import parse, random_inputs, run_onnxruntime

NEWEST = 26
SHAPE = "float[2,3,4,6]"
X = "float[1,4,6,6] x"


def constants(**values):
    """Initializers: integers, or floats where the first is one."""
    texts = []
    for name, value in values.items():
        kind = "float" if value and isinstance(value[0], float) else "int64"
        size = "" if name == "scalar" else f"[{len(value)}]"
        texts.append(f"{kind}{size} {name} = {{{', '.join(map(str, value))}}}")
    return f"<{', '.join(texts)}>|"


# name: rows of (first opset, last opset, body that makes y of x)
NETWORKS = {
    "slice": [
        (7, 9, "y = Slice<axes=[2, 3], starts=[1, -4], ends=[5, 1000]>(x)"),
        (
            10,
            0,
            constants(b=[1, -4], e=[5, 1000], a=[2, 3], s=[2, 1]) + " y = Slice(x, b, e, a, s)",
        ),
    ],
    "slice without axes": [
        (7, 9, "y = Slice<starts=[0, 1], ends=[1, 3]>(x)"),
        (10, 0, constants(b=[0, 1], e=[1, 3]) + " y = Slice(x, b, e)"),
    ],
    "squeeze": [
        (7, 12, "r = ReduceMax<axes=[2, 3]>(x) y = Squeeze<axes=[2]>(r)"),
        (13, 17, constants(a=[2]) + " r = ReduceMax<axes=[2, 3]>(x) y = Squeeze(r, a)"),
        (18, 0, constants(a=[-2], b=[2, 3]) + " r = ReduceMax(x, b) y = Squeeze(r, a)"),
    ],
    "unsqueeze": [
        (7, 12, "r = Relu(x) y = Unsqueeze<axes=[1]>(r)"),
        (13, 0, constants(a=[-4]) + " r = Relu(x) y = Unsqueeze(r, a)"),
    ],
    "reduce mean": [
        (7, 17, "y = ReduceMean<axes=[1, 3], keepdims=0>(x)"),
        (18, 0, constants(a=[1, -1]) + " y = ReduceMean<keepdims=0>(x, a)"),
    ],
    "reduce mean of all": [(7, 0, "y = ReduceMean(x)")],
    "reduce sum": [
        (7, 12, "y = ReduceSum<axes=[2]>(x)"),
        (13, 0, constants(a=[2]) + " y = ReduceSum(x, a)"),
    ],
    "reduce nothing": [
        (18, 0, constants(a=[]) + " r = Relu(x) y = ReduceMax<noop_with_empty_axes=1>(r, a)")
    ],
    # What is no reduction is computed all the same.
    "squares of nothing reduced": [
        (18, 0, constants(a=[]) + " y = ReduceSumSquare<noop_with_empty_axes=1>(x, a)"),
        (18, 0, " y = ReduceL1<noop_with_empty_axes=1>(x)"),
    ],
    "split": [
        (7, 12, "y, z = Split<axis=1, split=[1, 3]>(x)"),
        (13, 0, constants(s=[1, 3]) + " y, z = Split<axis=1>(x, s)"),
    ],
    "split evenly": [
        (7, 17, "y, z = Split<axis=-1>(x)"),
        (18, 0, "y, z = Split<axis=-1, num_outputs=2>(x)"),
    ],
    "split unevenly": [(18, 0, "y, z = Split<axis=1, num_outputs=2>(x)")],
    "pad": [
        (7, 10, "y = Pad<pads=[0,0,1,0,0,0,2,1], value=0.5>(x)"),
        (11, 0, constants(p=[0, 0, 1, 0, 0, 0, 2, 1], v=[0.5]) + " y = Pad(x, p, v)"),
    ],
    "pad by axes": [(18, 0, constants(p=[1, 2], a=[-1]) + " y = Pad(x, p, , a)")],
    "clip": [
        (7, 10, "y = Clip<min=-0.25, max=0.5>(x)"),
        (11, 0, constants(a=[-0.25], b=[0.5]) + " y = Clip(x, a, b)"),
    ],
    "clip above": [
        (7, 10, "y = Clip<max=0.5>(x)"),
        (11, 0, constants(b=[0.5]) + " y = Clip(x, , b)"),
    ],
    "dropout": [
        (7, 11, "d = Dropout<ratio=0.9>(x) y = Relu(d)"),
        (12, 0, constants(scalar=[0.9]) + " d = Dropout(x, scalar) y = Relu(d)"),
    ],
    "softmax by default": [(7, 0, "y = Softmax(x)")],
    "softmax of an axis": [(7, 0, "y = Softmax<axis=2>(x)")],
    "logarithm of softmax": [(7, 0, "y = LogSoftmax(x)")],
    "flatten": [(7, 0, "r = Relu(x) y = Flatten<axis=2>(r)")],
    "reshape": [
        (7, 13, constants(t=[0, -1, 3]) + " r = Relu(x) y = Reshape(r, t)"),
        (14, 0, constants(t=[1, -1, 3]) + " r = Relu(x) y = Reshape<allowzero=1>(r, t)"),
    ],
    "depth to space": [
        (7, 10, "y = DepthToSpace<blocksize=2>(x)"),
        (11, 0, 'y = DepthToSpace<blocksize=2, mode="CRD">(x)'),
    ],
    "average pool": [
        (7, 9, "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)"),
        (10, 18, "y = AveragePool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x)"),
        (19, 0, "y = AveragePool<kernel_shape=[3,3], dilations=[2,2], pads=[1,1,1,1]>(x)"),
    ],
    "max pool": [
        (7, 9, "y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)"),
        (10, 0, "y = MaxPool<kernel_shape=[2,2], dilations=[2,2], strides=[3,3], ceil_mode=1>(x)"),
    ],
    "upsample": [
        (7, 8, 'y = Upsample<mode="nearest", scales=[1.0, 1.0, 2.0, 2.0]>(x)'),
        (9, 9, constants(s=[1.0, 1.0, 2.0, 2.0]) + ' y = Upsample<mode="nearest">(x, s)'),
    ],
    "linear upsample": [
        (7, 8, 'y = Upsample<mode="linear", scales=[1.0, 1.0, 2.0, 2.0]>(x)'),
        (9, 9, constants(s=[1.0, 1.0, 2.0, 2.0]) + ' y = Upsample<mode="linear">(x, s)'),
    ],
    "resize": [
        (10, 10, constants(s=[1.0, 1.0, 1.5, 0.5]) + ' y = Resize<mode="nearest">(x, s)'),
        (11, 12, constants(r=[0.0] * 8, s=[1.0, 1.0, 1.5, 0.5]) + " y = Resize(x, r, s)"),
        (13, 0, constants(s=[1.0, 1.0, 1.5, 0.5]) + " y = Resize(x, , s)"),
    ],
    "resize by fractions": [(10, 10, constants(s=[1.0, 1.0, 1.3, 2.7]) + " y = Resize(x, s)")],
    # 0.7 has a tie between two rows, 0.8333333 gives 5 columns, only where float32 rounds.
    "resize as float32 rounds": [
        (13, 0, constants(s=[1.0, 1.0, 0.7, 1.0]) + " y = Resize(x, , s)"),
        (18, 0, constants(s=[1.0, 1.0, 1.0, 0.8333333]) + " y = Resize(x, , s)"),
    ],
    "linear resize": [
        (10, 10, constants(s=[1.0, 1.0, 1.5, 0.5]) + ' y = Resize<mode="linear">(x, s)'),
        (
            11,
            0,
            constants(r=[0.0] * 8, s=[1.0, 1.0, 1.5, 0.5]) + ' y = Resize<mode="linear">(x, r, s)',
        ),
    ],
    "resize to sizes": [
        (
            11,
            12,
            constants(r=[0.0] * 8, z=[1, 4, 9, 5])
            + " t = Constant<value=float[0]{}>() y = Resize(x, r, t, z)",
        ),
        (13, 0, constants(z=[1, 4, 9, 5]) + " y = Resize(x, , , z)"),
    ],
    "resize by axes": [(18, 0, constants(z=[9, 5]) + " y = Resize<axes=[2, 3]>(x, , , z)")],
    "group normalisation": [
        (
            21,
            0,
            constants(g=[1.0, 2.0, 3.0, 4.0], h=[0.5, -1.0, 0.0, 1.0])
            + " y = GroupNormalization<num_groups=2>(x, g, h)",
        )
    ],
    "expand": [(8, 0, constants(t=[1, 4, 6, 1]) + " r = GlobalMaxPool(x) y = Expand(r, t)")],
}


def cases():
    """Every network at every opset that it is written for."""
    for name, rows in NETWORKS.items():
        for first, last, body in rows:
            for opset in sorted({first, last or NEWEST}):
                yield pytest.param(body, opset, id=f"{name} {opset}")


@pytest.mark.parametrize(("body", "opset"), list(cases()))
def test_same_result_as_onnxruntime(body, opset):
    outputs = "float[] y, float[] z" if "y, z" in body else "float[] y"
    declared, _, nodes = body.rpartition("|")
    model = parse(f"({X}) => ({outputs}) {declared} {{ {nodes} }}", opset)
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    inputs = random_inputs(model)
    graph = hlsgen.load_graph(model)
    results = run_network(graph, inputs)
    for name, wanted in run_onnxruntime(model, inputs).items():
        np.testing.assert_allclose(results[name], wanted, rtol=1e-4, atol=1e-5)
        assert results[name].shape == wanted.shape
