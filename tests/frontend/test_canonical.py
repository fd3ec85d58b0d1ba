"""What the front end makes of exporters' ways of saying things: the same network, or all that is
wrong with it at once."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

import hlsgen
from hlsgen.errors import HlsgenError, UnsupportedError
from hlsgen.frontend.element_types import model_in_float32, to_float32
from hlsgen.frontend.prepare import resolved
from hlsgen.frontend.resolve import Resolver
from hlsgen.frontend.source import open_model
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.host.images import random_images, random_values
from hlsgen.ort_tolerance import half_errors
from hlsgen.own_model import OwnModel
from hlsgen.reference import run_network
from tests.support.networks import build, parse, verdict_of

CONV = "(float[1,3,6,6] x, float[4,3,3,3] w) => (float[1,4,4,4] y)"
MODELS = {
    "functions": """<ir_version: 8, opset_import: ["" : 17, "mine" : 1]>
        g (float[1,3,6,6] x) => (float[1,3,6,6] y) { a = mine.Block(x) y = mine.Block(a) }
        <opset_import: ["" : 17, "mine" : 1], domain: "mine">
        Block (u) => (v) { s = mine.Gate(u) v = Mul(u, s) }
        <opset_import: ["" : 17], domain: "mine"> Gate (u) => (v) { t = Tanh(u) v = Sigmoid(t) }
        """,
    "a branch that shapes choose": """<ir_version: 8, opset_import: ["" : 13]>
        g (float[n,3,6,6] x) => (float[a,b] y) {
            s = Shape(x) k = Constant<value = int64[1] {3}>() one = Constant<value = int64 {1}>()
            c = Gather(s, one) e = Equal(c, k)
            y = If(e) <then_branch = t () => (float[p,q] r) { f = Flatten(x) r = Relu(f) },
                       else_branch = u () => (float[p,q] r) { f = Abs(x) r = Flatten(f) }>
        }""",
    "a branch that is not needed": """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,3] x) => (float[1,3] y) <bool c = {0}> {
            y = If(c) <then_branch = t () => (float[1,3] r) { r = Hardmax(x) },
                       else_branch = u () => (float[1,3] r) { r = Identity(x) }>
        }""",
    "shapes after shapes": """<ir_version: 8, opset_import: ["" : 17]>
        g (float[n,4,6,6] x) => (float[a,b,c,d] y) {
            s = Shape<start = 1>(x) m = Constant<value = int64[1] {-1}>()
            z = Constant<value = int64[1] {0}>() d = Constant<value = int64[1] {36}>()
            two = Constant<value = int64[1] {2}>()
            ch = Gather(s, z) half = Div(ch, two) t = Concat<axis = 0>(m, two, half, d)
            r = Reshape(x, t) q = Transpose<perm = [0,2,1,3]>(r)
            s2 = Shape(q) l = Gather(s2, two) t2 = Concat<axis = 0>(m, ch, l) r2 = Reshape(q, t2)
            s3 = Shape(x) y = Reshape(r2, s3)
        }""",
    "a weight behind DequantizeLinear": """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,3,5,5] x) => (float[1,2,5,5] y)
        <int8[2,3,1,1] q = {1,-2,3,4,-5,6}, float[2] s = {0.5,0.25}, int8[2] z = {0,1}> {
            w = DequantizeLinear<axis = 0>(q, s, z) y = Conv(x, w)
        }""",
    "a rounded matrix": """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,3] x) => (float[1,2] y)
        <float[3,2] w = {1,2,3,4,5,6}, float s = {0.1}, int8 z = {0}> {
            q = QuantizeLinear(w, s, z) d = DequantizeLinear(q, s, z) y = MatMul(x, d)
        }""",
    "a picture prepared with channels last": """<ir_version: 8, opset_import: ["" : 17]>
        g (uint8[1,4,5,3] x) => (float[1,3,4,5] y)
        <float[3] mean = {9,8,7}, float[1,1,1,3] scale = {2,3,4}, float white = {255.0}> {
            f = Cast<to = 1>(x) a = Div(f, white) b = Sub(mean, a) c = Div(b, scale)
            t = Transpose<perm = [0,3,1,2]>(c) y = Relu(t)
        }""",
    "a mask": """<ir_version: 8, opset_import: ["" : 17]>
        g (bool[1,3,4] x) => (float[1,4,3] y) <float a = {2}, float b = {-1}> {
            t = Transpose<perm = [0,2,1]>(x) n = Not(t) w = Where(n, a, b) c = Cast<to = 1>(t)
            y = Add(w, c)
        }""",
    "a value read beside its Transpose": """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,4,5,3] x) => (float[1,3,4,5] y) {
            a = Neg(x) t = Transpose<perm = [0,3,1,2]>(a) u = Transpose<perm = [0,3,1,2]>(x)
            b = Add(x, x) v = Transpose<perm = [0,3,1,2]>(b) w = Add(t, u) y = Add(v, w)
        }""",
    "a list of parts": """<ir_version: 8, opset_import: ["" : 14]>
        g (float[1,6,4] x) => (float[1,2,6] y) {
            two = Constant<value = int64 {2}>() one = Constant<value = int64 {1}>()
            p = SplitToSequence<axis = 1>(x, two) n = SequenceLength(p) a = SequenceAt(p, one)
            m = Neg(n) last = Add(m, one) b = SequenceAt(p, last) e = SequenceEmpty()
            f = SequenceInsert(e, a) i = SequenceInsert(f, b) c = ConcatFromSequence<axis = 2>(i)
            r = SplitToSequence<axis = 2, keepdims = 0>(c) s = Identity(r)
            q = ConcatFromSequence<axis = 2, new_axis = 1>(s)
            k = Constant<value_ints = [0,0,0]>() u = Constant<value_ints = [1,2,6]>()
            t = Slice(q, k, u) y = Relu(t)
        }""",
    "a loop of known length": """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,3] x) => (float[1,3] y, float[a,b,c] z) <int64 n = {4}, float half = {0.5}> {
            y, z = Loop(n, , x) <body = b (int64 i, bool go, float[1,3] c) =>
                (bool on, float[1,3] d, float[1,3] e) {
                f = Cast<to = 1>(i) h = Add(c, f) d = Mul(h, half) e = Neg(d)
                three = Constant<value_int = 2>() on = Less(i, three)
            }>
        }""",
    "a definition in ONNX": """<ir_version: 8, opset_import: ["" : 18]>
        g (float[1,3,5,5] x) => (float[1,3,1,1] y) <int64[2] a = {2,3}> {
            y = ReduceL1(x, a)
        }""",
}


def given(model, seed=1):
    """A random image for a model with one input, of its integer type or float32."""
    (port,) = hlsgen.load_graph(model).inputs
    shape = port.view.value_shape
    return {port.name: random_values(np.random.default_rng(seed), shape, port.dtype)}, shape


def check_against_onnxruntime(model, tolerance=1e-5):
    inputs, shape = given(model)
    found = run_network(hlsgen.load_graph(model), inputs)
    (name,) = inputs
    for output, values in OwnModel(model, {name: shape})(inputs).items():
        np.testing.assert_allclose(
            found[output].ravel(), values.ravel(), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
def test_worked_out_before_it_is_judged(text):
    check_against_onnxruntime(onnx.parser.parse_model(text))


def in_type(model, kind):
    """A model of float32 in another floating-point type."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = kind
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor).astype(dtype)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return model


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (TensorProto.FLOAT16, "float16"),
        (TensorProto.BFLOAT16, "bfloat16"),
        (TensorProto.DOUBLE, "double"),
    ],
)
def test_other_floating_point_types_become_float32(kind, word):
    model = in_type(parse(CONV + "{ c = Conv(x, w) y = Relu(c) }"), kind)
    graph = hlsgen.load_graph(model)
    assert graph.precision == (word,)
    assert {port.dtype for port in graph.inputs} == {"float32"}
    inputs, shape = given(model)
    wanted = OwnModel(model_in_float32(model), {"x": shape})(inputs)["y"][0]
    np.testing.assert_allclose(run_network(graph, inputs)["y"], wanted, rtol=1e-5, atol=1e-6)


