"""Files that come from outside, with any field wrong: an end in order, whatever they hold."""

import pytest

from benchmarks.fuzz import records
from hlsgen.cli.main import main
from hlsgen.cli.unforeseen import STATUS
from hlsgen.errors import LONGEST_NAME, abbreviated


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
