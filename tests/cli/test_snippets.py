"""The documents' Python: mypy and pyright accept it, and README's first snippet runs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from hlsgen.zoo import network
from tests.support.paths import ROOT

DOCUMENTS = ("README.md", "docs/python.md")


def snippets():
    """The Python of the documents, by where it stands."""
    return {
        f"{name.partition('.')[0].replace('/', '_')}_{number}": text
        for name in DOCUMENTS
        for number, text in enumerate(
            re.findall(r"^```python\n(.*?)^```", (ROOT / name).read_text(), re.S | re.M)
        )
    }


@pytest.mark.slow
def test_mypy_accepts_the_documents(tmp_path):
    """As in a project that is strict about its own types. What hlsgen has of torch's is of no
    concern to them, and takes longest to read."""
    for name, text in snippets().items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "wrong.py").write_text("import hlsgen\nhlsgen.compile(board=5)\n")
    settings = tmp_path / "mypy.ini"
    settings.write_text(
        "[mypy]\nignore_missing_imports = True\n[mypy-torch.*]\nfollow_imports = skip\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]
    command += ["--config-file", str(settings), "--cache-dir", str(tmp_path / "cache")]
    command += [str(path) for path in sorted(tmp_path.glob("*.py"))]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = found.stdout.splitlines()
    assert lines and all("wrong.py" in line for line in lines[:-1]), found.stdout
    assert any("arg-type" in line for line in lines) and len(snippets()) >= 6


@pytest.mark.slow
def test_pyright_accepts_the_documents(tmp_path):
    """basedpyright is pyright as a package of Python's, with its rules under the name standard."""
    for name, text in snippets().items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "wrong.py").write_text("import hlsgen\nhlsgen.compile(board=5)\n")
    settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "standard"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    program = Path(sys.executable).with_name("basedpyright")
    command = [program, "--outputjson", "--pythonpath", sys.executable, "-p", str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    errors = json.loads(found.stdout)["generalDiagnostics"]
    assert errors and {Path(error["file"]).name for error in errors} == {"wrong.py"}, errors


@pytest.mark.emulator
def test_the_first_snippet_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    onnx.save(network("lenet5"), "lenet5.onnx")
    space = {}
    exec(snippets()["README_0"], space)
    with space["acc"]:
        assert space["y"].shape == (4, 10)
    assert "RIGHT: all 8 layers checked" in capsys.readouterr().out
