"""Functions of one integer: a table with a result for each of its 256 values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.kernel.memory import Memory
from hlsgen.kernel.nest import Combine, Epilogue, Nest
from hlsgen.kernel.phases import Table
from hlsgen.kernel.values import Roles, Vector
from hlsgen.ops.arrays import pad_axis, vectors
from hlsgen.ops.base import Operator
from hlsgen.ops.elementwise import elementwise
from hlsgen.ops.importer import Importer
from hlsgen.ops.quantised_arguments import Place, places, quantisation
from hlsgen.plan import Engines, KernelPlan, StepPlan
from hlsgen.quantised import Quantisation, single
from hlsgen.types import INTEGERS, DataType

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter

ENTRIES = 256
WHAT = f"a table of {ENTRIES} results"


@dataclass(frozen=True)
class LookupAttributes:
    """The types of index and entries; the 256 entries by the bits of the index."""

    given: DataType
    result: DataType
    table: tuple[int, ...]

    @property
    def entries(self) -> np.ndarray:
        """The table in numpy."""
        return np.array(self.table, self.result.array)


class Lookup(Operator, Importer):
    """A function of one value; onnxruntime has such tables for QLinearSigmoid and others."""

    name = "lookup"
    onnx_types: ClassVar[dict[str, str]] = {"QLinearSigmoid": "", "QLinearLeakyRelu": "alpha"}
    contributed = frozenset(onnx_types)
    engine = "lookup"
    engine_weights = True
    types = INTEGERS
    fuses_activation = False

    def import_node(self, node: NodeImporter) -> None:
        """Import a function of one quantised value."""
        functions: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "QLinearSigmoid": lambda x: 1 / (1 + np.exp(-x)),
            "QLinearLeakyRelu": lambda x: np.where(
                x >= 0, x, single(node.attribute("alpha", 0.01)) * x.astype(single)
            ),
        }
        value, given, result = (
            node.value(0),
            quantisation(node, places(0)),
            quantisation(node, Place(0, 3, 4)),
        )
        x = given.dequantised(index_values(given.type))
        found = functions[node.op_type](x.astype(np.float64)).astype(single)
        tensor = add_lookup(node, value.tensor, result.quantised(found), given, result)
        node.bind(tensor, value.view)

    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The entries."""
        found: np.ndarray = layer.attributes.entries[inputs[0].view(np.uint8)]
        return found

    def structure(self, layer: Layer) -> Any:
        """Entries are constants of any table."""
        return replace(layer.attributes, table=())

    def roles(self, layer: Layer, graph: Graph) -> Roles:
        """What the table has is the result."""
        a: LookupAttributes = layer.attributes
        return Roles(a.given, a.given, a.result, a.result)

    def layered_arrays(self, layer: Layer) -> dict[str, np.ndarray]:
        """The table."""
        return {"table": layer.attributes.entries}

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """One pass, pixel by pixel, so that the table comes once."""
        tensor = graph.output_tensor(layer)
        count = vectors(tensor.channels, engines.width)
        return (StepPlan(layer.name, self.engine, tensor.height, tensor.width, count, 0, count),)

    def folded_weights(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> np.ndarray:
        """The entries by the bits of the index, lane by lane, whole words of them."""
        bits = layer.attributes.entries.view(np.int8)
        return pad_axis(bits, 0, engines.width * engines.burst).reshape(1, -1, engines.width)

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """Every lane looks its value up."""
        a: LookupAttributes = layer.attributes
        lanes, vector = kernel.output_width, Vector(a.result, kernel.output_width)
        place = f"{layer.name}_table[(uchar){{0}}{{lane}}]"
        taken = [place.replace("{lane}", f".s{lane:x}") for lane in range(lanes)]
        expression = f"({vector.ctype})({', '.join(taken)})"
        if lanes == 1:
            expression = place.replace("{lane}", "")
        memory = Memory("table", ENTRIES, a.result.bits, copies=lanes)
        table = Table(memory, a.result.ctype, tuple(map(str, a.table)))
        nest = elementwise(
            layer, graph, kernel, Combine("each", expression=expression), Epilogue(), WHAT,
            types=self.roles(layer, graph),
        )  # fmt: skip
        return replace(nest, tables=(table,))


def index_values(kind: DataType) -> np.ndarray:
    """The values of an integer type of 8 bits in the order of their bits."""
    return np.arange(ENTRIES, dtype=np.uint8).view(kind.array)


def add_lookup(
    node: NodeImporter,
    source: Tensor,
    table: np.ndarray,
    given: Quantisation,
    result: Quantisation,
    part: str = "",
) -> Tensor:
    """A layer that looks every value of a tensor up in a `table` of 256."""
    attributes = LookupAttributes(given.type, result.type, tuple(table.tolist()))
    return node.add("lookup", attributes, [source], source.shape, kind=result.type, part=part)


OPERATOR = Lookup()
