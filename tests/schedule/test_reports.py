"""Reports as aoc and Quartus really write them: members between square brackets, placeholders,
shares below one percent."""

import json
import sys

import pytest

from hlsgen.calibrate.fit import Errors, overall
from hlsgen.calibrate.samples import read_sources
from hlsgen.cli.main import main

AREA = {
    "name": "Kernel System",
    "children": [
        {
            "name": "conv1",
            "type": "function",
            "total_kernel_resources": [30828.9, 65013, 346, 1280, 481],
        },
        {"name": "pool1", "type": "function", "total_kernel_resources": [1000, 2000, 3, 4, 0]},
    ],
}
# aoc 19: members of an object between the brackets of an array.
BRACKETS = """{"quartusFitResourceUsageSummary":{"nodes":[
 {"name":"conv1","type":"kernel","data":["ALMs": 42322.6 ,"FFs": 154700, "RAMs": 346, "DSPs": 1280,
   "MLABs": 576 ],
  "details":[{"text":"fitted","links":[]}]},
 {"name":"pool1","type":"kernel","data":["ALMs": 900.5 ,"FFs": 2100, "RAMs": 3, "DSPs": 4,
   "MLABs": 0]}]}}"""
# Before Quartus has run. 18.1 writes text, 19.2 nothing.
PLACEHOLDERS = (
    '{"quartusFitResourceUsageSummary":{"nodes":[{"name":"conv1","alm":"TBD","reg":"TBD","dsp":"TBD","ram":"TBD"}]}}',
    '{"quartusFitResourceUsageSummary":{"nodes":[{"name":"conv1","data":["ALMs":"" '
    ',"FFs":"", "RAMs":""]}]}}',
    '{"quartusFitResourceUsageSummary":{"nodes":[]}}',
)
REPORT = """Logic utilization: 3,417 / 427,200 ( < 1 % )
DSP blocks: 1,285 / 1,518 ( 85 % )
RAM blocks: {ram}
Actual clock freq: 237.5
"""


def folder(path, quartus=None, report=None):
    """A folder that aoc might have made."""
    path.mkdir()
    (path / "area.json").write_text(json.dumps(AREA))
    if quartus is not None:
        (path / "quartus.json").write_text(quartus)
    if report is not None:
        (path / "acl_quartus_report.txt").write_text(report)
    return str(path)


def test_members_between_square_brackets(tmp_path):
    samples, _, notes = read_sources([folder(tmp_path / "d", BRACKETS)])
    assert {s.kernel: s.fitted for s in samples} == {
        "conv1": (42322.6, 154700, 346, 1280, 576),
        "pool1": (900.5, 2100, 3, 4, 0),
    }
    assert not notes


def test_folders_of_one_name_are_designs_of_their_own(tmp_path):
    """Else none would be predicted from the others."""
    paths = []
    for parent in ("old", "new"):
        (tmp_path / parent).mkdir()
        paths.append(folder(tmp_path / parent / "a", BRACKETS))
    samples, _, _ = read_sources([*paths, folder(tmp_path / "b", BRACKETS)])
    assert [s.design for s in samples[::2]] == ["old/a", "new/a", "b"]


@pytest.mark.parametrize("quartus", [*PLACEHOLDERS, None])
def test_a_design_that_was_not_fitted_gives_a_note(quartus, tmp_path, capsys):
    path = folder(tmp_path / "d", quartus)
    samples, _, (note,) = read_sources([path])
    assert not samples
    assert "no kernel has fitted figures" in note or "without quartus.json" in note
    assert main(["calibrate", path]) == 2
    assert "note: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ram", "percent"),
    [("12 / 2,713 ( < 1 % )", 100 * 12 / 2713), ("( < 1 % )", 0.5), ("( 37 % )", 37), ("14 %", 14)],
)
def test_shares_come_from_counts_where_they_stand(ram, percent, tmp_path):
    _, (clock,), notes = read_sources([folder(tmp_path / "d", BRACKETS, REPORT.format(ram=ram))])
    assert clock.fmax == 237.5 and not notes
    assert clock.percent == pytest.approx((100 * 3417 / 427200, percent, 100 * 1285 / 1518))


def test_a_clock_in_quartus_json(tmp_path):
    """aoc 20.4 and later also write it there, with what the whole device holds."""
    quartus = {
        "quartusFitClockSummary": {"nodes": [{"name": "Clock", "kernel clock": "280.00"}]},
        "quartusFitResourceUsageSummary": {
            "nodes": [
                {"type": "kernel", "name": "conv1", "alm": "900", "reg": "2", "dsp": "4"},
                {
                    "type": "aclsystem",
                    "name": "Total Used",
                    "alm": "42,720",
                    "dsp": "759",
                    "ram": "2,713",
                },
            ]
        },
    }
    area = AREA | {"max_resources": [854400, 1708800, 2713, 1518, 42720]}
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "area.json").write_text(json.dumps(area))
    (tmp_path / "d" / "quartus.json").write_text(json.dumps(quartus))
    samples, (clock,), notes = read_sources([str(tmp_path / "d")])
    assert [s.fitted for s in samples] == [(900, 2, 0, 4, 0)] and not notes
    assert (clock.family, clock.fmax, clock.percent) == ("arria10", 280, (10, 100, 50))


def test_a_report_without_a_clock_gives_a_note(tmp_path):
    _, clocks, notes = read_sources([folder(tmp_path / "d", BRACKETS, "Actual clock freq: 200\n")])
    assert not clocks and "no clock and utilisation" in notes[0]


def test_errors_are_weighted_by_the_kernels_that_were_measured():
    """One of a's ten kernels has DSPs enough to speak of, all two of b's."""
    errors = [Errors("a", 10, 0.1, None, 0.5, (10, 0, 1)), Errors("b", 2, 0.4, 0.3, 0.2, (2, 1, 2))]
    assert overall(errors) == {"ALM": 0.15, "RAM": 0.3, "DSP": 0.3}


def test_without_scipy_there_is_one_error(tmp_path, capsys, monkeypatch):
    """The clock's line needs it, which eight designs have."""
    report = REPORT.format(ram="( 37 % )")
    paths = [folder(tmp_path / f"d{n}", BRACKETS, report) for n in range(8)]
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert main(["calibrate", *paths]) == 2
    error = capsys.readouterr().err
    assert "needs scipy" in error and "pip install" in error
    assert main(["calibrate", "--evaluate", paths[0]]) == 0
