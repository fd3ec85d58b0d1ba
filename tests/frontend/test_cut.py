"""Networks of which a part is built: which part, what goes to the host, and what is refused."""

import numpy as np
import onnx
import pytest

import hlsgen
from hlsgen.errors import UnsupportedError, UsageError
from hlsgen.frontend.cut import Ends, load_network, load_part
from hlsgen.frontend.largest_part import DESIGN, HEAD, TAIL, Step, largest_part
from hlsgen.host.compare import compare
from hlsgen.onnxruntime_session import session
from hlsgen.reference import run_network
from tests.support.cut_networks import BRANCHES, BYTES, DETECTOR, LOOP, MIDDLE
from tests.support.networks import parse, random_inputs, run_onnxruntime
from tests.support.random_networks import ACTIVATIONS, random_network


def cut_of(graph):
    return graph.host_parts.cut


def names(values):
    return [value.name for value in values]


def operators(part):
    return [node.op_type for node in part.graph.node] if part else []


@pytest.mark.parametrize(
    ("text", "start", "end", "head", "tail", "share"),
    [
        (DETECTOR, ["x"], ["boxes", "p"], [], ["NonMaxSuppression", "ReduceMax", "TopK"], 0),
        (MIDDLE, ["v"], ["h", "m"], ["TopK", "ReduceMax"], ["Hardmax", "Mul", "Add", "Mul"], 0),
        (BYTES, ["wide"], ["y"], ["Min", "Cast"], [], 0),
        (BRANCHES, ["x"], ["a", "c"], [], ["Hardmax", "Mul", "Conv"], 576 / 8352),
        (LOOP, ["x"], ["flat"], [], ["ReduceMax", "Less", "Loop", "Less", "Compress", "Add"], 0),
    ],
    ids=["detector", "middle", "bytes", "branches", "loop"],
)
def test_the_largest_part_is_built(text, start, end, head, tail, share):
    graph = load_network(parse(text, inputs=("x", "x0")))
    cut = cut_of(graph)
    assert names(graph.inputs) == start
    assert names(graph.outputs) == end
    assert operators(graph.host_parts.head) == head
    assert operators(graph.host_parts.tail) == tail
    assert cut.host_macs == share * cut.macs < cut.macs
    assert cut.reasons


def test_the_reasons_name_the_nodes():
    cut = cut_of(load_network(parse(DETECTOR)))
    assert cut.reasons == (
        "node picked (NonMaxSuppression): operator NonMaxSuppression is not supported",
        "node best (TopK): operator TopK is not supported",
    )
    assert [(value.shape, value.dtype) for value in cut.outputs] == [
        ((1, -1, 3), "int64"),
        ((1, 5), "float32"),
        ((1, 5), "int64"),
    ]


def test_the_same_network_is_cut_alike_and_read_again():
    first, again = (load_network(parse(MIDDLE)) for _ in range(2))
    assert first == again
    parts = [
        [part.SerializeToString() for part in (g.host_parts.head, g.host_parts.tail)]
        for g in (first, again)
    ]
    assert parts[0] == parts[1]
    part = load_part(parse(MIDDLE), {}, "network", Ends(("v",), ("h", "m")))
    assert (part.layers, part.inputs, part.outputs) == (first.layers, first.inputs, first.outputs)


def test_a_network_that_can_be_built_has_no_cut():
    model = parse("(float[1,3,6,6] x, float[4,3,3,3] w) => (float[1,4,4,4] y) { y = Conv(x, w) }")
    assert load_network(model).host_parts is None


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_is_one_image_of_the_network_and_several_of_the_design(batch):
    text = BRANCHES.replace("[1,", f"[{batch},").replace("s = Mul", "t = CumSum(h, first) s = Mul")
    text = text.replace("{\n", "<int32 first = {0}> {\n", 1).replace("Mul(h, c)", "Mul(t, c)")
    graph = load_network(parse(text))
    cut = graph.host_parts.cut
    assert cut.images == batch and cut.inputs[0].model_shape == (batch, 3, 8, 8)
    assert graph.inputs[0].view.value_shape == (1, 3, 8, 8)
    assert any("works along the batch" in reason for reason in cut.reasons) == (batch > 1)