def test_a_half_weight_that_is_cast_is_exact():
    model = parse("(float[1,2,3,3] x) => (float[1,2,3,3] y) { f = Cast<to = 1>(w) y = Conv(x, f) }")
    weight = np.arange(4, dtype=np.float16).reshape(2, 2, 1, 1)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    assert hlsgen.load_graph(model).precision == ()
    check_against_onnxruntime(model)


def test_constants_beyond_float32_stay_finite():
    found = to_float32(np.array([1e300, -1e300, np.inf, 0.1]))
    limit = np.finfo(np.float32).max
    np.testing.assert_array_equal(found, np.array([limit, -limit, np.inf, 0.1], np.float32))


def test_what_float16_is_off_by():
    """onnxruntime in float16 is within what is allowed; a weight that is a hundredth off is not."""
    text = CONV + "{ c = Conv(x, w) y = Sigmoid(c) }"
    model, wrong = (in_type(parse(text), TensorProto.FLOAT16) for _ in range(2))
    (weight,) = wrong.graph.initializer
    array = numpy_helper.to_array(weight) * np.float16(1.01)
    weight.CopyFrom(numpy_helper.from_array(array, "w"))
    graph, (inputs, shape) = hlsgen.load_graph(model), given(model)
    exact, allowed = run_network(graph, inputs)["y"], half_errors(graph, inputs)["y"]
    right, off = (np.abs(OwnModel(m, {"x": shape})(inputs)["y"] - exact) for m in (model, wrong))
    assert (right <= allowed).all() and right.max() > 1e-5
    assert (off > allowed).any()


