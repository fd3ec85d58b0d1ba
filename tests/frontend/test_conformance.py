"""ONNX's own test cases through the ONNX backend: a run of all is in docs/conformance.md."""

import numpy as np
import onnx
import pytest

from benchmarks.conformance import light
from benchmarks.conformance.cases import by_name, node_case, run_case, run_named
from hlsgen.backend import Backend, EmulatorBackend

# What hlsgen refuses, in words that its message must hold.
REFUSED = {
    "test_Embedding": "no input of type float32",
    "test_Embedding_sparse": "no input of type float32",
}
# Node cases for the emulator: one of each operator's kind of work, by ONNX's modules.
NODES = {
    "resize": "resize_upsample_scales_linear",
    "convtranspose": "convtranspose_pads",
    "prelu": "prelu_example",
    "hardswish": "hardswish",
    "depthtospace": "depthtospace_crd_mode_example",
    "pad": "constant_pad",
    "slice": "slice_negative_axes",
    "reducemax": "reduce_max_keepdims_random",
    "instance_normalization": "instancenorm_epsilon",
    "groupnormalization": "group_normalization_example",
    "logsoftmax": "logsoftmax_axis_0",
    "gemm": "gemm_all_attributes",
}


@pytest.mark.emulator
@pytest.mark.parametrize("name", by_name("pytorch-converted"))
def test_pytorch_converted_on_the_emulator(name):
    outcome = run_named("pytorch-converted", "EMULATOR", name)
    if name in REFUSED:
        assert outcome.status == "refused" and REFUSED[name] in outcome.reason
    else:
        assert outcome.status == "passed", outcome.reason


@pytest.mark.slow
def test_no_supported_node_case_fails():
    outcomes = [run_named("node", "CPU", name) for name in by_name("node")]
    assert [o for o in outcomes if o.status == "failed"] == []
    assert sum(o.status == "passed" for o in outcomes) >= 300


@pytest.mark.emulator
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("module", "name"), NODES.items(), ids=NODES.values())
def test_node_cases_on_the_emulator(module, name):
    outcome = run_case(node_case(module, f"test_{name}"), "EMULATOR")
    assert outcome.status == "passed", outcome.reason


@pytest.mark.emulator
def test_a_light_model():
    verdict = light.run("squeezenet")
    assert verdict.ok and verdict.layers > 30


@pytest.mark.emulator
def test_backend_interface():
    """The calls that ONNX's own runner and scripts make."""
    relu = onnx.helper.make_node("Relu", ["x"], ["y"])
    x = np.array([[-1.0, 2.0]], np.float32)
    for backend in (Backend, EmulatorBackend):
        assert backend.supports_device("CPU") and not backend.supports_device("CUDA")
        (y,) = backend.run_node(relu, [x])
        np.testing.assert_array_equal(y, [[0, 2]])
    conv = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> n (float[2,1,3,3] x, float[1,1,2,2] w) '
        "=> (float[2,1,2,2] y) { y = Conv(x, w) }"
    )
    assert Backend.is_compatible(conv)
    random = np.random.default_rng(0)
    x, w = (
        random.standard_normal((2, 1, 3, 3), dtype=np.float32),
        random.standard_normal((1, 1, 2, 2), dtype=np.float32),
    )
    result = Backend.run_model(conv, [x, w])
    assert result.y.shape == (2, 1, 2, 2)
    expected = sum(x[:, :, i : i + 2, j : j + 2] * w[0, 0, i, j] for i in (0, 1) for j in (0, 1))
    np.testing.assert_allclose(result.y, expected, rtol=1e-5)
    acos = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 18]> n (float[1,3] x) => (float[1,3] y) { y '
        "= Acos(x) }"
    )
    assert not Backend.is_compatible(acos)
