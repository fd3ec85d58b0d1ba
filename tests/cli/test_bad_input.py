"""Bad input ends in one clear message with a remedy, a non-zero status, and nothing written."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from hlsgen.cli.main import main
from tests.support.networks import parse

CONV = "(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { y = Conv(x, w) }"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(parse(CONV), path)
    return path


@pytest.fixture
def design(model, tmp_path):
    assert main(["build", str(model), "--out", str(tmp_path / "design"), "--style", "folded"]) == 0
    return tmp_path / "design"


def refuse(arguments, capsys, *words, status=2):
    """Run a command that must fail with a message that holds all words, and no traceback."""
    capsys.readouterr()
    assert main([str(a) for a in arguments]) == status
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    for word in words:
        assert word in captured.err, captured.err
    return captured


def refuse_build(source, tmp_path, capsys, *words, options=()):
    """A build that must fail and leave nothing behind."""
    before = sorted(p.name for p in tmp_path.iterdir())
    refuse(["build", source, "--out", tmp_path / "out", *options], capsys, *words)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def save(tmp_path, text, inputs=("x",), opset=17):
    onnx.save(parse(text, inputs=inputs, opset=opset), tmp_path / "bad.onnx")
    return tmp_path / "bad.onnx"


@pytest.mark.parametrize("keep", [1, 20, 300, 500])
def test_truncated_file(keep, model, tmp_path, capsys):
    data = model.read_bytes()
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(data[:keep])
    refuse_build(bad, tmp_path, capsys, "what to do")


def test_empty_file(tmp_path, capsys):
    (tmp_path / "bad.onnx").touch()
    refuse_build(tmp_path / "bad.onnx", tmp_path, capsys, "empty")


@pytest.mark.parametrize(
    "content", [b"hello, world\n", b"\x89PNG\r\n\x1a\n" + bytes(99), bytes(64), b"PK\x03\x04abc"]
)
def test_not_onnx(content, tmp_path, capsys):
    (tmp_path / "bad.onnx").write_bytes(content)
    refuse_build(tmp_path / "bad.onnx", tmp_path, capsys, "not an ONNX")


def test_missing_file(tmp_path, capsys):
    refuse_build(tmp_path / "absent.onnx", tmp_path, capsys, "no such file")


def test_missing_external_data(tmp_path, capsys):
    folder = tmp_path / "model"
    folder.mkdir()
    onnx.save(
        parse(CONV),
        folder / "m.onnx",
        save_as_external_data=True,
        location="data.bin",
        size_threshold=0,
    )
    (folder / "data.bin").unlink()
    refuse_build(folder / "m.onnx", tmp_path, capsys, "external data")


def test_unknown_operators_are_listed_at_once(tmp_path, capsys):
    text = (
        "(float[1,3,8,8] x) => (float[1,3,8,8] y) { a = Acos(x) b = Relu(a) c = Tan(b) y "
        "= Sinh(c) }"
    )
    refuse_build(save(tmp_path, text), tmp_path, capsys, "3 nodes", "Acos", "Tan", "Sinh", "node a")


def test_operators_that_onnx_does_not_know_are_listed_too(tmp_path, capsys):
    text = "(float[1,3,8,8] x) => (float[1,3,8,8] y) { a = Frobnicate(x) b = Sinh(a) y = Twist(b) }"
    refuse_build(save(tmp_path, text), tmp_path, capsys, "3 nodes", "Frobnicate", "Sinh", "Twist")


def test_unsupported_attributes_are_listed_at_once(tmp_path, capsys):
    text = (
        "(float[1,3,8,8] x, float[1,3,8,8] k) => (float[1,3,8,8] y, float[m,n,h,w] a) "
        '{ a = Resize<coordinate_transformation_mode="tf_crop_and_resize">(x, , s) b = '
        'Relu(x) y = Resize<coordinate_transformation_mode="tf_crop_and_resize">(b, , s) }'
    ).replace("k)", "k, float[4] s)", 1)
    refuse_build(save(tmp_path, text), tmp_path, capsys, "2 nodes", "node a", "node y")


@pytest.mark.parametrize("domain", ["", "ai.onnx"])
def test_a_function_called_like_an_operator(domain, tmp_path, capsys):
    """onnxruntime computes the operator where hlsgen would compute the function."""
    text = f"""<ir_version: 8, opset_import: ["" : 17, "ai.onnx" : 17]>
    g (float[1,3,8,8] x) => (float[1,3,8,8] y) {{ y = Relu(x) }}
    <domain: "{domain}", opset_import: ["" : 17]> Relu (a) => (b) {{ b = Neg(a) }}"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "bad.onnx")
    refuse_build(tmp_path / "bad.onnx", tmp_path, capsys, "function Relu", "ONNX's operators")


