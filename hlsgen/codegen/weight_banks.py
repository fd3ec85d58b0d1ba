"""Text and launches of the readers that serve the weights of many layers, a bank of the memory
each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hlsgen.codegen.design import IMAGES, launch
from hlsgen.host.manifest import Buffer, Launch
from hlsgen.kernel.weight_banks import BLOCK, ROOM, TURNS, Bank


def bank_context(banks: Sequence[Bank], types: Mapping[str, str]) -> dict[str, Any]:
    """What the template of the readers needs, beside the channels of vectors, whose `types` are
    given by layer."""
    return {"banks": banks, "types": types, "block": BLOCK, "room": ROOM, "turns": TURNS}


def bank_buffer(bank: Bank) -> str:
    """The buffer that lies in a bank."""
    return f"filters_{bank.number}"


def in_banks(buffers: Mapping[str, Buffer], banks: Sequence[Bank]) -> dict[str, Buffer]:
    """The buffers of a design, those of weights in banks of their own, all others in the first."""
    own = {bank_buffer(bank): bank.number + 1 for bank in banks}
    return {name: replace(buffer, bank=own.get(name, 1)) for name, buffer in buffers.items()}


def bank_launches(banks: Sequence[Bank]) -> list[Launch]:
    """The kernels that the host launches for a batch."""
    return [
        item
        for bank in banks
        for item in (
            launch(f"{bank.kernel}_turns", IMAGES),
            launch(bank.kernel, bank_buffer(bank), IMAGES),
        )
    ]
