"""Generates pipelined designs: a kernel a layer, joined by channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from hlsgen.boards import Board
from hlsgen.codegen.attributes import Unions
from hlsgen.codegen.design import (
    ALIGNMENT,
    IMAGES,
    Generated,
    Weights,
    feature_layout,
    input_entry,
    launch,
    layer_entry,
    output_entry,
    run_mode,
    title,
)
from hlsgen.codegen.render import render
from hlsgen.codegen.weight_banks import bank_buffer, bank_context, bank_launches, in_banks
from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.host.manifest import Argument, Buffer, Layout
from hlsgen.kernel.collector import Collector
from hlsgen.kernel.hardware import COLLECTED_FIFO, STREAMED_FIFO
from hlsgen.kernel.load_text import load_lines
from hlsgen.kernel.naming import Instance, reader, word_type, writer
from hlsgen.kernel.nest import Nest
from hlsgen.kernel.operand_text import chosen, stored
from hlsgen.kernel.result_text import activated, cleared, emit, finish
from hlsgen.kernel.text import every_iteration, kernel_text
from hlsgen.kernel.weight_banks import BLOCK_BYTES
from hlsgen.model.weight_banks import apart, weight_banks
from hlsgen.ops import operator
from hlsgen.ops.arrays import pad_axis, vectors
from hlsgen.plan import EdgePlan, KernelPlan, Plan
from hlsgen.rewrites.weight_storage import piece_type
from hlsgen.types import FLOAT32, STORAGE_TYPES, DataType, decoded, encoded, pieces


class PipelinedGenerator:
    """Holds the naming of channels while one design is generated."""

    def __init__(self, graph: Graph, plan: Plan):
        self.graph, self.plan = graph, plan
        self.piece = piece_type(graph, plan.weights)
        self.widths = {edge.tensor: edge.width for edge in plan.edges}
        self.weights = Weights()
        self.streams: list[np.ndarray] = []
        self.offset = 0
        self.filters: dict[str, np.ndarray] = {}  # what streams from memory, by layer
        self.banks = weight_banks(graph, plan)
        self.own = "[COPY]" if plan.copies > 1 else ""  # the channel of a kernel's own copy

    def channel(self, edge: EdgePlan) -> str:
        """The name of a channel, after the kernels at its ends."""
        producer = self.graph.producers.get(edge.tensor)
        source = producer.name if producer else self.input_kernel(edge.tensor)
        if not edge.consumer:
            return f"{source}_to_{self.output_kernel(edge.position)}"
        several = len(self.graph.layer(edge.consumer).inputs) > 1
        return f"{source}_to_{edge.consumer}" + (f"_{edge.position + 1}" if several else "")

    def input_kernel(self, tensor: str) -> str:
        """The kernel that reads a network input from memory."""
        index = [port.tensor for port in self.graph.inputs].index(tensor)
        return reader(index, len(self.graph.inputs))

    def output_kernel(self, position: int) -> str:
        """The kernel that writes a network output to memory."""
        return writer(position, len(self.graph.outputs))

    def channels_from(self, tensor: str) -> list[str]:
        """All channels that carry a tensor."""
        return [self.channel(edge) for edge in self.plan.edges if edge.tensor == tensor]

    def tensor_context(self, tensor: Tensor) -> dict[str, Any]:
        """Type and sizes of a tensor's vectors."""
        width = self.widths[tensor.name]
        count = vectors(tensor.channels, width)
        return {
            "type": tensor.type.vector(width),
            "zero": tensor.type.filled(tensor.type.zero, width),
            "width": width,
            "vectors": count,
            "pixels": tensor.pixels,
            "size": tensor.size,
            "channel_count": tensor.channels,
            "image": tensor.pixels * count,
        }

    def is_autorun(self, layer: Layer) -> bool:
        """Kernels without pointers start by themselves."""
        return self.plan.enabled("autorun") and not self.has_scratch(layer)

    def has_scratch(self, layer: Layer) -> bool:
        """Whether accumulators live in global memory (cached writes switched off)."""
        return not self.plan.enabled("cached_writes") and operator(layer.op).accumulates

    def layer_context(self, layer: Layer) -> dict[str, Any]:
        """A layer's kernel in its design: names, types and channels at its ends; adds the layer's
        weights to the stream."""
        kernel = self.plan.kernel(layer.name)
        inputs = []
        for position, tensor in enumerate(self.graph.input_tensors(layer)):
            edge = next(
                e
                for e in self.plan.edges
                if (e.tensor, e.consumer, e.position) == (tensor.name, layer.name, position)
            )
            inputs.append(self.tensor_context(tensor) | {"channel": self.channel(edge) + self.own})
        output, collected = self.graph.output_tensor(layer), None
        if kernel.vectors_per_cycle > 1:
            collected = inputs[0]
            words = vectors(collected["vectors"], kernel.vectors_per_cycle)
            inputs[0] = collected | {
                "type": f"{layer.name}_vectors",
                "vectors": words,
                "image": collected["pixels"] * words,
                "channel": f"{layer.name}_collected{self.own}",
            }
        return {
            "name": layer.name,
            "title": title(layer),
            "kernel": kernel,
            "inputs": inputs,
            "input": inputs[0],
            "output": self.tensor_context(output)
            | {"channels": [name + self.own for name in self.channels_from(output.name)]},
            "collected": collected,
            "weights": self.add_weights(layer, kernel),
            "filters": self.add_filters(layer, kernel),
            "streamed": f"{layer.name}_streamed{self.own}",
            "autorun": self.is_autorun(layer),
            "scratch": self.has_scratch(layer),
            "fuse": self.plan.enabled("fuse"),
        }

    def text(self, layer: Layer, context: dict[str, Any]) -> str:
        """The kernel of a layer in OpenCL."""
        nest = operator(layer.op).described(layer, self.graph, self.plan.kernel(layer.name))
        text = self.kernel_text(layer, nest, self.instance(context))
        if not context["collected"]:
            return text
        return render("pipelined/collect.cl.j2", c=self.collector(context)) + "\n\n" + text

    def kernel_text(self, layer: Layer, nest: Nest, at: Instance) -> str:
        """The kernel of a description; where it names a template, that prints the loop."""
        if not nest.template:
            return render("pipelined/kernel.cl.j2", k=kernel_text(nest, at))
        kernel, stored_first = self.plan.kernel(layer.name), [nest.bias] if nest.bias else []
        return render(
            f"pipelined/{nest.template}.cl.j2",
            k=kernel_text(nest, at),
            n=nest,
            at=at,
            own=operator(layer.op).printed(layer, self.graph, kernel, nest),
            read=f"read_channel_intel({at.sources[0]})",
            word_type=word_type(nest, at),
            image=every_iteration(at.autorun, 1),
            load=load_lines(stored_first, at.weights, at.piece) if stored_first else [],
            filter=decoded(f"read_channel_intel({at.streamed})", nest.lanes, nest.types.weight),
            activated=partial(activated, nest),
            cleared=partial(cleared, nest),
            emit=partial(emit, at),
            finish=partial(finish, nest, at),
            chosen=chosen,
            stored=stored,
        )

    def collector(self, context: dict[str, Any]) -> Collector:
        """The kernel that puts input vectors together for a layer's."""
        given = context["collected"]
        return Collector(
            reader=context["name"],
            word=context["input"]["type"],
            vector=given["type"],
            zero=given["zero"],
            together=context["kernel"].vectors_per_cycle,
            vectors=given["vectors"],
            pixels=given["pixels"],
            source=given["channel"],
            target=context["input"]["channel"],
            depth=COLLECTED_FIFO,
            copies="[COPIES]" if self.own else "",
            head=every_iteration(context["autorun"], given["image"]),
            autorun=context["autorun"],
        )

    def instance(self, context: dict[str, Any]) -> Instance:
        """The names and switches of a layer's kernel."""
        return Instance(
            name=context["name"],
            title=context["title"],
            sources=tuple(source["channel"] for source in context["inputs"]),
            targets=tuple(context["output"]["channels"]),
            weights=context["weights"]["channel"],
            streamed=context["streamed"],
            piece=self.piece,
            word=context["input"]["type"] if context["collected"] else "",
            autorun=context["autorun"],
            scratch=context["scratch"],
            fuse=context["fuse"],
            unroll=self.plan.enabled("unroll"),
        )

    def add_weights(self, layer: Layer, kernel: KernelPlan) -> dict[str, Any]:
        """Append the layer's stream."""
        stream = operator(layer.op).pipelined_stream(layer, self.graph, kernel)
        if kernel.row_tiles:
            stream = stream[: self.biases(layer, kernel)]
        values = self.pieces(layer, kernel, stream)
        self.streams.append(values)
        self.offset += values.size
        return {
            "elements": len(stream),
            "count": values.size,
            "channel": f"{layer.name}_weights{self.own}",
        }

    def pieces(self, layer: Layer, kernel: KernelPlan, stream: np.ndarray) -> np.ndarray:
        """A stream of vectors, piece by piece: biases as they are, weights as they are stored."""
        nest = operator(layer.op).described(layer, self.graph, kernel)
        found, values = [np.zeros(0, self.piece.array)], stream.ravel()
        for array in (nest.bias, *nest.constants):
            if array is not None:
                count = array.memory.elements * array.vector.lanes
                found.append(pieces(values[:count], array.vector.type, self.piece))
                values = values[count:]
        if nest.fills:
            lists = values.reshape(-1, 2, kernel.output_width)
            return np.concatenate([*found, listed(lists, nest.types.weight, self.piece)])
        weights = nest.weights.vector.type if nest.weights else layer.weight_type
        return np.concatenate([*found, pieces(values, weights, self.piece)])

    def biases(self, layer: Layer, kernel: KernelPlan) -> int:
        """Vectors of biases, at the start of a layer's stream."""
        return vectors(self.graph.output_tensor(layer).channels, kernel.output_width)

    def add_filters(self, layer: Layer, kernel: KernelPlan) -> dict[str, Any] | None:
        """Append the layer's weights to those that stream from memory, aligned so that vectors of
        any width may start there, or whole blocks of a bank."""
        if not kernel.row_tiles:
            return None
        words = operator(layer.op).pipelined_stream(layer, self.graph, kernel)[
            self.biases(layer, kernel) :
        ]
        start = sum(values.size for values in self.filters.values()) // kernel.output_width
        kind, unit = layer.weight_type, BLOCK_BYTES if self.banks else ALIGNMENT
        self.filters[layer.name] = pad_axis(encoded(words, kind).ravel(), 0, unit // kind.bytes)
        return {
            "kernel": f"{layer.name}_filters",
            "channel": f"{layer.name}_streamed",
            "type": kind.vector(kernel.output_width),
            "width": kernel.output_width,
            "start": start,
            "count": len(words),
            "times": kernel.row_tiles,
            "depth": STREAMED_FIFO,
        }

    def context(self) -> dict[str, Any]:
        """What the text of all kernels needs; collects the weights."""
        layers = [self.layer_context(layer) for layer in self.graph.layers]
        for layer, context in zip(self.graph.layers, layers, strict=True):
            context["text"] = self.text(layer, context)
        fifos = [
            {
                "name": self.channel(edge),
                "type": self.graph.tensors[edge.tensor].type.vector(edge.width),
                "depth": edge.depth,
                "image": self.tensor_context(self.graph.tensors[edge.tensor])["image"],
            }
            for edge in self.plan.edges
        ]
        inputs = [
            self.tensor_context(self.graph.tensors[port.tensor])
            | {
                "kernel": self.input_kernel(port.tensor),
                "channels": self.channels_from(port.tensor),
            }
            for port in self.graph.inputs
        ]
        outputs = []
        for position, port in enumerate(self.graph.outputs):
            edge = next(e for e in self.plan.edges if not e.consumer and e.position == position)
            outputs.append(
                self.tensor_context(self.graph.tensors[port.tensor])
                | {
                    "kernel": self.output_kernel(position),
                    "channel": self.channel(edge),
                    "memory": None,
                }
            )
        return {
            "fifos": fifos,
            "copies": self.plan.copies,
            "piece": self.piece.ctype,
            "helpers": bool(self.banks)
            or any(kernel.vectors_per_cycle > 1 for kernel in self.plan.kernels),
            "inputs": inputs,
            "outputs": outputs,
            "layers": layers,
            "filters": [context["filters"] for context in layers if context["filters"]],
            **bank_context(self.banks, layers),
            "weighted": [context for context in layers if context["weights"]["count"]],
        }

    def generate(self, board: Board) -> Generated:
        """The whole design."""
        context = self.context()
        source = render(
            "pipelined/design.cl.j2",
            network=self.plan.network,
            plan=self.plan,
            board=board,
            channels=True,
            unions=self.unions(),
            **context,
        )
        self.store(self.weights, {})
        return self.manifest(source, context["layers"], board)

    def store(self, weights: Weights, names: Mapping[str, str]) -> None:
        """Add the streams of all layers to the weights file as one section, and the weights that
        stay in memory as another, or one a bank; `names`: what sections are called here."""
        if self.offset:
            meaning = (
                "per layer, in the order of the kernels: the stream its kernel reads "
                "(biases, then weight words)"
            )
            weights.add(names.get("weights", "weights"), np.concatenate(self.streams), meaning)
        meaning = (
            "per layer: the filter words that stream from memory, in the order in which its "
            "kernel multiplies"
        )
        for name, layers in self.streamed_buffers().items():
            values = np.concatenate([self.filters[layer] for layer in layers])
            weights.add(names.get(name, name), values, meaning)

    def streamed_buffers(self) -> dict[str, list[str]]:
        """The buffers of weights that stream from memory, with the layers in each."""
        if self.banks:
            return {bank_buffer(bank): [s.layer for s in bank.streams] for bank in self.banks}
        return {"filters": list(self.filters)} if self.filters else {}

    def unions(self) -> Unions:
        """The vectors that the kernels take apart; all that arrive in pieces are among those of
        float32."""
        kinds = {(self.graph.tensors[name].type, n) for name, n in self.widths.items()}
        for layer in self.graph.layers:
            kernel = self.plan.kernel(layer.name)
            if kernel.nonzeros_per_lane:
                types = operator(layer.op).roles(layer, self.graph)
                kinds |= {(k, kernel.output_width) for k in (types.weight, types.accumulator)}
        widths = frozenset(self.widths.values())
        widths |= {w for kernel in self.plan.kernels for w in lane_widths(kernel)}
        whole = frozenset(k for k in kinds if k[0].integer)
        return Unions(widths, whole, widths, bool(whole), bool(self.graph.integers))

    def manifest(self, source: str, layers: list[dict[str, Any]], board: Board) -> Generated:
        """Buffers, ports, launches."""
        buffers: dict[str, Buffer] = {}
        if self.offset:
            buffers["weights"] = Buffer(self.offset, self.piece.array, "weights")
        for name, inside in self.streamed_buffers().items():
            size = sum(self.filters[layer].size for layer in inside)
            buffers[name] = Buffer(size, STORAGE_TYPES[self.plan.weights].array, name)
        inputs, outputs, first, last = [], [], [], []
        for index, port in enumerate(self.graph.inputs):
            layout = self.port_buffer(buffers, f"input_{index + 1}", port.tensor)
            inputs.append(input_entry(port, layout))
            first.append(launch(self.input_kernel(port.tensor), layout.buffer, IMAGES))
        for position, port in enumerate(self.graph.outputs):
            layout = self.port_buffer(buffers, f"output_{position + 1}", port.tensor)
            outputs.append(output_entry(port, layout))
            last.append(launch(self.output_kernel(position), layout.buffer, IMAGES))
        taken_apart = [launch(s.kernel, IMAGES) for bank in self.banks for s in bank.streams]
        first += bank_launches(self.banks) or [
            launch(context["filters"]["kernel"], "filters", IMAGES)
            for context in layers
            if context["filters"]
        ]
        load = [launch("weight_loader", "weights")] if self.offset else []
        entries, middle, resident = [], [], []
        for layer, context in zip(self.graph.layers, layers, strict=True):
            tap = self.port_buffer(buffers, f"tap_{layer.name}", layer.output, tap=True)
            entries.append(layer_entry(layer, tap))
            arguments = [IMAGES, Argument(buffer=tap.buffer, tap=True)]
            if context["scratch"]:
                name = f"scratch_{layer.name}"
                # Accumulators of one pixel.
                size = context["output"]["vectors"] * context["output"]["width"]
                sums = operator(layer.op).roles(layer, self.graph).accumulator
                buffers[name] = Buffer(size, sums.name)
                arguments.append(Argument(buffer=name))
            if context["kernel"].vectors_per_cycle > 1:
                middle.append(launch(f"{layer.name}_collect", IMAGES))
            middle.append(launch(layer.name, *arguments))
            if not context["autorun"]:
                if context["kernel"].vectors_per_cycle > 1:
                    resident.append(middle[-2])
                resident.append(launch(layer.name, *[a for a in arguments if not a.tap]))
        # Kernels that the host launches for every batch read their weights anew each time.
        before, once = (load, []) if resident else ([], load)
        runs = {
            "sequential": run_mode(
                [*load, *first, *taken_apart, *middle, *last], options=["-DHLSGEN_SEQUENTIAL"]
            )
        }
        if self.plan.enabled("concurrent_queues"):
            autorun = [c["name"] for c in layers if c["autorun"]]
            autorun += [
                f"{c['name']}_collect"
                for c in layers
                if c["autorun"] and c["kernel"].vectors_per_cycle > 1
            ]
            autorun += [item.kernel for item in taken_apart]
            launches = [*before, *first, *resident, *last]
            runs["concurrent"] = run_mode(
                launches, options=["-DHLSGEN_EMULATION"], once=once, autorun=autorun
            )
        if apart(self.banks, board):
            buffers = in_banks(buffers, self.banks)
        return Generated(source, self.weights, buffers, inputs, outputs, entries, runs)

    def port_buffer(
        self, buffers: dict[str, Buffer], name: str, tensor: str, tap: bool = False
    ) -> Layout:
        """Add a buffer that holds a batch of a tensor, and return the tensor's layout in it."""
        context = self.tensor_context(self.graph.tensors[tensor])
        size = context["image"] * context["width"]
        kind = self.graph.tensors[tensor].type
        buffers[name] = Buffer(size, kind.name, per_image=True, tap=tap)
        return feature_layout(name, self.graph.tensors[tensor], context["width"])


def lane_widths(kernel: KernelPlan) -> tuple[int, ...]:
    """Widths of parts of vectors that a kernel handles: a turn's lanes, and those of a bank of
    inputs."""
    return kernel.output_width // kernel.lane_folding, kernel.input_width // max(
        kernel.nonzeros_per_lane, 1
    )


def listed(lists: np.ndarray, kind: DataType, piece: DataType) -> np.ndarray:
    """Vectors of values and of their places by turns, `(words, 2, lanes)`, piece by piece; a place
    is half as wide as a float32, of which it takes a whole one where all pieces are that."""
    places = lists[:, 1].astype(np.int32 if piece == FLOAT32 else np.uint16)
    values = pieces(lists[:, 0], kind, piece).reshape(len(lists), -1)
    patterns = places.view(np.dtype(piece.array))
    return np.concatenate([values, patterns], axis=1).ravel()


def generate_pipelined(graph: Graph, plan: Plan, board: Board) -> Generated:
    """Generate a pipelined design."""
    generator = PipelinedGenerator(graph, plan)
    autorun = [generator.is_autorun(layer) for layer in graph.layers]
    weighted = any(
        runs and layer.weights for runs, layer in zip(autorun, graph.layers, strict=True)
    )
    if weighted and not all(autorun):
        # Autorun kernels read their weights once, launched ones for every batch: one loader cannot
        # serve both.
        generator = PipelinedGenerator(graph, replace(plan, disabled=(*plan.disabled, "autorun")))
    return generator.generate(board)