def test_custom_domain(tmp_path, capsys):
    model = parse(CONV)
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    model.graph.node[0].domain = "com.example"
    onnx.save(model, tmp_path / "bad.onnx")
    refuse_build(tmp_path / "bad.onnx", tmp_path, capsys, "com.example.Conv")


def test_dynamic_shape(tmp_path, capsys):
    path = save(
        tmp_path, "(float[N,3,H,W] x, float[4,3,3,3] w) => (float[N,4,A,B] y) { y = Conv(x, w) }"
    )
    refuse_build(path, tmp_path, capsys, "input x", "axis 2 (H)", "--shape x=")
    assert main(["build", str(path), "--out", str(tmp_path / "out"), "--shape", "x=1,3,9,7"]) == 0
    assert json.loads((tmp_path / "out" / "design.json").read_text())["outputs"][0]["shape"] == [
        1,
        4,
        7,
        5,
    ]


def test_zero_sized_dimension(tmp_path, capsys):
    path = save(
        tmp_path, "(float[1,3,0,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { y = Conv(x, w) }"
    )
    refuse_build(path, tmp_path, capsys, "input x", "axis 2 (0)", "--shape x=")


def test_window_larger_than_image(tmp_path, capsys):
    path = save(
        tmp_path, "(float[1,3,4,4] x) => (float[1,3,1,1] y) { y = MaxPool<kernel_shape=[7,7]>(x) }"
    )
    refuse_build(path, tmp_path, capsys, "what to do")


def test_batch_that_mixes_images(tmp_path, capsys):
    text = (
        "(float[4,3,8,8] x, float[4,3,3,3] w) => (float[3,4,6,6] y) { t = "
        "Transpose<perm=[1,0,2,3]>(x) y = Conv(t, w) }"
    )
    refuse_build(save(tmp_path, text), tmp_path, capsys, "node y", "input has shape [3, 4, 8, 8]")


def test_weights_that_do_not_fit(tmp_path, capsys):
    path = save(
        tmp_path, "(float[1,5,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { y = Conv(x, w) }"
    )
    refuse_build(path, tmp_path, capsys, "node y", "does not fit 5 input channels")


def test_integer_input(tmp_path, capsys):
    model = parse(CONV)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    onnx.save(model, tmp_path / "bad.onnx")
    refuse_build(tmp_path / "bad.onnx", tmp_path, capsys, "int8")


@pytest.mark.parametrize("shape", ["x", "x=", "x=1,a,3", "=1,3"])
def test_malformed_shape_option(shape, model, tmp_path, capsys):
    refuse_build(model, tmp_path, capsys, "--shape", options=["--shape", shape])


def test_shape_of_unknown_input(model, tmp_path, capsys):
    refuse_build(
        model, tmp_path, capsys, "no input 'z'", "its inputs: x", options=["--shape", "z=1,3,8,8"]
    )


def test_shape_against_the_network(model, tmp_path, capsys):
    refuse_build(model, tmp_path, capsys, "the network fixes 8", options=["--shape", "x=1,3,9,9"])


def test_unknown_board(model, tmp_path, capsys):
    refuse_build(
        model, tmp_path, capsys, "unknown board 'zx81'", "pac_d5005", options=["--board", "zx81"]
    )


