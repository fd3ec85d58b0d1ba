"""Files that come from outside, with any field wrong: an end in order, whatever they hold."""

import json
import os
import resource
import signal
from importlib import resources

import onnx
import pytest

from benchmarks.fuzz import records
from hlsgen.audit.findings import ERROR, Finding
from hlsgen.audit.verdict import verdict
from hlsgen.cli.main import main
from hlsgen.cli.unforeseen import STATUS
from hlsgen.codegen.place import own_files
from hlsgen.errors import LONGEST_NAME, abbreviated
from hlsgen.left import AUDIT, QUANTISATION, VALIDATION, leave, left
from hlsgen.model.calibration import default_calibration
from tests.support.cases import case


@pytest.mark.emulator
@pytest.mark.slow
def test_any_field_of_any_file(capfd):
    """`python -m benchmarks.fuzz records` tries thousands."""
    assert records.run(60, seed=1) == 0, capfd.readouterr().out


def test_what_nobody_foresaw_ends_in_one_line_and_a_file(monkeypatch, capsys):
    def fail(*_):
        raise LookupError("no such thing")

    monkeypatch.setattr("hlsgen.cli.boards.execute", fail)
    assert main(["boards"]) == STATUS
    said = capsys.readouterr().err
    assert "internal error (LookupError: no such thing)" in said and "Traceback" not in said
    file = next(word.rstrip(",") for word in said.split() if "hlsgen-error-" in word)
    with open(file) as kept:
        text = kept.read()
    assert "hlsgen boards" in text and "Traceback" in text


def test_long_names_are_cut_in_messages():
    said = abbreviated("layer " + "n" * 200_000 + " is unknown")
    assert said.startswith("layer nnn") and said.endswith("nnn is unknown")
    assert len(said) < LONGEST_NAME + 40


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    onnx.save(case("add_residual"), folder / "net.onnx")
    built = folder / "design"
    assert main(["build", str(folder / "net.onnx"), "--style", "base", "--out", str(built)]) == 0
    return built


def limited(size, *arguments):
    """A command's status where no file may grow beyond so many bytes, as on a full disk."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        os._exit(main([str(argument) for argument in arguments]))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_what_cannot_be_written_whole_leaves_what_was_there(design, tmp_path):
    assert main(["report", str(design)]) == 0
    before = {path: path.read_bytes() for path in design.rglob("*") if path.is_file()}
    assert limited(2000, "report", design) == 2
    assert limited(2000, "zoo", "lenet5", "-o", tmp_path / "net.onnx") == 2
    model = design.parent / "net.onnx"
    assert limited(2000, "build", model, "--style", "base", "--out", design) == 2
    assert {path: path.read_bytes() for path in design.rglob("*") if path.is_file()} == before
    assert not list(tmp_path.iterdir())


def test_a_verdict_of_another_form_says_nothing(design):
    """As another version may have left it: sealed, and not what this one shows."""
    for name, record in ((AUDIT, {"ok": True}), (VALIDATION, {"ok": 1}), (QUANTISATION, {})):
        leave(design, name, record)
        assert (design / name).is_file() and left(design, name) is None
        (design / name).unlink()


@pytest.mark.parametrize("content", ['{"generator": 1, "files": []}', "{}", "[" * 100_000])
def test_a_folder_whose_manifest_is_none_is_nobodys(content, tmp_path):
    (tmp_path / "design.json").write_text(content)
    assert own_files(tmp_path) is None


@pytest.mark.parametrize("key", ["ok", "surprise", "digest", "design"])
def test_a_verdict_that_was_changed_says_nothing(key, design):
    found = verdict([Finding("loops", "k", 1, ERROR, "slow")])
    leave(design, AUDIT, found)
    assert left(design, AUDIT) == found
    text = (design / AUDIT).read_text()
    (design / AUDIT).write_text(
        text.replace("{", f'{{"{key}": true,', 1).replace('"ok": false', '"ok": true')
    )
    assert left(design, AUDIT) is None
    (design / AUDIT).unlink()


@pytest.mark.parametrize("name", ["plan.json", "model.onnx"])
def test_a_design_with_a_file_of_another_is_refused(name, design, capsys):
    path = design / name
    before = path.read_bytes()
    path.write_bytes(before + (b" " if name == "plan.json" else b"\x00"))
    try:
        assert main(["report", str(design)]) == 2
        assert name in capsys.readouterr().err
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("kind", ["plan", "board", "device", "calibration"])
def test_schemas_describe_what_hlsgen_writes(kind, design, capsys):
    files = {
        "plan": (design / "plan.json").read_text(),
        "board": (resources.files("hlsgen.boards") / "de10_nano.json").read_text(),
        "device": (resources.files("hlsgen.boards") / "devices" / "cyclonev_c6.json").read_text(),
        "calibration": default_calibration().to_json(),
    }
    assert main(["schema", kind, "--json"]) == 0
    schema = json.loads(capsys.readouterr().out)["schema"]
    written = set(json.loads(files[kind]))
    assert set(schema["required"]) <= written <= set(schema["properties"])
    assert schema["additionalProperties"] is False
