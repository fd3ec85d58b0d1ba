"""The page of results: its parts, and how they stand in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks import published_base
from benchmarks.prose import paragraph
from benchmarks.results import best, cpu, designs
from benchmarks.results.parts import Made, Part, kept
from benchmarks.sparsify import fps

HERE = Path(__file__).parent
BOARDS = ("pac_d5005", "pac_a10", "p520_hpc", "de10_nano")
# Networks whose best designs are shown on PAC D5005 alone.
MORE = ("squeezenet", "alexnet", "vgg16", "resnet20", "resnet56", "resnet110")
# Images a launch, or copies, that a network's row on PAC D5005 is made for besides.
LAUNCHES = {
    "lenet5": (best.MANY_COPIES,),
    "resnet18": ("16",),
    "resnet34": ("16",),
    "resnet50": ("16", "32"),
}
BEST = """The best design of `--style auto`, one image a launch unless it says otherwise, and what
`hlsgen audit` finds in its text: innermost loops whose initiation interval may exceed what the
model counts on (*II > 1*); memories that cannot be banked or lack ports; DSPs in the text and in
the model; distances of `ivdep` proved. *Commit*: whose model a row is of."""
CHANGES = """The rows above up to the pipelined design, with what the audit sees in their text:
the largest initiation interval of an innermost loop (*II*), the most loops that one sum passes
through, units of global memory. [model.md](model.md) has the laws."""
PUBLISHED = """The published flow reports up to 846 times between its base and its best
accelerators, not of which network, and no absolute base figure. Its base kernels are TVM's. By the
laws of plain kernels these cost, at 196 MHz (the middle of 51 such bitstreams), what the table
says. In TVM's order the window is innermost, and a 3x3 convolution takes 12 cycles a
multiply-accumulate; here the channels are, and it takes 4.3: a base of ours is up to three times as
fast, and what is measured against it gains that much less. *846 times*: images a second of that
base times 846. *Most*: what the 896 multipliers of its 1x1 convolutions of MobileNetV1 could do at
that clock. In all three networks 846 times the base is less, so nothing contradicts the published
figure. Ours is larger because the designs are faster, not because the base is slower: they use up
to 5,184 multipliers, and the layers of a pipeline work at the same time."""
SPARSE = """Images a second with the same share of zeros in every layer; see
[sparsification.md](sparsification.md)."""
CPU = "What one thread of the machine does that made this page."


def best_parts() -> Iterator[Part]:
    """A row each."""
    for board in BOARDS:
        for name in (*designs.NETWORKS, *(MORE if board == BOARDS[0] else ())):
            launches = ("1", *(LAUNCHES.get(name, ()) if board == BOARDS[0] else ()))
            for launch in launches:
                title = "-".join(["best", board, name, *([launch] if launch != "1" else [])])
                yield Part(title, partial(best.lines, name, board, launch))


def published() -> Iterator[str]:
    """Networks that the published flow shows."""
    yield published_base.HEAD
    for name in published_base.NETWORKS:
        yield published_base.base(name).row


DESIGNS = {name: Part(f"designs-{name}", partial(designs.lines, name)) for name in designs.NETWORKS}
LADDERS = [
    Part(f"changes-{name}", partial(designs.changes, name)) for name in designs.LADDER_NETWORKS
]
FLOW = Part("published", published)
SPARSITIES = [
    Part(f"sparse-{name}-{style}", partial(fps.lines, name, style)) for name, style in fps.ROWS
]
PROCESSOR = [Part(f"cpu-{name}", partial(cpu.lines, name)) for name in designs.NETWORKS]
PARTS = {
    part.name: part
    for part in (*best_parts(), *DESIGNS.values(), *LADDERS, FLOW, *SPARSITIES, *PROCESSOR)
}


def page() -> str:
    """The page, of all parts as they were made last."""
    found = [(HERE / "head.md").read_text(), f"## The best designs\n\n{paragraph(BEST)}\n"]
    found += table(best.HEAD, list(best_parts()))
    for name, part in DESIGNS.items():
        found += [f"\n## {name}\n", *alone(kept(part))]
    found += [f"\n## What each optimisation changes\n\n{paragraph(CHANGES)}"]
    for part in LADDERS:
        found += ["", *alone(kept(part))]
    found += [f"\n## The published flow\n\n{paragraph(PUBLISHED)}\n", *alone(kept(FLOW))]
    found += [f"\n## Sparse networks\n\n{paragraph(SPARSE)}\n", *table(fps.HEAD, SPARSITIES)]
    found += [f"\n## On a processor\n\n{CPU}\n", *table(cpu.HEAD, PROCESSOR)]
    return "\n".join([*found, "", (HERE / "before.md").read_text()])


def alone(made: Made) -> list[str]:
    """A part that is a table by itself, and its commit."""
    return [*made.lines, "", paragraph(made.origin)] if made.lines else ["Not made yet."]


def table(head: str, parts: Sequence[Part]) -> list[str]:
    """Parts that are rows of one table: the commit is the last cell."""
    titles, rule = head.split("\n")
    rows = [f"{line} {made.commit} |" for made in map(kept, parts) for line in made.lines]
    return [f"{titles} commit |", f"{rule}---|", *rows]
