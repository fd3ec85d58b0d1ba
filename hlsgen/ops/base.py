"""What every operator provides, and sensible defaults for those that pass vectors straight
through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hlsgen.errors import Infeasible
from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.kernel import derive
from hlsgen.kernel.events import Events, events, needed_pixels
from hlsgen.kernel.hardware import Arithmetic, Body
from hlsgen.kernel.nest import Conversion, Epilogue, Nest, Weights
from hlsgen.kernel.plain import PlainNest
from hlsgen.kernel.record import Field
from hlsgen.kernel.values import Roles, weighted
from hlsgen.kernel.weight_order import weight_order
from hlsgen.ops import n_of_m
from hlsgen.ops.arrays import pad_axis, vectors
from hlsgen.types import FLOAT32

if TYPE_CHECKING:
    from hlsgen.plan import Engines, KernelPlan, StepPlan

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Work:
    """What one image costs: multiply-accumulates, other arithmetic operations, weight values."""

    macs: int = 0
    operations: int = 0
    weights: int = 0


# Kernels of a graph whose description is remembered.
REMEMBERED = 256


class Operator(ABC):
    """One operator: what it computes, what it costs, what makes it.

    A pipelined kernel is a description, `nest`. Templates are found by name:
    `templates/layered/<name>.cl.j2`; `templates/pipelined/<name>.cl.j2` alone where a description
    leaves its loop to one; for the folded style `templates/folded/<engine>.cl.j2` (`engine = ""`
    sends the tensor straight to the epilogue).
    """

    name: str = ""
    engine: str = ""
    # Engines that a step may name in its place.
    alternative_engines: tuple[str, ...] = ()
    engine_weights: bool = False
    # Arrays that may lie in memory in a narrower type than float32.
    stored_weights: tuple[str, ...] = ()
    # Whether it keeps running sums: in global scratch memory where cached writes are switched off.
    accumulates: bool = False
    # Fields of step records that its layers need beside those of engines.
    fields: tuple[Field, ...] = ()
    # Whether the epilogue of a folded design takes in its second input.
    joins: bool = False
    # The function of both in OpenCL, of integers (int32) that are called `first` and `second`, and
    # the units of one lane of it.
    joined: str = ""
    units: Arithmetic = Arithmetic()
    # Whether its inputs lie side by side in its result, one after another along channels.
    concatenates: bool = False
    # The weight that a scale a channel behind it may be multiplied into; "" where there is none.
    scaled_weight: str = ""
    # Whether an activation may become part of the layer.
    fuses_activation: bool = True

    def output_shape(self, attributes: Any, inputs: Sequence[Shape]) -> Shape:
        """Canonical shape of the result from the shapes `(C, H, W)` of the inputs."""
        return inputs[0]

    @abstractmethod
    def reference(self, layer: Layer, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """The result in float64 before the activation, from canonical `(C, H, W)` inputs."""

    def work(self, layer: Layer, graph: Graph) -> Work:
        """Arithmetic and weights of one image."""
        return Work(operations=graph.output_tensor(layer).size)

    def stays_finite(self, layer: Layer) -> bool:
        """Whether finite inputs give finite results.

        Lanes that hold no channel compute as well. Their results meet weights that are 0, so they
        must not be infinite or NaN: where this is False, they are cleared.
        """
        return layer.activation is None or layer.activation.stays_finite

    def roles(self, layer: Layer, graph: Graph) -> Roles:
        """The types of what its kernel handles: where a layer has none of its own, all but weights
        are of the type of its input."""
        kind = graph.tensors[layer.inputs[0]].type
        return weighted(layer.weight_type) if kind == FLOAT32 else Roles(kind, kind, kind, kind)

    def sums_rest(self, layer: Layer, graph: Graph) -> bool:
        """Whether a sum has to rest before it is added to again: the adder of integers is done in a
        cycle."""
        return not self.roles(layer, graph).accumulator.integer

    def structure(self, layer: Layer) -> Any:
        """What of its attributes decides how it can be built, and at what cost."""
        return layer.attributes

    def value_by_value(self, layer: Layer) -> bool:
        """Whether every value of the result follows from the values at its place alone."""
        return False

    def refusal(self, layer: Layer, graph: Graph, style: str) -> str | None:
        """Why the pipelined or folded `style` cannot take a layer; None where it can."""
        return None

    def is_depthwise(self, layer: Layer) -> bool:
        """Whether every channel of the result depends on one channel alone, by weights."""
        return False

    def works_in_row_tiles(self, layer: Layer) -> bool:
        """Whether it has kernels that take their weights from memory for each row tile anew."""
        return False

    def absorbs(self, layer: Layer, fill: float) -> bool:
        """Whether the layer can take a border that holds `fill` as its own."""
        return False

    def bordered(self, layer: Layer, pads: Sequence[int]) -> Any:
        """The attributes of a layer that absorbs a border of so many values at the top, left,
        bottom and right: its window has larger pads."""
        attributes = layer.attributes
        return replace(attributes, window=attributes.window.bordered(pads))

    def note(self, layer: Layer) -> str:
        """What the comment before a kernel says of its layer beside its name."""
        return ""

    def conversion(self, layer: Layer, graph: Graph, lanes: int) -> Conversion | None:
        """What makes results of finished sums of so many lanes where these have another type."""
        return None

    # ---- layered: a kernel a layer through global memory, feature maps as [H][W][C]

    def layered_arrays(self, layer: Layer) -> Mapping[str, np.ndarray]:
        """The constant arrays that the layered kernel takes, by parameter name."""
        return layer.weights

    @property
    def layered_template(self) -> str:
        """The template of its layered kernel."""
        return self.name

    def layered_context(self, layer: Layer) -> dict[str, Any]:
        """What the operator's own layered template needs beyond what all get."""
        return {}

    def layered_taps(self, layer: Layer, kernel: KernelPlan) -> int:
        """How many taps of its window the layered kernel multiplies side by side."""
        return 1

    def layered_weight_loads(self, layer: Layer, kernel: KernelPlan) -> tuple[int, int]:
        """Loads of weights of the layered kernel, and weights in each: those that are neighbours in
        memory share one."""
        return kernel.output_width, kernel.input_width

    def layered_scratch_stores(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Stores to global scratch memory that the compiler keeps of the layered kernel without
        cached writes. A sum itself stays in a register, and where it passes through one loop its
        first value does too."""
        if not self.accumulates:
            return 0
        return min(max(len(nest.sums) for nest in self.layered_nests(layer, graph, kernel)), 2)

    def layered_nests(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[PlainNest, ...]:
        """The loops of the layered kernel, bias and activation apart, in the order of its text."""
        tensor = graph.output_tensor(layer)
        return (PlainNest(tensor.size, runs=tensor.pixels),)

    # ---- pipelined: a kernel a layer, vectors of channels in raster order through channels

    def same_width(self, layer: Layer) -> bool:
        """Whether the kernel needs vectors of the same width on its inputs and its output."""
        return True

    def legal_widths(self, layer: Layer, tensor: Tensor, width: int) -> bool:
        """Whether the kernel works with `width` channels of `tensor` (an input or its output) a
        vector."""
        return True

    def lane_folding_options(self, layer: Layer, kernel: KernelPlan) -> tuple[int, ...]:
        """In how many turns the kernel may go through a vector's lanes."""
        return (1,)

    def nonzeros_options(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[int, ...]:
        """How many non-zero weights an output lane may take a turn; 0: the kernel multiplies by all
        weights."""
        return (0,)

    def nonzeros_per_vector_options(self, layer: Layer, kernel: KernelPlan) -> tuple[int, ...]:
        """How many weights of an input vector the kernel may multiply by; 0: by all."""
        return (0,)

    def vectors_per_cycle_options(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> tuple[int, ...]:
        """How many input vectors the kernel may multiply in a turn."""
        return (1,)

    def row_tile_options(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[int, ...]:
        """In how many row tiles the kernel may work whose weights stream from memory; 0: they
        are on chip."""
        return (0,)

    def streamed_values(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Weights that the kernel takes from memory for an image, padded to whole vectors."""
        return 0

    def nest(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """The kernel, from which cost, time, order of weights and text follow. Raises Infeasible
        where the operator has none; its `refusal` says so before anybody asks."""
        raise Infeasible(
            f"{self.name} has no pipelined kernel",
            where=f"layer {layer.name}",
            remedy="use --style folded",
        )

    def described(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Nest:
        """The same, remembered with the graph: a search asks for a kernel again and again. Beside
        integers all rounding stays where it is (`hlsgen.codegen.generate.relaxes`)."""
        known: dict[Any, Any] = graph.derived.setdefault("nests", {})
        key = layer.name, kernel
        found: Nest | None = known.get(key)
        if found is None:
            if len(known) >= REMEMBERED:
                known.clear()
            if kernel.nonzeros_per_vector:
                dense = self.described(layer, graph, replace(kernel, nonzeros_per_vector=0))
                found = n_of_m.choosing(dense, kernel.nonzeros_per_vector)
            else:
                nest = self.nest(layer, graph, kernel)
                found = replace(nest, exact=True) if graph.integers else nest
            known[key] = found
        return found

    def epilogue(self, layer: Layer, graph: Graph, kernel: KernelPlan, **scale: Any) -> Epilogue:
        """What follows a finished sum: a factor (`scale`, see `Epilogue`), the activation, lanes
        without a channel cleared."""
        unused = -graph.output_tensor(layer).channels % kernel.output_width
        return Epilogue(
            activation=layer.activation, unused=0 if self.stays_finite(layer) else unused, **scale
        )

    def printed(self, layer: Layer, graph: Graph, kernel: KernelPlan, nest: Nest) -> Any:
        """What the operator's own template prints beside the description, where that names one."""
        return None

    def indexed_weights(self, layer: Layer, kernel: KernelPlan) -> Weights | None:
        """The weights as the described kernel takes them; None of a kernel that multiplies by
        none."""
        return None

    def pipelined_stream(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> np.ndarray:
        """Biases, then weights in the order the kernel reads them, `(elements, output_width)`;
        empty if it has none. Where zeros are skipped, vectors of values and places by turns."""
        lanes, count = kernel.output_width, kernel.nonzeros_per_vector
        nest = self.described(layer, graph, replace(kernel, nonzeros_per_vector=0))
        found = self.pipelined_constants(layer, graph, kernel)
        if nest.weights or nest.streamed:
            taken = self.indexed_weights(layer, kernel)
            assert taken is not None
            words = weight_order(nest, taken).reshape(-1, lanes)
            found.append(n_of_m.entries(nest, words, count) if count else words)
        return np.concatenate(found)

    def pipelined_constants(
        self, layer: Layer, graph: Graph, kernel: KernelPlan
    ) -> list[np.ndarray]:
        """Biases and other vectors that come before the weights, `(elements, output_width)` each;
        the first is empty."""
        lanes, nest = kernel.output_width, self.described(layer, graph, kernel)
        found = [np.zeros((0, lanes), np.float32)]
        for array in (nest.bias, *nest.constants):
            if array:
                values = layer.weights[array.memory.name]
                by_pixel = values.reshape(len(values), -1).T  # one row where they are a channel's
                found.append(pad_axis(by_pixel, 1, lanes).reshape(-1, lanes))
        return found

    def reduction(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> tuple[int, int]:
        """Sequential additions to an output vector, and the output vectors that take turns between
        two; (1, 1) if there is none."""
        return derive.reduction(self.described(layer, graph, kernel))

    def pipelined_events(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Events:
        """When vectors are read and written."""
        return events(self.described(layer, graph, kernel))

    def pipelined_turns(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Turns of the kernel's one loop for an image."""
        return derive.trip_count(self.described(layer, graph, kernel))

    def pipelined_cycles(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Cycles an image: a turn a cycle, unless a turn is a loop nest of its own."""
        return derive.cycles(self.described(layer, graph, kernel))

    def pipelined_arithmetic(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Arithmetic:
        """Units of the kernel beside sums, bias and activation, which `pipelined_body` adds."""
        return derive.combining(self.described(layer, graph, kernel))

    def pipelined_body(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> Body:
        """Everything in the kernel that the model charges."""
        return derive.body(self.described(layer, graph, kernel))

    def pipeline_depth(self, layer: Layer, graph: Graph, kernel: KernelPlan) -> int:
        """Cycles from the reads of a turn to its writes."""
        return derive.pipeline_depth(self.described(layer, graph, kernel))

    def needed_pixels(
        self, layer: Layer, graph: Graph, kernel: KernelPlan | None = None
    ) -> np.ndarray | None:
        """For each output pixel in raster order, how many pixels of the first input must have
        arrived.

        None means pixel by pixel. Drives the sizing of FIFOs round branches. `kernel`, where it is
        known: widths change nothing.
        """
        return self.derived_pixels(layer, graph, 0, kernel)

    def needed_of(
        self, layer: Layer, graph: Graph, position: int, kernel: KernelPlan | None = None
    ) -> np.ndarray | None:
        """The same for input number `position`."""
        if position == 0:
            return self.needed_pixels(layer, graph, kernel)
        return self.derived_pixels(layer, graph, position, kernel)

    def derived_pixels(
        self, layer: Layer, graph: Graph, position: int, kernel: KernelPlan | None
    ) -> np.ndarray | None:
        """What the description says; vectors of any width arrive in the same order."""
        from hlsgen.plan import KernelPlan

        nest = self.described(layer, graph, kernel or KernelPlan(layer.name, 1, 1))
        return needed_pixels(nest, position)

    # ---- folded: steps of time-multiplexed engines, feature maps as [H][W][C/V] vectors of V

    def folded_engine(self, layer: Layer) -> str:
        """The engine that computes a layer, unless a step names an alternative."""
        return self.engine

    def folded_steps(self, layer: Layer, graph: Graph, engines: Engines) -> tuple[StepPlan, ...]:
        """The engine steps that compute the layer, with their tiles."""
        from hlsgen.plan import StepPlan

        tensor = graph.output_tensor(layer)
        count = vectors(tensor.channels, engines.width)
        vectors_per_cycle = next(
            n for n in range(min(count, engines.group), 0, -1) if count % n == 0
        )
        return (
            StepPlan(
                layer.name, self.engine, tensor.height, tensor.width, vectors_per_cycle, 0, count
            ),
        )

    def folded_fields(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> dict[str, Any]:
        """Descriptor fields of a step that differ from a plain pass over the tensor (see
        `hlsgen.descriptors`)."""
        return {}

    def folded_weights(
        self, layer: Layer, graph: Graph, step: StepPlan, engines: Engines
    ) -> np.ndarray:
        """The weights that a step takes, `(outputs, inputs, ...)`; the engine says in which order.
        None are a table, which comes as it is, `(1, words * burst, V)`."""
        return np.zeros((step.groups, 0, engines.width), np.float32)

    def takes_images(self, layer: Layer) -> bool:
        """Whether a step of the layer may take several images, where its engine does."""
        return True

    def folded_traits(self, layer: Layer) -> frozenset[str]:
        """What of a layer decides on fields of records, beside its operator (see `Field.when`)."""
        return frozenset()

    def folded_reads(self, layer: Layer) -> dict[str, str]:
        """The tensors that the layer's engine reads by itself, each by what the step fields of its
        place (`_base`, `_stride`) begin with."""
        return {}

    def folded_tables(
        self, layer: Layer, source: Tensor, stride: int, engines: Engines
    ) -> dict[str, Any]:
        """Integer tables that the layer's engine reads, by step field, for input pixels of `stride`
        vectors."""
        return {}

    def folded_scale(self, layer: Layer) -> np.ndarray | None:
        """Scale that the epilogue multiplies in, for each channel or (no dimensions) all; or
        None."""
        return None

    def epilogue_fields(self, layer: Layer) -> dict[str, Any]:
        """Descriptor fields for the epilogue of the layer's steps."""
        return {}

    def takes_either(self, layer: Layer) -> bool:
        """Of one that joins two tensors: whether the epilogue may take in either of them."""
        return False

    def rounded_to(self, layer: Layer) -> int:
        """The zero point of integer results, which is added to what is rounded."""
        return 0

    def folded_shift(self, layer: Layer) -> np.ndarray | None:
        """Shift (bias) that the epilogue adds, for each channel or (no dimensions) all; or
        None."""
        return layer.weights.get("bias")
