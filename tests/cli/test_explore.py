"""Exploration: the front is one, results are kept and taken up again, a Dask cluster gives the
same, compiles are farmed out."""

import json
import re
import stat
from concurrent.futures import CancelledError, Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import onnx
import pytest

from hlsgen.cli.main import main
from hlsgen.explore import execute
from hlsgen.explore.execute import ExploreError, run_points
from hlsgen.explore.farm import compile_all
from hlsgen.explore.points import CRITERIA, dominates, front, grid
from hlsgen.zoo import network
from tests.support.browser import looked_at


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "lenet5.onnx"
    onnx.save(network("lenet5"), path)
    return str(path)


@pytest.fixture(scope="module")
def explored(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("explored")
    options = [
        "--boards",
        "pac_d5005,de10_nano",
        "--styles",
        "pipelined,folded",
        "--shares",
        "1,0.5",
        "--jobs",
        "2",
    ]
    assert main(["explore", model, *options, "--out", str(out)]) == 0
    return out


@pytest.mark.slow
def test_front_is_undominated(explored):
    results = json.loads((explored / "results.json").read_text())
    best = [r for r in results if r["pareto"]]
    valid = [r for r in results if not r["error"]]
    assert len(results) == 8 and best and any(r["error"] for r in results)
    for r in valid:
        beaten = any(dominates(other, r) for other in valid)
        twin = any(all(r[name] == other[name] for name, _ in CRITERIA) for other in best)
        assert twin == (not beaten) and not (r["pareto"] and beaten)


def test_files(explored):
    rows = (explored / "results.csv").read_text().splitlines()
    assert len(rows) == 9 and rows[0].startswith("key,board,style")
    page = (explored / "explore.html").read_text()
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    data, results = json.loads(text), json.loads((explored / "results.json").read_text())
    shown = [key for r in data["results"] for key in (r["key"], *r["others"])]
    assert sorted(shown) == sorted(r["key"] for r in results)
    designs = [r["design"] for r in data["results"] if not r["error"]]
    assert len(designs) == len(set(designs)) < len([r for r in results if not r["error"]])
    assert len(data["plots"]) == 4 and "default-src 'none'" in page
    assert (explored / "pareto.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_page_in_a_browser(explored, tmp_path):
    page = (explored / "explore.html").read_text()
    found, said = looked_at([(1400, page), (390, page)], tmp_path)
    assert not said
    for width, seen in zip((1400, 390), found, strict=True):
        assert seen["scroll"] <= width and not seen["cut"] and not seen["loaded"]
        assert seen["least"] >= 11 and seen["charts"] == 4


def test_where_nothing_fits_it_says_why(model, tmp_path, capsys):
    options = ["--boards", "de10_nano", "--styles", "pipelined", "--shares", "0.1", "--jobs", "1"]
    assert main(["explore", model, *options, "--out", str(tmp_path / "x")]) == 1
    assert re.search(r"de10_nano-pipelined-throughput-0.1: .* may be used", capsys.readouterr().out)
    assert "may be used" in (tmp_path / "x" / "explore.html").read_text()


class Counting:
    """An executor that counts what it is given and runs it at once."""

    def __init__(self):
        self.submitted = 0

    def submit(self, function, *arguments):
        from concurrent.futures import Future

        self.submitted += 1
        future = Future()
        future.set_result(function(*arguments))
        return future


def along(model, folder, style, axis, values):
    """The results of one style on PAC D5005 along an axis, and the outcome where a value is no
    number."""
    options = [
        "explore",
        model,
        "--boards",
        "pac_d5005",
        "--styles",
        style,
        "--shares",
        "1",
        "--jobs",
        "1",
        "--out",
        str(folder / "x"),
    ]
    assert main([*options, axis, values]) == 0
    assert main([*options, axis, "1,many"]) != 0
    return json.loads((folder / "x" / "results.json").read_text())


@pytest.mark.slow
def test_images_a_launch_are_an_axis_of_folded_designs_alone(model, tmp_path):
    points = grid(["pac_a10"], ["pipelined", "folded"], ["throughput"], [1.0], 0, "", [4, 1])
    assert [(p.style, p.images) for p in points] == [("pipelined", 1), ("folded", 4), ("folded", 1)]
    assert len({p.key for p in points}) == 3
    one, four = along(model, tmp_path, "folded", "--images", "1,4")
    assert four["images"] == 4 and four["throughput_fps"] > one["throughput_fps"]
    assert four["latency_ms"] > one["latency_ms"]


@pytest.mark.slow
def test_copies_are_an_axis_of_pipelined_designs_alone(model, tmp_path):
    points = grid(["pac_a10"], ["pipelined", "folded"], ["throughput"], [1.0], 0, "", [1], [1, 2])
    assert [(p.style, p.copies) for p in points] == [
        ("pipelined", 1),
        ("pipelined", 2),
        ("folded", 1),
    ]
    assert len({p.key for p in points}) == 3
    one, two = along(model, tmp_path, "pipelined", "--copies", "2,1")
    assert (one["copies"], two["copies"]) == (1, 2) and two["dsps"] > one["dsps"]


def test_resumed_runs_repeat_nothing(model, tmp_path):
    points = grid(["pac_a10"], ["pipelined", "folded"], ["throughput"], [1.0], 0, "")
    first, second, third, last = Counting(), Counting(), Counting(), Counting()
    one = run_points(model, points[:1], tmp_path, first)
    with open(tmp_path / "results.jsonl", "a") as file:
        file.write('{"key": "cut off')  # as an interrupted run leaves it
    both = run_points(model, points, tmp_path, second)
    assert (first.submitted, second.submitted) == (1, 1) and both[0] == one[0]
    with open(tmp_path / "results.jsonl", "ab") as file:
        file.write(b'{"identity": []}\n[1]\n\xff\n' + b"[" * 100_000)  # as nothing leaves it
        half = both[1] | {"throughput_fps": "much"}, {"identity": both[1]["identity"], "error": ""}
        file.writelines(b"\n" + json.dumps(line).encode() for line in half)
    assert run_points(model, points, tmp_path, last) == both and last.submitted == 0
    other = tmp_path / "other.onnx"
    onnx.save(network("lenet5", seed=3), other)
    run_points(other, points[:1], tmp_path, third)
    assert third.submitted == 1  # results of another network are not taken


class Late(Future):
    """A job that runs when its result is asked for."""

    def __init__(self, run):
        super().__init__()
        self.run = run

    def result(self, timeout=None):
        return self.run()


class Dying(Executor):
    """A pool whose worker dies with its second job."""

    def __init__(self, error):
        self.error, self.jobs = error, 0

    def submit(self, function, /, *arguments, **options):
        self.jobs += 1
        if self.jobs != 2:
            return Late(lambda: function(*arguments, **options))
        future = Future()
        future.set_exception(self.error)
        return future


@pytest.fixture
def dead_first(monkeypatch):
    """The worker that died is told before any other is done."""
    monkeypatch.setattr(
        execute, "as_completed", lambda jobs: sorted(jobs, key=lambda job: not job.done())
    )


class KilledWorker(Exception):
    """As Dask has it."""


KilledWorker.__module__ = "distributed.scheduler"


@pytest.mark.parametrize("error", [BrokenProcessPool(), CancelledError(), KilledWorker()])
def test_a_worker_that_dies_is_told_and_the_rest_is_kept(error, model, tmp_path, dead_first):
    points = grid(["pac_a10"], ["base", "pipelined"], ["throughput"], [1.0], 0, "")
    with pytest.raises(ExploreError, match="the same command goes on"):
        run_points(model, points, tmp_path, Dying(error))
    again = Counting()
    assert len(run_points(model, points, tmp_path, again)) == 2 and again.submitted == 1
    with pytest.raises(ZeroDivisionError):
        run_points(model, points, tmp_path / "other", Dying(ZeroDivisionError()))


def test_a_compile_that_dies_leaves_the_others_to_end(tmp_path, dead_first):
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        (folder / "Makefile").write_text("hardware:\n\ttrue\n")
    with pytest.raises(ExploreError, match="the same command goes on"):
        compile_all(folders, Dying(KilledWorker()), "aoc")
    assert [(folder / "aoc.json").exists() for folder in folders] == [True, False, True]


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same(model, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        options = ["--boards", "pac_a10", "--styles", "pipelined", "--shares", "1"]
        assert (
            main(
                [
                    "explore",
                    model,
                    *options,
                    "--out",
                    str(tmp_path / "a"),
                    "--scheduler",
                    cluster.scheduler_address,
                ]
            )
            == 0
        )
    assert main(["explore", model, *options, "--out", str(tmp_path / "b"), "--jobs", "1"]) == 0
    assert (tmp_path / "a" / "results.csv").read_text() == (
        tmp_path / "b" / "results.csv"
    ).read_text()


def stand_in(tmp_path, fails):
    """An aoc that fails so many times, then writes its output."""
    script = tmp_path / "aoc"
    script.write_text(
        f"""#!/bin/sh
count=$(cat {tmp_path}/count 2>/dev/null || echo 0)
echo $((count + 1)) > {tmp_path}/count
echo "aoc $@"
[ "$count" -lt {fails} ] && exit 3
while [ $# -gt 1 ]; do [ "$1" = -o ] && echo image > "$2"; shift; done
"""
    )
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    return script


@pytest.mark.slow
def test_compiles_are_farmed_out_and_tried_again(model, tmp_path, capsys):
    aoc = stand_in(tmp_path, fails=1)
    options = [
        "--boards",
        "pac_a10",
        "--styles",
        "folded",
        "--shares",
        "1",
        "--jobs",
        "1",
        "--compile",
        str(aoc),
        "--retries",
        "2",
        "--json",
    ]
    assert main(["explore", model, *options, "--out", str(tmp_path / "out")]) == 0
    outcome = json.loads(capsys.readouterr().out)["compiled"][0]
    assert outcome["status"] == 0 and outcome["tries"] == 2 and outcome["images"]
    log = Path(outcome["log"]).read_text()
    assert "-board=pac_a10" in log and log.count("# try") == 2
    again = compile_all(
        [tmp_path / "out" / "designs" / p.name for p in (tmp_path / "out" / "designs").iterdir()],
        Counting(),
        str(aoc),
    )
    assert (
        again[0]["tries"] == 2 and (tmp_path / "count").read_text().strip() == "2"
    )  # not compiled twice


@pytest.mark.slow
def test_a_compile_that_never_works(model, tmp_path):
    aoc = stand_in(tmp_path, fails=99)
    options = [
        "--boards",
        "pac_a10",
        "--styles",
        "folded",
        "--shares",
        "1",
        "--jobs",
        "1",
        "--compile",
        str(aoc),
        "--retries",
        "1",
    ]
    assert main(["explore", model, *options, "--out", str(tmp_path / "out")]) == 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--boards", "zx81"], "unknown board"),
        (["--styles", "baroque"], "unknown value"),
        (["--shares", "2"], "shares between 0 and 1"),
        (["--objective", "resources"], "--fps"),
        (["--scheduler", "tcp://127.0.0.1:9"], "no Dask scheduler"),
    ],
)
@pytest.mark.slow
def test_bad_options(options, word, model, tmp_path, capsys):
    assert main(["explore", model, *options, "--out", str(tmp_path / "out")]) == 2
    assert word in capsys.readouterr().err


def test_front_of_equals():
    one = {"error": "", "throughput_fps": 1, "latency_ms": 1, "dsps": 1, "blocks": 1, "alms": 1}
    assert front([one, dict(one), one | {"error": "x"}, one | {"dsps": 2}]) == [one]
