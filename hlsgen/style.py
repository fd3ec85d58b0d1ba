"""The styles of execution, as far as all rooms must know them.

What a style does stands in the rooms, each with one list by the style's name: how it is planned,
checked and explained (`schedule/styles.py`), of what it consists and how long it takes
(`model/styles.py`), what is generated (`codegen/generate.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

# Decisions of a plan that some styles have and others do not; they keep their defaults where there
# is none.
PARTS = (
    "kernels", "edges", "engines", "steps", "im2col", "dense_as_convolution", "images", "copies",
    "weights", "weight_readers", "arriving", "leaving",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """One way to execute a network.

    `parts`: those of PARTS that its plans have. `needs`: optimisations of which none may be
    switched off, else nothing is left of it but a kernel a layer through global memory. `searched`:
    it is sized by a search for kernels of II 1, and `auto` considers it. `selectable`: users may
    ask for it by name. `optimised`: it has optimisations at all. `paired`: depthwise layers stream
    into the convolutions after them. `any_batch`: a launch takes any number of images. `integers`:
    its kernels compute on integers too.
    """

    name: str
    parts: frozenset[str]
    needs: frozenset[str] = frozenset()
    searched: bool = True
    selectable: bool = True
    optimised: bool = True
    paired: bool = False
    any_batch: bool = False
    integers: bool = False


PIPELINE = {"kernels", "edges", "weights"}
ENGINES = {"engines", "steps", "im2col", "dense_as_convolution", "weights"}
STYLES = {
    style.name: style
    for style in (
        Style("base", frozenset({"kernels"}), searched=False, optimised=False, integers=True),
        Style(
            "pipelined",
            frozenset(PIPELINE | {"copies", "weight_readers", "arriving", "leaving"}),
            frozenset({"channels"}),
            any_batch=True,
            integers=True,
        ),
        Style(
            "folded",
            frozenset(ENGINES | {"images"}),
            frozenset({"channels", "parameterised"}),
            integers=True,
        ),
        Style(
            "hybrid",
            frozenset(PIPELINE | ENGINES | {"images"}),
            frozenset({"channels", "parameterised"}),
            paired=True,
            integers=True,
        ),
        Style("layered", frozenset({"kernels"}), searched=False, selectable=False, integers=True),
    )
}
AUTO = "auto"
SEARCHED = tuple(name for name, style in STYLES.items() if style.searched)
# What users may ask for.
SELECTABLE = (AUTO, *(name for name, style in STYLES.items() if style.selectable))


def having(part: str) -> tuple[str, ...]:
    """The names of the searched styles whose plans have a part."""
    assert part in PARTS
    return tuple(name for name in SEARCHED if part in STYLES[name].parts)


def effective(style: str, disabled: tuple[str, ...]) -> str:
    """The style that is built where one is asked for."""
    return style if STYLES[style].needs.isdisjoint(disabled) else "layered"