PICTURE = """<ir_version: 8, opset_import: ["" : 17]>
    g (uint8[1,6,6,3] x) => (float[1,2,4,4] y)
    <float[1,3,1,1] mean = {0.5,0.4,0.3}, float[1,3,1,1] scale = {0.2,0.3,0.4},
     float white = {255.0}> {
        t = Transpose<perm = [0,3,1,2]>(x) f = Cast<to = 1>(t) a = Div(f, white)
        b = Sub(a, mean) c = Div(b, scale) y = Conv(c, w)
    }"""


def picture_model():
    model = onnx.parser.parse_model(PICTURE)
    weight = np.random.default_rng(0).standard_normal((2, 3, 3, 3), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    return model


@pytest.mark.emulator
def test_pictures_of_bytes(tmp_path):
    """The host takes bytes, and prepares them as the network does."""
    design = build(picture_model(), tmp_path / "design")
    assert [layer.op for layer in design.manifest.layers] == ["conv"]
    assert design.manifest.inputs[0].preparation.axis == 3
    images = random_images(design, 2)
    assert images["x"].dtype == np.uint8 and images["x"].max() > 200
    assert verdict_of(design, inputs=images)["ok"]
    with pytest.raises(HostError, match="of type float32, the network needs uint8"):
        design.check_inputs({"x": images["x"].astype(np.float32)})


def test_integers_that_float32_cannot_carry(tmp_path):
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (int32[1,4] x) => (float[1,4] y) '
        "{ c = Cast<to = 7>(x) f = Cast<to = 1>(c) y = Relu(f) }"
    )
    design = build(model, tmp_path / "design")
    design.check_inputs({"x": np.array([[1 << 24, 1, 2, -3]], np.int32)})
    with pytest.raises(HostError, match="16,777,217"):
        design.check_inputs({"x": np.array([[16_777_217, 1, 2, 3]], np.int32)})


