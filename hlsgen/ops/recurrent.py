"""LSTM, GRU and RNN over short sequences: unrolled, a step of time after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.ops.binary import joined
from hlsgen.ops.compose import apply, number
from hlsgen.ops.importer import Importer
from hlsgen.ops.importing import Value

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

# Steps of time that a network may unroll.
LONGEST = 512
FUNCTIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
KNOWN = {"Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign", "Softplus"}
# The input at which states begin, and those that are not supported.
HIDDEN, CELL, PEEPHOLES, LENGTHS = 5, 6, 7, 4


@dataclass(frozen=True)
class Direction:
    """One direction of a node: its functions, recurrent weights `(gates * hidden, hidden)`, and
    biases `(gates * hidden,)` of the input's part and of the state's."""

    functions: list[str]
    recurrent: np.ndarray
    input_bias: np.ndarray
    bias: np.ndarray
    hidden: int

    def gate(self, array: np.ndarray, number: int, count: int = 1) -> np.ndarray:
        """The rows of some gates."""
        return array[number * self.hidden : (number + count) * self.hidden]


Step = Callable[["NodeImporter", Direction, Value, Any, Any], tuple[Value, Any]]


class Recurrent(Importer):
    """The input's part of all steps is one matrix product; every step adds that of its state."""

    onnx_types: ClassVar[dict[str, str]] = dict.fromkeys(
        ("LSTM", "GRU", "RNN"), "unrolled; constant weights; all directions; linear_before_reset"
    )
    makes = ("conv", "dense", "binary", "activation", "scale", "gather", "concat")

    def import_node(self, node: NodeImporter) -> None:
        """Import one of them."""
        refuse(node)
        value = node.value(0)
        if node.attribute("layout", 0):
            value = Value(value.tensor, value.view.then("transpose", (1, 0, 2)))
        length, batch, width = value.view.value_shape
        weight = node.need_constant(1, "W")
        rows = Value(value.tensor, value.view.then("reshape", (length * batch, width)))
        reverse = node.attribute("direction", "forward") == "reverse"
        finished = []
        for place, own in enumerate(directions(node, len(weight))):
            given = apply(node, "MatMul", rows, weight[place].T)
            given = apply(node, "Add", given, own.input_bias)
            steps = [row(node, given, time, batch) for time in range(length)]
            finished.append(unrolled(node, own, steps, place, reverse or place == 1))
        bind_results(node, finished, reverse)


def directions(node: NodeImporter, count: int) -> list[Direction]:
    """The directions of a node."""
    recurrent = node.need_constant(2, "R")
    bias = np.zeros((count, 2 * recurrent.shape[1]), np.float32)
    if node.input_name(3):
        bias = node.need_constant(3, "B")
    functions = activations(node) or FUNCTIONS[node.op_type] * count
    share = len(functions) // count
    found = []
    for place in range(count):
        own = functions[place * share : (place + 1) * share]
        input_bias, state_bias = np.split(bias[place], 2)
        found.append(Direction(own, recurrent[place], input_bias, state_bias, recurrent.shape[-1]))
    return found


def activations(node: NodeImporter) -> list[str]:
    """The functions that a node names."""
    given = node.attribute("activations", ())
    return [name.decode() if isinstance(name, bytes) else name for name in given]


def refuse(node: NodeImporter) -> None:
    """Raise UnsupportedError for what is not built."""
    shape = node.value(0).view.value_shape
    if len(shape) != 3:
        raise node.unsupported(f"an input {list(shape)}", "give sequences of vectors")
    length = shape[1 if node.attribute("layout", 0) else 0]
    if length > LONGEST:
        raise node.unsupported(f"{length} steps of time", f"the most is {LONGEST}")
    lengths = node.constant(LENGTHS)
    given = node.input_name(LENGTHS)
    if given and (lengths is None or (np.asarray(lengths) != length).any()):
        raise node.unsupported("sequence_lens", "give sequences of full length")
    if node.input_name(PEEPHOLES) or node.attribute("input_forget", 0):
        raise node.unsupported("peepholes or input_forget", "export a plain LSTM")
    for name in ("clip", "activation_alpha", "activation_beta"):
        if node.attribute(name, 0):
            raise node.unsupported(name, "export the network without it")
    if not set(activations(node)) <= KNOWN:
        known = ", ".join(sorted(KNOWN))
        raise node.unsupported(f"activations {activations(node)}", f"known: {known}")


def initial(node: NodeImporter, position: int, direction: int) -> Any:
    """The states `(batch, hidden)` in which a direction begins: a value, a constant, or None for
    0."""
    if not node.input_name(position):
        return None
    constant = node.constant(position)
    batch_first = bool(node.attribute("layout", 0))
    if constant is not None:
        own = constant[:, direction] if batch_first else constant[direction]
        return own if own.any() else None
    value = node.value(position)
    view = value.view.then("transpose", (1, 0, 2)) if batch_first else value.view
    count, batch, hidden = view.value_shape
    rows = Value(value.tensor, view.then("reshape", (count * batch, hidden)))
    return row(node, rows, direction, batch)


def row(node: NodeImporter, rows: Value, place: int, batch: int) -> Value:
    """A stretch of `batch` rows of a matrix."""
    if rows.view.value_shape[0] == batch:
        return rows
    places = place * batch + np.arange(batch, dtype=np.int64)
    return apply(node, "Gather", rows, places, axis=0)


