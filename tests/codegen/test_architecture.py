"""The convolution that docs/architecture.md follows is what the compiler makes of it."""

import re

import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.descriptors import own_fields, step_counts
from hlsgen.kernel import derive
from hlsgen.kernel.events import events
from hlsgen.kernel.weight_order import weight_order
from hlsgen.model.estimate import estimate
from hlsgen.model.step_time import step_time
from hlsgen.ops import operator
from hlsgen.zoo import network
from tests.support.paths import ROOT

TEXT = (ROOT / "docs" / "architecture.md").read_text()
PIPELINED, FOLDED, PREFIX = re.split(r"^## The same, .*$", TEXT, flags=re.M)
LAYER = "conv2"


@pytest.fixture(scope="module")
def graph():
    return hlsgen.load_graph(network("lenet5"))


@pytest.fixture(scope="module")
def plans(graph):
    styles = ("pipelined", "folded", "hybrid")
    return {style: hlsgen.schedule(graph, style=style) for style in styles}


def squeezed(text):
    return re.sub(r"\s+", " ", text)


def excerpt(part):
    """The lines of a part's block of OpenCL."""
    (block,) = re.findall(r"^```c$(.*?)^```$", part, re.S | re.M)
    return [line.strip() for line in block.splitlines() if line.strip(" .")]


def source(graph, plan, out):
    design = hlsgen.generate(graph, plan, out)
    return [line.strip() for line in design.source.splitlines()]


def kernel(lines):
    """Those of the layer's own kernel."""
    start = lines.index(next(line for line in lines if line.startswith(f"// {LAYER},")))
    return lines[start : lines.index("", lines.index("EVERY_TURN(290) {", start))]


def follow(lines, text):
    """Whether lines stand in a text in this order."""
    rest = iter(text)
    return all(line in rest for line in lines)


def of_layer(plan):
    return next(k for k in (*plan.kernels, *plan.steps) if k.layer == LAYER)


def rows(part):
    """Cycles and busy share of the report's row."""
    return re.findall(rf"^{LAYER} +104,544 +([\d,]+) +(\d+%)", part, re.M)


@pytest.mark.parametrize(
    "style, part", [("pipelined", PIPELINED), ("folded", FOLDED), ("hybrid", PREFIX)]
)
def test_rows_of_the_report(graph, plans, style, part):
    found = estimate(graph, plans[style]).timing.layers
    time = next(t for t in found if t.name == LAYER)
    assert rows(part) == [(f"{time.cycles:,.0f}", f"{time.utilisation:.0%}")]


def test_texts(graph, plans, tmp_path):
    pipelined = source(graph, plans["pipelined"], tmp_path / "p")
    assert follow(excerpt(PIPELINED), kernel(pipelined))
    assert follow(excerpt(FOLDED), source(graph, plans["folded"], tmp_path / "f"))
    assert kernel(source(graph, plans["hybrid"], tmp_path / "h")) == kernel(pipelined)


def test_plans(plans):
    assert squeezed(repr(of_layer(plans["pipelined"]))) in squeezed(PIPELINED)
    assert of_layer(plans["hybrid"]) == of_layer(plans["pipelined"])
    (shown,) = re.findall(r"^StepPlan\((.*), \.\.\.\)$", FOLDED, re.M)
    step = repr(of_layer(plans["folded"]))
    assert all(field in step for field in shown.split(", "))


def test_what_follows_from_the_description(graph, plans):
    plan, layer = of_layer(plans["pipelined"]), graph.layer(LAYER)
    op = operator(layer.op)
    nest = op.described(layer, graph, plan)
    moved, body = events(nest), derive.body(nest)
    answers = {
        "trip_count": f"{derive.trip_count(nest)}",
        "events": f"{len(moved.reads[0])} reads from cycle {moved.reads[0][0]} on, "
        f"{len(moved.writes)} writes from {moved.writes[0]} to {moved.writes[-1]}",
        "reduction": "{}, and {} outputs take turns".format(*derive.reduction(nest)),
        "body": f"{body.arithmetic.multiply_adds} multiply-adds, {body.arithmetic.adds} adds; "
        f"memories {', '.join(f'`{m.name}`' for m in body.memories)}; "
        f"{body.register_bits:,} register bits",
        "pipeline_depth": f"{derive.pipeline_depth(nest)} cycles",
        "weight_order": "{} vectors of {}".format(
            *weight_order(nest, op.indexed_weights(layer, plan)).shape
        ),
    }
    table = re.findall(r"^\| [^|]+ \| `(\w+)` \| ([^|]+) \|", PIPELINED, re.M)
    assert {name: sorted(map(squeezed, answer.split(", "))) for name, answer in table} == {
        name: sorted(answer.split(", ")) for name, answer in answers.items()
    }


def test_record_and_time(graph, plans):
    step, engines = of_layer(plans["folded"]), plans["folded"].engines
    fields = step_counts(graph, step, engines, own_fields(graph, step, engines))
    shown = re.findall(r"^((?:\w+ \d+(?:, )?)+) {2,}", FOLDED, re.M)
    pairs = [pair.split() for line in shown for pair in line.split(", ")]
    assert len(pairs) >= 13 and all(fields[name] == int(value) for name, value in pairs)
    time = step_time(graph, step, engines, board("pac_d5005"))
    said = f"{time.start:.0f} cycles until", f"then {time.body:.0f} of", f"then {time.tail:.0f} of"
    assert all(text in squeezed(FOLDED) for text in said)
