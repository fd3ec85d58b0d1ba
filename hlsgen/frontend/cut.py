"""A network of which a part becomes the design, while the host computes what comes before and
behind it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import onnx

from hlsgen.errors import HlsgenError, UnsupportedError, UsageError, did_you_mean
from hlsgen.frontend.largest_part import DESIGN, HEAD, TAIL, Step, largest_part
from hlsgen.frontend.load import built, prepared, read
from hlsgen.frontend.model import first_line
from hlsgen.frontend.prepare import PreparedModel
from hlsgen.frontend.refusals import joined, reasons
from hlsgen.frontend.scopes import scoped_names
from hlsgen.frontend.source import names_read
from hlsgen.frontend.static_network import StaticNetwork, static_network
from hlsgen.frontend.translate import Translation, translate
from hlsgen.graph import Graph, HostParts
from hlsgen.host.manifest import Cut, Value
from hlsgen.onnxruntime_session import session
from hlsgen.ops import operator
from hlsgen.ops.node_work import node_macs

HEAD_FILE, TAIL_FILE = "head.onnx", "tail.onnx"
# How often a part that turns out not to be buildable is chosen anew.
MOST_TRIES = 8
# Names that a message lists.
MOST_NAMES = 12


@dataclass(frozen=True)
class Ends:
    """Where a design begins and ends, as names of values: behind `start`, or the network's inputs,
    and with `end`, or the network's outputs."""

    start: tuple[str, ...] = ()
    end: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.start or self.end)


def load_network(
    source: str | Path | onnx.ModelProto,
    shapes: Mapping[str, Sequence[int]] | None = None,
    name: str = "",
    ends: Ends = Ends(),
) -> Graph:
    """`load`, but for networks of which only a part can be built: then that part, with
    `Graph.host_parts` beside it. `ends` says which part, whether or not all can be built. Raises
    ModelError or UnsupportedError where nothing of weight can be built, UsageError for `ends` that
    cannot be."""
    model, name = read(source, name)
    network = prepared(model, shapes)
    if not ends:
        try:
            return built(model, network, name)
        except UnsupportedError as refusal:
            return Cutter(model, network, name).by_itself(refusal)
    return Cutter(model, network, name).by_hand(ends)


def load_part(
    source: str | Path | onnx.ModelProto, shapes: Mapping[str, Sequence[int]], name: str, ends: Ends
) -> Graph:
    """The graph of a part that `load_network` chose. `Graph.host_parts` is not told again."""
    model, name = read(source, name)
    network = static_network(prepared(model, shapes))
    return design_graph(model, network, stages_between(network, ends), name)


