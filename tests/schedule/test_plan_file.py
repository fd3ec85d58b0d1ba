"""Plan files that people write: read, or refused in one message that names the field; never a
traceback."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlsgen
from hlsgen.errors import HlsgenError, PlanError
from hlsgen.kernel.memory import MEMORY_DISTANCE
from hlsgen.plan import Plan
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.goal import Goal
from tests.support.networks import parse

NETWORK = """(float[1,8,8,8] x, float[8,1,3,3] d, float[16,8,1,1] p, float[16,16,3,3] c,
float[64,40] f) => (float[1,40] y) {
    a = Conv<group=8, pads=[1,1,1,1]>(x, d) r = Relu(a) b = Conv(r, p)
    e = Conv<pads=[1,1,1,1]>(b, c) s = Add(e, b) n = LRN<size=5>(s)
    m = MaxPool<kernel_shape=[4,4], strides=[4,4]>(n) t = Flatten(m) u = MatMul(t, f)
    y = Softmax(u) }"""
WRONG = [
    None,
    True,
    -1,
    0,
    3,
    1 << 40,
    10**30,
    1.5,
    float("nan"),
    "",
    "x",
    "layered",
    "auto",
    "int8",
    [],
    [1],
    ["x"],
    [[]],
    {},
    {"layer": 1},
]


@pytest.fixture(scope="module")
def graph():
    return hlsgen.load_graph(parse(NETWORK))


@pytest.fixture(scope="module")
def plans(graph):
    pins = {("prefix", "layers"): 2}
    goals = {
        "pipelined": Goal(),
        "folded": Goal(images=2),
        "hybrid": Goal(images=2, pins=pins),
        "base": Goal(),
    }
    return {
        style: json.loads(hlsgen.schedule(graph, style=style, goal=goal).to_json())
        for style, goal in goals.items()
    }


def places(data, path=()):
    """Paths to all values of a JSON object."""
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def checked(graph, data, folder):
    path = folder / "plan.json"
    path.write_text(json.dumps(data))
    return check_plan(graph, Plan.load(path))


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_any_value_anywhere(graph, plans, tmp_path_factory, data):
    plan = copy.deepcopy(plans[data.draw(st.sampled_from(sorted(plans)))])
    *path, last = data.draw(st.sampled_from(list(places(plan))))
    place = plan
    for key in path:
        place = place[key]
    if data.draw(st.booleans()):
        place[last] = data.draw(st.sampled_from(WRONG))
    else:
        del place[last]
    try:
        checked(graph, plan, tmp_path_factory.getbasetemp())
    except HlsgenError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("style", "changes", "words"),
    [
        ("folded", {"weights": "int8"}, "unknown storage type of weights 'int8'.*bfloat16"),
        ("folded", {"style": "auto"}, "unknown style"),
        ("folded", {"disabled": "unroll"}, "disabled must be a valid array"),
        ("folded", {"disabled": ["unrol"]}, "unknown optimisation"),
        ("folded", {"im2col": [1]}, r"im2col\[0\] must be a valid string"),
        ("folded", {"images": 1 << 40}, "at most"),
        ("base", {"evidence": {"shapes": 1 << 40}}, "evidence: shapes must be at most"),
        ("base", {"evidence": {"gap": 10**400}}, "evidence.gap must be a finite number"),
        ("base", {"evidence": {"gap": float("inf")}}, "evidence.gap must be a finite number"),
        ("base", {"evidence": {"alternatives": [{}]}}, r"alternatives\[0\]: lacks the field"),
        ("folded", {"images": 65}, "at most 64"),
        ("folded", {"engines": None}, "needs engines"),
        ("folded", {"kernels": [{}]}, r"kernels\[0\]: lacks the field 'layer'"),
        ("folded", {"kernels": [{"layer": "a"}]}, "a folded design has no kernels"),
        ("folded", {"style": "pipelined"}, "a pipelined design has no engines"),
        ("pipelined", {"images": 2}, "a pipelined design has no images"),
        ("base", {"copies": 2}, "a base design has no copies"),
        ("base", {"colour": 2}, "unknown field 'colour'"),
    ],
)
def test_what_is_wrong_is_named(style, changes, words, graph, plans, tmp_path):
    with pytest.raises(PlanError, match=f"(?s){words}"):
        checked(graph, plans[style] | changes, tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "7", "null", '{"schema": 2}', "{", "\x00"])
def test_files_that_hold_no_plan(text, tmp_path):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(PlanError, match="plan"):
        Plan.load(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("engine", "field", "value"),
    [
        ("normalisation", "size", 1),
        ("normalisation", "size", 4),
        ("depthwise", "extent", 2),
        ("depthwise", "line", 9),
        ("pooling", "extent", 3),
        ("pooling", "line", 7),
        ("softmax", "vectors", 1),
        ("convolution", "tile_vectors", 1),
        ("convolution", "tile_pixels", 1),
        ("convolution", "tile_vectors", 0),
        ("", "width", 3),
        ("", "burst", 3),
        ("", "group", 0),
    ],
)
def test_engines_too_small_for_the_network(engine, field, value, graph, plans, tmp_path):
    engines = copy.deepcopy(plans["folded"]["engines"])
    sizes = engines["sizes"][engine] if engine else engines
    assert value < sizes[field] or field in ("width", "burst")
    sizes[field] = value
    with pytest.raises(PlanError):
        checked(graph, plans["folded"] | {"engines": engines}, tmp_path)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"poling": {"extent": 4, "line": 9}}, "no such engine.*did you mean 'pooling'"),
        ({"pooling": {"extent": 4}}, "its sizes are extent, line"),
        ({"softmax": {"vectors": 9, "extent": 1}}, "its sizes are vectors"),
        ({"softmax": 3}, "softmax must be an object"),
        ({"softmax": {"vectors": "3"}}, "vectors must be a valid integer"),
    ],
)
def test_sizes_that_no_engine_has(sizes, words, graph, plans, tmp_path):
    engines = copy.deepcopy(plans["folded"]["engines"])
    engines["sizes"] |= sizes
    with pytest.raises(PlanError, match=f"(?s){words}"):
        checked(graph, plans["folded"] | {"engines": engines}, tmp_path)


def test_a_step_whose_engine_the_plan_lacks(graph, plans, tmp_path):
    engines = copy.deepcopy(plans["folded"]["engines"])
    del engines["sizes"]["pooling"]
    with pytest.raises(PlanError, match="the plan has no pooling engine"):
        checked(graph, plans["folded"] | {"engines": engines}, tmp_path)


def test_a_dense_engine_too_small_for_the_network(tmp_path):
    graph = hlsgen.load_graph(
        parse("(float[1,60] x, float[60,21] w) => (float[1,21] y) { y = MatMul(x, w) }")
    )
    data = json.loads(hlsgen.schedule(graph, style="folded").to_json())
    sizes = data["engines"]["sizes"]["dense"]
    needed = sizes["vectors"]
    sizes["vectors"] -= 1
    with pytest.raises(PlanError, match=f"dense: vectors must be at least {needed}"):
        checked(graph, data, tmp_path)


def test_a_line_rests_as_long_as_a_memory_needs(tmp_path):
    """With a larger window than the network needs the engine gets a line buffer, whose rows are
    padded beyond the network's own."""
    text = (
        "(float[1,8,6,6] x) => (float[1,8,3,3] y) { y = MaxPool<kernel_shape=[1,1], "
        "strides=[2,2]>(x) }"
    )
    graph = hlsgen.load_graph(parse(text))
    data = json.loads(hlsgen.schedule(graph, style="folded").to_json())
    sizes = data["engines"]["sizes"]["pooling"]
    assert sizes["line"] < MEMORY_DISTANCE
    sizes["extent"] = 3
    with pytest.raises(PlanError, match=f"line must be at least {MEMORY_DISTANCE}"):
        checked(graph, data, tmp_path)
    sizes["line"] = MEMORY_DISTANCE
    checked(graph, data, tmp_path)


