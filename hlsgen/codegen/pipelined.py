"""Generates pipelined designs: a kernel a layer, joined by channels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from hlsgen.boards import Board
from hlsgen.codegen.attributes import Unions
from hlsgen.codegen.design import (
    Generated,
    Weights,
    feature_layout,
    input_entry,
    layer_entry,
    output_entry,
    title,
)
from hlsgen.codegen.pipelined_parts import (
    COPIES,
    InputReader,
    LayerKernel,
    Link,
    OutputWriter,
    Parts,
    Place,
    Vectors,
    streaming,
)
from hlsgen.codegen.pipelined_runs import pipelined_runs, scratch_buffer, tap_buffer
from hlsgen.codegen.pipelined_weights import PipelinedWeights
from hlsgen.codegen.render import render
from hlsgen.codegen.weight_banks import bank_context, in_banks
from hlsgen.graph import Graph, Layer
from hlsgen.host.manifest import Buffer, Layout
from hlsgen.host.manifest import Link as LinkEntry
from hlsgen.kernel.collector import Collector
from hlsgen.kernel.hardware import COLLECTED_FIFO
from hlsgen.kernel.link_text import LinkText, link_text
from hlsgen.kernel.load_text import load_lines
from hlsgen.kernel.naming import LINK_IN, LINK_OUT, Instance, reader, word_type, writer
from hlsgen.kernel.nest import Nest
from hlsgen.kernel.operand_text import chosen, stored
from hlsgen.kernel.result_text import activated, cleared, emit, finish
from hlsgen.kernel.text import every_iteration, kernel_text
from hlsgen.model.links import host_inputs, host_outputs, leaves, link_positions, packing
from hlsgen.model.weight_banks import apart
from hlsgen.ops import operator
from hlsgen.plan import EdgePlan, KernelPlan, LinkPlan, Plan
from hlsgen.types import decoded


class PipelinedGenerator:
    """Holds the naming of channels while one design is generated."""

    def __init__(self, graph: Graph, plan: Plan):
        self.graph, self.plan = graph, plan
        self.widths = {edge.tensor: edge.width for edge in plan.edges}
        self.weights = PipelinedWeights(graph, plan)
        self.own = "[COPY]" if plan.copies > 1 else ""  # the channel of a kernel's own copy

    # ---- Names

    def channel(self, edge: EdgePlan) -> str:
        """The name of a channel, after the kernels at its ends."""
        producer = self.graph.producers.get(edge.tensor)
        source = producer.name if producer else self.input_kernel(edge.tensor)
        if not edge.consumer:
            return f"{source}_to_{self.output_kernel(edge.position)}" + self.passing(edge)
        several = len(self.graph.layer(edge.consumer).inputs) > 1
        return f"{source}_to_{edge.consumer}" + (f"_{edge.position + 1}" if several else "")

    def passing(self, edge: EdgePlan) -> str:
        """What tells apart the channels of tensors that a board passes on from link to link."""
        passes = edge.tensor not in self.graph.producers
        several = self.plan.leaving and len(self.plan.leaving.tensors) > 1
        return f"_{edge.position + 1}" if passes and several else ""

    def input_kernel(self, tensor: str) -> str:
        """The kernel that reads an input from memory, or from the link that it comes over."""
        names = [port.tensor for port in host_inputs(self.graph, self.plan)]
        return reader(names.index(tensor), len(names)) if tensor in names else LINK_IN

    def output_kernel(self, position: int) -> str:
        """The kernel that writes an output to memory, or to the link that it leaves over."""
        port, ports = self.graph.outputs[position], host_outputs(self.graph, self.plan)
        return writer(ports.index(port), len(ports)) if port in ports else LINK_OUT

    def channels_from(self, tensor: str) -> list[str]:
        """All channels that carry a tensor."""
        return [self.channel(edge) for edge in self.plan.edges if edge.tensor == tensor]

    def is_autorun(self, layer: Layer) -> bool:
        """Kernels without pointers start by themselves."""
        return self.plan.enabled("autorun") and not self.has_scratch(layer)

    def has_scratch(self, layer: Layer) -> bool:
        """Whether accumulators live in global memory (cached writes switched off)."""
        return not self.plan.enabled("cached_writes") and operator(layer.op).accumulates

    def vectors(self, tensor: str) -> Vectors:
        """A tensor as it streams."""
        return streaming(self.graph.tensors[tensor], self.widths[tensor])

    # ---- Kernels

    def layer_kernel(self, layer: Layer) -> LayerKernel:
        """A layer's kernel in its design; adds the layer's weights to the stream."""
        kernel = self.plan.kernel(layer.name)
        at = self.instance(layer, kernel)
        sources = [self.vectors(name) for name in layer.inputs]
        found = LayerKernel(
            at=at,
            kernel=kernel,
            output=self.vectors(layer.output),
            loaded=self.weights.keep(layer, kernel),
            filters=self.weights.stream(layer, kernel),
            collected=sources[0] if kernel.vectors_per_cycle > 1 else None,
        )
        return replace(found, text=self.text(layer, found))

    def instance(self, layer: Layer, kernel: KernelPlan) -> Instance:
        """The names and switches of a layer's kernel."""
        sources, word = self.sources(layer), ""
        if kernel.vectors_per_cycle > 1:
            sources[0], word = f"{layer.name}_collected", f"{layer.name}_vectors"
        return Instance(
            name=layer.name,
            title=title(layer),
            sources=tuple(name + self.own for name in sources),
            targets=tuple(name + self.own for name in self.channels_from(layer.output)),
            weights=f"{layer.name}_weights{self.own}",
            streamed=f"{layer.name}_streamed{self.own}",
            piece=self.weights.piece,
            word=word,
            autorun=self.is_autorun(layer),
            scratch=self.has_scratch(layer),
            fuse=self.plan.enabled("fuse"),
            unroll=self.plan.enabled("unroll"),
        )

    def sources(self, layer: Layer) -> list[str]:
        """The channels of a layer's inputs."""
        ends = {(edge.consumer, edge.position): edge for edge in self.plan.edges}
        return [self.channel(ends[layer.name, place]) for place in range(len(layer.inputs))]

    def text(self, layer: Layer, found: LayerKernel) -> str:
        """The kernel of a layer in OpenCL."""
        nest = operator(layer.op).described(layer, self.graph, found.kernel)
        text = self.kernel_text(layer, nest, found.at)
        if found.collected is None:
            return text
        collector = self.collector(layer, found, found.collected)
        return render("pipelined/collect.cl.j2", c=collector) + "\n\n" + text

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

    def collector(self, layer: Layer, found: LayerKernel, given: Vectors) -> Collector:
        """The kernel that puts input vectors together for a layer's."""
        return Collector(
            reader=layer.name,
            word=found.at.word,
            vector=given.type,
            zero=given.zero,
            together=found.kernel.vectors_per_cycle,
            vectors=given.count,
            pixels=given.pixels,
            source=self.sources(layer)[0] + self.own,
            target=found.at.sources[0],
            depth=COLLECTED_FIFO,
            copies=COPIES if self.own else "",
            head=every_iteration(found.at.autorun, given.image),
            autorun=found.at.autorun,
        )

    # ---- The design

    def parts(self, place: Place | None = None) -> Parts:
        """All kernels and channels; collects the weights. `place`: where results lie among the
        feature maps of engines."""
        kinds = self.graph.tensors
        collects = any(kernel.vectors_per_cycle > 1 for kernel in self.plan.kernels)
        return Parts(
            copies=self.plan.copies,
            piece=self.weights.piece.ctype,
            helpers=bool(self.weights.banks) or collects,
            links=[
                Link(
                    self.channel(edge),
                    kinds[edge.tensor].type.vector(edge.width),
                    edge.depth,
                    self.vectors(edge.tensor).image,
                )
                for edge in self.plan.edges
            ],
            inputs=[
                InputReader(
                    self.input_kernel(port.tensor),
                    f"input_{number}",
                    self.vectors(port.tensor),
                    self.channels_from(port.tensor),
                )
                for number, port in enumerate(host_inputs(self.graph, self.plan), start=1)
            ],
            outputs=[
                OutputWriter(
                    self.output_kernel(edge.position),
                    f"output_{number}",
                    self.vectors(edge.tensor),
                    self.channel(edge),
                    place,
                )
                for number, edge in enumerate(self.written(), start=1)
            ],
            joints=self.joints(),
            layers=[self.layer_kernel(layer) for layer in self.graph.layers],
        )

    def written(self) -> list[EdgePlan]:
        """The channels to memory, in the order of the network's outputs."""
        ends = {edge.position: edge for edge in self.plan.edges if not edge.consumer}
        ports = enumerate(self.graph.outputs)
        return [ends[position] for position, port in ports if not leaves(port, self.plan)]

    def joints(self) -> list[LinkText]:
        """The kernels at the ends of the links to other boards."""
        found = []
        if self.plan.arriving:
            channels = [self.channels_from(name) for name in self.plan.arriving.tensors]
            found.append(self.joint(LINK_IN, self.plan.arriving, channels))
        if self.plan.leaving:
            places = link_positions(self.graph, self.plan)
            edges = {edge.position: edge for edge in self.plan.edges if not edge.consumer}
            channels = [[self.channel(edges[places[t]])] for t in self.plan.leaving.tensors]
            found.append(self.joint(LINK_OUT, self.plan.leaving, channels))
        return found

    def joint(self, kernel: str, link: LinkPlan, channels: list[list[str]]) -> LinkText:
        """The kernel at an end of a link, with the channels of each of its tensors."""
        packed = packing(self.graph, self.plan, link)
        types = [self.vectors(tensor.tensor).type for tensor in packed.tensors]
        return link_text(kernel, link.channels, link.bits, link.depth, packed, types, channels)

    def generate(self, board: Board) -> Generated:
        """The whole design."""
        parts, weights = self.parts(), Weights()
        source = render(
            "pipelined/design.cl.j2",
            network=self.plan.network,
            plan=self.plan,
            board=board,
            channels=True,
            unions=self.unions(),
            **self.printed(parts),
        )
        self.weights.store(weights, {})
        return self.manifest(source, weights, parts, board)

    def printed(self, parts: Parts) -> dict[str, Any]:
        """What the template of all kernels prints."""
        types = {c.at.name: c.filters.type for c in parts.layers if c.filters}
        return {"p": parts, **bank_context(self.weights.banks, types)}

    def unions(self) -> Unions:
        """The vectors that the kernels take apart; all that arrive in pieces are among those of
        float32."""
        kinds = {(self.graph.tensors[name].type, n) for name, n in self.widths.items()}
        for layer in self.graph.layers:
            kernel = self.plan.kernel(layer.name)
            if kernel.skips_zeros:
                types = operator(layer.op).roles(layer, self.graph)
                kinds |= {(k, kernel.output_width) for k in (types.weight, types.accumulator)}
        widths = frozenset(self.widths.values())
        widths |= {w for kernel in self.plan.kernels for w in lane_widths(kernel)}
        whole = frozenset(k for k in kinds if k[0].integer)
        return Unions(widths, whole, widths, bool(whole), bool(self.graph.integers))

    def manifest(self, source: str, weights: Weights, parts: Parts, board: Board) -> Generated:
        """Buffers, ports, launches."""
        buffers, banks = self.buffers(parts), self.weights.banks
        inputs = host_inputs(self.graph, self.plan)
        outputs = host_outputs(self.graph, self.plan)
        return Generated(
            source,
            weights,
            in_banks(buffers, banks) if apart(banks, board) else buffers,
            [
                input_entry(port, self.layout(end.buffer, port.tensor))
                for port, end in zip(inputs, parts.inputs, strict=True)
            ],
            [
                output_entry(port, self.layout(end.buffer, port.tensor))
                for port, end in zip(outputs, parts.outputs, strict=True)
            ],
            [
                layer_entry(layer, self.layout(tap_buffer(layer.name), layer.output))
                for layer in self.graph.layers
            ],
            pipelined_runs(parts, banks, self.plan.enabled("concurrent_queues")),
            links=tuple(
                LinkEntry(joint.kernel, joint.channels, joint.bytes) for joint in parts.joints
            ),
        )

    def layout(self, buffer: str, tensor: str) -> Layout:
        """Where a tensor lies in a buffer of its own."""
        return feature_layout(buffer, self.graph.tensors[tensor], self.widths[tensor])

    def buffers(self, parts: Parts) -> dict[str, Buffer]:
        """Weights; inputs and outputs; results of layers, and sums that are not on chip."""
        found = self.weights.buffers()
        ports = (*host_inputs(self.graph, self.plan), *host_outputs(self.graph, self.plan))
        ends: list[InputReader | OutputWriter] = [*parts.inputs, *parts.outputs]
        for port, end in zip(ports, ends, strict=True):
            found[end.buffer] = self.batch(port.tensor)
        for layer, kernel in zip(self.graph.layers, parts.layers, strict=True):
            found[tap_buffer(layer.name)] = replace(self.batch(layer.output), tap=True)
            if kernel.at.scratch:  # sums of a pixel
                sums = operator(layer.op).roles(layer, self.graph).accumulator
                size = kernel.output.count * kernel.output.width
                found[scratch_buffer(layer.name)] = Buffer(size, sums.name)
        return found

    def batch(self, tensor: str) -> Buffer:
        """One that holds a tensor of every image of a batch."""
        stream = self.vectors(tensor)
        kind = self.graph.tensors[tensor].type
        return Buffer(stream.image * stream.width, kind.name, per_image=True)


def lane_widths(kernel: KernelPlan) -> tuple[int, ...]:
    """Widths of parts of vectors that a kernel handles: a turn's lanes, and those of a bank of
    inputs."""
    return kernel.output_width // kernel.lane_folding, kernel.input_width // max(
        kernel.nonzeros_per_lane, 1
    )


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