class Cutter:
    """Finds the part of a network that is built."""

    def __init__(self, model: onnx.ModelProto, network: PreparedModel, name: str):
        self.model, self.name, self.prepared = model, name, network
        self.network = static_network(network)
        # Nodes are judged on one image; those that work along a batch are the host's.
        image = self.network if network.alone is None else static_network(network.alone)
        assumed = {
            value: shape
            for value in image.types
            if image.crosses(value) and (shape := image.shape(value))
        }
        names = scoped_names(model.graph.node)
        self.judged = translate(network.alone or network, names, assumed=assumed)
        self.work = work_of(image, self.judged)
        for result, label in network.along.items():
            if label:
                mixing = UnsupportedError("works along the batch", where=label)
                self.judged.problems.setdefault(result, mixing)
            self.judged.untold.add(result)

    def by_itself(self, refusal: UnsupportedError) -> Graph:
        """The largest part that can be built. Raises the refusal of the whole where that has no
        weight."""
        problems = dict(self.judged.problems)
        refused = problems.keys() | self.judged.untold
        for _ in range(MOST_TRIES):
            stages = self.largest(refused)
            work = [self.work[n] for n, stage in enumerate(stages) if stage == DESIGN]
            if not sum(work):
                break
            part = design_model(self.network, stages, self.name)
            found = translate(prepared(part), {})
            if not found.problems:
                return self.graph(stages, list(problems.values()))
            problems |= found.problems
            refused = refused | found.problems.keys() | found.untold
        raise refusal

    def by_hand(self, ends: Ends) -> Graph:
        """The part with these ends; the whole network where nothing is left of it. Raises
        UsageError, or UnsupportedError where the part cannot be built."""
        check_names(self.network, ends)
        stages = stages_between(self.network, ends)
        if DESIGN not in stages:
            raise UsageError(
                "nothing is computed between its ends", where="--cut", remedy="name others"
            )
        if set(stages) == {DESIGN}:
            return built(self.model, self.prepared, self.name)
        return self.graph(stages, [])

    def largest(self, refused: set[str]) -> list[int]:
        """The stages of the largest part without refused nodes."""
        network = self.network
        steps = [
            Step(
                tuple(sorted(names_read(node) - network.constants.keys())),
                tuple(filter(None, node.output)),
                work,
                refused.isdisjoint(node.output),
            )
            for node, work in zip(network.nodes, self.work, strict=True)
        ]
        sizes = {n: prod(network.shape(n) or ()) for n in network.types if network.crosses(n)}
        sizes |= {name: prod(network.shape(name) or ()) for name in network.inputs}
        return largest_part(steps, sizes, network.outputs)

    def graph(self, stages: Sequence[int], problems: Sequence[HlsgenError]) -> Graph:
        """The graph of a part, with what the host computes."""
        network = self.network
        graph = design_graph(self.model, network, stages, self.name)
        head, tail = host_models(network, stages)
        check_runs([part for part in (head, tail) if part], problems)
        cut = Cut(
            inputs=tuple(network_value(network, name) for name in network.inputs),
            outputs=tuple(network_value(network, name) for name in network.outputs),
            head=HEAD_FILE if head else None,
            tail=TAIL_FILE if tail else None,
            macs=sum(self.work),
            host_macs=sum(w for w, s in zip(self.work, stages, strict=True) if s != DESIGN),
            reasons=reasons(problems),
            images=images_of(network, graph),
        )
        return replace(graph, host_parts=HostParts(cut, head, tail))


def images_of(network: StaticNetwork, graph: Graph) -> int:
    """How many images of the part that is built make one of the network."""
    port = graph.inputs[0]
    shape = network.shape(port.name) or ()
    return shape[0] if len(shape) > 1 and port.view.value_shape == (1, *shape[1:]) else 1


def work_of(network: StaticNetwork, judged: Translation) -> list[int]:
    """The multiply-accumulates of every node: those of its layers where it has any."""
    everything = Graph("judged", judged.builder.tensors, tuple(judged.builder.layers), (), ())
    work = []
    for node in network.nodes:
        layers = judged.layers.get(node.output[0])
        if layers is None:
            work.append(node_macs(node, network.shape))
        else:
            work.append(sum(operator(la.op).work(la, everything).macs for la in layers))
    return work


def check_names(network: StaticNetwork, ends: Ends) -> None:
    """Raise UsageError for ends that are no values, or that cannot cross the cut."""
    written = [name for node in network.nodes for name in node.output]
    legal = [name for name in (*network.inputs, *written) if network.crosses(name)]
    for flag, names in (("--cut-start", ends.start), ("--cut", ends.end)):
        for name in names:
            if name in legal or (name in network.inputs and flag == "--cut-start"):
                continue
            known = name in written
            reason = "is no float32 of a known size" if known else "is no value of the network"
            some = ", ".join(legal[:MOST_NAMES]) + (", ..." if len(legal) > MOST_NAMES else "")
            raise UsageError(
                f"{name!r} {reason}{'' if known else did_you_mean(name, legal)}",
                where=flag,
                remedy=f"name one of its values: {some}",
            )


