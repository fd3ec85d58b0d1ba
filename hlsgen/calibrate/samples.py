"""Samples: what aoc estimated of a kernel and what Quartus fitted, from report folders or a CSV
file."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hlsgen.boards import devices
from hlsgen.calibrate.nodes import Node, ReportError, number, read_nodes, read_objects

ESTIMATES = ("ALUT", "FF", "RAM", "DSP", "MLAB")
FITTED = ("ALM", "FF", "RAM", "DSP", "MLAB")
COLUMNS = (
    "design",
    "board",
    "aoc",
    "kernel",
    *(f"est_{n}" for n in ESTIMATES),
    *(f"fit_{n}" for n in FITTED),
)
# Under which titles Quartus gives a kernel's ALMs, registers, memory blocks, DSPs and MLABs.
TITLES = (
    ("alm", "alms"),
    ("reg", "ff", "ffs", "registers"),
    ("ram", "rams"),
    ("dsp", "dsps"),
    ("mlab", "mlabs"),
)


@dataclass(frozen=True)
class Sample:
    """One kernel of one design. `estimate` is (ALUT, FF, RAM, DSP, MLAB); `fitted` (ALM, FF, RAM,
    DSP, MLAB)."""

    design: str
    board: str
    kernel: str
    estimate: tuple[float, ...]
    fitted: tuple[float, ...]


@dataclass(frozen=True)
class Clock:
    """One fitted design's clock in MHz, and the percent of ALMs, memory blocks and DSPs that it
    uses of a device of a family."""

    design: str
    family: str
    fmax: float
    percent: tuple[float, float, float]


class Sources(NamedTuple):
    """What files and folders hold, and notes on what they should hold and do not."""

    samples: list[Sample]
    clocks: list[Clock]
    notes: list[str]


def read_sources(paths: Sequence[str]) -> Sources:
    """Everything that the files and folders hold. Raises ReportError."""
    found = Sources([], [], [])
    names = design_names([Path(path) for path in paths])
    for path, name in names.items():
        if not path.exists():
            raise ReportError(
                "does not exist", where=str(path), remedy="give aoc report folders or a CSV file"
            )
        if path.is_dir():
            folder = read_folder(path, name)
            found.samples.extend(folder.samples)
            found.clocks.extend(folder.clocks)
            found.notes.extend(folder.notes)
        else:
            found.samples.extend(read_csv(path))
    return found


def design_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for each design: the last parts of its path, as many as tell it from the others."""
    found = {}
    for path in dict.fromkeys(paths):
        parts, most = path.resolve().parts, 1
        others = [other.resolve().parts for other in paths if other != path]
        while most < len(parts) and any(other[-most:] == parts[-most:] for other in others):
            most += 1
        found[path] = "/".join(parts[-most:])
    return found


