"""Checks what the user asks for before the search: every decision belongs to the network and to a
style that may be built, with a value that can be.

A pin restricts what is searched. It never changes the style in silence: styles that do not have the
decision are no candidates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hlsgen.engines import engine
from hlsgen.errors import UsageError, did_you_mean
from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator
from hlsgen.plan import KernelPlan, Plan
from hlsgen.rewrites.prefix import prefixes
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.knobs import ENGINES, FOLDED, PREFIX, first_few, flag_of, knob_of, listed
from hlsgen.schedule.pipelined.choices import WIDTHS, tensor_classes
from hlsgen.schedule.pipelined.options import kernels_of, window_choices
from hlsgen.schedule.pipelined.problem import legal_widths
from hlsgen.style import AUTO, SEARCHED, effective, having
from hlsgen.types import FLOAT32


def demands(goal: Goal) -> dict[str, tuple[str, ...]]:
    """What the user decided, with the styles that have such a decision."""
    found: dict[str, tuple[str, ...]] = {}
    for (owner, field), value in goal.pins.items():
        knob = knob_of(owner, field)
        assert knob is not None
        # Folded designs have no prefix anyway.
        found[flag_of(owner, field)] = FOLDED if owner == PREFIX and value == 0 else knob.styles
    if goal.images > 1:
        found["--images"] = having("images")
    if goal.weights != FLOAT32.name:
        found["--weights"] = having("weights")
    if goal.copies != 1:
        found["--copies"] = having("copies")
    return found


def candidates(style: str, disabled: tuple[str, ...], goal: Goal) -> dict[str, str]:
    """The styles that may be built, each with "", or with the decision of the user's that it does
    not have. Raises UsageError when none has them all."""
    asked, found = demands(goal), {}
    for name in SEARCHED if style == AUTO else (style,):
        built = effective(name, disabled)
        found[name] = next((flag for flag, styles in asked.items() if built not in styles), "")
    if all(found.values()):
        off = f" with {', '.join(disabled)} switched off" if disabled else ""
        raise UsageError(
            f"no style takes all of it{off}"
            if style == AUTO
            else f"no {style} design takes it{off}",
            where=" and ".join(first_few(list(asked) if style == AUTO else list(found.values()))),
            remedy=f"{takers(asked)}; leave the others out",
        )
    return found


def takers(asked: dict[str, tuple[str, ...]]) -> str:
    """Which styles take which decisions."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for flag, styles in asked.items():
        groups.setdefault(styles, []).append(flag)
    return "; ".join(
        f"{' and '.join(styles)} designs take {' and '.join(first_few(flags))}"
        for styles, flags in groups.items()
    )


def check_pins(graph: Graph, plan: Plan, goal: Goal) -> None:
    """Raise UsageError for pins of layers or prefixes that do not exist, and for values that a
    layer cannot have under the plan's switches."""
    names = [layer.name for layer in graph.layers]
    for owner, field in goal.layer_pins():
        if owner not in names:
            raise UsageError(
                f"the network has no layer {owner!r}{did_you_mean(owner, names)}",
                where=flag_of(owner, field),
                remedy="`hlsgen build -v` lists the layers",
            )
    check_prefix(graph, goal)
    check_engines(graph, goal)
    classes = tensor_classes(graph)
    check_agreement(graph, classes, goal)
    for name in dict.fromkeys(owner for owner, _ in goal.layer_pins()):
        check_layer(graph.layer(name), graph, classes, plan, goal)


def check_prefix(graph: Graph, goal: Goal) -> None:
    """Raise UsageError for a prefix that the network does not have, or that lacks a layer whose
    kernel is pinned."""
    count = goal.pins.get((PREFIX, "layers"))
    if count is None:
        return
    possible = (0, *prefixes(graph))
    flag = flag_of(PREFIX, "layers")
    if count not in possible:
        raise UsageError(
            f"the first {count} layers cannot be a pipeline of their own",
            where=flag,
            remedy="one tensor alone must lead to the others: choose from "
            f"{', '.join(map(str, possible))}",
        )
    behind = [
        key
        for key in goal.layer_pins()
        if key[0] not in {layer.name for layer in graph.layers[:count]}
    ]
    if behind:
        raise UsageError(
            f"engines compute the layer, since {flag} makes a pipeline of the first {count} alone",
            where=flag_of(*behind[0]),
            remedy="leave one of the two out",
        )