def test_impossible_board_file(model, tmp_path, capsys):
    from dataclasses import asdict

    from hlsgen.boards import board

    for change, word in (
        ({"memory_banks": -4}, "memory_banks"),
        ({"bandwidth": "much"}, "bandwidth"),
        ({"device": "abacus"}, "device"),
        ({"interleaved_efficiency": [2.0]}, "interleaved_efficiency"),
        ({"reserved_blocks": 10**6}, "reserved_blocks"),
    ):
        (tmp_path / "board.json").write_text(json.dumps(asdict(board("pac_a10")) | change))
        refuse_build(
            model, tmp_path, capsys, word, options=["--board", str(tmp_path / "board.json")]
        )


def test_unknown_optimisation(model, tmp_path, capsys):
    refuse_build(
        model,
        tmp_path,
        capsys,
        "unknown optimisation 'magic'",
        options=["--disable", "unroll,magic"],
    )


def test_network_too_large_for_the_style(tmp_path, capsys):
    # Neither lines of the window nor a row tile of the image fit.
    text = "(float[1,64,4,4000] x, float[64,64,3,3] w) => (float[1,64,2,3998] y) { y = Conv(x, w) }"
    refuse_build(
        save(tmp_path, text),
        tmp_path,
        capsys,
        "may be used",
        "--style folded",
        options=["--style", "pipelined", "--board", "de10_nano"],
    )