def stages_between(network: StaticNetwork, ends: Ends) -> list[int]:
    """The stage of every node where a design begins and ends there. Raises UsageError where a value
    at which it begins is computed in it."""
    design = needed(network, ends.end or network.outputs, ends.start)
    head = needed(network, ends.start, ())
    both = design & head
    if both:
        node = network.nodes[min(both)]
        raise UsageError(
            f"it begins behind {node.output[0]!r}, which it needs itself",
            where="--cut-start",
            remedy="leave out values that others named there are computed from",
        )
    return [
        DESIGN if n in design else HEAD if n in head else TAIL for n in range(len(network.nodes))
    ]


def needed(network: StaticNetwork, names: Collection[str], given: Collection[str]) -> set[int]:
    """The nodes that values are computed by, but for those that are given."""
    wanted, found = set(names) - set(given), set()
    for number in reversed(range(len(network.nodes))):
        node = network.nodes[number]
        if wanted.intersection(node.output):
            found.add(number)
            wanted |= names_read(node) - set(given)
    return found


def crossing(network: StaticNetwork, stages: Sequence[int], stage: int) -> list[str]:
    """The values that nodes of a stage write and others, or the network's outputs, need."""
    pairs = list(zip(network.nodes, stages, strict=True))
    needs = set(network.outputs).union(*(names_read(node) for node, s in pairs if s != stage))
    return [name for node, s in pairs if s == stage for name in node.output if name in needs]


def nodes_of(network: StaticNetwork, stages: Sequence[int], stage: int) -> list[onnx.NodeProto]:
    """The nodes of a stage."""
    return [node for node, s in zip(network.nodes, stages, strict=True) if s == stage]


def design_model(network: StaticNetwork, stages: Sequence[int], name: str) -> onnx.ModelProto:
    """The part that is built, as a network of its own."""
    nodes = nodes_of(network, stages, DESIGN)
    return network.part(nodes, crossing(network, stages, DESIGN), name)


def design_graph(
    model: onnx.ModelProto, network: StaticNetwork, stages: Sequence[int], name: str
) -> Graph:
    """The graph of the part that is built; its `model` is the whole network's."""
    part = design_model(network, stages, name)
    graph = built(part, prepared(part), name)
    return replace(graph, model=model)


def host_models(
    network: StaticNetwork, stages: Sequence[int]
) -> tuple[onnx.ModelProto | None, onnx.ModelProto | None]:
    """Head and tail, None where there is none."""
    head, tail = (nodes_of(network, stages, stage) for stage in (HEAD, TAIL))
    constants = [name for name in network.outputs if name in network.constants]
    results = [*crossing(network, stages, TAIL), *constants]
    return (
        network.part(head, crossing(network, stages, HEAD), "head") if head else None,
        network.part(tail, results, "tail") if tail or constants else None,
    )


def check_runs(parts: Sequence[onnx.ModelProto], problems: Sequence[HlsgenError]) -> None:
    """Raise UnsupportedError for a part that onnxruntime does not run, with the `problems` for
    which it is the host's. Without onnxruntime nothing is known yet."""
    for part in parts:
        try:
            session(part.SerializeToString())
        except ImportError:
            return
        except Exception as error:  # onnxruntime raises kinds of its own
            refused = UnsupportedError(
                f"onnxruntime does not run it either ({first_line(error)})",
                where=f"the {part.graph.name} that the host would compute",
            )
            raise joined([*problems, refused]) from None


def network_value(network: StaticNetwork, name: str) -> Value:
    """An input or output of the network, for the manifest."""
    kind = network.types.get(name)
    dims = kind.tensor_type.shape.dim if kind is not None else []
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims)
    led = shape if shape[:1] == (1,) else (1, *shape)
    number = network.element_type(name) or onnx.TensorProto.FLOAT
    return Value(name, led, shape, onnx.helper.tensor_dtype_to_np_dtype(number).name)
