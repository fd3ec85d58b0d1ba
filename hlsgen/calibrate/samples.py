"""Samples: what aoc estimated of a kernel and what Quartus fitted, from report folders or a CSV
file."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hlsgen.boards import devices
from hlsgen.errors import HlsgenError

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


class ReportError(HlsgenError):
    """A report folder or CSV file that cannot be used."""


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
    if min(*estimate, *fitted) < 0 or fitted[0] <= 0:
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
        fitted = quartus_kernels(load_lenient(quartus))
        for kernel, estimate in area_kernels(load_lenient(area)).items():
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
        clock = fitted_clock(name, load_lenient(quartus), load_lenient(area))
    if clock is not None:
        found.clocks.append(clock)
    elif text is not None:
        found.notes.append(f"{text}: no clock and utilisation of a known device")
    return found


def load_lenient(path: Path) -> Any:
    """JSON, also as aoc 19 writes it: with commas before closing brackets, missing between objects,
    bare backslashes, and members of objects between square brackets."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise ReportError(f"cannot be read ({error.strerror})", where=str(path)) from None
    text = re.sub(r"^\s*var\s+\w+\s*=\s*", "", text).strip().rstrip(";")
    for attempt in (text, repaired(text)):
        try:
            return json.loads(attempt, strict=False)
        except ValueError as error:
            problem = error
    raise ReportError(
        f"is not JSON, not even after repair ({problem})",
        where=str(path),
        remedy="was it written by aoc 17.1 to 21.2?",
    )


def repaired(text: str) -> str:
    """The text with the mistakes mended that quartus.json of aoc 19 has."""
    text = re.sub(r'\\(?!["\\/bfnrtu])', r"\\\\", text)
    text = re.sub(r",(\s*[}\]])", r"\1", text)
    text = re.sub(r'\[(\s*"[^"]*"\s*:[^\[\]{}]*)\]', r"{\1}", text)
    text = re.sub(r"([}\]\"])(\s*)(?=[{\[])", r"\1,\2", text)
    text = re.sub(r'("|[}\]\d])(\s*\n\s*)(?=")', r"\1,\2", text)
    return re.sub(r",\s*,+", ",", text)


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """All objects of a tree of `children`."""
    if isinstance(node, dict):
        yield node
        for child in node.get("children", ()):
            yield from walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from walk(child)


def area_kernels(tree: Any) -> dict[str, tuple[float, ...]]:
    """Estimates of every kernel: nodes of type function. aoc 17.1 and 18.1 have no MLAB column."""
    found = {}
    for node in walk(tree):
        if node.get("type") == "function" and "name" in node:
            data = node.get("total_kernel_resources") or node.get("data") or node.get("total") or []
            if isinstance(data, list) and len(data) >= 4:
                found[str(node["name"])] = tuple(
                    float(v) for v in (*data[:5], *[0.0] * (5 - len(data[:5])))
                )
    return found


def quartus_kernels(tree: Any) -> dict[str, tuple[float, ...]]:
    """Fitted figures of every kernel: objects with a name and the five figures under their usual
    titles, there or in `data`.

    Placeholders, which aoc writes before Quartus has run, are no figures: such kernels are left
    out.
    """
    titles = {
        "ALM": ("alm", "alms"),
        "FF": ("reg", "ff", "ffs", "registers"),
        "RAM": ("ram", "rams"),
        "DSP": ("dsp", "dsps"),
        "MLAB": ("mlab", "mlabs"),
    }
    found = {}

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            data = node.get("data")
            members = {**node, **data} if isinstance(data, dict) else node
            low = {str(k).lower(): v for k, v in members.items()}
            figures = [
                next((number(low[t]) for t in names if t in low), 0.0) for names in titles.values()
            ]
            if "name" in low and figures[0] > 0:
                found[str(low["name"])] = tuple(figures)
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit(tree)
    return found


def number(value: Any) -> float:
    """A figure that may be text with thousands' commas."""
    match = re.search(r"[\d,]*\.?\d+", str(value))
    return float(match.group().replace(",", "")) if match else 0.0


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


def fitted_clock(design: str, quartus: Any, area: Any) -> Clock | None:
    """The same from quartus.json, as versions from 20.4 on tell it: the clock, and what the whole
    device holds; area.json says how much there is."""
    most = [float(v) for v in area.get("max_resources", ())] if isinstance(area, dict) else []
    nodes = [
        node
        for summary in (quartus.values() if isinstance(quartus, dict) else ())
        for node in (summary.get("nodes", ()) if isinstance(summary, dict) else ())
    ]
    clock = next((number(n["kernel clock"]) for n in nodes if "kernel clock" in n), 0.0)
    used = next((n for n in nodes if n.get("type") == "aclsystem"), None)
    if not clock or used is None or len(most) < 4 or not family_of(most[0] / 2):
        return None
    pairs = (("alm", most[0] / 2), ("ram", most[2]), ("dsp", most[3]))
    alms, blocks, dsps = (100 * number(used.get(name, 0)) / total for name, total in pairs)
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