@pytest.mark.parametrize(
    ("style", "key", "change"),
    [
        ("pipelined", "kernels", lambda items: [*items, items[0]]),
        ("pipelined", "edges", lambda items: [*items, items[0]]),
        ("pipelined", "edges", lambda items: [{**items[0], "depth": 1}, *items[1:]]),
        ("folded", "steps", lambda items: items[1:]),
        ("folded", "steps", lambda items: [*items, items[-1]]),
        ("folded", "steps", lambda items: [items[1], items[0], *items[2:]]),
        ("folded", "steps", lambda items: [{**items[0], "engine": ""}, *items[1:]]),
        (
            "folded",
            "steps",
            lambda items: [{**items[0], "tile_width": items[0]["tile_width"] + 1}, *items[1:]],
        ),
        ("folded", "steps", lambda items: [{**items[0], "source": "ghost"}, *items[1:]]),
        ("folded", "steps", lambda items: [{**items[0], "residual": "ghost"}, *items[1:]]),
        ("folded", "steps", lambda items: [{**items[0], "addition": "ghost"}, *items[1:]]),
        ("folded", "steps", lambda items: [{**items[0], "finish": False}, *items[1:]]),
        ("base", "kernels", lambda items: [{**items[0], "lane_folding": 2}, *items[1:]]),
    ],
)
def test_what_the_network_does_not_ask_for(style, key, change, graph, plans, tmp_path):
    with pytest.raises(PlanError):
        checked(graph, plans[style] | {key: change(plans[style][key])}, tmp_path)


