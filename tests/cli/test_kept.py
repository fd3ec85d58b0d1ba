"""What benchmarks keep: runs that are done, tables in pages."""

from benchmarks import boards
from benchmarks.kept import Finished, put_into


def test_runs_that_are_done_are_not_made_again(tmp_path):
    done = Finished(tmp_path / "done.jsonl")
    made = []
    for key in ({"n": 1}, {"n": (2, 3)}, {"n": 1}):
        done.make(key, lambda key=key: made.append(key) or len(made))
    assert made == [{"n": 1}, {"n": (2, 3)}]
    again = Finished(tmp_path / "done.jsonl")
    assert [again.result({"n": n}) for n in (1, (2, 3), 4)] == [1, 2, None]
    assert again.results() == [1, 2]


def test_a_last_line_that_was_cut_off_is_made_again(tmp_path):
    done = Finished(tmp_path / "done.jsonl")
    for n in (1, 2):
        done.make({"n": n}, lambda n=n: n)
    done.path.write_text(done.path.read_text()[:-5])
    assert done.results() == [1]
    for n in (2, 3):
        done.make({"n": n}, lambda n=n: 10 * n)
    assert done.results() == [1, 20, 30]


def test_a_table_is_put_into_its_place(tmp_path):
    text = "before\n<!-- a: made by -->\n\nold\n\n<!-- end -->\n\n<!-- b: x -->\n<!-- end -->\n"
    document = tmp_path / "d.md"
    document.write_text(text)
    put_into(document, "a", "| new |")
    assert document.read_text() == text.replace("old", "| new |")


def test_boards_go_on_where_they_were(tmp_path, monkeypatch, capsys):
    """Each network is read once, and not at all where all its plans are there; the table is that of
    all plans, and is put into the page."""
    loaded = []
    boards.load.cache_clear()
    monkeypatch.setattr(boards, "network", lambda name, size: loaded.append(name))
    monkeypatch.setattr(boards.hlsgen, "load_graph", lambda model: model)
    monkeypatch.setattr(
        boards,
        "planned",
        lambda graph, name, kind, count: boards.Row(name, kind, count, "pipelined", 10.0 * count),
    )
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- end of the table -->\nafter\n")
    for counts, networks in (("1,2", "a"), ("1,2", "a"), ("1,2", "a,b")):
        words = ["boards", "--networks", networks, "--types", "float32", "--counts", counts]
        monkeypatch.setattr(
            "sys.argv", [*words, "--rows", str(tmp_path / "rows"), "--write", str(page)]
        )
        boards.main()
    assert loaded == ["a", "b"]
    before, *rows, after = page.read_text().splitlines()
    assert (before, after) == ("before", "after")
    assert [row.split("|")[1:4] for row in rows if row.startswith(("| a", "| b"))] == [
        [f" {name} ", " float32 ", f" {count} "] for count in (1, 2) for name in "ab"
    ]
