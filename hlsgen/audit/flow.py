"""The control flow of a kernel: dominators, loops, and which conditions decide whether a block of a
loop's turn runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hlsgen.audit.ir import Function

EXIT = ""


@dataclass(frozen=True)
class Loop:
    """A natural loop: its first block, all its blocks, those that jump back, and the line where it
    begins in the text."""

    header: str
    blocks: frozenset[str]
    latches: frozenset[str]
    line: int


def predecessors(successors: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """Where each block may be entered from."""
    found: dict[str, list[str]] = defaultdict(list)
    for block, targets in successors.items():
        for target in targets:
            found[target].append(block)
    return found


def postorder(root: str, successors: Mapping[str, Collection[str]]) -> list[str]:
    """Blocks that can be reached, each after all that it leads to, jumps back apart."""
    seen, order, stack = {root}, [], [(root, iter(successors.get(root, ())))]
    while stack:
        block, targets = stack[-1]
        for target in targets:
            if target not in seen:
                seen.add(target)
                stack.append((target, iter(successors.get(target, ()))))
                break
        else:
            order.append(block)
            stack.pop()
    return order


def dominators(root: str, successors: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The immediate dominator of each block that can be reached; the root's is itself (Cooper,
    Harvey and Kennedy)."""
    order = postorder(root, successors)
    number = {block: n for n, block in enumerate(order)}
    entered = predecessors(successors)
    found = {root: root}
    changed = True
    while changed:
        changed = False
        for block in reversed(order[:-1]):
            known = [p for p in entered[block] if p in found]
            new = known[0]
            for other in known[1:]:
                while new != other:
                    if number[new] < number[other]:
                        new = found[new]
                    else:
                        other = found[other]
            if found.get(block) != new:
                found[block] = new
                changed = True
    return found


def loops(function: Function) -> list[Loop]:
    """All natural loops, one a header, in the order of the text."""
    successors = function.successors
    above = dominators("entry", successors)
    entered = predecessors(successors)
    latches: dict[str, set[str]] = defaultdict(set)
    for block in above:
        for target in successors[block]:
            if dominates(target, block, above):
                latches[target].add(block)
    found = []
    for header, tails in latches.items():
        blocks = body(header, tails, entered, above)
        found.append(
            Loop(header, blocks, frozenset(tails), first_line(function, header, blocks, tails))
        )
    return sorted(found, key=lambda loop: (loop.line, -len(loop.blocks)))


def body(
    header: str, tails: Collection[str], entered: Mapping[str, list[str]], above: Mapping[str, str]
) -> frozenset[str]:
    """All blocks from a loop's first one to those that jump back."""
    blocks, stack = {header}, list(tails)
    while stack:
        block = stack.pop()
        if block not in blocks:
            blocks.add(block)
            stack += [p for p in entered[block] if p in above]
    return frozenset(blocks)


def first_line(
    function: Function, header: str, blocks: Collection[str], latches: Collection[str]
) -> int:
    """The line where a loop begins: metadata tells it, or the branches that jump back or enter bear
    it.

    A branch may jump back in two loops and tell of one of them only, so the last line is taken that
    is not after what the loop does.
    """
    branches = [i for i in function.instructions if i.op in ("br", "switch") and header in i.extra]
    told = [function.loop_lines.get(t, 0) for t in latches]
    candidates = [line for line in (*told, *(i.line for i in branches)) if line]
    first = min(
        (i.line for i in function.instructions if i.block in blocks and i.line and i.op != "phi"),
        default=0,
    )
    return max((line for line in candidates if line <= first), default=min(candidates, default=0))


def dominates(upper: str, lower: str, above: Mapping[str, str]) -> bool:
    """Whether every way to `lower` leads through `upper`."""
    while lower != upper and above[lower] != lower:
        lower = above[lower]
    return lower == upper


def innermost(found: Collection[Loop]) -> list[Loop]:
    """The loops that hold no other."""
    return [a for a in found if not any(b is not a and b.header in a.blocks for b in found)]


def deciding(loop: Loop, successors: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """For each block of an innermost loop, the blocks whose branches decide whether it runs in a
    turn."""
    turn = {
        block: [t if t in loop.blocks and t != loop.header else EXIT for t in successors[block]]
        for block in loop.blocks
    }
    backwards: dict[str, list[str]] = defaultdict(list)
    for block, targets in turn.items():
        for target in targets:
            backwards[target].append(block)
    below = dominators(EXIT, backwards)
    found: dict[str, set[str]] = {block: set() for block in loop.blocks}
    for block, targets in turn.items():
        if len(set(targets)) < 2:
            continue
        for target in targets:
            while target != below[block] and target != EXIT:
                found[target].add(block)
                target = below[target]
    return found
