"""onnxruntime as a witness of integer arithmetic: the same sums on every CPU."""

import os
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest

from hlsgen.onnxruntime_session import session
from tests.support.paths import ROOT

NETWORK = """<ir_version: 8, opset_import: ["" : 13]>
g ({kind}[1,64,3,3] q) => ({kind}[1,2,1,1] y)
<float s = {{1.0}}, {kind} z = {{0}}, float t = {{100000.0}}, int8 wz = {{0}}> {{
  x = DequantizeLinear(q, s, z) c = DequantizeLinear(w, s, wz) r = Conv(x, c)
  y = QuantizeLinear(r, t, z) }}"""


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_largest_products_do_not_saturate(kind):
    """Pairs of 255 x 127 pass 16 bits, where CPUs without VNNI would cut them off; in float, as
    int8 would be by default, these sums would be right too."""
    largest = np.iinfo(kind).max
    model = onnx.parser.parse_model(NETWORK.format(kind=kind))
    weights = np.full((2, 64, 3, 3), 127, np.int8)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    inputs = np.full((1, 64, 3, 3), largest, kind)
    (found,) = session(model.SerializeToString()).run(None, {"q": inputs})
    expected = round(64 * 9 * largest * 127 / 100000)
    assert found.ravel().tolist() == [expected] * 2


def test_it_tells_nobody_what_it_runs(tmp_path):
    """Telemetry begins with a file of its session."""
    code = "from hlsgen.onnxruntime_session import runtime; runtime().get_device()"
    variables = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    variables |= {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=variables, check=True)
    assert not list(tmp_path.iterdir())


def test_all_modules_import_it_so():
    plain = re.compile(r"^ *(import onnxruntime|from onnxruntime import)", re.MULTILINE)
    files = (*(ROOT / "hlsgen").rglob("*.py"), *(ROOT / "host").rglob("*.py"))
    alone = [text for path in files if plain.search(text := path.read_text())]
    assert alone and all("runtime()" in text or "DISABLE_TELEMETRY" in text for text in alone)