def unrolled(
    node: NodeImporter, own: Direction, steps: list[Value], place: int, backwards: bool
) -> tuple[list[Value], Any]:
    """The hidden states of all steps in order of time, and the last cell."""
    hidden, cell = initial(node, HIDDEN, place), initial(node, CELL, place)
    states: list[Value] = []
    for now in reversed(steps) if backwards else steps:
        hidden, cell = STEPS[node.op_type](node, own, now, hidden, cell)
        states.append(hidden)
    return (states[::-1] if backwards else states), cell


def plus_state(
    node: NodeImporter, own: Direction, now: Value, hidden: Any, first: int, count: int
) -> Value:
    """Some gates' part of a step's input, plus that of the state."""
    bias = own.gate(own.bias, first, count)
    mine = now
    if now.view.value_shape[1] != count * own.hidden:
        mine = gates(node, own, now, first, count)
    matrix = own.gate(own.recurrent, first, count).T
    if isinstance(hidden, np.ndarray):
        return apply(node, "Add", mine, bias + hidden @ matrix)
    if hidden is None:
        return apply(node, "Add", mine, bias) if bias.any() else mine
    product = apply(node, "MatMul", hidden, matrix)
    product = apply(node, "Add", product, bias) if bias.any() else product
    return joined(node, "add", product, mine)


def gates(node: NodeImporter, own: Direction, value: Value, first: int, count: int = 1) -> Value:
    """Some of the gates that lie one after another in a row."""
    bounds = (first * own.hidden, (first + count) * own.hidden, 1)
    return apply(node, "Slice", value, *(np.array([n], np.int64) for n in bounds))


def lstm(
    node: NodeImporter, own: Direction, now: Value, hidden: Any, cell: Any
) -> tuple[Value, Any]:
    """Gates in the order input, output, forget, cell."""
    gate, inner, outer = own.functions
    total = plus_state(node, own, now, hidden, 0, 4)
    enter, leave, forget = (apply(node, gate, gates(node, own, total, i)) for i in range(3))
    fresh = joined(node, "mul", apply(node, inner, gates(node, own, total, 3)), enter)
    kept = fresh if cell is None else apply(node, "Add", apply(node, "Mul", forget, cell), fresh)
    return joined(node, "mul", apply(node, outer, kept), leave), kept


def gru(
    node: NodeImporter, own: Direction, now: Value, hidden: Any, cell: Any
) -> tuple[Value, Any]:
    """Gates in the order update, reset, hidden."""
    gate, inner = own.functions
    both = apply(node, gate, plus_state(node, own, now, hidden, 0, 2))
    update, reset = gates(node, own, both, 0), gates(node, own, both, 1)
    mine, bias = gates(node, own, now, 2), own.gate(own.bias, 2)
    if hidden is None and not node.attribute("linear_before_reset", 0):
        fresh = apply(node, "Add", mine, bias) if bias.any() else mine
    elif node.attribute("linear_before_reset", 0):
        fresh = joined(node, "add", reset_after(node, own, hidden, reset, bias), mine)
    else:
        fresh = plus_state(node, own, mine, apply(node, "Mul", reset, hidden), 2, 1)
    fresh = apply(node, inner, fresh)
    if hidden is None:
        return joined(node, "mul", fresh, apply(node, "Sub", number(1), update)), None
    # fresh + update * (hidden - fresh)
    change = apply(node, "Mul", apply(node, "Sub", hidden, fresh), update)
    return joined(node, "add", change, fresh), None


def reset_after(
    node: NodeImporter, own: Direction, hidden: Any, reset: Value, bias: np.ndarray
) -> Value:
    """The state's part of a GRU's hidden gate, with its bias, times the reset gate."""
    if hidden is None or isinstance(hidden, np.ndarray):
        known = bias if hidden is None else bias + hidden @ own.gate(own.recurrent, 2).T
        return apply(node, "Mul", reset, known)
    product = apply(node, "MatMul", hidden, own.gate(own.recurrent, 2).T)
    return joined(node, "mul", apply(node, "Add", product, bias), reset)


def rnn(
    node: NodeImporter, own: Direction, now: Value, hidden: Any, cell: Any
) -> tuple[Value, Any]:
    """One gate."""
    return apply(node, own.functions[0], plus_state(node, own, now, hidden, 0, 1)), None


STEPS: dict[str, Step] = {"LSTM": lstm, "GRU": gru, "RNN": rnn}


def bind_results(
    node: NodeImporter, finished: list[tuple[list[Value], Any]], reverse: bool
) -> None:
    """Bind the states of all steps, the last states and the last cells, as far as they are read."""
    count, length = len(finished), len(finished[0][0])
    every = [states[time] for time in range(length) for states, _ in finished]
    ends = [
        states[0 if reverse or place == 1 else -1] for place, (states, _) in enumerate(finished)
    ]
    cells = [cell for _, cell in finished]
    batch, hidden = ends[0].view.value_shape
    read = [name in node.builder.used for name in node.node.output]
    for place, values in enumerate((every, ends, cells)):
        if not any(read[place : place + 1]):
            continue
        joined = apply(node, "Concat", *values, axis=1) if len(values) > 1 else values[0]
        outer = (length, count) if place == 0 else (count,)
        view = joined.view.then("reshape", (batch, *outer, hidden))
        if not node.attribute("layout", 0):
            view = view.then("transpose", (*range(1, len(outer) + 1), 0, len(outer) + 1))
        node.bind(joined.tensor, view, place)


IMPORTER = Recurrent()
