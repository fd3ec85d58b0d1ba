"""The zero-skipping engine: packed as documented, chosen where it pays, right on the emulator, and
as long as the model says."""

from dataclasses import replace

import numpy as np
import pytest

import hlsgen
from hlsgen.descriptors import own_fields, step_counts
from hlsgen.engines import engine
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.kernel.hardware import KERNEL_LATENCY
from hlsgen.model.estimate import estimate
from hlsgen.ops.sparse import imbalance, is_worthwhile, packed, row_counts, row_words
from hlsgen.schedule.check import check_plan
from hlsgen.sparsify import sparsify
from tests.support.networks import (
    assert_right,
    assert_right_in_both_modes,
    build,
    lines_printed,
    parse,
)

NETWORK = (
    "(float[1,20,4,3] x, float[240,70] w, float[70] b, float[70,10] v) => (float[1,10] y) "
    "{ f = Flatten(x) t = Gemm(f, w, b) r = Relu(t) y = MatMul(r, v) }"
)


def sparse(share):
    return sparsify(parse(NETWORK), "relative", sparsity=share).model


def engines_of(plan):
    return {step.layer: step.engine for step in plan.steps}


def test_packing_by_hand():
    rows = np.array([[0, 5, 0, 0, 7], [0, 0, 0, 0, 0], [1, 2, 3, 0, 0]], np.float32)
    assert row_counts(rows).tolist() == [2, 0, 3] and row_words(row_counts(rows), 4) == 2
    words = packed(rows, 2, 4, 2).reshape(2, 4, 2, 2)  # groups, entries, (value, place), lanes
    places = words.view(np.int32)
    assert words[0, :, 0, 0].tolist() == [5, 7, 0, 0] and places[0, :2, 1, 0].tolist() == [1, 4]
    assert words[1, :, 0, 0].tolist() == [1, 2, 3, 0] and places[1, :3, 1, 0].tolist() == [0, 1, 2]
    assert not words[0, :, :, 1].any() and not words[1, :, :, 1].any()
    assert imbalance(row_counts(rows)) == pytest.approx(3 / (5 / 3))


def test_chosen_where_it_pays():
    assert set(
        engines_of(hlsgen.schedule(hlsgen.load_graph(sparse(0)), style="folded")).values()
    ) == {"dense"}
    assert (
        "sparse"
        in engines_of(hlsgen.schedule(hlsgen.load_graph(sparse(0.85)), style="folded")).values()
    )
    counts = np.array([10, 40])
    assert (
        is_worthwhile(counts, 120, 4)
        and not is_worthwhile(counts, 90, 4)
        and not is_worthwhile(counts, 1000, 1)
    )


@pytest.mark.emulator
@pytest.mark.parametrize("share", [0.73, 0.95])
def test_right_on_the_emulator(share, tmp_path):
    design = build(sparse(share), tmp_path / "design", "folded")
    assert "sparse_engine" in design.source
    assert_right_in_both_modes(design, images=2)


@pytest.mark.emulator
def test_a_wrong_place_is_found(tmp_path):
    design = build(sparse(0.9), tmp_path / "design", "folded")
    path = next((tmp_path / "design" / "kernels").glob("*.cl"))
    path.write_text(
        path.read_text().replace(
            "const uint at = as_uint(place.lane[i]);", "const uint at = as_uint(place.lane[i]) / 2;"
        )
    )
    with pytest.raises(AssertionError):
        assert_right(design)


def test_time_falls_with_density_as_the_table_does(tmp_path):
    """The words in the generated table are the model's, and they follow the fullest row."""
    graph = hlsgen.load_graph(sparse(0.0))
    cycles = {}
    for share in (0.75, 0.85, 0.92):
        graph = hlsgen.load_graph(sparse(share))
        plan = hlsgen.schedule(graph, style="folded")
        design = HostDesign(hlsgen.generate(graph, plan, tmp_path / str(share)).path)
        fields = list(design.manifest.step_fields)
        table = design.section("table").reshape(-1, len(fields))
        words = table[:, fields.index("weight_words")] * table[:, fields.index("out_groups")]
        layer = graph.layer(plan.steps[0].layer)
        counts, e = row_counts(layer.weights["weight"]), plan.engines
        mine = [n for n, step in enumerate(plan.steps) if step.layer == layer.name]
        assert plan.steps[0].engine == "sparse"
        assert sum(words[n] for n in mine) == sum(
            step.groups
            * row_words(
                counts[step.first_vector * e.width :][: step.vector_count * e.width], e.burst
            )
            for step in plan.steps
            if step.layer == layer.name
        )
        cycles[share] = sum(
            t.cycles for t in estimate(graph, plan).timing.layers if t.name == layer.name
        )
    assert cycles[0.92] < cycles[0.85] < cycles[0.75]


@pytest.mark.emulator
def test_an_edited_plan_may_ask_for_the_dense_engine(tmp_path):
    graph = hlsgen.load_graph(sparse(0.9))
    plan = hlsgen.schedule(graph, style="folded")
    dense = tuple(replace(step, engine="dense") for step in plan.steps)
    engines = plan.engines.sized(dense=plan.engines.sizes["sparse"])
    with pytest.raises(PlanError, match="no dense engine"):
        check_plan(graph, replace(plan, steps=dense))
    edited = check_plan(graph, replace(plan, steps=dense, engines=engines))
    design = hlsgen.generate(graph, edited, tmp_path / "design")
    assert "sparse_engine" not in design.source
    assert_right(HostDesign(design.path))


@pytest.mark.emulator
def test_counted_turns_are_the_models(tmp_path):
    """Counters put into the emulated kernel: every turn of its loops, step by step."""
    graph = hlsgen.load_graph(sparse(0.85))
    plan = hlsgen.schedule(graph, style="folded")
    design = HostDesign(hlsgen.generate(graph, plan, tmp_path / "design").path)
    path = next((tmp_path / "design" / "kernels").glob("*.cl"))
    text = path.read_text()
    for old, new in (
        ("        const int count = ", "        int turns = 0;\n        const int count = "),
        ("            inputs[n] = read", "            ++turns, inputs[n] = read"),
        ("            lanes product;\n", "            ++turns;\n            lanes product;\n"),
        (
            "                ++turn;\n            }\n        }\n",
            "                ++turn;\n            }\n        }\n"
            '        printf("turns %d\\n", turns);\n',
        ),
    ):
        start = text.index("__kernel void sparse_engine")
        end = text.index("\n}\n", start)
        assert text[start:end].count(old) == 1
        text = text[:start] + text[start:end].replace(old, new) + text[end:]
    path.write_text(text)
    assert_right(design)
    printed = [int(turns) for (turns,) in lines_printed(design, "turns")]
    steps = [step for step in plan.steps if step.engine == "sparse"]
    cycles = []
    for step in steps:
        fields = step_counts(graph, step, plan.engines, own_fields(graph, step, plan.engines))
        cycles.append(engine("sparse").cycles(graph, step, plan.engines, fields))
    assert [turns + KERNEL_LATENCY for turns in printed] == cycles != []
