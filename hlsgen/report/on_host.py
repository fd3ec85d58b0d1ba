"""What the host computes of a network of which a design is a part, for people."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from hlsgen.host.manifest import Manifest


def on_host(manifest: Manifest) -> dict[str, Any] | None:
    """The cut of a design, JSON-ready: where the design begins and ends, the share of all
    multiply-accumulates that stay on the host, bytes of the design's image that cross, how many of
    these are one of the network, and why. None for a design that is all of its network."""
    cut = manifest.cut
    if cut is None:
        return None
    outside = {value.name for value in (*cut.inputs, *cut.outputs)}
    crossing = [p for p in (*manifest.inputs, *manifest.outputs) if p.name not in outside]
    return {
        "start": [port.name for port in manifest.inputs],
        "end": [port.name for port in manifest.outputs],
        "parts": [part for part, file in (("head", cut.head), ("tail", cut.tail)) if file],
        "share": cut.host_macs / cut.macs if cut.macs else 0.0,
        "bytes": sum(4 * prod(port.shape) for port in crossing),
        "images": cut.images,
        "reasons": list(cut.reasons),
    }


def cut_lines(found: Mapping[str, Any] | None) -> list[str]:
    """What `on_host` gives, in sentences; none for a design that is all of its network."""
    if found is None:
        return []
    several = f"The network takes {found['images']} images at once, the design one by one."
    return [
        f"{cut_line(found)[0].upper()}{cut_line(found)[1:]}.",
        f"The design begins behind {', '.join(found['start'])} and ends with "
        f"{', '.join(found['end'])}; what is predicted is the design's alone.",
        *([several] if found["images"] > 1 else []),
        *(f"Left to the host: {reason}." for reason in found["reasons"]),
    ]


def cut_line(found: Mapping[str, Any]) -> str:
    """One line of what `on_host` gives."""
    parts = " and ".join(found["parts"])
    return (
        f"{parts} in onnxruntime: {found['share']:.1%} of the multiply-accumulates, "
        f"{found['bytes']:,} bytes an image over the cut"
    )
