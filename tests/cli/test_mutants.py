"""The list of faults that tests must notice still fits the tree, and its runner tells apart what it
should. None of them is tried here: `python -m benchmarks.mutation` does that."""

from dataclasses import replace

import pytest

from benchmarks.mutation import __main__ as command
from benchmarks.mutation.mutant import Mutant
from benchmarks.mutation.mutants import MUTANTS
from benchmarks.mutation.run import try_all
from tests.support.paths import ROOT

SOURCE = "def larger(a, b):\n    return a if a > b else b\n"
TESTS = """from code_under_test import larger
def test_orders(): assert larger(1, 2) == larger(2, 1) == 2
def test_nothing(): pass
def test_that_fails(): assert False
"""
GOOD = Mutant("good", "code_under_test.py", "a > b", "a < b", ("test_it.py::test_orders",), "")


def test_every_fault_can_still_be_put_in():
    assert {mutant.name: why for mutant in MUTANTS if (why := mutant.stale(ROOT))} == {}
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "code_under_test.py").write_text(SOURCE)
    (root / "test_it.py").write_text(TESTS)
    return root


def test_what_no_test_notices_survives(tree, monkeypatch, capsys):
    monkeypatch.setattr(command, "ROOT", tree)
    monkeypatch.setattr(
        command, "MUTANTS", (GOOD, replace(GOOD, name="blind", tests=("test_it.py::test_nothing",)))
    )
    assert command.main([]) == 1
    told = capsys.readouterr().out
    assert (
        "killed    good" in told
        and "survived  blind" in told
        and "1 killed, 1 survived, 0 broken" in told
    )
    assert command.main(["good"]) == 0
    assert (tree / "code_under_test.py").read_text() == SOURCE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"old": "a >= b"}, "stands 0 times"),
        ({"old": "a"}, "stands 4 times"),
        ({"new": "a > b"}, "changes nothing"),
        ({"file": "gone.py"}, "no gone.py"),
        ({"tests": ()}, "names no tests"),
        ({"tests": ("test_it.py::test_gone",)}, "no test test_it.py::test_gone"),
        ({"tests": ("test_it.py::test_that_fails",)}, "do not pass without"),
    ],
)
def test_an_entry_that_proves_nothing_is_broken(changes, words, tree):
    (outcome,) = try_all([replace(GOOD, **changes)], tree)
    assert outcome.verdict == "broken" and words in outcome.detail


def test_a_fault_that_keeps_tests_from_running_proves_nothing(tree):
    (outcome,) = try_all([replace(GOOD, old="def larger(a, b)", new="def larger(a, b")], tree)
    assert outcome.verdict == "broken"


def test_a_name_that_is_no_mutant_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["nothing of that name"])
    assert ended.value.code == 2 and "no mutant is called" in capsys.readouterr().err