@pytest.mark.parametrize("node", ["Add(x, x)", "Cast<to = 3>(x)", "Abs(x)"])
def test_integers_are_not_computed_with(node):
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (uint8[1,4] x) => (float[1,4] y) '
        f"{{ a = {node} y = Cast<to = 1>(a) }}"
    )
    with pytest.raises(UnsupportedError, match=r"numbers of type uint8 \(input x\)") as raised:
        hlsgen.load_graph(model)
    assert raised.value.needs_constant == {"x"}


def test_everything_that_is_wrong_is_told_at_once():
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> '
        "g (float[1,3,6,6] x, uint8[1,3] i) => (float[1,3,6,6] y, uint8[1,3] j, float[2] k, "
        "float[1,3,2,2] r) <float[2] c = {1,2}, float[4] s = {1,1,0.3,0.3}> "
        "{ j = Add(i, i) a = Det(x) b = Nothing(a) y = Det(b) k = Identity(c) "
        'r = Resize<mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize">'
        "(x, , s) }"
    )
    with pytest.raises(HlsgenError) as raised:
        hlsgen.load_graph(model)
    text = str(raised.value)
    words = (
        "5 nodes",
        "node a (Det), node y (Det): operator Det",
        "node b (Nothing): operator Nothing",
        "node j (Add): it computes with numbers of type uint8",
        "node r (Resize)",
        "supported ONNX operators:",
    )
    assert [word for word in words if word not in text] == []


def test_inputs_without_a_size_are_told_at_once():
    text = "(float[1,3,H,6] x, float[1,W] z) => (float[1,3,H,6] y, float[1,W] v) "
    with pytest.raises(HlsgenError, match=r"(?s)input x: axis 2.*input z: axis 1"):
        hlsgen.load_graph(parse(text + "{ y = Relu(x) v = Relu(z) }", inputs=("x", "z")))


def test_operators_are_listed_only_where_one_is_missing():
    model = parse("(float[1,3,6,6] x) => (float[1,3,6,6] y) { i = Cast<to = 6>(x) y = Relu(i) }")
    with pytest.raises(HlsgenError) as raised:
        hlsgen.load_graph(model)
    assert "supported ONNX operators" not in str(raised.value)


def test_minus_one_is_a_free_dimension():
    model = parse("(float[1,3,6,6] x) => (float[1,3,6,6] y) { y = Relu(x) }")
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = -1
    graph = hlsgen.load_graph(model, {"x": (1, 3, 9, 6)})
    assert graph.inputs[0].image_shape == (1, 3, 9, 6)


def test_definitions_are_taken_where_an_operator_is_not_built():
    """With a shorter list of operators than hlsgen's own, and attributes given and left out."""
    model = parse(
        "(float[1,3] x) => (float[1,3] y) { a = HardSwish(x) b = LeakyRelu(a) "
        "y = LeakyRelu<alpha = 0.5>(b) }",
        opset=18,
    )
    skeleton = open_model(model).skeleton
    walk = Resolver(18, {}, {"x": skeleton.graph.input[0].type}, {}, built=("Identity",))
    walk.walk(skeleton.graph.node)
    assert {node.op_type for node in walk.nodes} <= {"Less", "Where", "Mul", "Max", "Min", "Add",
                                                     "HardSigmoid", "Div"}  # fmt: skip
    assert all("whose definition needs" in walk.label(node) for node in walk.nodes)
    del skeleton.graph.node[:]
    skeleton.graph.node.extend(walk.nodes)
    for name, array in walk.constants.items():
        skeleton.graph.initializer.append(numpy_helper.from_array(array, name))
    inputs = {"x": np.array([[-2.0, 0.5, 3.0]], np.float32)}
    found, wanted = (
        onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            None, inputs
        )[0]
        for m in (skeleton, model)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("opset", [17, 18, 20, 23])
