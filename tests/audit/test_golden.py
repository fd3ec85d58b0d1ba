"""The audit reads every kind of design that there is."""

import re

import pytest

from hlsgen.audit.design import audit_text
from tests.support.paths import ROOT

TEXTS = sorted((ROOT / "tests/codegen/golden").glob("*.cl"))


@pytest.mark.slow
@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.stem)
def test_every_kernel_of_every_style_is_read(path):
    text = path.read_text()
    lines = text.splitlines()
    kernels = audit_text(text)
    assert [k.name for k in kernels] == re.findall(r"__kernel void (\w+)\(", text)
    for kernel in kernels:
        assert all(
            re.search(r"\b(for|while|EVERY_\w+|\w+_STEP)\b", lines[loop.line - 1])
            for loop in kernel.loops
        )
        assert all(
            re.search("channel_intel|_STEP|_ROOM", lines[line - 1])
            for e in kernel.ends
            for line in e.lines
        )
        assert all(array.name in lines[array.line - 1] for array in kernel.arrays if array.line)
