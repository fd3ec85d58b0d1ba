"""Kernels of pipelined designs whose weights follow an N:M pattern: chosen where that pays, right
on the emulator, with as many multipliers as the model and the audit count."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import numpy_helper

import hlsgen
from hlsgen.audit.design import audit
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.model.estimate import estimate
from hlsgen.model.simulate import simulate
from hlsgen.ops import n_of_m, operator
from hlsgen.plan import KernelPlan, Plan
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import explain
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.scheduler import schedule
from hlsgen.types import BFLOAT16
from tests.support.networks import assert_right, parse

# Windows unrolled or not, strides, channels that fill no vector, and a fully connected layer.
NETWORK = """(float[1,12,7,6] x, float[20,12,3,3] a, float[20] ab, float[24,20,1,1] b,
float[18,24,1,1] c, float[10,18,3,2] d, float[10,10] f, float[10] fb) => (float[1,10] y) {
p = Conv<pads=[1,1,1,1]>(x, a, ab) q = Relu(p) r = Conv(q, b) s = Conv<strides=[2,1]>(r, c)
t = Conv<strides=[2,2]>(s, d) u = GlobalAveragePool(t) v = Flatten(u) y = Gemm(v, f, fb) }"""


def patterned(count, width=4, text=NETWORK):
    """A graph whose weights have only the largest `count` of every `width` input channels."""
    model = parse(text)
    for tensor in model.graph.initializer:
        if len(tensor.dims) > 1:
            values = numpy_helper.to_array(tensor).copy()
            channels = np.moveaxis(values, 0 if values.ndim == 2 else 1, -1)
            for first in range(0, channels.shape[-1], width):
                part = channels[..., first : first + width]
                order = np.argsort(-np.abs(part), axis=-1)[..., count:]
                np.put_along_axis(part, order, 0, axis=-1)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return hlsgen.load_graph(model)


def planned(graph, counts, **widths):
    """A pipelined plan whose layers multiply by so many weights of a vector."""
    layers = [layer for layer in graph.layers if layer.op in ("conv", "dense")]
    pins = {(x.name, "nonzeros_per_vector"): n for x, n in zip(layers, counts, strict=True)}
    pins |= {(layer.name, name): value for layer in layers for name, value in widths.items()}
    return schedule(graph, "pac_d5005", "pipelined", goal=Goal(pins=pins))


def test_entries_by_hand():
    graph = hlsgen.load_graph(
        parse("(float[1,4,1,1] x, float[2,4,1,1] w) => (float[1,2,1,1] y) { y = Conv(x, w) }")
    )
    weight = np.array([[0, 5, 0, 7], [3, 0, 0, 0]], np.float32)[:, :, None, None]
    layer = replace(graph.layer("y"), weights={"weight": weight})
    assert [n_of_m.fullest(weight, n) for n in (1, 2, 4)] == [1, 1, 2]
    assert n_of_m.options(layer, 1) == (0,) and n_of_m.options(layer, 4) == (0, 2)
    assert n_of_m.options(replace(layer, weight_type=BFLOAT16), 4) == (0,)
    layer = replace(graph.layers[0], weights=graph.layers[0].weights | {"weight": weight})
    kernel = KernelPlan(layer.name, 4, 2, True, nonzeros_per_vector=2)
    stream = operator("conv").pipelined_stream(layer, graph, kernel)[1:]  # behind the bias
    values, places = stream[::2], stream[1::2]  # of both lanes, the first weight and the second
    assert values.tolist() == [[5, 3], [7, 0]]
    assert places[:, 0].tolist() == [1, 3] and places[0, 1] == 0


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("count", "width", "more"),
    [(2, 4, {}), (1, 2, {}), (3, 8, {"vectors_per_cycle": 1}), (2, 16, {})],
)
def test_right_on_the_emulator(count, width, more, tmp_path):
    graph = patterned(count, width)
    counts = [
        n_of_m.options(layer, width)[-1] for layer in graph.layers if layer.op in ("conv", "dense")
    ]
    assert max(counts) == count
    plan = planned(graph, counts, input_width=width, **more)
    design = hlsgen.generate(graph, plan, tmp_path / "design")
    assert design.source.count(" sparse; ") == sum(map(bool, counts))
    assert_right(HostDesign(design.path), images=2)


@pytest.mark.emulator
@pytest.mark.parametrize("change", [("& 3;", "& 1;"), ("<< i * 2", "<< i * 1")])
def test_a_wrong_kernel_is_found(change, tmp_path):
    graph = patterned(2)
    design = hlsgen.generate(graph, planned(graph, (2,) * 5, input_width=4), tmp_path / "design")
    path = next((design.path / "kernels").glob("*.cl"))
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(AssertionError):
        assert_right(HostDesign(design.path))


def test_model_audit_and_simulator_agree(tmp_path):
    """Multipliers fall as the pattern says, cycles stay, and the audit counts the same DSPs."""
    graph = patterned(2)
    plan = planned(graph, (2,) * 5, input_width=4)
    for layer in graph.layers:
        kernel, op = plan.kernel(layer.name), operator(layer.op)
        if kernel.nonzeros_per_vector:
            dense = replace(kernel, nonzeros_per_vector=0)
            one, other = (op.pipelined_arithmetic(layer, graph, k) for k in (kernel, dense))
            assert one.multiply_adds * 4 == other.multiply_adds * 2
            assert op.pipelined_turns(layer, graph, kernel) == op.pipelined_turns(
                layer, graph, dense
            )
    dense_plan = replace(
        plan, kernels=tuple(replace(k, nonzeros_per_vector=0) for k in plan.kernels)
    )
    assert simulate(graph, plan, 3).interval == simulate(graph, dense_plan, 3).interval
    hlsgen.generate(graph, plan, tmp_path / "design")
    found = audit(tmp_path / "design")
    assert found.ok, found.findings
    audited = {kernel.name: kernel.arithmetic.dsps for kernel in found.kernels}
    chosen = [kernel.layer for kernel in plan.kernels if kernel.nonzeros_per_vector]
    assert len(chosen) == 5
    assert all(audited[name] == found.promises[name].dsps for name in chosen)
    assert found.interval == (1, 1)


def test_chosen_where_it_pays_and_checked(tmp_path):
    """A network that fills the board does more with a half of its weights in each vector."""
    dense, sparse = (schedule(patterned(n), "de10_nano", "pipelined") for n in (4, 2))
    assert not any(kernel.nonzeros_per_vector for kernel in dense.kernels)
    assert any(kernel.nonzeros_per_vector == 2 for kernel in sparse.kernels)
    graph = patterned(2)
    found = estimate(graph, sparse)
    assert found.throughput > estimate(patterned(4), dense).throughput
    assert "not zero, at most 2 of 4" in explain(graph, sparse, found)
    sparse.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == sparse
    for wrong in (1, 3):
        kernels = tuple(
            replace(k, nonzeros_per_vector=wrong if k.nonzeros_per_vector else 0)
            for k in sparse.kernels
        )
        with pytest.raises(PlanError, match=f"nonzeros_per_vector {wrong} is not one of"):
            check_plan(graph, replace(sparse, kernels=kernels))


def test_weights_of_sixteen_bits_are_taken_whole():
    """No kernel chooses among weights that it has to decode."""
    plan = schedule(patterned(2), "de10_nano", "pipelined", goal=Goal(weights="bfloat16"))
    assert not any(kernel.nonzeros_per_vector for kernel in plan.kernels)
