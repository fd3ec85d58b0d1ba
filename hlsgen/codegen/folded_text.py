"""The text of folded designs, printed from the descriptions of their kernels and channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from hlsgen.activation import KINDS
from hlsgen.boards import Board
from hlsgen.codegen.attributes import Unions
from hlsgen.codegen.render import render
from hlsgen.descriptors import record_fields
from hlsgen.engines.base import (
    Engine,
    Setting,
    engine_vector,
    feature_type,
    roles,
    setting,
    stored_word,
    sum_vector,
    unrolling,
)
from hlsgen.graph import Graph
from hlsgen.kernel.step import Channel, StepKernel
from hlsgen.kernel.step_text import channel_lines, into, read, step_kernel
from hlsgen.kernel.values import Vector
from hlsgen.model.finishing import NO_ROUNDING, Finish, finish
from hlsgen.model.folded_structure import pairs_fed, shared_kernels
from hlsgen.model.shared_channels import shared_channels
from hlsgen.model.shared_kernels import taking
from hlsgen.ops import operator
from hlsgen.ops.binary import NAMES
from hlsgen.plan import Plan
from hlsgen.quantised import limits
from hlsgen.types import FLOAT32, INT32, converted, decoded, lanes_of

Step = dict[str, Any]


@dataclass(frozen=True)
class Steps:
    """The fields of the steps of a design: all, and by engine those that it computes (`own`), that
    it reads vectors for (`reading`), and that it takes part in (`serving`)."""

    all: Sequence[Step]
    own: Mapping[str, Sequence[Step]]
    reading: Mapping[str, Sequence[Step]]
    serving: Mapping[str, Sequence[Step]]


def steps_by_engine(
    steps: Sequence[Step], used: Sequence[Engine], numbers: Mapping[str, int]
) -> Steps:
    """`numbers`: of the engines, as the steps know them."""
    own = {name: [s for s in steps if s["engine"] == n] for name, n in numbers.items()}
    fed = [s for s in steps if s["fused"]]
    feeding = {known.name: fed if known.feeds else [] for known in used}
    alone = {name: [s for s in mine if not s["fused"]] for name, mine in own.items()}
    return Steps(
        steps,
        own,
        {name: [*mine, *feeding.get(name, [])] for name, mine in alone.items()},
        {name: [*mine, *feeding.get(name, [])] for name, mine in own.items()},
    )


@dataclass(frozen=True)
class FoldedText:
    """What the text of a folded design is printed of. `listeners`: bits of those that hear of a
    step; `image`: vectors of an image's feature maps."""

    graph: Graph
    plan: Plan
    used: tuple[Engine, ...]
    numbers: Mapping[str, int]
    listeners: Mapping[str, int]
    steps: Steps
    image: int

    @property
    def finish(self) -> Finish:
        """What happens to results."""
        return finish(self.graph, self.plan)

    def source(self, board: Board, prefix: str, unions: Unions) -> str:
        """The whole text, with that of a prefix's kernels (which take apart vectors of their own,
        `unions`) where there is one."""
        plan, e, end = self.plan, self.plan.engines, self.finish
        assert e is not None
        pairs = pairs_fed(self.graph, plan)
        outer = shared_channels(self.graph, plan, self.used, end, pairs)
        ahead, others = self.engine_texts()
        first, *reading, last, after = shared_kernels(self.graph, plan, self.used, end)
        finishing = (last, after)
        at = setting(self.graph, plan)
        vector, stored = at.vector, at.word
        fields = record_fields(self.graph, plan.steps)
        return render(
            "folded/design.cl.j2",
            network=plan.network,
            plan=plan,
            board=board,
            channels=True,
            unions=self.unions() | unions,
            prefix=prefix,
            image_size=self.image if plan.images > 1 else 0,
            always_sequential=not plan.enabled("concurrent_queues"),
            vec=vector.type.vector(e.width),
            stored_vec="vec" if stored.type == vector.type else stored.type.vector(e.width),
            lanes=lanes_of(vector.type, e.width),
            words=" ".join(
                f"{kind} {', '.join(word for _, word, _ in same)};"
                for kind, same in groupby(self.words(at), key=lambda word: word[2])
            ),
            e=e,
            finish=end,
            fields=fields,
            listeners=self.listeners,
            filters=[known.reader for known in self.used if known.reader],
            engines={known.name: self.numbers[known.name] for known in self.used},
            joins={name: NAMES.index(name) + 1 for name in self.joins()},
            kinds={kind: KINDS.index(kind) + 1 for kind in self.functions()},
            channel_lines=channel_lines(outer, self.largest(outer)),
            ahead=ahead,
            step_reader=first,
            readers=[self.text(kernel) for kernel in (*reading, *self.readers())],
            engine_texts=others,
            finishing=[self.text(kernel) for kernel in finishing],
        )

    def functions(self) -> list[str]:
        """All activations that have a number in the text."""
        kernels = (k for known in self.used for k in known.described(self.graph, self.plan))
        fed = (kind for k in kernels if k.feeding for kind in k.feeding.functions)
        return list(dict.fromkeys([*self.finish.functions, *fed]))

    def readers(self) -> list[StepKernel]:
        """The kernels that read global memory for one engine alone."""
        return [reader for known in self.used for reader in known.readers(self.graph, self.plan)]

    def engine_texts(self) -> tuple[list[str], list[str]]:
        """The kernels of the engines, each group of channels between them before the first that it
        reaches: those that stand before the readers, and the others."""
        found: tuple[list[str], list[str]] = [], []
        for known in self.used:
            kernels = known.described(self.graph, self.plan, self.steps.serving[known.name])
            groups = known.channels(self.graph, self.plan)
            for texts, here in (
                (found[0], [k for k in kernels if k.ahead]),
                (found[1], [k for k in kernels if not k.ahead]),
            ):
                reached = {end.channel for k in here for end in k.ends}
                texts += [
                    "\n".join(channel_lines(group, self.largest(group, known.name)))
                    for group in groups
                    if all(channel.name in reached for channel in group)
                ]
                texts += [self.text(k, known) for k in here]
        return found

    @property
    def engines(self) -> Any:
        """The sizes of the engines."""
        return self.plan.engines

    def largest(self, channels: Sequence[Channel], engine: str = "") -> dict[str, int]:
        """Words that pass each channel in the largest step; `engine`: whose kernels it joins."""
        return {
            c.name: max((1, *(c.stream.value(s) for s in self.passing(c.name, engine))))
            for c in channels
            if c.stream
        }

    def passing(self, channel: str, engine: str) -> Sequence[Step]:
        """The steps whose words pass a channel."""
        if engine:
            return self.steps.own[engine]
        if channel == "plain_in":
            return self.steps.own[""]
        if channel == "residual_in":
            return [s for s in self.steps.all if s["residual"]]
        for _, name in pairs_fed(self.graph, self.plan):
            if channel.endswith(f"_to_{name}"):
                return [s for s in self.steps.own[name] if s["fused"]]
        for known in self.used:
            if channel.startswith(f"{known.name}_"):
                ends = {"in": self.steps.reading, "out": self.steps.own}
                return ends.get(channel.rsplit("_", 1)[1], self.steps.serving)[known.name]
        return self.steps.all

    def unions(self) -> Unions:
        """The vectors that the kernels take apart: of feature maps, and of words of weights."""
        word, widths = stored_word(self.graph, self.plan), frozenset([self.engines.width])
        kinds = [feature_type(self.graph)]
        if any(known.takes_apart for known in self.used):
            kinds.append(word.type)
        whole = frozenset((kind, word.lanes) for kind in kinds if kind.integer)
        return Unions(widths, whole, frozenset() if whole else widths, exact=bool(whole))

    def joins(self) -> tuple[str, ...]:
        """All functions of two tensors that have a number in the text."""
        rounding = self.finish.rounding
        return (*self.finish.joins, *(rounding.joins if rounding else ()))

    def words(self, at: Setting) -> list[tuple[str, str, str]]:
        """What is kept of a group of output vectors: its name, that of a word, and its type."""
        lanes = at.vector.lanes
        return [
            (name, word, at.name_of(kind) or kind.vector(lanes))
            for name, word, kind in self.finish.words
        ]

    def text(self, k: StepKernel, known: Engine | None = None) -> str:
        """A kernel, of an engine or of all, with the loops that its template prints if it has
        one."""
        unroll = unrolling(self.plan)
        if not k.template:
            return "\n".join(step_kernel(k, [], unroll))
        body = render(
            f"folded/{k.template}.cl.j2",
            k=k,
            read=partial(read, k),
            into=partial(into, k),
            memory={buffer.memory.name: buffer.memory for buffer in k.buffers},
            registers={registers.name: registers for registers in k.registers},
            pointer={pointer.name: pointer for pointer in k.pointers},
            feeder=next((x.channel for x in k.ends if "_to_" in x.channel and not x.writes), ""),
            unroll=unroll,
            several=self.plan.images > 1,
            **(self.of_engine(known) if known else self.of_all()),
        )
        return "\n".join(step_kernel(k, body.splitlines(), unroll))

    def of_engine(self, known: Engine) -> dict[str, Any]:
        """What the templates of an engine's kernels ask for: names of types, and how integers are
        multiplied."""
        graph, plan = self.graph, self.plan
        types, word = roles(graph, plan, known.name), stored_word(graph, plan)
        vector, sums = engine_vector(graph, plan, known.name), sum_vector(graph, plan, known.name)
        lanes, whole = word.lanes, types.operand.integer

        def product(lane: str, weights: str) -> str:
            wide = converted(weights, lanes, types.weight, types.accumulator) if whole else weights
            return f"({types.accumulator.ctype}){lane} * {wide}" if whole else f"{lane} * {wide}"

        return {
            "e": known.own(self.engines),
            "ctype": types.accumulator.ctype,
            "operand": types.operand.ctype,
            "lowest": types.operand.lowest,
            "zero": types.accumulator.zero,
            "vec": vector.ctype,
            "sum": sums.ctype,
            "lanes": "lanes" if vector.name else lanes_of(types.operand, lanes),
            "whole": whole,
            "product": product,
            "widened": lambda value: converted(value, lanes, types.operand, types.accumulator),
            "decoded": lambda value: value if whole else decoded(value, lanes, types.weight),
            "stored_lanes": lanes_of(word.type, lanes),
            "words": word.lanes * word.count,
            **borders(vector),
        }

    def of_all(self) -> dict[str, Any]:
        """What the templates of kernels that serve all engines ask for."""
        end, at = self.finish, setting(self.graph, self.plan)
        kind, lanes, rounding = at.vector.type, at.vector.lanes, self.finish.rounding
        found: dict[str, Any] = {}
        if rounding is not None:
            low, high = limits(kind)
            found = {"limits": (f"{low}.0f", f"{high}.0f"), "wholes": INT32.vector(lanes)}
        return found | {
            "finish": end,
            "rounding": rounding or NO_ROUNDING,
            "second": bool(end.joins if rounding is None else rounding.joins),
            "words": self.words(at),
            "zero": kind.zero,
            "vector": kind.vector(lanes),
            "vector_lanes": lanes,
            "floats": FLOAT32.vector(lanes),
            "joining": lambda name: operator(name).joined.format(
                vector=FLOAT32.vector(lanes), kind=kind.ctype
            ),
            "weighted": dict(taking(self.plan, self.used).weights),
            "fed": [known for known in self.used if known.fed],
            "pairs": [name for _, name in pairs_fed(self.graph, self.plan)],
            **borders(at.vector),
        }


def borders(vector: Vector) -> dict[str, str]:
    """What lies beyond a feature map, of a vector and of a lane: the record has it as float32."""
    if not vector.type.integer:
        return {"border": "s.pad_value", "lane_border": "s.pad_value"}
    lane = f"({vector.type.ctype})s.pad_value"
    return {"border": f"({vector.type.vector(vector.lanes)})({lane})", "lane_border": lane}
