"""The structure of a pipelined design: kernels with their units, memories, load-store units and
channels."""

from __future__ import annotations

from hlsgen.graph import Graph, Layer
from hlsgen.kernel.hardware import COLLECTED_FIFO, STREAMED_FIFO, Body, Fifo, Kernel, Lsu, Structure
from hlsgen.kernel.naming import LINK_IN, LINK_OUT, reader, writer
from hlsgen.kernel.weight_banks import bank_fifo, bank_kernels, stream_fifos, stream_kernel
from hlsgen.model.links import host_inputs, host_outputs, packing
from hlsgen.model.weight_banks import weight_banks
from hlsgen.ops import operator
from hlsgen.ops.streamed import LOOPS
from hlsgen.plan import EdgePlan, KernelPlan, Plan
from hlsgen.rewrites.weight_storage import piece_type
from hlsgen.types import FLOAT32

# Depth of a weight channel on the board: weights are loaded once, before anything else.
WEIGHT_FIFO = 16


def pipelined_structure(graph: Graph, plan: Plan) -> Structure:
    """A kernel a layer, readers, writers and a weight loader."""
    width = {edge.tensor: edge.width for edge in plan.edges}
    bits = {name: tensor.type.bits for name, tensor in graph.tensors.items()}
    copies = plan.copies
    kernels = [
        kernel for layer in graph.layers for kernel in planned_kernels(layer, graph, plan)
    ] * copies
    inputs, outputs = host_inputs(graph, plan), host_outputs(graph, plan)
    for index, port in enumerate(inputs):
        vector = width[port.tensor] * bits[port.tensor]
        readers = ends(plan.edges, port.tensor) * copies
        kernels.append(
            transfer(
                reader(index, len(inputs)),
                (Lsu("image_data", vector),) * copies,
                vector * readers,
                readers,
            )
        )
    for index, port in enumerate(outputs):
        vector = width[port.tensor] * bits[port.tensor]
        kernels.append(
            transfer(
                writer(index, len(outputs)),
                (Lsu("image_data", vector, store=True),) * copies,
                vector * copies,
                copies,
            )
        )
    fifos = [
        Fifo(
            f"{edge.tensor} to {edge.consumer or 'output'}",
            edge.width * bits[edge.tensor],
            edge.depth,
        )
        for edge in plan.edges
    ]
    fifos += [
        collected(kernel, input_bits(graph.layer(kernel.layer), graph))
        for kernel in plan.kernels
        if kernel.vectors_per_cycle > 1
    ]
    linking = link_structure(graph, plan)
    kernels += linking.kernels
    fifos += linking.fifos
    reading = shared_readers(graph, plan) if plan.weight_readers else own_readers(graph, plan)
    kernels += reading.kernels
    fifos += reading.fifos
    piece = piece_type(graph, plan.weights).bits
    weighted = [layer for layer in graph.layers if layer.weights]
    if weighted:
        fifos += [Fifo(f"{layer.name} weights", piece, WEIGHT_FIFO) for layer in weighted]
        count = len(weighted) * copies
        kernels.append(transfer("weight_loader", (Lsu("weights", piece),), piece * count, count))
    return Structure(tuple(kernels), tuple(fifos * copies))


def planned_kernels(layer: Layer, graph: Graph, plan: Plan) -> tuple[Kernel, ...]:
    """Those of one layer, as it is planned."""
    return pipelined_kernels(
        layer, graph, plan, plan.kernel(layer.name), ends(plan.edges, layer.output)
    )


def pipelined_kernels(
    layer: Layer, graph: Graph, plan: Plan, kernel: KernelPlan, readers: int
) -> tuple[Kernel, ...]:
    """The kernel of one layer, whose result so many channels carry, and the one that puts input
    vectors together for it."""
    main = pipelined_kernel(layer, graph, plan, kernel, readers)
    if kernel.vectors_per_cycle == 1:
        return (main,)
    bits = input_bits(layer, graph)
    vector, word = kernel.input_width * bits, collected(kernel, bits).bits
    body = Body(register_bits=word, multiplexer_bits=word)
    return main, Kernel(
        f"{layer.name}_collect", body, main.autorun, channel_bits=vector + word, channel_ends=2
    )


