"""What `validate` found of a design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlsgen.words import counted


def validation_lines(verdict: Mapping[str, Any] | None) -> list[str]:
    """The verdict in sentences; none where there is none."""
    if verdict is None:
        return []
    if "unfinished" in verdict:
        return [f"DEADLOCK: {verdict['error']}."]
    layers, images = counted(len(verdict["layers"]), "layer"), counted(verdict["images"], "image")
    wrong = verdict.get("first_wrong_layer") or "the output"
    lines = [
        f"RIGHT: {layers} checked on {images}," if verdict["ok"] else f"WRONG: {wrong} first;",
        f"{verdict['device']}, {verdict['mode']} mode.",
    ]
    for name, title in (("output", "numpy"), ("onnxruntime", "onnxruntime")):
        if verdict.get(name):
            error = float(verdict[name]["max_rel_error"])
            lines.append(f"Output against {title}: relative error {error:.1e}.")
    return lines