def check_engines(graph: Graph, goal: Goal) -> None:
    """Raise UsageError for sizes of an engine that could compute none of the layers."""
    for name, value in goal.engine_pins().items():
        own, _, _ = name.rpartition(".")
        if own and value and not any(map(engine(own).serves, graph.layers)):
            raise UsageError(
                f"no layer of the network runs on the {own} engine",
                where=f"{flag_of(ENGINES, name)}={value}",
                remedy="leave it out",
            )


def check_agreement(graph: Graph, classes: dict[str, str], goal: Goal) -> None:
    """Raise UsageError for pins that give one tensor two widths."""
    pinned: dict[str, tuple[str, int]] = {}
    for (owner, field), value in goal.layer_pins().items():
        if field in ("input_width", "output_width"):
            layer, flag = graph.layer(owner), flag_of(owner, field)
            tensor = layer.inputs[0] if field == "input_width" else layer.output
            other, width = pinned.setdefault(classes[tensor], (flag, value))
            if width != value:
                raise UsageError(
                    f"{value} contradicts {other}={width}: both are of one "
                    "tensor, or of tensors that "
                    "must be as wide",
                    where=flag,
                    remedy="leave one of the two out",
                )


def check_layer(
    layer: Layer, graph: Graph, classes: dict[str, str], plan: Plan, goal: Goal
) -> None:
    """Raise UsageError where no kernel of a layer obeys its pins, with the values that each pinned
    field may have."""
    if any(goal.allows(kernel) for kernel in layer_kernels(layer, graph, classes, plan, goal)):
        return
    pinned = [field for owner, field in goal.layer_pins() if owner == layer.name]
    legal = {field: legal_values(layer, graph, classes, plan, goal, field) for field in pinned}
    wrong = [
        field for field in pinned if goal.pins[layer.name, field] not in legal[field]
    ] or pinned
    alone = "" if len(wrong) < len(pinned) or len(pinned) == 1 else " together"
    raise UsageError(
        f"the layer cannot be built so{alone}",
        where=", ".join(
            f"{flag_of(layer.name, field)}={goal.pins[layer.name, field]}" for field in wrong
        ),
        remedy="; ".join(
            f"{published(layer, field)} may be {listed(legal[field])}" for field in wrong
        ),
    )


def published(layer: Layer, field: str) -> str:
    """A field as users call it."""
    knob = knob_of(layer.name, field)
    return knob.name if knob else field


def legal_values(
    layer: Layer, graph: Graph, classes: dict[str, str], plan: Plan, goal: Goal, field: str
) -> list[int]:
    """All values that a field has in kernels of a layer, whatever the other pins."""
    free = replace(goal, pins={})
    if field == "row_tiles":
        kernels = base_kernels(layer, graph, classes, plan)
        return sorted(
            {
                n
                for kernel in kernels
                for n in operator(layer.op).row_tile_options(layer, graph, kernel)
            }
        )
    return sorted(
        {int(getattr(kernel, field)) for kernel in layer_kernels(layer, graph, classes, plan, free)}
    )


def layer_kernels(
    layer: Layer, graph: Graph, classes: dict[str, str], plan: Plan, goal: Goal
) -> Iterator[KernelPlan]:
    """All kernels of a layer, with the row tiles that are pinned."""
    for kernel in base_kernels(layer, graph, classes, plan):
        yield from kernels_of(layer, graph, plan, kernel, goal.pins.get((layer.name, "row_tiles")))


def base_kernels(
    layer: Layer, graph: Graph, classes: dict[str, str], plan: Plan
) -> Iterator[KernelPlan]:
    """A layer's kernels of all widths, with the window unrolled and not."""
    source, result = classes[layer.inputs[0]], classes[layer.output]
    possible = WIDTHS if plan.enabled("unroll") and plan.enabled("tile") else (1,)
    widths = legal_widths(graph, classes, source, possible)
    for width in widths:
        for output in (
            (width,) if source == result else legal_widths(graph, classes, result, possible)
        ):
            for window in window_choices(layer, plan):
                yield KernelPlan(layer.name, width, output, window)
