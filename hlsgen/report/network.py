"""The network as the report draws it: what computes each layer, and what lies between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from typing import Any

from hlsgen.graph import Graph, Port
from hlsgen.kernel.step import StepKernel
from hlsgen.model.folded_structure import folded_kernels
from hlsgen.plan import EdgePlan, KernelPlan, Plan, StepPlan
from hlsgen.report.kernels import area_of, layer_kernels
from hlsgen.rewrites.prefix import halves, has_prefix

INPUT, OUTPUT = "input", "output"


def network(
    graph: Graph,
    plan: Plan,
    layers: list[dict[str, Any]],
    areas: list[dict[str, Any]],
    held: Mapping[int, int],
) -> dict[str, Any]:
    """Nodes and links. A node is the network's input or output, or a layer with what its kernels
    take; `held` is the most vectors that each FIFO of the plan held, where that was simulated."""
    by_name, kernels = {row["name"]: row for row in areas}, layer_kernels(graph, plan)
    times = {item["name"]: item for item in layers}
    engines = {step.layer: step.engine for step in plan.steps}
    planned: tuple[KernelPlan | StepPlan, ...] = (*plan.steps, *plan.kernels)
    decisions = {item.layer: decided(item) for item in planned}
    nodes: list[dict[str, Any]] = [end(INPUT, graph.inputs, graph)]
    for layer in graph.layers:
        tensor, time = graph.output_tensor(layer), times.get(layer.name, {})
        nodes.append(
            {
                "name": layer.name,
                "op": layer.op,
                "engine": engines.get(layer.name, ""),
                "shape": list(tensor.shape),
                "cycles": time.get("cycles", 0),
                "load": time.get("load", 0),
                "decisions": decisions.get(layer.name, {}),
                **area_of(kernels.get(layer.name, ()), by_name),
            }
        )
    nodes.append(end(OUTPUT, graph.outputs, graph))
    return {"nodes": nodes, "links": links(graph, plan, held)}


def engine_network(
    graph: Graph,
    plan: Plan,
    layers: list[dict[str, Any]],
    areas: list[dict[str, Any]],
    fifos: list[dict[str, Any]],
) -> dict[str, Any] | None:
    """Nodes and links as `network` has them, but a node is a kernel of a folded design, busy for as
    long as the layers that it computes, and a link a channel; None of designs without engines."""
    if plan.engines is None:
        return None
    part, own = halves(graph, plan)[1] if has_prefix(plan) else (graph, plan)
    described, by_name = folded_kernels(part, own), {row["name"]: row for row in areas}
    computing, nodes = layer_kernels(graph, plan), {}
    for kernel in described:
        mine = [item for item in layers if kernel.name in computing.get(item["name"], ())]
        nodes[kernel.name] = {
            "name": kernel.name,
            "op": kernel.what or "kernel",
            "engine": "",
            "cycles": sum(item["cycles"] for item in mine),
            "load": min(sum(item["load"] for item in mine), 1.0),
            **area_of([kernel.name], by_name),
        }
    depths = {row["name"]: row for row in fifos}
    return {"nodes": list(nodes.values()), "links": engine_links(described, depths)}


def engine_links(
    kernels: Sequence[StepKernel], depths: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """The channels between kernels of a folded design; `depths`: of those that are FIFOs, by
    name."""
    ends = [(end.channel, end.writes, kernel.name) for kernel in kernels for end in kernel.ends]
    return [
        {
            "from": source,
            "to": target,
            "name": channel,
            "width": 0,
            "bits": depths[channel]["bits"],
            "depth": depths[channel]["depth"],
            "held": None,
        }
        for channel, writes, source in dict.fromkeys(ends)
        for other, also, target in dict.fromkeys(ends)
        if writes and not also and other == channel and channel in depths
    ]


def decided(item: KernelPlan | StepPlan) -> dict[str, Any]:
    """The decisions on a layer, but those that are as they usually are."""
    usual = {field.name: field.default for field in fields(item)}
    return {
        name: value
        for name, value in asdict(item).items()
        if name not in ("layer", "engine") and (usual[name] is MISSING or value != usual[name])
    }


def end(name: str, ports: tuple[Port, ...], graph: Graph) -> dict[str, Any]:
    """The node of the network's inputs, or of its outputs."""
    shapes = [list(graph.tensors[port.tensor].shape) for port in ports]
    return {"name": name, "op": "", "shape": shapes[0] if len(shapes) == 1 else shapes}


def links(graph: Graph, plan: Plan, held: Mapping[int, int]) -> list[dict[str, Any]]:
    """From layer or input to layer or output, with the FIFO where there is one: its lanes, bits and
    depth, and the most vectors that it held in the simulation."""
    fifos = {(e.tensor, e.consumer, e.position): (i, e) for i, e in enumerate(plan.edges)}
    ends = [
        (name, layer.name, position)
        for layer in graph.layers
        for position, name in enumerate(layer.inputs)
    ]
    ends += [(port.tensor, "", position) for position, port in enumerate(graph.outputs)]
    found = []
    for tensor, consumer, position in ends:
        producer = graph.producers.get(tensor)
        index, edge = fifos.get((tensor, consumer, position), (-1, None))
        found.append(
            {
                "from": producer.name if producer else INPUT,
                "to": consumer or OUTPUT,
                **fifo(edge, graph.tensors[tensor].type.bits),
                "held": held.get(index),
            }
        )
    return found


def fifo(edge: EdgePlan | None, bits: int) -> dict[str, int]:
    """Lanes, bits and depth of a FIFO; all 0 of what passes through memory."""
    if edge is None:
        return {"width": 0, "bits": 0, "depth": 0}
    return {"width": edge.width, "bits": edge.width * bits, "depth": edge.depth}
