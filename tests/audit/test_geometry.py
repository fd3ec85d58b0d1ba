"""The memories of the text are those that the model charges, in every style; one that is declared
otherwise is found."""

import re

import pytest

import hlsgen
from hlsgen.audit.findings import ERROR, ArrayAudit
from hlsgen.audit.geometry import Geometry, stated
from tests.schedule.test_structure import planned


def built(name, style, folder):
    return hlsgen.generate(*planned(name, style), folder / "design").path


def errors(folder):
    return [f for f in hlsgen.audit(folder).findings if f.severity == ERROR]


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pipelined", "folded", "hybrid"])
@pytest.mark.parametrize("name", ["lenet", "mixed", "mobilenet", "sparse", "skipping", "movement"])
def test_designs_are_clean(name, style, tmp_path):
    assert errors(built(name, style, tmp_path)) == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (
            r"(line\[\d+\])\[2\] (\w+)\(1, (\d+), 1\)",
            r"\1[2] \2(2, \3, 1)",
        ),  # another number of banks
        (r"(line\[\d+\]\[2\] \w+\(1, \d+), 1\)", r"\1, 2)"),  # a replicate more
        (r"line\[(\d+)\]\[2\]", r"line[1\1][2]"),  # a thousand words more
    ],
)
def test_another_geometry_is_found(pattern, text, tmp_path):
    folder = built("lenet", "pipelined", tmp_path)
    path = next((folder / "kernels").glob("*.cl"))
    changed, count = re.subn(pattern, text, path.read_text(), count=1)
    assert count
    path.write_text(changed)
    assert "geometry" in {f.rule for f in errors(folder)}


def test_what_attributes_say():
    array = ArrayAudit(
        "m",
        1,
        "[4 x float]",
        128,
        False,
        "",
        {"numbanks": (2,), "bankwidth": (8,), "max_replicates": (3,)},
        (),
        (),
        None,
    )
    assert stated(array) == Geometry(128, 2, 8, 3)
    assert (
        stated(ArrayAudit("m", 1, "[4 x float]", 128, False, "", {"memory": ()}, (), (), None))
        is None
    )
