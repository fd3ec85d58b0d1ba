"""`benchmarks.regression` finds designs equal that are, and tells what differs where something
does."""

import json
import shutil

import onnx
import pytest

from benchmarks.designs import Job, made
from benchmarks.regression.__main__ import main
from benchmarks.regression.compare import ASPECTS, differences
from benchmarks.regression.text import compared
from tests.support.cases import case
from tests.support.paths import ROOT

TEXT = """#define TWICE(x) (2 * (x)) // macro
channel float a_to_b;
__kernel void a(__global const float *restrict data) {
    for (int i = 0; i < 4; ++i) write_channel_intel(a_to_b, fmax(TWICE(data[i]), 0.5f)); /* here */
}
__kernel void b(__global float *restrict data) {
    for (int i = 0; i < 4; ++i) data[i] = read_channel_intel(a_to_b);
}
"""


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    """A design, made twice: the replies and the folders."""
    folder = tmp_path_factory.mktemp("designs")
    onnx.save(case("gemm"), folder / "gemm.onnx")
    outs = folder / "one", folder / "two"
    jobs = [Job("pac_a10", "folded", out=str(out)) for out in outs]
    return made(ROOT, folder / "gemm.onnx", jobs), outs


def test_a_design_is_equal_to_itself(design):
    replies, folders = design
    assert differences(*replies, folders) == dict.fromkeys(ASPECTS, "")


@pytest.mark.parametrize(
    ("aspect", "file", "before", "after"),
    [
        ("text", "kernels/gemm.cl", b"; ++i", b"; i += 2"),
        ("host", "design.json", b'"buffer": "features"', b'"buffer": "weights"'),
        ("weights", "weights", b"\x00", b"\x01"),
        ("plan", "plan.json", b'"burst": ', b'"burst": 1'),
    ],
)
def test_an_altered_file_is_reported(design, tmp_path, aspect, file, before, after):
    replies, (one, two) = design
    altered = tmp_path / "altered"
    shutil.copytree(two, altered)
    content = (altered / file).read_bytes()
    (altered / file).write_bytes(content.replace(before, after, 1))
    found = differences(*replies, (one, altered))
    assert before in content and [name for name in ASPECTS if found[name]] == [aspect]


@pytest.mark.parametrize(
    ("aspect", "place"),
    [
        ("cycles", ("estimate", "layers", 0, "cycles")),
        ("bytes", ("estimate", "layers", 0, "bytes")),
        ("bytes", ("bytes",)),
        ("DSPs", ("estimate", "resources", "dsps")),
        ("memory blocks", ("estimate", "resources", "blocks")),
        ("ALMs", ("estimate", "resources", "alms")),
        ("clock", ("estimate", "resources", "fmax")),
        ("images/s", ("estimate", "throughput_fps")),
    ],
)
def test_an_altered_figure_is_reported(design, aspect, place):
    (before, after), folders = design
    after = json.loads(json.dumps(after))
    owner = after
    for step in place[:-1]:
        owner = owner[step]
    owner[place[-1]] *= 1 + 1e-6
    found = differences(before, after, folders)
    assert [name for name in ASPECTS if found[name]] == [aspect]


def test_a_design_in_one_checkout_alone_is_reported(design):
    (before, _), folders = design
    for after in ({"refused": "it does not fit"}, {"failed": "KeyError: 0"}):
        assert str(*after.values()) in differences(before, after, folders)["made"]
    assert differences({"failed": "x"}, {"failed": "x"}, folders)["made"]
    assert differences({"refused": "x"}, {"refused": "y"}, folders) == {"made": ""}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ([("// macro", "// other"), ("/* here */", ""), ("    for", "\n for")], ""),
        ([("a_to_b", "a_into_b"), ("TWICE", "DOUBLE")], "names"),
        (
            [
                ("int i = 0; i < 4; ++i) d", "int j = 0; j < 4; ++j) d"),
                ("data[i] = r", "data[j] = r"),
            ],
            "names",
        ),
        ([("(a_to_b, f", "(a_into_b, f")], "differs"),
        ([("int i = 0; i < 4; ++i) d", "int data = 0; data < 4; ++data) d")], "differs"),
        ([("fmax", "fmin")], "differs"),
        ([("float", "double")], "differs"),
        ([("0.5f", "0.25f")], "differs"),
        ([("// macro\n", "")], "differs"),
        ([("#define TWICE", "\n#undef Y\n#define TWICE")], "differs"),
        (
            [("= read_channel_intel(a_to_b);\n", "= read_channel_intel(a_to_b); int c;\n")],
            "differs",
        ),
    ],
)
def test_texts_are_equal_up_to_names_comments_and_whitespace(changes, verdict):
    text = TEXT
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    for one, two in ((TEXT, text), (text, TEXT)):
        found = compared(one, two)
        assert ("differs" if found.difference else "names" if found.renamed else "") == verdict


@pytest.mark.slow
def test_another_checkout_with_other_templates(tmp_path, capsys):
    """One whose text alone differs; its own code makes the designs."""
    for name in ("host", "templates", "hlsgen"):
        shutil.copytree(
            ROOT / name, tmp_path / name, symlinks=True, ignore=shutil.ignore_patterns("*.pyc")
        )
    template = tmp_path / "templates" / "layered" / "elementwise.j2"
    template.write_text(template.read_text().replace("for (", "for (;;) for (", 1))
    options = ["--only", "relu", "--boards", "pac_a10", "--styles", "pipelined,base"]
    assert main(["--against", str(tmp_path), *options]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("relu base pac_a10: text: ") and "for ( ; ; )" in told[0]
    counts = {words[0]: words[1:4] for line in told[1:] if (words := line.split())}
    assert counts["text"] == ["1", "0", "1"] and counts["weights"] == ["2", "0", "0"]