def test_a_fixed_batch_is_told_of_where_it_cannot_be_taken_apart():
    text = """(float[4,3,8,8] x, float[4,6,3,3] w) => (float[2,4,6,6] y) <int64[4] s = {2, 6, 8, 8}>
      { r = Reshape(x, s) a = Conv(r, w) y = Hardmax<axis = 1>(a) }"""
    with pytest.raises(UnsupportedError, match="its batch of 4 cannot be taken image by image"):
        load_network(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "(float[1,3,6,6] x) => (float[1,3,6,6] y) { a = Relu(x) y = Hardmax(a) }",
        "(float[1,3,6,6] x, float[2,3,1,1] w) => (float[1,2,6,6] y) "
        "{ a = Hardmax(x) f = Cast<to = 7>(a) g = Cast<to = 1>(f) y = Identity(g) z = Conv(x, w) }",
    ],
    ids=["no weight", "the weight is not needed"],
)
def test_nothing_of_weight_is_refused_as_ever(text):
    with pytest.raises(UnsupportedError) as whole:
        hlsgen.load_graph(parse(text))
    with pytest.raises(UnsupportedError) as raised:
        load_network(parse(text))
    assert str(raised.value) == str(whole.value)


def test_what_onnxruntime_does_not_run_either_is_refused():
    model = parse("(float[1,3,6,6] x, float[4,3,3,3] w) => (float[1,4,4,4] y) { y = Conv(x, w) }")
    model.graph.node.append(onnx.helper.make_node("Own", ["y"], ["z"], domain="mine"))
    model.graph.output[0].name = "z"
    model.opset_import.append(onnx.helper.make_opsetid("mine", 1))
    with pytest.raises(UnsupportedError) as raised:
        load_network(model)
    assert "operator mine.Own is not supported" in str(raised.value)
    assert "onnxruntime does not run it either" in str(raised.value)


def test_by_hand():
    model = parse(DETECTOR)
    graph = load_network(model, ends=Ends(("r",), ("f",)))
    assert (names(graph.inputs), names(graph.outputs)) == (["r"], ["f"])
    assert operators(graph.host_parts.head) == ["Conv", "Relu"]
    assert cut_of(graph).host_macs == 21_600
    whole = parse("(float[1,3] x) => (float[1,3] y) { a = Relu(x) y = Neg(a) }")
    assert load_network(whole, ends=Ends((), ("y",))).host_parts is None
    assert names(load_network(whole, ends=Ends((), ("a",))).outputs) == ["a"]


def test_values_that_the_tail_reads_besides_end_the_design_too():
    graph = load_network(parse(MIDDLE), ends=Ends(("v",), ("h",)))
    assert names(graph.outputs) == ["r", "h"]


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        (Ends((), ("hh",)), "--cut: 'hh' is no value of the network; did you mean 'h'?"),
        (Ends(("w1",), ("h",)), "--cut-start: 'w1' is no value"),
        (Ends((), ("i",)), "--cut: 'i' is no float32 of a known size"),
        (Ends(("h",), ("h",)), "--cut: nothing is computed between its ends"),
        (Ends(("a", "r"), ("h",)), None),
        (Ends(("v", "r"), ("h", "m")), None),
        (Ends((), ("v",)), "operator TopK is not supported"),
    ],
)
def test_ends_that_cannot_be_are_refused(ends, told):
    if told is None:
        assert load_network(parse(MIDDLE), ends=ends).host_parts is not None
        return
    with pytest.raises((UsageError, UnsupportedError)) as raised:
        load_network(parse(MIDDLE), ends=ends)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("ends", "given", "told"), [(("q", "y"), ["q"], ["y"]), (("q", "c"), ["q"], ["c"])]
)
def test_what_is_left_out_is_no_value(ends, given, told):
    """An output of a recurrent node and an input of a Clip, both without a name."""
    text = """(float[3,1,4] x, float[1,5,4] w, float[1,5,5] r) => (float[1,1,5] y) {
    n, q = RNN<hidden_size=5>(x, w, r) h = Constant<value_float=0.5>()
    c = Clip(q, , h) y = Exp(c) }"""
    model = parse(text)
    model.graph.node[0].output[0] = ""
    graph = load_network(model, ends=Ends((ends[0],), (ends[1],)))
    assert (names(graph.inputs), names(graph.outputs)) == (given, told)
    assert operators(graph.host_parts.head) == ["RNN"]


