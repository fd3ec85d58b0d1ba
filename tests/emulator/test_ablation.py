"""Every optimisation can be switched off, alone and all together, and the design still computes the
same."""

import numpy as np
import pytest

import hlsgen
from hlsgen.plan import OPTIMISATIONS
from hlsgen.zoo import network
from tests.support.networks import assert_right, build, parse

# One network with everything that an optimisation touches: stem, residual, depthwise, pools, dense,
# softmax.
NETWORK = """(float[1,3,12,12] x, float[8,3,3,3] a, float[8] ab, float[8,8,3,3] b,
float[8,1,3,3] c, float[8,8,1,1] d,
float[8] db, float[10,8] f, float[10] fb) => (float[1,10] y) {
  s = Conv<pads=[1,1,1,1]>(x, a, ab) sr = Relu(s) p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(sr)
  t = Conv<pads=[1,1,1,1]>(p, b) tr = Relu(t) u = Conv<group=8, pads=[1,1,1,1]>(tr, c)
  v = Conv(u, d, db)
  w = Add(v, p) r = Relu(w) q = AveragePool<kernel_shape=[3,3], strides=[3,3]>(r)
  g = GlobalAveragePool(q)
  h = Flatten(g) l = Gemm<transB=1>(h, f, fb) y = Softmax(l) }"""


# And one with data movement of all kinds, joins that broadcast, and a slope a channel.
MOVEMENT = """(float[1,6,6,6] x, float[8,6,3,3] a, float[8,1,1] p, float[8,8,1,1] e,
float[4,8,3,3] b) => (float[1,4,6,6] y) {
  k = Constant<value_ints=[0,0,1,1,0,0,1,1]>() q = Pad<mode="reflect">(x, k) s = Conv(q, a)
  t = PRelu(s, p)
  g = GlobalAveragePool(t) h = Conv(g, e) i = Sigmoid(h) m = Mul(t, i)
  z = Constant<value_floats=[1.0,1.0,2.0,2.0]>()
  r = Resize<mode="linear">(m, , z) n = Resize<mode="nearest">(m, , z) u = Sub(r, n)
  c = Conv<pads=[1,1,1,1], strides=[2,2]>(u, b)
  f = Constant<value_ints=[1,2,2,6,6]>() v = Reshape(c, f) w = Transpose<perm=[0,2,1,3,4]>(v)
  j = Constant<value_ints=[1,4,6,6]>()
  y = Reshape(w, j) }"""


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["pipelined", "folded"])
@pytest.mark.parametrize("disable", [[name] for name in OPTIMISATIONS], ids=lambda d: d[0])
def test_movement_switched_off(style, disable, tmp_path):
    assert_right(build(parse(MOVEMENT), tmp_path / "design", style, disable=disable), images=2)


# What changes how kernels wait for each other.
AT_ONCE = (["autorun"], ["cached_writes"], ["unroll"], ["fuse"])


@pytest.mark.emulator
@pytest.mark.parametrize("style", ["pipelined", "folded"])
@pytest.mark.parametrize(
    "disable",
    [*([name] for name in OPTIMISATIONS), list(OPTIMISATIONS)],
    ids=lambda d: "+".join(d)[:40],
)
def test_switched_off(style, disable, tmp_path):
    design = build(parse(NETWORK), tmp_path / "design", style, disable=disable)
    assert_right(design, images=2)
    if disable in AT_ONCE:
        # One lane wide, all kernels at once: a minute on two cores, which is no deadlock.
        assert_right(design, images=2, strict=True, timeout=240)


def text(tmp_path, style, disable):
    return build(
        parse(NETWORK), tmp_path / f"{style}-{'-'.join(disable)}", style, disable=disable
    ).source


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pipelined", "folded"])
def test_switches_change_the_kernels(style, tmp_path):
    """A switch that changes nothing would make an ablation meaningless."""
    whole = text(tmp_path, style, [])
    assert "autorun" in whole and "scratch" not in whole and "channel " in whole
    assert "scratch" in text(tmp_path, style, ["cached_writes"])
    assert "channel " not in text(tmp_path, style, ["channels"])
    assert text(tmp_path, style, ["fuse"]) != whole
    scalar = text(tmp_path, style, ["unroll"])
    assert scalar != whole and "float16" not in scalar


@pytest.mark.slow
def test_tiling_changes_the_plan():
    graph = hlsgen.load_graph(network("alexnet", size=64, width=0.25))
    for style in ("pipelined", "folded"):
        plans = [hlsgen.schedule(graph, style=style, disable=disable) for disable in ([], ["tile"])]
        if style == "folded":
            tiles = [plan.engines.of("convolution").tile_vectors for plan in plans]
            assert tiles[0] < tiles[1]
            assert all(
                step.tile_height == graph.tensors[graph.layer(step.layer).output].height
                for step in plans[1].steps
            )
        else:
            widths = [{kernel.output_width for kernel in plan.kernels} for plan in plans]
            assert max(widths[0]) > max(widths[1]) == 1


@pytest.mark.slow
def test_flags_follow_relaxed_fp(tmp_path):
    relaxed = build(parse(NETWORK), tmp_path / "a", "folded")
    strict = build(parse(NETWORK), tmp_path / "b", "folded", disable=["relaxed_fp"])
    assert (
        relaxed.manifest.options == ("-cl-unsafe-math-optimizations",)
        and strict.manifest.options == ()
    )
    assert "-fp-relaxed" in (relaxed.path / "Makefile").read_text()
    assert "-fp-relaxed" not in (strict.path / "Makefile").read_text()


def test_base_has_no_optimisation(tmp_path):
    design = build(parse(NETWORK), tmp_path / "base", "base")
    assert not any(
        word in design.source
        for word in ("#pragma unroll\n", "channel ", "autorun", "float4", "float16")
    )
    assert design.source.count("scratch") >= 2
    assert len({launch.queue for launch in design.run("sequential").launches}) == 1
    assert np.array(design.source.count("__kernel")) == len(design.manifest.layers)
