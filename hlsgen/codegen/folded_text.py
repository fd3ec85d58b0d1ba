"""The text of folded designs, printed from the descriptions of their kernels and channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hlsgen.activation import KINDS
from hlsgen.boards import Board
from hlsgen.codegen.render import render
from hlsgen.descriptors import record_fields
from hlsgen.engines.base import Engine, engine_vector, roles, stored_word, unrolling
from hlsgen.graph import Graph
from hlsgen.kernel.step import Channel, StepKernel
from hlsgen.kernel.step_text import channel_lines, step_kernel
from hlsgen.model.folded_structure import pairs_fed, shared_kernels
from hlsgen.model.shared_channels import shared_channels
from hlsgen.model.shared_kernels import Finish, finish, taking
from hlsgen.ops.binary import NAMES
from hlsgen.plan import EngineSizes, Plan
from hlsgen.types import decoded

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

    def source(self, board: Board, prefix: str, prefix_widths: Sequence[int]) -> str:
        """The whole text, with that of a prefix's kernels (which handle vectors of
        `prefix_widths`) where there is one."""
        plan, e, end = self.plan, self.plan.engines, self.finish
        assert e is not None
        pairs = pairs_fed(self.graph, plan)
        outer = shared_channels(plan, self.used, end, pairs)
        ahead, others = self.engine_texts()
        first, *reading, last, after = shared_kernels(plan, self.used, end)
        finishing = (last, after)
        types, vector = roles(plan), engine_vector(plan)
        fields = record_fields(self.graph, plan.steps)
        return render(
            "folded/design.cl.j2",
            network=plan.network,
            plan=plan,
            board=board,
            channels=True,
            widths=sorted({e.width, *prefix_widths}),
            integers=(),
            exact=False,
            prefix=prefix,
            image_size=self.image if plan.images > 1 else 0,
            always_sequential=not plan.enabled("concurrent_queues"),
            vec=vector.type.vector(e.width),
            stored_vec="vec" if types.weight == vector.type else types.weight.vector(e.width),
            e=e,
            finish=end,
            fields=fields,
            listeners=self.listeners,
            filters=[known.reader for known in self.used if known.reader],
            engines={known.name: self.numbers[known.name] for known in self.used},
            joins={name: NAMES.index(name) + 1 for name in end.joins},
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
        return [reader for known in self.used for reader in known.readers(self.plan)]

    def engine_texts(self) -> tuple[list[str], list[str]]:
        """The kernels of the engines, each group of channels between them before the first that it
        reaches: those that stand before the readers, and the others."""
        found: tuple[list[str], list[str]] = [], []
        for known in self.used:
            kernels = known.described(self.graph, self.plan, self.steps.serving[known.name])
            groups = known.channels(self.plan)
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
                texts += [self.text(k, known.own(self.engines)) for k in here]
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

    def text(self, k: StepKernel, own: EngineSizes | None = None) -> str:
        """A kernel, with the loops that its template prints if it has one."""
        types, unroll = roles(self.plan), unrolling(self.plan)
        if not k.template:
            return "\n".join(step_kernel(k, [], unroll))
        word = stored_word(self.plan)
        body = render(
            f"folded/{k.template}.cl.j2",
            k=k,
            e=own,
            memory={buffer.memory.name: buffer.memory for buffer in k.buffers},
            registers={registers.name: registers for registers in k.registers},
            pointer={pointer.name: pointer for pointer in k.pointers},
            feeder=next((x.channel for x in k.ends if "_to_" in x.channel and not x.writes), ""),
            unroll=unroll,
            ctype=types.accumulator.ctype,
            zero=types.accumulator.zero,
            vector=engine_vector(self.plan).type.vector(word.lanes),
            decoded=lambda pattern: decoded(pattern, word.lanes, types.weight),
            several=self.plan.images > 1,
            finish=self.finish,
            weighted=dict(taking(self.plan, self.used).weights),
            fed=[known for known in self.used if known.fed],
            pairs=[name for _, name in pairs_fed(self.graph, self.plan)],
        )
        return "\n".join(step_kernel(k, body.splitlines(), unroll))
