"""Two designs of the same network, by two checkouts: aspect by aspect, equal or the first
difference."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import isclose
from pathlib import Path
from typing import Any

from benchmarks.regression.text import compared
from hlsgen.evidence import Evidence
from hlsgen.plan import Plan

# Sums in another order are no difference.
TOLERANCE = 1e-9
# Of the resources.
RESOURCES = {"DSPs": "dsps", "memory blocks": "blocks", "ALMs": "alms", "clock": "fmax"}
ASPECTS = ("made", "plan", "text", "host", "weights", "cycles", "bytes", *RESOURCES, "images/s")
# Of design.json: who made it.
ASIDE = ("generator",)


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], folders: tuple[Path, Path]
) -> dict[str, str]:
    """Of two replies of `benchmarks.designs` and the design directories: the aspects that could be
    compared, each with its first difference, "" where it is equal, and "names" where only names
    are not."""
    failed = [found["failed"] for found in (before, after) if "failed" in found]
    if failed or ("refused" in before) != ("refused" in after):
        return {"made": " | ".join(failed or map(outcome, (before, after)))}
    if "refused" in before:
        return {"made": ""}
    one, two = folders
    text = compared(source(one), source(two))
    return {
        "made": "",
        "plan": first_difference(plan_fields(one), plan_fields(two)),
        "text": text.difference or "names" * text.renamed,
        "host": first_difference(host_facts(one, text.names), host_facts(two, {})),
        "weights": "" if same_bytes(one, two) else "other bytes",
        **figure_differences(before, after),
    }


def outcome(found: Mapping[str, Any]) -> str:
    """Whether there is a design."""
    return f"refused: {found['refused']}" if "refused" in found else f"a {found['style']} design"


def figure_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Of the estimates."""
    one, two = before["estimate"], after["estimate"]
    return {
        "cycles": first_difference(of_layers(one, "cycles"), of_layers(two, "cycles")),
        "bytes": first_difference(before["bytes"], after["bytes"], "an image")
        or first_difference(of_layers(one, "bytes"), of_layers(two, "bytes")),
        **{
            title: first_difference(one["resources"][name], two["resources"][name])
            for title, name in RESOURCES.items()
        },
        "images/s": first_difference(one["throughput_fps"], two["throughput_fps"]),
    }


def of_layers(estimate: Mapping[str, Any], figure: str) -> list[dict[str, Any]]:
    """A figure of every layer."""
    return [{layer["name"]: layer[figure]} for layer in estimate["layers"]]


def source(folder: Path) -> str:
    """The OpenCL text of a design."""
    (file,) = (folder / "kernels").glob("*.cl")
    return file.read_text()


def plan_fields(folder: Path) -> dict[str, Any]:
    """A plan of any schema that this checkout reads, without what its search showed."""
    return asdict(replace(Plan.load(folder / "plan.json"), evidence=Evidence()))


def host_facts(folder: Path, names: Mapping[str, str]) -> dict[str, Any]:
    """What the host is told, without sentences, with new names for some things."""
    words = (folder / "design.json").read_text()
    words = re.sub(r"[A-Za-z_]\w*", lambda match: names.get(match[0], match[0]), words)
    manifest = json.loads(words)
    for section in manifest["weights"]["sections"]:
        del section["meaning"]
    return {name: value for name, value in manifest.items() if name not in ASIDE}


def same_bytes(one: Path, two: Path) -> bool:
    """Whether the weights are the same."""
    return (one / "weights").read_bytes() == (two / "weights").read_bytes()


def first_difference(before: Any, after: Any, at: str = "") -> str:
    """The first place where two values of JSON differ, "" for none."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        before, after = ({str(k): v for k, v in value.items()} for value in (before, after))
        if set(before) != set(after):
            return f"{at}: {sorted(set(before) ^ set(after))[0]} in one alone"
        parts = [(f"{at}.{name}".lstrip("."), before[name], after[name]) for name in before]
    elif sequence(before) and sequence(after):
        if len(before) != len(after):
            return f"{at}: {len(before)} | {len(after)} elements"
        parts = [(f"{at}[{n}]", *pair) for n, pair in enumerate(zip(before, after, strict=True))]
    elif before == after or (number(before) and number(after) and close(before, after)):
        return ""
    else:
        return f"{at}: {before} | {after}".removeprefix(": ")
    return next(
        (found for part in parts if (found := first_difference(part[1], part[2], part[0]))), ""
    )


def sequence(value: Any) -> bool:
    """Whether a value is a list."""
    return isinstance(value, Sequence) and not isinstance(value, str)


def number(value: Any) -> bool:
    """Whether a value is a figure."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def close(one: float, two: float) -> bool:
    """Whether figures are equal but for rounding."""
    return isclose(one, two, rel_tol=TOLERANCE)
