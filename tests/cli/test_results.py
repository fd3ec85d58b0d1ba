"""The page of results is what its parts make, and each part that is kept is one of them."""

from benchmarks.results import parts
from benchmarks.results.page import PARTS, page
from tests.support.paths import ROOT


def test_the_page_is_made_of_its_parts():
    assert (ROOT / "docs" / "results.md").read_text() == page()
    assert {path.stem for path in parts.FOLDER.glob("*.md")} <= PARTS.keys()


def test_a_part_names_its_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "FOLDER", tmp_path / "made")
    monkeypatch.setattr(parts, "git", lambda name, *rest: {"status": "", "log": "abc1234"}[name])
    part = parts.Part("some-part", lambda: iter(["| a | 1 |"]))
    assert parts.kept(part) == parts.Made()
    parts.renew(part)
    assert parts.kept(part) == parts.Made("abc1234", "abc1234", ("| a | 1 |",))
