"""Dimensions of inputs that exporters write as -1 or 0 are free: a shape may be given, and a batch
is one image."""

import onnx
import pytest

from hlsgen.cli.main import main
from hlsgen.data.evaluate import input_shape
from hlsgen.errors import ModelError
from hlsgen.frontend.load import load
from tests.support.networks import parse

CONV = "(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { y = Conv(x, w) }"


def with_sizes(sizes, opset=17, output=(1, 4, 6, 6)):
    """The network with other dimensions of its input and output."""
    model = parse(CONV, opset=opset)
    for value, wanted in ((model.graph.input[0], sizes), (model.graph.output[0], output)):
        for dimension, size in zip(value.type.tensor_type.shape.dim, wanted, strict=True):
            dimension.dim_value = size
    return model


@pytest.mark.parametrize("free", [-1, 0])
@pytest.mark.parametrize("opset", [11, 17])
def test_free_dimensions_can_be_given(free, opset):
    model = with_sizes((free, 3, free, free), opset, (free, 4, free, free))
    graph = load(model, shapes={"x": (1, 3, 9, 7)})
    assert graph.tensors[graph.outputs[0].tensor].shape == (4, 7, 5)
    with pytest.raises(ModelError, match=rf"(?s)axis 2 \({free}\) is dynamic.*--shape x=1,"):
        load(model)
    with pytest.raises(ModelError, match="the network fixes 3"):
        load(model, shapes={"x": (1, 4, 9, 7)})
    with pytest.raises(ModelError, match="gives -1 for axis 2"):
        load(model, shapes={"x": (1, 3, -1, 7)})


def test_a_free_batch_is_one_image():
    assert load(with_sizes((-1, 3, 8, 8))).inputs[0].image_shape == (1, 3, 8, 8)
    assert input_shape(with_sizes((-1, 3, 8, 8))) == (1, 3, 8, 8)
    with pytest.raises(ModelError, match="dynamic axes"):
        input_shape(with_sizes((1, 3, -1, 8)))


@pytest.mark.emulator
def test_a_network_with_free_dimensions_is_validated(tmp_path):
    model = with_sizes((-1, 3, -1, -1), output=(-1, 4, -1, -1))
    onnx.save(model, tmp_path / "m.onnx")
    out = tmp_path / "d"
    command = [
        "build",
        str(tmp_path / "m.onnx"),
        "--style",
        "base",
        "--shape",
        "x=1,3,9,7",
        "--out",
        str(out),
    ]
    assert main(command) == 0
    assert main(["validate", str(out)]) == 0
    assert main(["report", str(out)]) == 0