def test_a_start_that_the_design_computes_is_refused():
    text = "(float[1,3] x) => (float[1,3] y) { a = Relu(x) b = Neg(a) c = Abs(a) y = Add(b, c) }"
    with pytest.raises(UsageError, match="it begins behind 'a', which it needs itself"):
        load_network(parse(text), ends=Ends(("b",), ("y",)))


def test_the_parts_are_models_of_their_own():
    graph = load_network(parse(LOOP))
    onnx.checker.check_model(graph.host_parts.tail)


def chain(*works):
    """Steps one after another: a work of None cannot be built."""
    return [
        Step((f"v{n}",), (f"v{n + 1}",), work or 0, work is not None)
        for n, work in enumerate(works)
    ]


def sizes_of(steps, **others):
    return {name: 10 for step in steps for name in step.reads + step.writes} | others


def test_most_work_wins_wherever_it_is():
    steps = chain(10, None, 6, None, 7)
    assert largest_part(steps, sizes_of(steps), ["v5"]) == [DESIGN, TAIL, TAIL, TAIL, TAIL]
    steps = chain(3, None, 10, 2, None, 7)
    assert largest_part(steps, sizes_of(steps), ["v6"]) == [HEAD, HEAD, DESIGN, DESIGN, TAIL, TAIL]


def test_of_equal_work_fewest_values_cross_and_fewest_steps_stay():
    steps = chain(10, 0, 0, 0, None)
    small = sizes_of(steps, v2=2)
    assert largest_part(steps, small, ["v5"]) == [DESIGN, DESIGN, TAIL, TAIL, TAIL]
    assert largest_part(steps, sizes_of(steps), ["v5"]) == [DESIGN] * 4 + [TAIL]


def test_what_cannot_cross_stays_together():
    steps = chain(10, 0, 0, None)
    sizes = sizes_of(steps)
    del sizes["v2"], sizes["v3"]
    assert largest_part(steps, sizes, ["v4"]) == [DESIGN, TAIL, TAIL, TAIL]


def test_branches_meet():
    branch = [Step(("x",), (f"b{n}",), work, True) for n, work in enumerate((5, 8))]
    meet = Step(("b0", "b1"), ("m",), 0, False)
    behind = Step(("m", "x"), ("y",), 4, True)
    steps = [*branch, meet, behind]
    assert largest_part(steps, sizes_of(steps), ["y"]) == [DESIGN, DESIGN, TAIL, TAIL]


def computed(graph, image):
    """The outputs of a network for one image: the design's part in numpy, the rest in
    onnxruntime."""
    known = image | on_host(graph.host_parts.head, image)
    known |= run_network(graph, {port.name: known[port.name] for port in graph.inputs})
    return known | on_host(graph.host_parts.tail, known)


def on_host(part, known):
    """The results of a head or tail."""
    if part is None:
        return {}
    run = session(part.SerializeToString())
    results = run.run(None, {value.name: known[value.name] for value in run.get_inputs()})
    return dict(zip((value.name for value in run.get_outputs()), results, strict=True))


@pytest.mark.parametrize("seed", range(16))
def test_random_networks_with_nodes_that_cannot_be_built(seed):
    """Whatever is cut, the network stays the same."""
    random = np.random.default_rng(seed)
    model = random_network(lambda options: options[int(random.integers(len(options)))], 12)
    plain = [node for node in model.graph.node if node.op_type in ACTIVATIONS]
    for node in plain[:: int(random.integers(1, 4))]:
        node.op_type = "Atan"
        del node.attribute[:]
    try:
        graph = load_network(model)
    except UnsupportedError as error:
        assert "Atan" in str(error)
        return
    image = random_inputs(model)
    wanted = run_onnxruntime(model, image)
    found = computed(graph, image) if graph.host_parts else run_network(graph, image)
    for name, value in wanted.items():
        assert compare(found[name].reshape(value.shape), value).ok, name
