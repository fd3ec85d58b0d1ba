"""What of a kernel decides where its accesses go and how often its loops turn: a backward slice,
and the data that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hlsgen.audit.ir import Function, Instruction
from hlsgen.audit.kernel import READ, WRITE, Kernel


@dataclass(frozen=True)
class Slice:
    """Instructions that values rest on (by index, with all branches), and what comes from outside:
    channels that are read and buffers that are loaded from (parameters). `unknown`: calls that
    nothing is known of."""

    instructions: frozenset[int]
    arrays: frozenset[str]
    channels: frozenset[str]
    buffers: frozenset[str]
    unknown: frozenset[str]


def channel_of(kernel: Kernel, call: Instruction) -> str:
    """The channel that a call reads or writes, whichever of an array of channels it is."""
    return next(base for base, _ in kernel.addresses.targets(call.operands[0])).lstrip("@")


def control(function: Function) -> list[str]:
    """The conditions of all branches."""
    return [o for i in function.instructions if i.op in ("br", "switch") for o in i.operands]


def backward(kernel: Kernel, values: Iterable[str], roots: Iterable[Instruction] = ()) -> Slice:
    """The slice that gives values and does what `roots` do, and the control flow of the whole
    kernel."""
    defined = kernel.function.defined
    stores, loads = stores_by_array(kernel), loads_by_instruction(kernel)
    found: set[int] = set()
    arrays: set[str] = set()
    channels: set[str] = set()
    buffers: set[str] = set()
    unknown: set[str] = set()
    wanted = list(roots)

    def want(operands: Iterable[str]) -> None:
        wanted.extend(defined[o] for o in operands if o in defined)

    want([*values, *control(kernel.function)])
    while wanted:
        i = wanted.pop()
        if i.index in found:
            continue
        found.add(i.index)
        if i.op == "call" and i.extra[0] in (READ, WRITE):  # which channel it is, is known
            if i.extra[0] == READ:
                channels.add(channel_of(kernel, i))
            continue
        if i.op == "call" and not i.extra[0].startswith("llvm."):
            unknown.add(i.extra[0])
        want(i.operands)
        for base in loads.get(i.index, ()):
            if base in kernel.function.parameters:
                buffers.add(base)
            elif base in kernel.addresses.arrays and base not in arrays:
                arrays.add(base)
                wanted += stores.get(base, ())
    return Slice(
        frozenset(found), *(frozenset(names) for names in (arrays, channels, buffers, unknown))
    )


def stores_by_array(kernel: Kernel) -> dict[str, list[Instruction]]:
    """Instructions that write each array."""
    by_index = {i.index: i for i in kernel.function.instructions}
    found: dict[str, list[Instruction]] = {}
    for access in kernel.addresses.accesses:
        if access.store:
            found.setdefault(access.base, []).append(by_index[access.at])
    return found


def loads_by_instruction(kernel: Kernel) -> dict[int, list[str]]:
    """What each instruction may load from."""
    found: dict[int, list[str]] = {}
    for access in kernel.addresses.accesses:
        if not access.store:
            found.setdefault(access.at, []).append(access.base)
    return found


def sends(kernel: Kernel, channel: str) -> list[tuple[Instruction, list[Instruction]]]:
    """The calls that write a channel, and the stores of the values that they send."""
    calls = [i for i in kernel.function.instructions if i.op == "call" and i.extra[0] == WRITE]
    stores = stores_by_array(kernel)
    return [
        (call, stores.get(call.name, [])) for call in calls if channel_of(kernel, call) == channel
    ]
