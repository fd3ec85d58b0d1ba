"""Generates base and layered designs: a kernel a layer through global memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hlsgen.boards import Board
from hlsgen.codegen.attributes import Unions
from hlsgen.codegen.design import (
    Generated,
    Weights,
    feature_layout,
    filled,
    input_entry,
    launch,
    layer_entry,
    output_entry,
    run_mode,
    title,
)
from hlsgen.codegen.render import render
from hlsgen.graph import Graph, Layer, Tensor
from hlsgen.host.manifest import Buffer, Layout
from hlsgen.kernel.result_text import conversion_text
from hlsgen.ops import operator
from hlsgen.plan import Plan
from hlsgen.types import FLOAT32, INT8, INT16, INT32, UINT8

# OpenCL's name of the values of an array, by numpy's.
C_TYPES = {kind.array: kind.ctype for kind in (FLOAT32, UINT8, INT8, INT16, INT32)}


def generate_layered(graph: Graph, plan: Plan, board: Board) -> Generated:
    """Generate a base or layered design."""
    weights = Weights()
    buffers = {
        f"tensor_{name}": Buffer(tensor.size, tensor.type.name)
        for name, tensor in graph.tensors.items()
    }
    texts, launches, entries = [], [], []
    for layer in graph.layers:
        arguments = kernel_arguments(layer, graph, plan, weights, buffers)
        context = layer_context(layer, graph, plan, arguments)
        template = operator(layer.op).layered_template
        texts.append({"text": render(f"layered/{template}.cl.j2", l=context)})
        queue = layer.name if plan.enabled("concurrent_queues") else "queue"
        launches.append(launch(layer.name, *[a["buffer"] for a in arguments], queue=queue))
        entries.append(layer_entry(layer, layout(graph.output_tensor(layer))))
    source = render(
        "layered/design.cl.j2",
        network=plan.network,
        plan=plan,
        board=board,
        channels=False,
        unions=Unions(exact=bool(graph.integers)),
        layers=texts,
    )
    tensors = graph.tensors
    inputs = [input_entry(p, layout(tensors[p.tensor])) for p in graph.inputs]
    outputs = [output_entry(p, layout(tensors[p.tensor])) for p in graph.outputs]
    runs = {"sequential": run_mode(launches)}
    return Generated(source, weights, buffers, inputs, outputs, entries, runs)


def layout(tensor: Tensor) -> Layout:
    """[H][W][C] in a buffer of its own."""
    return feature_layout(f"tensor_{tensor.name}", tensor, 1)


def kernel_arguments(
    layer: Layer, graph: Graph, plan: Plan, weights: Weights, buffers: dict[str, Buffer]
) -> list[dict[str, Any]]:
    """Parameters of a layer's kernel in order, each with the buffer that is passed; adds weights
    and scratch."""
    found, types = [], operator(layer.op).roles(layer, graph)
    for position, name in enumerate(layer.inputs):
        parameter = "input" if position == 0 else f"input_{position + 1}"
        kind = graph.tensors[name].type.ctype
        found.append(
            {"name": parameter, "buffer": f"tensor_{name}", "constant": True, "type": kind}
        )
    for name, array in operator(layer.op).layered_arrays(layer).items():
        buffer = f"{layer.name}_{name}"
        weights.add(buffer, array, f"{name} of {layer.name}, shape {list(array.shape)}")
        buffers[buffer] = filled(weights.sections[-1])
        kind = C_TYPES[str(array.dtype)]
        found.append({"name": name, "buffer": buffer, "constant": True, "type": kind})
    if not plan.enabled("cached_writes") and operator(layer.op).accumulates:
        buffer = f"{layer.name}_scratch"
        buffers[buffer] = Buffer(graph.output_tensor(layer).size, types.accumulator.name)
        kind = types.accumulator.ctype
        found.append({"name": "scratch", "buffer": buffer, "constant": False, "type": kind})
    kind = types.result.ctype
    found.append(
        {"name": "output", "buffer": f"tensor_{layer.output}", "constant": False, "type": kind}
    )
    return found


def layer_context(
    layer: Layer, graph: Graph, plan: Plan, arguments: list[dict[str, Any]]
) -> dict[str, Any]:
    """Everything the layer's template needs."""
    inputs = [
        vars(tensor) | {"size": tensor.size, "pixels": tensor.pixels, "name": arguments[i]["name"]}
        for i, tensor in enumerate(graph.input_tensors(layer))
    ]
    output, types = graph.output_tensor(layer), operator(layer.op).roles(layer, graph)
    converts = operator(layer.op).conversion(layer, graph, 1) is not None
    context = {
        "name": layer.name,
        "types": types,
        "ctype": types.accumulator.ctype,
        "zero": types.accumulator.zero,
        "title": title(layer),
        "attributes": layer.attributes,
        "kernel": plan.kernel(layer.name),
        "parameters": arguments,
        "inputs": inputs,
        "input": inputs[0],
        "output": vars(output) | {"size": output.size, "pixels": output.pixels},
        "weight_shape": layer.weights["weight"].shape if "weight" in layer.weights else (),
        "bias": "bias" in layer.weights,
        "activation": layer.activation,
        "activate": activate(layer),
        "operand": "{}".format,
        "second": "",
        # A result in another type than its sum has no loop of its own.
        "fuse": plan.enabled("fuse") or converts,
        "cached": plan.enabled("cached_writes"),
        "unroll": "#pragma unroll" if plan.enabled("unroll") else "#pragma unroll 1",
    } | operator(layer.op).layered_context(layer)
    return context | {"finish": finish(layer, graph, context["second"])}


def finish(layer: Layer, graph: Graph, second: str) -> Callable[[str, str], str]:
    """From a sum with its bias to a result, expressions both, by the index of its channel; `second`
    is what a conversion takes beside the sum."""
    conversion, kind = (
        operator(layer.op).conversion(layer, graph, 1),
        graph.output_tensor(layer).type,
    )
    apply = activate(layer)
    if conversion is None:
        return lambda value, channel: apply(value)
    return lambda value, channel: apply(
        conversion_text(conversion, value, second.format(channel), kind, 1)
    )


def activate(layer: Layer) -> Callable[[str], str]:
    """The layer's activation as a function from expression to expression."""
    return (lambda x: x) if layer.activation is None else layer.activation.expression