def test_what_the_planner_writes_is_accepted(graph, plans, tmp_path):
    for data in plans.values():
        assert json.loads(checked(graph, data, tmp_path).to_json()) == data


def flat(engines):
    """Engines as schema 1 had them."""
    sizes = {"skip_inputs": 0, "skip_outputs": 0, "skip_tile_vectors": 0, "skip_tile_pixels": 0}
    names = {"pooling": "pool_", "depthwise": "depthwise_", "normalisation": "normalisation_"}
    names |= {"dense": "dense_", "softmax": "pixel_", "convolution": ""}
    for engine, own in engines["sizes"].items():
        sizes |= {names[engine] + size: value for size, value in own.items()}
    return {"width": engines["width"], "burst": engines["burst"]} | sizes


def test_plans_of_the_first_schema(graph, tmp_path):
    """Names of schema 1 are read as those of schema 2, and the plan builds the same design."""
    dense = parse(NETWORK.replace("LRN<size=5>(s)", "Relu(s)"))
    network = hlsgen.load_graph(dense)
    choice = {("e", "vectors_per_cycle"): 2, ("u", "row_tiles"): 1}
    for style, pins in (("pipelined", choice), ("folded", {})):
        plan = hlsgen.schedule(network, style=style, goal=Goal(pins=pins))
        data = json.loads(plan.to_json())
        data["schema"], data["dtype"] = 1, "float32"
        data["unfolded"], data["convolved"] = data.pop("im2col"), data.pop("dense_as_convolution")
        old = (("fold", "lane_folding"), ("skip", "nonzeros_per_lane"))
        for kernel in data["kernels"]:
            for before, now in (*old, ("at_once", "vectors_per_cycle"), ("strips", "row_tiles")):
                kernel[before] = kernel.pop(now)
        for step in data["steps"]:
            step["vectors_at_once"] = step.pop("output_vectors")
            step["joined"] = step.pop("addition")
        if data["engines"]:
            data["engines"] = flat(data["engines"])
        path = tmp_path / f"{style}.json"
        path.write_text(json.dumps(data))
        assert Plan.load(path) == plan
        assert style != "pipelined" or plan.kernel("e").vectors_per_cycle == 2


def test_engines_without_sizes_of_the_first_schema(tmp_path):
    """Data movement and global pooling."""
    text = "(float[1,8,4,4] x) => (float[1,1,1,8] y) { t = Relu(x) "
    text += "u = Transpose<perm=[0,2,3,1]>(t) v = Transpose<perm=[0,3,2,1]>(u) "
    text += "w = GlobalAveragePool(v) y = Transpose<perm=[0,3,2,1]>(w) }"
    graph = hlsgen.load_graph(parse(text))
    plan = hlsgen.schedule(graph, style="folded")
    data = json.loads(plan.to_json()) | {"schema": 1}
    assert {"gather", "global_pooling"} == set(data["engines"]["sizes"])
    data["engines"] = flat(data["engines"]) | {"outputs": data["engines"]["group"]}
    data["engines"] |= {"tile_vectors": 0, "tile_pixels": 0}
    (tmp_path / "plan.json").write_text(json.dumps(data))
    assert check_plan(graph, Plan.load(tmp_path / "plan.json")) == plan


def test_names_of_the_first_schema_are_unknown_in_the_second(graph, plans, tmp_path):
    data = copy.deepcopy(plans["pipelined"])
    data["kernels"][0]["at_once"] = 1
    (tmp_path / "plan.json").write_text(json.dumps(data))
    with pytest.raises(PlanError, match="unknown field 'at_once'"):
        Plan.load(tmp_path / "plan.json")
