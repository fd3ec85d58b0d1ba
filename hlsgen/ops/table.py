"""The table of supported ONNX operators, from the operator modules and their templates."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from hlsgen.ops import importers, operators
from hlsgen.ops.base import Operator
from hlsgen.ops.importer import Importer


@dataclass(frozen=True)
class Entry:
    """One ONNX operator: what of it is supported, the layers it becomes, the styles that have
    templates for all of them."""

    name: str
    supported: str
    layers: tuple[str, ...]
    styles: tuple[str, ...]
    dtypes: tuple[str, ...]


def entries() -> tuple[Entry, ...]:
    """All operators by name."""
    found = []
    for importer in importers():
        layers = becomes(importer)
        styles = tuple(
            s
            for s in ("base", "pipelined", "folded")
            if all(has_template(layer, s) for layer in layers if layer not in importer.rare)
        )
        kinds = tuple(kind.name for kind in importer.types)
        found += [
            Entry(name, note, layers, styles, kinds) for name, note in importer.onnx_types.items()
        ]
    return tuple(sorted(found, key=lambda entry: entry.name))


def becomes(importer: Importer) -> tuple[str, ...]:
    """The operators whose layers an importer may make."""
    own = (importer.name,) if isinstance(importer, Operator) and importer.name != "pad" else ()
    return (*own, *(name for name in importer.makes if name not in own))


def has_template(name: str, style: str) -> bool:
    """Whether a style has a layer: a template, a description of a pipelined kernel, or an engine of
    folded designs or their epilogue."""
    op = operators()[name]
    if style == "pipelined":
        return type(op).nest is not Operator.nest
    if style == "folded":
        return True
    templates = resources.files("hlsgen.templates")
    return templates.joinpath(f"layered/{op.layered_template}.cl.j2").is_file()


def markdown() -> str:
    """The table as docs/operators.md holds it."""
    lines = [
        "| ONNX operator | supported | layers | styles | data types |",
        "|---|---|---|---|---|",
    ]
    for e in entries():
        cells = (e.name, e.supported, ", ".join(e.layers), ", ".join(e.styles), ", ".join(e.dtypes))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
