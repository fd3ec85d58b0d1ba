"""What onnxruntime's own approximations may be off by is allowed, and nothing else."""

import numpy as np
import pytest

import hlsgen
from hlsgen.host.compare import compare
from hlsgen.ort_tolerance import compare_with_onnxruntime, onnxruntime_errors
from hlsgen.reference import run_network
from tests.support.networks import parse, run_onnxruntime

# Text, and the range of inputs where onnxruntime's functions are off by more than a ten thousandth
# of the largest result.
SMALL = {
    "sigmoid": ("y = Sigmoid(x)", -12.5, -11.5),
    "silu": ("s = Sigmoid(x) y = Mul(x, s)", -17.5, -16.5),
    "gate": (
        "s = Sigmoid(x) t = Tanh(x) u = Mul(t, s) y = MaxPool<kernel_shape=[2,2]>(u)",
        -12.5,
        -11.5,
    ),
    "elu": ("y = Elu<alpha=1.0>(x)", -1e-4, -1e-5),
    "selu": ("y = Selu(x)", -1e-4, -1e-5),
}


def computed(nodes, low, high):
    """The network, its inputs, its numpy results and onnxruntime's."""
    shape = "1,5,8,8" if "MaxPool" not in nodes else "1,5,7,7"
    model = parse(f"(float[1,5,8,8] x) => (float[{shape}] y) {{ {nodes} }}")
    inputs = {"x": np.random.default_rng(0).uniform(low, high, (1, 5, 8, 8)).astype(np.float32)}
    graph = hlsgen.load_graph(model)
    return graph, inputs, run_network(graph, inputs), run_onnxruntime(model, inputs)


@pytest.mark.parametrize("name", SMALL)
def test_small_results_of_approximations_are_right(name):
    graph, inputs, ours, theirs = computed(*SMALL[name])
    assert not compare(ours["y"], theirs["y"]).ok
    found = compare_with_onnxruntime(graph, inputs, ours, theirs, "float32")["y"]
    assert found.ok and found.max_rel_error == compare(ours["y"], theirs["y"]).max_rel_error


@pytest.mark.parametrize("off", [1e-6, -1e-6])
def test_a_result_beyond_the_promise_is_wrong(off):
    graph, inputs, ours, theirs = computed(*SMALL["sigmoid"])
    ours["y"][0, 3, 2, 1] += np.float32(off)
    assert not compare_with_onnxruntime(graph, inputs, ours, theirs, "float32")["y"].ok


def test_other_functions_and_other_outputs_have_no_allowance():
    text = "u = Relu(x) t = Tanh(u) e = Exp(t) y = Softplus(e) z = Sigmoid(x)"
    model = parse(f"(float[1,5,8,8] x) => (float[1,5,8,8] y, float[1,5,8,8] z) {{ {text} }}")
    inputs = {"x": np.random.default_rng(0).uniform(-3, 3, (2, 5, 8, 8)).astype(np.float32)}
    errors = onnxruntime_errors(hlsgen.load_graph(model), inputs)
    assert errors["y"].shape == errors["z"].shape == (2, 5, 8, 8)
    assert not errors["y"].any()
    np.testing.assert_allclose(errors["z"], 2e-7, rtol=0.4)  # both results are rounded to float32
