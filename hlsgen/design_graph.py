"""The graph that a design computes, from the network that lies in its directory."""

from __future__ import annotations

from hlsgen.frontend.cut import Ends, load_part
from hlsgen.frontend.load import load
from hlsgen.graph import Graph
from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.host.system import SystemDesign
from hlsgen.rewrites.parts import parts
from hlsgen.rewrites.weight_storage import with_storage


def graph_of(design: HostDesign) -> Graph:
    """The network of a design, or the part of it that the design is, as the design computes it.
    Raises HostError, and what `load` raises for the model that lies in the design."""
    manifest, path = design.manifest, design.path / "model.onnx"
    if manifest.part:
        return part_of(SystemDesign(design.path.resolve().parent), design)
    if not path.is_file():
        raise HostError(
            f"{path} is missing, so there is nothing to compare with",
            remedy="build the design again",
        )
    if design.differs("model.onnx"):
        raise HostError(
            f"{path} is not the network that was built",
            remedy="build the design again from the network that you mean",
        )
    shapes = {port.name: list(port.model_shape) for port in manifest.network_inputs}
    if manifest.cut is None:
        graph = load(path, shapes, manifest.name)
    else:
        known = {port.name for port in manifest.network_inputs}
        starts = [port.name for port in manifest.inputs if port.name not in known]
        ends = Ends(tuple(starts), tuple(port.name for port in manifest.outputs))
        graph = load_part(path, shapes, manifest.name, ends)
    return with_storage(graph, manifest.weights.type)


def part_of(system: SystemDesign, design: HostDesign) -> Graph:
    """The part of a system's network that one of its boards computes. Raises HostError."""
    ends = [entry.end for entry in system.system.boards]
    return parts(graph_of(system), ends)[system.number(design.path)]
