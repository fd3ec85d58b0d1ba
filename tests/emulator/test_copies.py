"""Copies of a pipelined design, which work on different images: right on the emulator, counted by
the model, refused where they cannot be."""

import json
import re
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.cli.main import main
from hlsgen.errors import PlanError, UsageError
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.model.estimate import estimate
from hlsgen.model.structure import structure
from hlsgen.plan import Plan
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import Goal
from hlsgen.zoo import network
from tests.support.networks import assert_right, parse, verdict_of

# Two inputs, two outputs, a branch, words of several vectors, a fully connected layer.
NETWORK = """(float[1,3,9,8] x, float[1,16,9,8] z, float[16,3,3,3] a, float[24,16,3,3] b,
float[24] bb, float[7,24] f) => (float[1,7] y, float[1,24,9,8] t) {
    p = Conv<pads=[1,1,1,1]>(x, a) q = Relu(p) r = Add(q, z) s = Conv<pads=[1,1,1,1]>(r, b, bb)
    t = Relu(s) g = GlobalAveragePool(t)
    h = Flatten(g) y = Gemm<transB=1>(h, f) }"""


def planned(copies, **options):
    graph = hlsgen.load_graph(parse(NETWORK, inputs=("x", "z")))
    return graph, check_plan(
        graph, hlsgen.schedule(graph, style="pipelined", goal=Goal(copies=copies, **options))
    )


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("copies", "images", "strict"), [(2, 4, True), (3, 4, True), (3, 2, True), (4, 3, False)]
)
def test_right_on_the_emulator(copies, images, strict, tmp_path):
    """Also where images are left over for some of the copies, and where there are fewer images than
    copies."""
    graph, plan = planned(
        copies,
        pins={("s", "vectors_per_cycle"): 2, ("s", "input_width"): 4, ("s", "output_width"): 4},
    )
    assert plan.copies == copies
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert f"#define COPIES {copies}" in design.source and "s_collected[COPIES]" in design.source
    assert_right(HostDesign(design.path), images=images, strict=strict)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("broken", "fixed"),
    [
        (
            r"image_data\[\(n \+ copy\) \* 72 \+ i\];",
            "image_data[n * 72 + i];",
        ),  # all copies read the first one's image
        (
            r"image_data\[\(n \+ copy\) \* (\d+) \+ i\] =",
            r"image_data[n * \1 + i] =",
        ),  # all results in the place of the first
        (r"_weights\[copy\], value", "_weights[0], value"),  # weights for one copy alone
    ],
)
def test_a_wrong_copy_is_found(broken, fixed, tmp_path):
    graph, plan = planned(2)
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    path = design.path / HostDesign(design.path).manifest.kernels[0]
    text, count = re.subn(broken, fixed, path.read_text())
    assert count
    path.write_text(text)
    try:
        ok = verdict_of(HostDesign(design.path), images=2, strict=True, timeout=2)["ok"]
    except HostError:  # kernels that wait for each other
        ok = False
    assert not ok


@pytest.mark.emulator
def test_copies_may_take_any_channels(tmp_path):
    """Copies that take each other's channels do no harm: what a copy reads it also writes."""
    graph, plan = planned(2)
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    path = design.path / HostDesign(design.path).manifest.kernels[0]
    path.write_text(
        path.read_text().replace(
            "#define COPY get_compute_id(0)", "#define COPY (get_compute_id(0) ^ 1)"
        )
    )
    assert_right(HostDesign(design.path), images=2, strict=True)