def test_definitions_of_every_opset(opset):
    """ONNX has them from some version on, for all later ones too."""
    model = parse("(float[1,4,3] x, float[3] s) => (float[1,4,3] y) { y = "
                  "LayerNormalization(x, s) }", opset=opset)  # fmt: skip
    skeleton = open_model(model).skeleton
    constants = {"s": np.ones(3, np.float32)}
    types = {"x": skeleton.graph.input[0].type}
    walk = Resolver(opset, constants, types, {}, built=("ReduceMean",))
    walk.walk(skeleton.graph.node)
    found = {node.op_type for node in walk.nodes}
    assert "ReduceMean" in found and not found & {"LayerNormalization", "Shape", "Size"}


def test_definitions_that_came_later():
    """ONNX wrote that of ThresholdedRelu down with opset 18, in words that mean the same at 17. An
    operator that came later has none there."""
    for text, opset, left in (
        ("(float[1,3] x) => (float[1,3] y) { y = ThresholdedRelu(x) }", 17, {"Less", "Where"}),
        ("(float[1,3] x) => (float[1,3] y) { y = Mish(x) }", 17, {"Mish"}),
    ):
        skeleton = open_model(parse(text, opset=opset)).skeleton
        walk = Resolver(opset, {}, {"x": skeleton.graph.input[0].type}, {}, built=())
        walk.walk(skeleton.graph.node)
        assert left <= {node.op_type for node in walk.nodes}


def test_a_loop_whose_end_is_not_known_is_refused():
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,3] x) => (float[1,3] y) <int64 n = {4}, bool c = {1}, int64[2] a = {0,1}> {
            y = Loop(n, c, x) <body = b (int64 i, bool go, float[1,3] v) =>
                (bool on, float[1,3] w) {
                w = Abs(v) s = ReduceSum<keepdims = 0>(w, a) on = Cast<to = 9>(s)
            }>
        }"""
    )
    with pytest.raises(HlsgenError, match=r"node y \(Loop\): operator Loop is not supported"):
        hlsgen.load_graph(model)


def test_a_sparse_weight():
    model = parse("(float[1,3] x) => (float[1,2] y) { y = MatMul(x, w) }")
    values = numpy_helper.from_array(np.array([2.0, -1.0], np.float32), "w")
    places = numpy_helper.from_array(np.array([[0, 1], [2, 0]]), "at")
    sparse = onnx.helper.make_sparse_tensor(values, places, [3, 2])
    model.graph.sparse_initializer.append(sparse)
    found = run_network(hlsgen.load_graph(model), {"x": np.array([[1, 2, 3]], np.float32)})
    np.testing.assert_array_equal(found["y"], [[-3, 2]])


def test_the_given_model_is_left_alone():
    model = onnx.parser.parse_model(MODELS["functions"])
    content = model.SerializeToString()
    assert hlsgen.load_graph(model).model is model
    assert model.SerializeToString() == content


def test_what_only_a_shape_needs_is_gone():
    text = MODELS["shapes after shapes"]
    prepared = resolved(open_model(onnx.parser.parse_model(text)), {})
    assert [node.op_type for node in prepared.nodes] == ["Reshape", "Transpose", "Reshape",
                                                         "Reshape"]  # fmt: skip


@pytest.mark.emulator
def test_a_validated_half_network(tmp_path):
    """The user's own file decides, in its own type."""
    model = in_type(parse(CONV + "{ c = Conv(x, w) y = Relu(c) }"), TensorProto.FLOAT16)
    design = build(model, tmp_path / "design")
    assert isinstance(design, HostDesign)
    found = verdict_of(design)
    assert found["ok"] and found["onnxruntime"]["max_rel_error"] > 1e-5


def test_an_input_in_another_order_keeps_its_channels():
    """A number for all and then one a channel: of the input's own channels, whatever the order."""
    model = parse(
        "(float[1,4,5,3] x, float[1,1,4,1] k) => (float[1,5,4,3] y) <float two = {2}> "
        "{ t = Transpose<perm = [0,2,1,3]>(x) a = Mul(t, two) y = Mul(a, k) }"
    )
    assert [layer.op for layer in hlsgen.load_graph(model).layers] == ["scale"]
    check_against_onnxruntime(model)
