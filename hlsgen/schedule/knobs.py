"""The decisions that a user may pin with `--set OWNER.NAME=NUMBER`: names, values, and the styles
that have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hlsgen.engines import engines
from hlsgen.errors import UsageError, did_you_mean
from hlsgen.model.weight_banks import NAMED_BANKS
from hlsgen.schedule.pipelined.choices import WIDTHS
from hlsgen.style import having

# Owners of decisions beside the layers of the network.
ENGINES, PREFIX, MEMORY = "engines", "prefix", "memory"
NO_LAYERS = (ENGINES, PREFIX, MEMORY)
PIPELINES, FOLDED = having("edges"), having("steps")
WITH_PREFIX = tuple(name for name in PIPELINES if name in FOLDED)
COUNTS = range(257)


@dataclass(frozen=True)
class Knob:
    """`field` of the plan, which users call `name` (its name in the literature); `owner` is "" for
    fields of a layer's kernel. `values`: those that any network has; a layer's own are fewer. In
    `styles` alone is there such a decision."""

    owner: str
    name: str
    field: str
    styles: tuple[str, ...]
    values: Sequence[int] = COUNTS


def engine_knob(name: str, values: Sequence[int] = COUNTS) -> Knob:
    """A decision on the engines, called as in the plan."""
    return Knob(ENGINES, name, name, FOLDED, values)


KNOBS = (
    Knob("", "unroll_ic", "input_width", PIPELINES, WIDTHS),
    Knob("", "input_width", "input_width", PIPELINES, WIDTHS),
    Knob("", "unroll_oc", "output_width", PIPELINES, WIDTHS),
    Knob("", "output_width", "output_width", PIPELINES, WIDTHS),
    Knob("", "unroll_window", "unroll_window", PIPELINES, (0, 1)),
    Knob("", "lane_folding", "lane_folding", PIPELINES),
    Knob("", "nonzeros_per_lane", "nonzeros_per_lane", PIPELINES),
    Knob("", "nonzeros_per_vector", "nonzeros_per_vector", PIPELINES),
    Knob("", "vectors_per_cycle", "vectors_per_cycle", PIPELINES),
    Knob("", "row_tiles", "row_tiles", PIPELINES, range(1 << 16)),
    engine_knob("width", WIDTHS),
    engine_knob("burst", WIDTHS),
    *(
        engine_knob(f"{name}.{size.name}", size.values)
        for name, known in engines().items()
        for size in known.sizes
        if size.values
    ),
    Knob(PREFIX, "layers", "layers", WITH_PREFIX, range(1 << 16)),
    Knob(MEMORY, "weight_readers", "weight_readers", having("weight_readers"), range(NAMED_BANKS)),
)


def owned(owner: str) -> tuple[Knob, ...]:
    """The decisions on the engines, on the prefix, on memory, or on a layer."""
    return tuple(knob for knob in KNOBS if knob.owner == (owner if owner in NO_LAYERS else ""))


def knob_of(owner: str, field: str) -> Knob | None:
    """The decision on a field of the plan, by the first of its names."""
    return next((knob for knob in owned(owner) if knob.field == field), None)


def flag_of(owner: str, field: str) -> str:
    """A decision as the user writes it."""
    knob = knob_of(owner, field)
    return f"--set {owner}.{knob.name if knob else field}"


def elsewhere(name: str) -> str:
    """`; did you mean prefix.layers?` for a decision that has another owner."""
    owners = [knob.owner for knob in KNOBS if knob.name == name and knob.owner]
    return f"; did you mean {owners[0]}.{name}?" if owners else ""


def meant(name: str, known: Sequence[str]) -> str:
    """The field that a user may have meant: of some engine, if it is called so."""
    found = [other for other in known if other.endswith(f".{name}")]
    return f"; did you mean {found[0]!r}?" if found else did_you_mean(name, known)


def parse_pins(texts: Sequence[str]) -> dict[tuple[str, str], int]:
    """`["conv1.unroll_oc=16", "engines.width=8"]` as {(owner, field): value}. Raises UsageError."""
    pins: dict[tuple[str, str], int] = {}
    for text in texts:
        target, _, value = text.partition("=")
        owner, _, name = target.rpartition(".")
        if target.startswith(f"{ENGINES}."):  # engines.width, engines.convolution.outputs
            owner, _, name = target.partition(".")
        known = {knob.name: knob for knob in owned(owner)}
        if not owner or not value.isdecimal():
            raise UsageError(
                f"{text!r} is not LAYER.FIELD=NUMBER",
                where="--set",
                remedy="for example engines.width=8",
            )
        if name not in known:
            raise UsageError(
                f"{owner} has no field {name!r}{meant(name, list(known)) or elsewhere(name)}",
                where=f"--set {text}",
                remedy=f"fields of {owner}: {', '.join(known)}",
            )
        key, number = (owner, known[name].field), int(value)
        if pins.setdefault(key, number) != number:
            raise UsageError(
                f"was set to {pins[key]} before",
                where=f"--set {text}",
                remedy="leave one of them out",
            )
    return pins


def listed(values: Sequence[int]) -> str:
    """Values for people, long ranges by their ends."""
    if len(values) > 20:
        return f"{min(values)} to {max(values)}"
    return ", ".join(map(str, values))


def first_few(flags: list[str], most: int = 3) -> list[str]:
    """The first of many."""
    return flags if len(flags) <= most else [*flags[:most], f"{len(flags) - most} more"]
