"""What onnxruntime's optimiser writes: operators of its own, equal to its results."""

import numpy as np
import onnx
import pytest

from hlsgen.errors import UnsupportedError
from hlsgen.frontend.load import load
from hlsgen.reference import run_network
from tests.support.networks import random_inputs, run_onnxruntime

IMPORTS = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>'
WEIGHTS = {"w": (4, 3, 3, 3), "b": (4,), "m": (5, 7), "n": (7,), "s": (5,), "t": (5,)}
NETWORKS = {
    "FusedConv": '(float[1,3,6,6] x) => (float[1,4,6,6] y) { z = Conv<pads=[1,1,1,1]>(x, w) '
    'y = com.microsoft.FusedConv<pads=[1,1,1,1], activation="Relu">(x, w, b, z) }',
    "FusedConv with parameters": "(float[1,3,6,6] x) => (float[1,4,4,4] y) { "
    'y = com.microsoft.FusedConv<activation="LeakyRelu", activation_params=[0.3]>(x, w, b) }',
    "FusedGemm": "(float[1,5] x) => (float[1,7] y) { "
    'y = com.microsoft.FusedGemm<alpha=0.5, activation="Tanh">(x, m, n) }',
    "FusedMatMul": "(float[1,3,5] x) => (float[1,3,3] y) { r = Relu(x) "
    "y = com.microsoft.FusedMatMul<alpha=0.25, transB=1>(r, x) }",
    "BiasGelu": "(float[1,3,5] x) => (float[1,3,5] y) { y = com.microsoft.BiasGelu(x, s) }",
    "FastGelu": "(float[1,3,5] x) => (float[1,3,5] y) { y = com.microsoft.FastGelu(x, s) }",
    "QuickGelu": "(float[1,3,5] x) => (float[1,3,5] y) { y = com.microsoft.QuickGelu(x) }",
    "SkipLayerNormalization": "(float[1,3,5] x) => (float[1,3,5] y) { r = Relu(x) "
    "y = com.microsoft.SkipLayerNormalization<epsilon=0.01>(x, r, s, t) }",
}  # fmt: skip


def network(text):
    model = onnx.parser.parse_model(f"{IMPORTS} network {text}")
    random = np.random.default_rng(0)
    read = {name for node in model.graph.node for name in node.input}
    for name, shape in WEIGHTS.items():
        if name in read:
            array = random.standard_normal(shape, dtype=np.float32)
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_equal_to_onnxruntime(name):
    model = network(NETWORKS[name])
    x = random_inputs(model)
    found, wanted = run_network(load(model), x)["y"], run_onnxruntime(model, x)["y"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


def test_what_it_cannot_say():
    text = NETWORKS["FusedMatMul"].replace("transB=1", "transB=1, transBatchB=1")
    with pytest.raises(UnsupportedError, match="transBatchB"):
        load(network(text))