def test_counted_by_the_model():
    graph, one = planned(1)
    three = replace(one, copies=3)
    first, all_ = structure(graph, one), structure(graph, three)
    assert len(all_.fifos) == 3 * len(first.fifos)
    layers = {layer.name for layer in graph.layers}
    kernels = [
        kernel
        for kernel in first.kernels
        if kernel.name in layers or kernel.name.endswith("_collect")
    ]
    others = len(first.kernels) - len(kernels)
    assert len(all_.kernels) == 3 * len(kernels) + others
    assert (
        sum(len(k.lsus) for k in all_.kernels) == 3 * sum(len(k.lsus) for k in first.kernels) - 2
    )  # one loader of weights
    a, b = estimate(graph, one), estimate(graph, three)
    assert b.resources.dsps == pytest.approx(3 * a.resources.dsps, abs=3)
    assert b.timing.cycles == pytest.approx(a.timing.cycles / 3)


def test_as_fast_as_kernels_or_link_allow():
    graph = hlsgen.load_graph(network("lenet5"))
    target = board("pac_d5005")
    rates = []
    for copies in (1, 2, 4, 5):
        plan = hlsgen.schedule(graph, style="pipelined", goal=Goal(copies=copies))
        found = estimate(graph, plan)
        kernels = (
            copies * found.resources.fmax * 1e6 / max(item.cycles for item in found.timing.layers)
        )
        link = target.pcie_bandwidth * 1e9 / found.timing.bytes
        assert found.throughput == pytest.approx(min(kernels, link))
        assert found.resources.fits(target, Goal().caps)
        rates.append(found.throughput)
    assert rates == sorted(rates) and rates[-1] > 4 * rates[0]


@pytest.mark.slow
def test_kernels_become_smaller_where_copies_need_the_room():
    graph = hlsgen.load_graph(network("lenet5"))
    plans = [
        hlsgen.schedule(graph, "de5_net", "pipelined", goal=Goal(copies=copies))
        for copies in (1, 3)
    ]
    for plan in plans:
        assert estimate(graph, plan).resources.fits(board("de5_net"), Goal().caps)
    assert plans[0].kernels != plans[1].kernels


def test_refused(tmp_path, capsys):
    graph, _ = planned(1)
    for style in ("folded", "base"):
        with pytest.raises(UsageError, match="pipelined designs take --copies"):
            hlsgen.schedule(graph, style=style, goal=Goal(copies=2))
    for name in ("autorun", "concurrent_queues", "cached_writes"):
        with pytest.raises(PlanError, match=f"{name} is switched off"):
            hlsgen.schedule(graph, style="pipelined", disable=[name], goal=Goal(copies=2))
    for copies in (-1, 17):
        with pytest.raises(PlanError, match="copies"):
            hlsgen.schedule(graph, goal=Goal(copies=copies))
    folded = hlsgen.schedule(graph, style="folded")
    with pytest.raises(PlanError, match="has no copies"):
        check_plan(graph, replace(folded, copies=2))


def test_command_line(tmp_path, capsys):
    _, plan = planned(2)
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    onnx.save(network("lenet5"), tmp_path / "lenet5.onnx")
    out = tmp_path / "out"
    assert (
        main(
            [
                "build",
                str(tmp_path / "lenet5.onnx"),
                "--out",
                str(out),
                "--style",
                "pipelined",
                "--copies",
                "3",
                "--explain",
            ]
        )
        == 0
    )
    assert "3 copies work on different images" in capsys.readouterr().out
    assert main(["report", str(out), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    copies = {row["name"]: row["copies"] for row in data["kernels"]}
    assert (
        copies["conv1"] == 3
        and copies["weight_loader"] == 1
        and {fifo["copies"] for fifo in data["fifos"]} == {3}
    )
    shown = re.search(
        r'<script[^>]*id="data"[^>]*>(.*?)</script>', Path(data["page"]).read_text(), re.S
    )
    assert {row["copies"] for row in json.loads(shown[1])["kernels"]} == {1, 3}
    assert (
        main(
            [
                "build",
                str(tmp_path / "lenet5.onnx"),
                "--out",
                str(out),
                "--style",
                "folded",
                "--copies",
                "3",
            ]
        )
        != 0
    )
    assert "--copies" in capsys.readouterr().err
