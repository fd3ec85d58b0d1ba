"""The numpy reference of every operator against onnxruntime, which nobody here wrote."""

import numpy as np
import pytest

import hlsgen
from hlsgen.reference import run_network
from tests.support.cases import CASES, case
from tests.support.networks import random_inputs, run_onnxruntime


@pytest.mark.parametrize("name", CASES)
def test_reference_equals_onnxruntime(name):
    model = case(name)
    inputs = random_inputs(model)
    expected = run_onnxruntime(model, inputs)
    result = run_network(hlsgen.load_graph(model), inputs)
    assert result.keys() == expected.keys()
    for key, value in expected.items():
        assert result[key].shape == value.shape
        np.testing.assert_allclose(result[key], value, rtol=1e-5, atol=1e-5 * np.abs(value).max())
