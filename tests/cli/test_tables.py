"""Tables of the documents have the rows and titles that their commands print."""

from benchmarks.sizes import NETWORKS, STEPS, head
from benchmarks.sparsify import patterns
from tests.support.paths import ROOT


def test_sizes():
    page = (ROOT / "docs" / "sizes.md").read_text()
    assert head(list(STEPS)) in page
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    assert [row[0] for row in rows] == [f"| {title}" for title, _ in NETWORKS.values()]
    assert all(len(row) == 2 + len(STEPS) and all(row) for row in rows)


def test_patterns():
    page = (ROOT / "docs" / "sparsification.md").read_text()
    rows = page[page.index(patterns.HEAD) :].split("\n\n")[0].splitlines()[2:]
    titles = [row.split(" | ")[0] for row in rows]
    assert titles == [f"| {one.title}" for one in patterns.settings((0.9,))]
