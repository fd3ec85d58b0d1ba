"""What a user decides on the command line is used, or refused with what is possible; nothing is
written then."""

import json

import onnx
import pytest

from hlsgen.cli.main import main
from tests.support.networks import parse

SMALL = "(float[1,3,8,8] x, float[8,3,3,3] w) => (float[1,8,6,6] conv1) { conv1 = Conv(x, w) }"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.onnx"
    onnx.save(parse(SMALL), path)
    return path


@pytest.fixture(scope="module")
def plan(model):
    assert (
        main(["build", str(model), "--style", "folded", "--out", str(model.parent / "first")]) == 0
    )
    return model.parent / "first" / "plan.json"


def refused(arguments, capsys, out):
    """The message of a command that must fail."""
    capsys.readouterr()
    assert main([*map(str, arguments), "--out", str(out)]) == 2 and not out.exists()
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [
        ("--board", "pac_d5005"),
        ("--style", "folded"),
        ("--disable", "tile"),
        ("--objective", "throughput"),
        ("--fps", "0"),
        ("--copies", "1"),
        ("--images", "1"),
        ("--set", "engines.width=8"),
    ],
)
def test_a_plan_decides_alone(option, model, plan, tmp_path, capsys):
    """Even values that are the default: they would say nothing of the plan."""
    err = refused(["build", model, "--plan", plan, *option], capsys, tmp_path / "out")
    assert option[0] in err and "the plan already decides that" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "conv1.unroll_oc=16"], ["conv1.unroll_oc=16", "1, 2, 4, 8"]),
        (["--set", "conv_1.unroll_oc=4"], ["did you mean 'conv1'"]),
        (["--style", "base", "--set", "conv1.unroll_oc=4"], ["no base design takes it"]),
        (["--style", "pipelined", "--images", "8"], ["folded and hybrid designs take --images"]),
        (["--images", "8", "--copies", "2"], ["no style takes all of it"]),
        (["--fps", "30"], ["--objective resources"]),
        (["--objective", "resources", "--fps", "1e12"], ["images a second", "lower --fps"]),
        (
            ["--style", "pipelined", "--copies", "2", "--disable", "autorun"],
            ["autorun is switched off"],
        ),
    ],
)
def test_what_cannot_be_is_refused(options, words, model, tmp_path, capsys):
    err = refused(["build", model, *options], capsys, tmp_path / "out")
    assert all(word in err for word in words), err


def test_a_pin_is_used_and_the_output_says_what_it_left_out(model, tmp_path, capsys):
    assert (
        main(
            [
                "build",
                str(model),
                "--set",
                "conv1.unroll_oc=4",
                "--json",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    result = json.loads(capsys.readouterr().out)
    assert (
        result["style"] == "pipelined"
        and "The folded design was ruled out: it has no --set conv1.unroll_oc" in result["reason"]
    )
    kernels = json.loads((tmp_path / "out" / "plan.json").read_text())["kernels"]
    assert [kernel["output_width"] for kernel in kernels] == [4]


def test_an_edited_plan_is_told_as_it_is(model, tmp_path, capsys):
    """In the terminal, in the report, and nowhere in the kernels."""
    first = tmp_path / "first"
    assert main(["build", str(model), "--style", "pipelined", "--json", "--out", str(first)]) == 0
    before = json.loads(capsys.readouterr().out)
    plan = json.loads((first / "plan.json").read_text())
    plan["kernels"][0] |= {"unroll_window": False, "partial_sums": 1, "vectors_per_cycle": 1}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    again = tmp_path / "again"
    assert (
        main(
            [
                "build",
                str(model),
                "--plan",
                str(tmp_path / "plan.json"),
                "--json",
                "--out",
                str(again),
            ]
        )
        == 0
    )
    after = json.loads(capsys.readouterr().out)
    assert main(["report", str(again), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert after["throughput_fps"] == report["throughput_fps"] < before["throughput_fps"]
    assert after["reason"] == report["reason"] and "proven" in before["reason"]
    assert (
        "proven" not in after["reason"]
        and f"{before['throughput_fps']:,.0f}" not in after["reason"]
    )
    assert "proven" not in next((again / "kernels").glob("*.cl")).read_text()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--styles", "pipelined", "--images", "8"], "--images"),
        (["--styles", "folded", "--copies", "2"], "--copies"),
        (["--fps", "30"], "--fps"),
    ],
)
def test_explore_uses_what_it_is_given(options, word, model, tmp_path, capsys):
    err = refused(["explore", model, "--boards", "pac_a10", *options], capsys, tmp_path / "out")
    assert word in err and "no point would use it" in err
