"""The few declarations that replace the header of the emulator's compiler: enough for every kernel,
and no limit."""

import re
from pathlib import Path

import numpy as np
import pytest

from hlsgen.activation import FUNCTIONS
from hlsgen.host.builtins import DECLARATIONS, signatures
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.host.runner import run
from tests.support.networks import build, images_for, parse

GOLDEN = sorted((Path(__file__).parents[1] / "codegen" / "golden").glob("*.cl"))
# The language's own words, what the small header and the compiler know, and attributes.
KNOWN = {
    "for",
    "if",
    "while",
    "defined",
    *(f"as_{kind}{width}" for kind in ("int", "uint", "float") for width in ("", 2, 4, 8, 16)),
    "read_channel_intel",
    "read_channel_nb_intel",
    "write_channel_intel",
    "__attribute__",
    "depth",
    "safelen",
    "array",
    "max_global_work_dim",
    "uses_global_work_offset",
    "num_compute_units",
    "get_compute_id",
    "memory",
    "numbanks",
    "bankwidth",
    "max_replicates",
    "simple_dual_port",
    "numreadports",
    "numwriteports",
}
DECLARED = {re.search(r"(\w+)\(", signature)[1] for signature in signatures()} | {"mem_fence"}


def called(text):
    """The functions that OpenCL text calls and does not define."""
    text = re.sub(r"//.*|\"[^\"]*\"", "", text)
    defined = re.findall(r"#define (\w+)|\b(?:void|float\d*|int|vec|lanes\d*) (\w+)\(", text)
    return set(re.findall(r"\b([a-z_]\w*)\s*\(", text)) - {
        name for pair in defined for name in pair
    }


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_function_of_a_kernel_is_declared(path):
    assert called(path.read_text()) <= DECLARED | KNOWN


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_every_function_of_an_activation_is_declared(kind):
    assert called(FUNCTIONS[kind].expression) <= DECLARED


def edited(tmp_path, *change):
    """A design that computes exp(x), with one change of its text."""
    design = build(
        parse("(float[1,3,4,4] x) => (float[1,3,4,4] y) { y = Exp(x) }"), tmp_path / "d", "base"
    )
    file = design.path / design.manifest.kernels[0]
    text = file.read_text()
    assert change[0] in text
    file.write_text(text.replace(*change))
    return HostDesign(design.path)


@pytest.mark.emulator
def test_other_functions_are_found_too(tmp_path):
    design = edited(tmp_path, "exp(", "exp2(")
    inputs = images_for(design)
    np.testing.assert_allclose(run(design, inputs).outputs["y"], np.exp2(inputs["x"]), rtol=1e-5)


@pytest.mark.emulator
def test_errors_name_the_line_of_the_kernel(tmp_path):
    design = edited(tmp_path, "exp(", "no_such_function(")
    line = next(
        n for n, text in enumerate(design.source.splitlines(), 1) if "no_such_function" in text
    )
    with pytest.raises(HostError, match=rf":{line}:\d+: error: .*no_such_function"):
        run(design, images_for(design))
    assert DECLARATIONS.endswith("#line 1\n")
