"""Calibration: a known law is found again, reports are read in every shape that aoc writes, bad
ones are refused."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from hlsgen.calibrate.fit import evaluate, fit, overall
from hlsgen.calibrate.loops import read_loops, summary
from hlsgen.calibrate.nodes import ReportError, load_lenient
from hlsgen.calibrate.samples import COLUMNS, Clock, Sample, read_sources
from hlsgen.cli.main import main
from hlsgen.errors import PlanError
from hlsgen.model.calibration import (
    default_calibration,
    full_alms,
    load_calibration,
    parse,
    quantiles,
)

PACKING = 0.8


def samples(noise=0.0, designs=5):
    random = np.random.default_rng(1)
    found = []
    for n in range(designs * 4):
        estimate = random.uniform([1000, 2000, 30, 30, 30], [30000, 60000, 900, 900, 900])
        alm = PACKING * full_alms(estimate) * (1 + noise * random.standard_normal())
        found.append(
            Sample(
                f"design{n % designs}",
                "pac_a10",
                f"kernel{n}",
                tuple(estimate),
                (alm, 0, estimate[2] * 0.9, estimate[3], 0),
            )
        )
    return found


def test_a_law_is_found_again():
    calibration, errors = fit(samples())
    assert calibration.packing == PACKING and calibration.band == (1, 1, 1)
    # aoc's own memory blocks are nine tenths of the fit's, its DSPs are the fit's.
    assert calibration.errors == pytest.approx({"ALM": 0, "RAM": 1 / 0.9 - 1, "DSP": 0}, abs=1e-3)
    assert len(errors) == 5 and max(e.alm for e in errors) < 0.01


def test_errors_are_of_designs_left_out():
    calibration, errors = fit(samples(noise=0.2))
    inside = overall(evaluate(samples(noise=0.2), calibration.packing))
    assert overall(errors)["ALM"] > inside["ALM"] > 0.05
    with pytest.raises(ReportError, match="at least 6"):
        fit(samples()[:4])


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for s in rows:
            writer.writerow([s.design, s.board, "19.4", s.kernel, *s.estimate, *s.fitted])
        writer.writerow(["whole", "pac_a10", "19.4", "Full design", *[""] * 5, 1, 2, 3, 4, 5])


def test_csv_to_calibration_and_back(tmp_path, capsys):
    write_csv(tmp_path / "a.csv", samples(noise=0.1))
    assert (
        main(["calibrate", str(tmp_path / "a.csv"), "-o", str(tmp_path / "c.json"), "--json"]) == 0
    )
    fitted = json.loads(capsys.readouterr().out)
    assert (
        load_calibration(tmp_path / "c.json").packing == fitted["packing"]
        and fitted["errors"]["ALM"] < 0.2
    )
    options = ["calibrate", "--evaluate", str(tmp_path / "a.csv"), "--json"]
    assert main(options) == 0
    shipped = json.loads(capsys.readouterr().out)["errors"]
    assert main([*options, "--calibration", str(tmp_path / "c.json")]) == 0
    assert json.loads(capsys.readouterr().out)["errors"]["ALM"] < shipped["ALM"]


def test_a_calibration_changes_the_prediction(tmp_path):
    import hlsgen
    from hlsgen.model.estimate import estimate
    from hlsgen.zoo import network

    graph = hlsgen.load_graph(network("lenet5"))
    plan = hlsgen.schedule(graph, style="pipelined")
    from dataclasses import replace

    heavier = replace(default_calibration(), packing=2 * default_calibration().packing)
    assert estimate(graph, plan, heavier).resources.alms > estimate(graph, plan).resources.alms


AREA = {
    "name": "Kernel System",
    "type": "module",
    "max_resources": [854400, 1708800, 2713, 1518, 42720],
    "children": [
        {"name": "Static Partition", "type": "partition", "children": []},
        {
            "name": "Kernels",
            "type": "group",
            "children": [
                {
                    "name": "conv1",
                    "type": "function",
                    "total_kernel_resources": [30828.9, 65013, 346, 1280, 481],
                    "children": [],
                },
                {
                    "name": "old",
                    "type": "function",
                    "total_kernel_resources": [1000, 2000, 3, 4],
                    "children": [],
                },
            ],
        },
    ],
}
# As aoc 19.4 writes it: a bare backslash, no comma between two members, one too many at the end.
MALFORMED = """{"quartusFitResourceUsageSummary": {"nodes": [
 {"name": "conv1", "alm": "79,879.4", "reg": 263161, "dsp": 1280, "ram": 346,
  "mlab": 576, "path": "C:\\quartus"}
 {"name": "old", "alm": 900, "reg": 2100, "dsp": 4, "ram": 3, "mlab": 0},
]}}"""
REPORT = """ALUTs: 120000
Registers: 512,000
Logic utilization: 205,346 / 427,200 ( 48 % )
DSP blocks: 1,285 / 1,518 ( 85 % )
RAM blocks: 1,366 / 2,713 ( 50 % )
Actual clock freq: 237.5
Kernel fmax: 240.1
"""


def test_report_folders(tmp_path):
    folder = tmp_path / "design" / "reports" / "lib" / "json"
    folder.mkdir(parents=True)
    (folder / "area.json").write_text(json.dumps(AREA))
    (folder / "quartus.json").write_text(MALFORMED)
    (tmp_path / "design" / "acl_quartus_report.txt").write_text(REPORT)
    found, clocks, notes = read_sources([str(tmp_path / "design")])
    assert [s.kernel for s in found] == ["conv1", "old"]
    assert found[0].estimate == (30828.9, 65013, 346, 1280, 481) and found[0].fitted == (
        79879.4,
        263161,
        346,
        1280,
        576,
    )
    assert found[1].estimate == (1000, 2000, 3, 4, 0)  # no MLAB column in 17.1 and 18.1
    assert clocks[0].fmax == 237.5 and clocks[0].family == "arria10" and not notes
    assert clocks[0].percent == pytest.approx(
        (100 * 205346 / 427200, 100 * 1366 / 2713, 100 * 1285 / 1518)
    )


# A kernel with a nest, an unrolled loop, one that waits for memory, and one that is not pipelined.
LOOPS = {
    "columns": ["", "Pipelined", "II", "Speculated iterations", "Details"],
    "children": [
        {
            "name": "Kernel: conv1 (conv.cl:10)",
            "data": ["", "", ""],
            "children": [
                {
                    "name": "conv1.B1",
                    "data": ["Yes", ">=1", "0"],
                    "children": [
                        {
                            "name": "conv1.B2",
                            "data": ["Yes", "~1", "2"],
                            "children": [
                                {
                                    "name": "Fully unrolled loop",
                                    "data": ["n/a", "n/a", "n/a"],
                                    "children": [],
                                }
                            ],
                        },
                        {"name": "conv1.B3", "data": ["Yes", "~185", "0"], "children": []},
                    ],
                }
            ],
        },
        {
            "name": "pool",
            "data": ["", "", ""],
            "children": [{"name": "pool.B1", "data": ["No", "n/a", "n/a"], "children": []}],
        },
    ],
}


def test_loops_that_do_not_keep_the_pace_are_named(tmp_path, capsys):
    assert read_loops(tmp_path) is None
    (tmp_path / "loops.json").write_text(json.dumps(LOOPS))
    found = read_loops(tmp_path)
    assert [(loop.kernel, loop.name, loop.pipelined, loop.interval) for loop in found] == [
        ("conv1", "conv1.B2", True, 1),
        ("conv1", "conv1.B3", True, 185),
        ("pool", "pool.B1", False, None),
    ]
    text = (
        "1 of 3 innermost loops run at II 1; not so conv1.B3 of conv1 (II 185), pool.B1 "
        "of pool (not pipelined)"
    )
    assert summary(found) == text
    (tmp_path / "area.json").write_text(json.dumps(AREA))
    (tmp_path / "quartus.json").write_text(MALFORMED)
    assert main(["calibrate", "--evaluate", str(tmp_path)]) == 0
    assert "1 of 3 innermost loops" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "loops.json").write_text("{{{")
    with pytest.raises(ReportError, match="not JSON"):
        read_loops(tmp_path)


def test_clocks_are_fitted_for_their_own_family():
    random = np.random.default_rng(2)
    percent = [tuple(random.uniform(5, 70, 3)) for _ in range(12)]
    clocks = [
        Clock(f"d{i}", "arria10", 300 - 1.0 * p[0] - 0.5 * p[1] - 0.25 * p[2], p)
        for i, p in enumerate(percent)
    ]
    lines = fit(samples(), [*clocks, Clock("lonely", "stratix10", 300, (10, 10, 10))])[0].clocks
    assert list(lines) == ["arria10"] and lines["arria10"] == pytest.approx(
        (300, 1.0, 0.5, 0.25), rel=0.01
    )


def test_bad_reports(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "short.csv").write_text("design,board\na,b\n")
    (tmp_path / "text.csv").write_text(
        ",".join(COLUMNS) + "\n" + "d,b,19,k," + ",".join(["many"] * 10) + "\n"
    )
    for name, figure in (("no_number", "nan"), ("endless", "inf")):
        row = ",".join(["5"] * 5 + [figure] + ["5"] * 4)
        (tmp_path / f"{name}.csv").write_text(f"{','.join(COLUMNS)}\nd,b,19,k,{row}\n")
    (tmp_path / "bad.json").write_text("{{{")
    for arguments, word in (
        ([str(tmp_path / "nowhere")], "does not exist"),
        ([str(tmp_path / "empty")], "neither area.json"),
        ([str(tmp_path / "short.csv")], "lacks the columns"),
        ([str(tmp_path / "text.csv")], "line 2"),
        ([str(tmp_path / "no_number.csv")], "line 2: has a figure that is not positive"),
        ([str(tmp_path / "endless.csv")], "line 2: has a figure that is not positive"),
        ([], "give either"),
    ):
        assert main(["calibrate", *arguments]) == 2
        assert word in capsys.readouterr().err
    with pytest.raises(ReportError, match="after repair"):
        load_lenient(tmp_path / "bad.json")
    assert (
        main(
            [
                "calibrate",
                "--evaluate",
                str(tmp_path / "short.csv"),
                "--calibration",
                str(tmp_path / "bad.json"),
            ]
        )
        == 2
    )


def test_the_shipped_calibration_is_what_the_published_reports_say():
    from benchmarks.model import logic

    assert default_calibration() == logic.calibration()
    samples = [s for s in (*logic.designs(), *logic.kernels()) if logic.large(s)]
    assert {logic.author(s) for s in samples} == {"IntelLabs", "pc2"}
    low, _, high = default_calibration().band
    found = logic.ratios([*logic.designs(), *logic.kernels()])
    chosen = found[[logic.large(s) for s in (*logic.designs(), *logic.kernels())]]
    assert len(chosen) == 11 and float(np.mean(abs(1 / chosen - 1))) <= 0.2
    assert float(np.mean((low <= chosen) & (chosen <= high))) >= 0.8


def test_a_band_holds_what_it_says():
    """Measured ratios, none between two: eight of ten lie within, three of four below the upper
    quartile."""
    ratios = [0.5, 0.8, 0.9, 1.0, 1.0, 1.1, 1.2, 1.3, 1.6, 2.0]
    assert quantiles(ratios) == (0.5, 1.3, 2.0)
    assert quantiles([*ratios, 1.0]) == (0.8, 1.3, 1.6)


def test_options_without_effect_are_refused(tmp_path, capsys):
    reports, other = str(tmp_path / "a.csv"), str(tmp_path / "c.json")
    write_csv(Path(reports), samples())
    for arguments, flag in (
        (["--evaluate", reports, "-o", other], "--output"),
        ([reports, "--calibration", other], "--calibration"),
    ):
        assert main(["calibrate", *arguments]) == 2
        assert f"{flag}: " in capsys.readouterr().err


def test_a_band_holds_what_is_predicted():
    """Small kernels that pack less densely than the large ones, which decide what is predicted, all
    lie above it: the band begins there. A file with another band is refused."""
    assert quantiles([1.2, 1.3, 1.4, 1.5]) == (1.0, 1.5, 1.5)
    assert quantiles([0.5, 0.6, 0.7, 0.8]) == (0.5, 1.0, 1.0)
    text = default_calibration().to_json()
    for band in ([1.1, 1.2, 1.3], [0.7, 0.8, 1.3], [0.9, 1.4, 1.2]):
        with pytest.raises(PlanError, match="three rising factors"):
            parse(json.dumps(json.loads(text) | {"band": band}), "calibration")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ([300.0], "clocks.stratix10: lacks item 2"),
        ([300.0, 1, 1, 1, 1], "at most 4 items"),
        ([float("nan"), 1, 1, 1], "finite number, not NaN"),
    ],
)
def test_a_clock_of_other_figures_is_refused(line, words):
    data = json.loads(default_calibration().to_json())
    with pytest.raises(PlanError, match=words):
        parse(json.dumps(data | {"clocks": {"stratix10": line}}), "calibration")
