"""The tutorial, the how-to pages and the notebook do what they say: their commands and their Python
are run, in order; and every command line of all documents has arguments that there are."""

import csv
import json
import re
import shlex
from importlib.util import find_spec

import numpy as np
import onnx
import pytest

from hlsgen.calibrate.samples import COLUMNS
from hlsgen.cli.main import main, parser
from tests.support.networks import parse
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(path.stem for path in (DOCS / "how-to").glob("*.md"))
BLOCK = re.compile(r"^```(\w*)(?: (\w+))?\n(.*?)^```", re.S | re.M)
NETWORKS = {
    "net": """(float[1,1,8,8] x, float[4,1,3,3] a, float[5,144] w) => (float[1,5] y) {
        c = Conv(x, a) r = Relu(c) f = Flatten(r) y = Gemm<transB=1>(f, w) }""",
    "det": """(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4] y) {
        c = Conv(x, w) y = Det(c) }""",
    "dynamic": """(float[N,3,H,W] x, float[4,3,3,3] w) => (float[N,4,P,Q] y) {
        y = Conv(x, w) }""",
}
# What stands for something else in a command line, in documents that show its form.
FORMS = re.compile(r"\.\.\.|[A-Z]{3,}|\bN\b|\bM\b|\bD\b|…|\[|#")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with what the pages take for granted."""
    monkeypatch.chdir(tmp_path)
    for name, text in NETWORKS.items():
        onnx.save(parse(text), f"{name}.onnx")
    random = np.random.default_rng(1)
    with open("compiles.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for n in range(12):
            estimate = random.uniform([1000, 2000, 30, 30, 30], [30000, 60000, 900, 900, 900])
            fitted = (0.7 * estimate[0], 0, 0.9 * estimate[2], estimate[3], 0)
            rows.writerow([f"design{n % 3}", "pac_a10", "19.4", f"kernel{n}", *estimate, *fitted])
    return tmp_path


def run_console(text, capsys):
    """Run the commands of a block, and look for the lines that follow each in what it prints: in
    order, `...` for any number of others. One that prints an error ends with status 2."""
    commands = re.split(r"^\$ ", text, flags=re.M)[1:]
    for command, _, output in (part.partition("\n") for part in commands):
        wanted = [line for line in output.splitlines() if line and line != "..."]
        capsys.readouterr()
        status = main(shlex.split(command)[1:])
        printed = "".join(capsys.readouterr())
        assert status == (2 if any(line.startswith("error") for line in wanted) else 0), printed
        assert all(line in printed for line in wanted), printed


def run_page(text, capsys, space, skipped=()):
    """Run the blocks of a page in order."""
    for kind, mark, block in BLOCK.findall(text):
        if mark in skipped:
            continue
        if kind == "python":
            exec(block, space)
        elif kind == "console":
            run_console(block, capsys)
        elif not kind:
            lines = [line for line in block.splitlines() if line.startswith("hlsgen ")]
            run_console("".join(f"$ {line}\n" for line in lines), capsys)


@pytest.mark.parametrize("page", PAGES)
def test_how_to(page, here, capsys):
    text = (DOCS / "how-to" / f"{page}.md").read_text()
    assert BLOCK.search(text)
    run_page(text, capsys, {})


@pytest.mark.emulator
def test_tutorial(here, capsys):
    pytest.importorskip("torch")
    text = (DOCS / "tutorial.md").read_text()
    run_page(text, capsys, {}, () if find_spec("onnxscript") else ("dynamo",))
    assert (here / "digits.tar.gz").is_file()
    template = (ROOT / "templates" / "deploy" / "README.md.j2").read_text()
    there = [line for line in re.findall(r"^    (\S.*)", text, re.M) if not BLOCK.search(line)]
    for line in (line for line in there if re.match(r"python -m|make", line)):
        assert f"    {line}" in template, line


@pytest.mark.emulator
def test_notebook(here):
    space = {}
    cells = json.loads((DOCS / "notebook.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    for text in code:
        exec(text, space)
    assert space["y"].shape == (4, 10) and len(code) == 5


def command_lines():
    """The commands that documents show, by document and line."""
    for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md"))):
        text = path.read_text()
        blocks = "".join(block for _, _, block in BLOCK.findall(text))
        indented = re.findall(r"^    \S.*", BLOCK.sub("", text), re.M)
        for line in (*blocks.splitlines(), *indented):
            found = re.match(r"(?:    |\$ )?((?:python -m )?hlsgen [a-z]\S* .*)", line)
            command = found[1].split("  #")[0].strip() if found else ""
            if command and not FORMS.search(command) and not command.endswith("\\"):
                yield pytest.param(command, id=f"{path.name} {command[:60]}")


@pytest.mark.parametrize("command", list(command_lines()))
def test_commands_have_arguments_that_there_are(command):
    words = shlex.split(command.removeprefix("python -m "))
    parser().parse_args(words[1:])
