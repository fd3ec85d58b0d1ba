"""Every room has every style, and none compares their names."""

import re
from pathlib import Path

import pytest

import hlsgen
from hlsgen.codegen.generate import GENERATORS
from hlsgen.errors import UsageError
from hlsgen.model.styles import MODELS
from hlsgen.schedule.styles import PLANNERS
from hlsgen.style import PARTS, STYLES, effective, having
from tests.support.networks import parse

ROOT = Path(__file__).parents[2]
NAMES = "|".join(STYLES)
COMPARED = re.compile(rf"""(?:[!=]=|\bin\b)\s*[(\[{{]*\s*["'](?:{NAMES})["']""")


@pytest.mark.parametrize("room", [PLANNERS, MODELS, GENERATORS])
def test_every_room_has_every_style(room):
    assert set(room) == set(STYLES)


def test_no_name_of_a_style_is_compared():
    files = [*(ROOT / "hlsgen").rglob("*.py"), *(ROOT / "templates").rglob("*.j2")]
    found = {
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in files
        # Operators say themselves what they cannot do; training has a scheme of that name.
        if not {"ops", "train"} & set(file.relative_to(ROOT).parts)
        for line in file.read_text().splitlines()
        if COMPARED.search(line) and "scheme" not in line
    }
    assert len(files) > 200 and not found


def test_the_comparison_is_found():
    for text in ('style == "folded"', "style != 'base'", 'style in ("hybrid", x)'):
        assert COMPARED.search(text)


def test_parts():
    assert all(style.parts <= set(PARTS) for style in STYLES.values())
    assert having("images") == ("folded", "hybrid") and having("copies") == ("pipelined",)
    assert effective("hybrid", ("parameterised",)) == "layered"
    assert effective("pipelined", ("parameterised",)) == "pipelined"


def test_misspelt_names():
    graph = hlsgen.load_graph(parse("(float[1,3] x) => (float[1,3] y) { y = Relu(x) }"))
    with pytest.raises(UsageError, match=r"(?s)did you mean 'folded'.*auto, base, pipelined"):
        hlsgen.schedule(graph, style="foldde")
    with pytest.raises(UsageError, match="did you mean 'channels'"):
        hlsgen.schedule(graph, disable=["chanels"])