def read_csv(path: Path) -> list[Sample]:
    """Kernels of a CSV with the columns of `COLUMNS`; rows without estimates (whole designs) are
    left out."""
    try:
        with open(path, newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise ReportError(
                    f"lacks the columns {', '.join(missing)}",
                    where=str(path),
                    remedy=f"columns: {', '.join(COLUMNS)}",
                )
            return [
                sample
                for line, row in enumerate(reader, 2)
                if (sample := csv_sample(row, f"{path}, line {line}"))
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReportError(f"cannot be read ({error})", where=str(path)) from None


def csv_sample(row: dict[str, str], where: str) -> Sample | None:
    """One row, None if it has no estimate."""
    try:
        if not row["est_ALUT"]:
            return None
        estimate = tuple(float(row[f"est_{n}"] or 0) for n in ESTIMATES)
        fitted = tuple(float(row[f"fit_{n}"] or 0) for n in FITTED)
    except (ValueError, TypeError) as error:
        raise ReportError(f"has a figure that is no number ({error})", where=where) from None
    if not all(0 <= figure < math.inf for figure in (*estimate, *fitted)) or not fitted[0]:
        raise ReportError("has a figure that is not positive", where=where)
    return Sample(row["design"], row["board"], row["kernel"], estimate, fitted)


# ---- report folders


def read_folder(folder: Path, name: str) -> Sources:
    """A compiled design, called `name`: area.json and quartus.json below `folder` give samples,
    acl_quartus_report.txt gives the clock."""
    area = next(iter(sorted(folder.rglob("area.json"))), None)
    quartus = next(iter(sorted(folder.rglob("quartus.json"))), None)
    text = next(iter(sorted(folder.rglob("acl_quartus_report.txt"))), None)
    if area is None and text is None:
        raise ReportError(
            "holds neither area.json nor acl_quartus_report.txt",
            where=str(folder),
            remedy="give the folder that aoc made",
        )
    found = Sources([], [], [])
    if area is not None and quartus is not None:
        fitted = quartus_kernels(read_objects(quartus))
        for kernel, estimate in area_kernels(read_nodes(area)).items():
            if kernel in fitted:
                found.samples.append(Sample(name, "", kernel, estimate, fitted[kernel]))
        if not fitted:
            found.notes.append(
                f"{quartus}: no kernel has fitted figures; Quartus writes them when a compile has "
                "ended"
            )
        elif not found.samples:
            found.notes.append(f"{quartus}: none of its kernels is in area.json")
    elif area is not None:
        found.notes.append(
            f"{folder}: area.json without quartus.json, so nothing to compare its estimates with; "
            "`hlsgen compare` sets them beside a design"
        )
    clock = read_clock(name, text) if text is not None else None
    if clock is None and area is not None and quartus is not None:
        clock = fitted_clock(name, read_objects(quartus), read_nodes(area))
    if clock is not None:
        found.clocks.append(clock)
    elif text is not None:
        found.notes.append(f"{text}: no clock and utilisation of a known device")
    return found


def area_kernels(tree: Node) -> dict[str, tuple[float, ...]]:
    """Estimates of every kernel: nodes of type function. aoc 17.1 and 18.1 have no MLAB column."""
    found = {}
    for node in tree.walk():
        data = node.total_kernel_resources or node.data
        if node.type == "function" and node.name and len(data) >= 4:
            figures = [number(value) for value in data[:5]]
            found[str(node.name)] = (*figures, *[0.0] * (5 - len(figures)))
    return found


def quartus_kernels(found: Iterable[Mapping[str, Any]]) -> dict[str, tuple[float, ...]]:
    """Fitted figures of every kernel: objects with a name and the five figures under their usual
    titles, there or in `data`.

    Placeholders, which aoc writes before Quartus has run, are no figures: such kernels are left
    out.
    """
    kernels = {}
    for node in found:
        data = node.get("data")
        members = {**node, **data} if isinstance(data, dict) else node
        low = {str(name).lower(): value for name, value in members.items()}
        figures = [
            next((number(low[title]) for title in titles if title in low), 0.0) for titles in TITLES
        ]
        if "name" in low and figures[0] > 0:
            kernels[str(low["name"])] = tuple(figures)
    return kernels


def read_clock(design: str, path: Path) -> Clock | None:
    """Clock and utilisation from acl_quartus_report.txt; None if it lacks them."""
    text = path.read_text(errors="replace")
    fmax = re.search(r"Actual clock freq\s*:\s*([\d.]+)", text) or re.search(
        r"Kernel fmax\s*:\s*([\d.]+)", text
    )
    shares = [
        used_percent(text, title) for title in ("Logic utilization", "RAM blocks", "DSP blocks")
    ]
    total = re.search(r"Logic utilization\s*:\s*[\d,]+\s*/\s*([\d,]+)", text)
    family = family_of(number(total.group(1))) if total else ""
    if fmax is None or not family or any(share is None for share in shares):
        return None
    return Clock(design, family, float(fmax.group(1)), tuple(float(s or 0) for s in shares))  # type: ignore[arg-type]


def family_of(alms: float) -> str:
    """The family of the device that has so many ALMs, "" of none that is known. Reports do not name
    the device."""
    return {device.alms: device.family for device in devices().values()}.get(int(alms), "")


def fitted_clock(design: str, found: Iterable[Mapping[str, Any]], area: Node) -> Clock | None:
    """The same from quartus.json, as versions from 20.4 on tell it: the clock, and what the whole
    device holds; area.json says how much there is."""
    nodes, most = list(found), area.max_resources
    clock = next((number(n["kernel clock"]) for n in nodes if "kernel clock" in n), 0.0)
    used = next((n for n in nodes if n.get("type") == "aclsystem"), None)
    if not clock or used is None or len(most) < 4 or not family_of(most[0] / 2):
        return None
    pairs = (("alm", most[0] / 2), ("ram", most[2]), ("dsp", most[3]))
    alms, blocks, dsps = (
        100 * number(used.get(name, 0)) / total if total else 0.0 for name, total in pairs
    )
    return Clock(design, family_of(most[0] / 2), clock, (alms, blocks, dsps))


def used_percent(text: str, title: str) -> float | None:
    """How much of a resource a report says is used, from the counts where they stand, else from the
    rounded percentage."""
    counts = re.search(title + r"\s*:\s*([\d,]+)\s*/\s*([\d,]+)", text)
    if counts and number(counts.group(2)):
        return 100 * number(counts.group(1)) / number(counts.group(2))
    percent = re.search(title + r"\s*:[^\n%]*?(<?)\s*([\d.]+)\s*%", text)
    if percent is None:
        return None
    # Less than 1 %: somewhere between that and nothing.
    return float(percent.group(2)) / (2 if percent.group(1) else 1)