def test_unwritable_out(model, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    refuse(["build", model, "--out", tmp_path / "file"], capsys, "is a file")
    refuse(["build", model, "--out", tmp_path / "file" / "below"], capsys, "cannot be written")
    refuse(["build", model, "--out", "/proc/design"], capsys, "cannot be written")
    assert (tmp_path / "file").read_text() == "mine"


def test_out_that_holds_something_else(model, tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("cat")
    refuse(["build", model, "--out", tmp_path / "photos"], capsys, "holds no design")
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_failed_build_keeps_the_earlier_design(design, tmp_path, capsys):
    before = {p.name: p.read_bytes() for p in design.iterdir() if p.is_file()}
    bad = save(tmp_path, "(float[1,3,8,8] x) => (float[1,3,8,8] y) { y = Acos(x) }")
    refuse(["build", bad, "--out", design], capsys, "Acos")
    assert {p.name: p.read_bytes() for p in design.iterdir() if p.is_file()} == before


def test_rebuild_keeps_foreign_files(design, model):
    (design / "notes").mkdir()
    (design / "notes" / "mine.txt").write_text("hours of work")
    assert main(["build", str(model), "--out", str(design), "--style", "base"]) == 0
    assert (design / "notes" / "mine.txt").read_text() == "hours of work"
    assert json.loads((design / "design.json").read_text())["style"] == "base"


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((1, 3, 8, 9), np.float32), ["shape [1, 3, 8, 9]", "[N, 3, 8, 8]"]),
        (np.zeros((3, 8, 9), np.float32), ["shape [3, 8, 9]"]),
        (np.zeros((1, 3, 8, 8), np.int64), ["int64", "float32"]),
        (np.zeros((0, 3, 8, 8), np.float32), ["shape [0, 3, 8, 8]"]),
    ],
)
def test_wrong_input_array(array, words, design, tmp_path, capsys):
    np.save(tmp_path / "x.npy", array)
    refuse(["validate", design, "--input", tmp_path / "x.npy"], capsys, *words)
    refuse(
        ["run", design, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy"],
        capsys,
        *words,
    )
    assert not (tmp_path / "y.npy").exists()


def test_wrong_input_files(design, tmp_path, capsys):
    (tmp_path / "x.npz").write_text("no archive")
    (tmp_path / "x.npy").write_text("no array")
    np.savez(tmp_path / "named.npz", image=np.zeros((1, 3, 8, 8), np.float32))
    refuse(["validate", design, "--input", tmp_path / "x.npz"], capsys, "cannot be read")
    refuse(["validate", design, "--input", tmp_path / "x.npy"], capsys, "cannot be read")
    refuse(["validate", design, "--input", tmp_path / "absent.npy"], capsys, "cannot be read")
    refuse(
        ["validate", design, "--input", tmp_path / "x.png"], capsys, "cannot be read as a picture"
    )
    refuse(["validate", design, "--input", tmp_path / "x.txt"], capsys, "nor a picture")
    refuse(["validate", design, "--input", tmp_path / "named.npz"], capsys, "['image']", "['x']")


@pytest.mark.emulator
def test_wrong_device(design, capsys):
    refuse(["validate", design, "--device", "toaster"], capsys, "unknown device 'toaster'")
    refuse(["validate", design, "--device", "emulater"], capsys, "did you mean 'emulator'?")
    refuse(["validate", design, "--device", "99"], capsys, "no OpenCL device number 99")


def test_no_emulator(design, capsys, monkeypatch):
    monkeypatch.setattr("hlsgen.host.devices.library", lambda kind: None)
    refuse(["validate", design], capsys, "emulator is not installed", "pip install")


@pytest.mark.emulator
def test_channels_need_an_intel_device(design, capsys):
    refuse(
        ["validate", design, "--device", "cpu"], capsys, "no Intel channels", "--disable channels"
    )


def test_not_a_design(tmp_path, capsys):
    refuse(["validate", tmp_path], capsys, "no design.json")
    (tmp_path / "design.json").write_text("{")
    refuse(["validate", tmp_path], capsys, "cannot be read")


def test_damaged_design(design, capsys):
    (design / "weights").write_bytes(b"short")
    refuse(["validate", design], capsys, "weights is missing or not")


def test_json_error_is_one_object(tmp_path, capsys):
    assert (
        main(["build", str(tmp_path / "absent.onnx"), "--out", str(tmp_path / "o"), "--json"]) == 2
    )
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False and "no such file" in answer["error"]


def test_zoo_refuses(tmp_path, capsys):
    refuse(["zoo", "lenet6", "-o", tmp_path / "x.onnx"], capsys, "unknown network 'lenet6'")
    refuse(["zoo", "lenet5", "--size", "4", "-o", tmp_path / "x.onnx"], capsys, "lenet5", "--size")
    refuse(["zoo", "lenet5", "-o", Path(__file__) / "x.onnx"], capsys, "cannot be written")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"schema": 99}, "schema"),
        ({"style": "magic"}, "unknown style"),
        ({"colour": 1}, "unknown field 'colour'"),
        ({"steps": []}, "do not cover"),
        ({"engines": None}, "needs engines"),
    ],
)
def test_bad_plan(change, word, design, model, tmp_path, capsys):
    plan = json.loads((design / "plan.json").read_text()) | change
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    refuse(
        ["build", model, "--out", tmp_path / "o", "--plan", tmp_path / "plan.json"], capsys, word
    )
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--jobs", "0"], "--jobs: 0 is less than 1"),
        (["--retries", "-1"], "--retries: -1 is less than 0"),
        (["--scheduler", "tcp://nowhere:1", "--jobs", "2"], "--jobs: the scheduler's"),
    ],
)
def test_workers_of_an_exploration_that_cannot_be(options, word, model, tmp_path, capsys):
    refuse(["explore", model, "--out", tmp_path / "out", *options], capsys, word)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("width", ["0", "nan", "inf"])
def test_widths_of_no_network(width, tmp_path, capsys):
    refuse(["zoo", "lenet5", "--width", width, "-o", tmp_path / "n.onnx"], capsys, "no network")


@pytest.mark.parametrize("option", ["--calibration", "--plan", "--board"])
def test_files_that_are_no_text(option, model, tmp_path, capsys):
    (tmp_path / "bytes.json").write_bytes(b"\x89PNG")
    refuse_build(model, tmp_path, capsys, "is not JSON", options=[option, tmp_path / "bytes.json"])