def collected(kernel: KernelPlan, bits: int) -> Fifo:
    """The channel of words of input vectors."""
    return Fifo(
        f"{kernel.layer} collected",
        kernel.vectors_per_cycle * kernel.input_width * bits,
        COLLECTED_FIFO,
    )


def streamed(kernel: KernelPlan, bits: int) -> Fifo:
    """The channel of weights that come from memory."""
    return Fifo(f"{kernel.layer} streamed", kernel.output_width * bits, STREAMED_FIFO)


def link_structure(graph: Graph, plan: Plan) -> Structure:
    """The kernels at the ends of the board's links, and what their I/O channels hold."""
    kernels, fifos = [], []
    for name, link in ((LINK_IN, plan.arriving), (LINK_OUT, plan.leaving)):
        if link is None:
            continue
        packed = packing(graph, plan, link)
        vectors = sum(
            tensor.bits * (ends(plan.edges, tensor.tensor) if link is plan.arriving else 1)
            for tensor in packed.tensors
        )
        count = len(link.channels) + len(packed.tensors)
        held = max(tensor.turns * min(tensor.bits, link.word) for tensor in packed.tensors)
        body = Body(register_bits=held, multiplexer_bits=held)
        kernels.append(Kernel(name, body, channel_bits=link.word + vectors, channel_ends=count))
        fifos += [Fifo(channel, link.bits, link.depth) for channel in link.channels]
    return Structure(tuple(kernels), tuple(fifos))


def own_readers(graph: Graph, plan: Plan) -> Structure:
    """A reader for each layer whose weights stream from memory."""
    fifos = {
        kernel.layer: streamed(kernel, graph.layer(kernel.layer).weight_type.bits)
        for kernel in plan.kernels
        if kernel.row_tiles
    }
    return Structure(
        tuple(
            transfer(
                f"{name}_filters",
                (Lsu("filters", fifo.bits),),
                fifo.bits * plan.copies,
                plan.copies,
            )
            for name, fifo in fifos.items()
        ),
        tuple(fifos.values()),
    )


def shared_readers(graph: Graph, plan: Plan) -> Structure:
    """A reader a bank of the memory, and what stands between it and the layers."""
    banks = weight_banks(graph, plan)
    streams = [stream for bank in banks for stream in bank.streams]
    return Structure(
        (*(k for bank in banks for k in bank_kernels(bank)), *map(stream_kernel, streams)),
        (*map(bank_fifo, banks), *(fifo for s in streams for fifo in stream_fifos(s))),
    )


def pipelined_kernel(
    layer: Layer, graph: Graph, plan: Plan, kernel: KernelPlan, readers: int
) -> Kernel:
    """The kernel of one layer."""
    given, result = input_bits(layer, graph), graph.output_tensor(layer).type.bits
    streams = kernel.row_tiles > 0
    channel = (
        len(layer.inputs) * kernel.input_width * kernel.vectors_per_cycle * given
        + readers * kernel.output_width * result
        + bool(layer.weights) * piece_type(graph, plan.weights).bits
        + streams * kernel.output_width * layer.weight_type.bits
    )
    loops = (
        1
        + LOOPS * (streams and operator(layer.op).works_in_row_tiles(layer))
        + 2 * bool(layer.weights)
    )
    scratch = not plan.enabled("cached_writes") and operator(layer.op).accumulates
    vector = kernel.output_width * FLOAT32.bits
    return Kernel(
        layer.name,
        operator(layer.op).pipelined_body(layer, graph, kernel),
        autorun=plan.enabled("autorun") and not scratch,
        lsus=(Lsu("scratch", vector), Lsu("scratch", vector, store=True)) if scratch else (),
        channel_bits=channel,
        channel_ends=len(layer.inputs) + readers + bool(layer.weights) + streams,
        loops=loops,
    )


def input_bits(layer: Layer, graph: Graph) -> int:
    """Bits of a value of a layer's first input."""
    return graph.tensors[layer.inputs[0]].type.bits


def ends(edges: tuple[EdgePlan, ...], tensor: str) -> int:
    """How many channels carry a tensor."""
    return sum(edge.tensor == tensor for edge in edges)


def transfer(name: str, lsus: tuple[Lsu, ...], channel_bits: int, channel_ends: int) -> Kernel:
    """A kernel between global memory and channels."""
    return Kernel(name, Body(), lsus=lsus, channel_bits=channel_bits, channel_ends=channel_ends)
