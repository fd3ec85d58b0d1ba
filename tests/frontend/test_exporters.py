"""Files as exporters write them: the small ones of benchmarks/exporters, in numpy against
onnxruntime."""

import numpy as np
import pytest

import hlsgen
from hlsgen.host.images import random_values
from hlsgen.own_model import OwnModel
from hlsgen.reference import run_network

pytest.importorskip("torch")
from benchmarks.exporters.export import EXPORTERS, torchscript
from benchmarks.exporters.nhwc import channels_last
from benchmarks.exporters.patterns import PATTERNS

NAMES = (
    "strided residual",
    "channel shuffle",
    "classifier by view",
    "squeeze and excitation",
    "self attention",
    "a picture of bytes",
)


def check(model):
    graph = hlsgen.load_graph(model)
    (port,) = graph.inputs
    shape = port.view.value_shape
    inputs = {port.name: random_values(np.random.default_rng(0), shape, port.dtype)}
    found = run_network(graph, inputs)
    for name, wanted in OwnModel(model, {port.name: shape})(inputs).items():
        np.testing.assert_allclose(found[name].ravel(), wanted.ravel(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_torchscript_and_channels_last(name):
    """With a free batch as torch writes it, and with channels last as tf2onnx does."""
    check(torchscript(PATTERNS[name]))
    check(channels_last(torchscript(PATTERNS[name], free=False)))


@pytest.mark.slow
def test_dynamo():
    pytest.importorskip("onnxscript")
    check(EXPORTERS["dynamo"](PATTERNS["channel split"]))


def test_forty_patterns():
    assert len(PATTERNS) == 40
