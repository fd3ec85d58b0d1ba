"""What the methods of an accelerator give: frozen, with a short text and a table for notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.accelerator.tables import LEFT, RIGHT, Table, section
from hlsgen.host.compare import TOLERANCE
from hlsgen.words import counted

CHECKS = (
    ("layer", LEFT),
    ("operator", LEFT),
    ("max abs error", RIGHT),
    ("relative", RIGHT),
    ("", LEFT),
)


@dataclass(frozen=True)
class LayerCheck:
    """A layer's largest absolute error, the same relative to the largest reference value, and
    whether it is within tolerance."""

    name: str
    op: str
    max_abs_error: float
    max_rel_error: float
    ok: bool


def check_table(layers: tuple[LayerCheck, ...]) -> Table:
    """Layers and their errors."""
    rows = tuple(
        (
            layer.name,
            layer.op,
            number(layer.max_abs_error),
            number(layer.max_rel_error),
            "ok" if layer.ok else "WRONG",
        )
        for layer in layers
    )
    return Table(CHECKS, rows, frozenset(n for n, layer in enumerate(layers) if not layer.ok))


def number(value: float) -> str:
    """An error for a table."""
    return "inf" if value == float("inf") else f"{value:.1e}"


@dataclass(frozen=True)
class Validation:
    """The verdict on a design: every layer against numpy, the output against onnxruntime. `record`
    is all of it, JSON-ready."""

    record: Mapping[str, Any] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether everything is right."""
        return bool(self.record["ok"])

    @property
    def images(self) -> int:
        """How many images were computed."""
        return int(self.record["images"])

    @property
    def layers(self) -> tuple[LayerCheck, ...]:
        """Every layer that was checked, in the order in which they are computed."""
        return tuple(layer_check(layer) for layer in self.record["layers"])

    @property
    def first_wrong_layer(self) -> str | None:
        """The layer that is wrong first, if any is."""
        return self.record.get("first_wrong_layer")

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The kernels that never finished, where the design deadlocked."""
        return tuple(self.record.get("unfinished", ()))

    @property
    def table(self) -> Table:
        """Layers and their errors."""
        return check_table(self.layers)

    @property
    def verdict(self) -> str:
        """One line: RIGHT, WRONG or DEADLOCK, and on what."""
        r = self.record
        if self.unfinished:
            return f"DEADLOCK: {r['error']}"
        images = counted(r["images"], "image")
        device = f"{r['device']}, {r['mode']} mode, {images}, {r['seconds']:.1f} s"
        if not self.ok:
            wrong = self.first_wrong_layer or "the output"
            value = next(
                (x["wrong"] for x in r["layers"] if x["name"] == wrong and "wrong" in x), ""
            )
            which = f", its first wrong value {value}" if value else ""
            return f"WRONG: the first wrong layer is {wrong}{which}; {device}"
        what = f"all {len(self.layers)} layers checked" if self.layers else "the output"
        return f"RIGHT: {what}; {device}"

    @property
    def notes(self) -> list[str]:
        """How far the output is off numpy's and onnxruntime's."""
        if self.unfinished:
            return []
        r, ort = self.record, self.record["onnxruntime"]
        error = number(float(r["output"]["max_rel_error"]))
        lines = [f"output against numpy: relative error {error}"]
        if ort is None:
            return [*lines, r["onnxruntime_refusal"]]
        if r["onnxruntime_note"]:
            lines.append(f"note: {r['onnxruntime_note']}")
        agree = (
            f", same top-1 on {ort['top1_equal']} of {counted(r['images'], 'image')}"
            if "top1_equal" in ort
            else ""
        )
        doubt = ort["ok"] and float(ort["max_rel_error"]) > max(TOLERANCE.values())
        own = ", within what onnxruntime itself is off by" if doubt else ""
        error = number(float(ort["max_rel_error"]))
        return [*lines, f"output against onnxruntime: relative error {error}{own}{agree}"]

    def __repr__(self) -> str:
        return f"Validation({self.verdict})"

    def _repr_html_(self) -> str:
        return section(self.verdict, self.table)


def layer_check(record: Mapping[str, Any]) -> LayerCheck:
    """A layer of a verdict."""
    return LayerCheck(
        record["name"],
        record["op"],
        float(record["max_abs_error"]),
        float(record["max_rel_error"]),
        bool(record["ok"]),
    )


@dataclass(frozen=True)
class LayerComparison:
    """Every layer against the value that onnxruntime computes in its place. `missing` are layers
    that the model has no value of."""

    layers: tuple[LayerCheck, ...]
    missing: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every layer that was compared is within tolerance."""
        return all(layer.ok for layer in self.layers)

    @property
    def table(self) -> Table:
        """Layers and their errors."""
        return check_table(self.layers)

    @property
    def verdict(self) -> str:
        """One line."""
        wrong = [layer.name for layer in self.layers if not layer.ok]
        if wrong:
            return f"{counted(len(wrong), 'layer')} off onnxruntime's values, {wrong[0]} first"
        without = f"; no value of {', '.join(self.missing)} in the model" if self.missing else ""
        return f"{counted(len(self.layers), 'layer')} as in onnxruntime{without}"

    def __repr__(self) -> str:
        return f"LayerComparison({self.verdict})"

    def _repr_html_(self) -> str:
        return section(self.verdict, self.table)


@dataclass(frozen=True)
class Trace(Mapping[str, np.ndarray]):
    """The values of every layer by its name, `(images, C, H, W)`; `outputs` are the network's."""

    layers: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def table(self) -> Table:
        """Layers and the shapes of their values."""
        columns = (("layer", LEFT), ("shape", LEFT))
        return Table(columns, tuple((name, str(list(a.shape))) for name, a in self.layers.items()))

    def __repr__(self) -> str:
        images = len(next(iter(self.outputs.values())))
        return f"Trace({counted(len(self.layers), 'layer')}, {counted(images, 'image')})"

    def _repr_html_(self) -> str:
        return self.table.html()


@dataclass(frozen=True)
class Range:
    """What values lie between; the share of them that is 0."""

    name: str
    least: float
    most: float
    mean: float
    deviation: float
    zeros: float


@dataclass(frozen=True)
class Profile:
    """The ranges of the layers' values and of their weights."""

    values: tuple[Range, ...]
    weights: tuple[Range, ...]

    @property
    def table(self) -> Table:
        """All ranges."""
        titles = ("", "least", "most", "mean", "deviation", "zeros")
        columns = tuple((title, RIGHT if title else LEFT) for title in titles)
        rows = tuple(
            (
                r.name,
                *(f"{v:.3g}" for v in (r.least, r.most, r.mean, r.deviation)),
                f"{r.zeros:.1%}",
            )
            for r in (*self.values, *self.weights)
        )
        return Table(columns, rows)

    def __repr__(self) -> str:
        return f"Profile({counted(len(self.values), 'layer')})"

    def _repr_html_(self) -> str:
        return self.table.html()


def range_of(name: str, array: np.ndarray) -> Range:
    """The range of an array's values."""
    figures = (array.min(), array.max(), array.mean(dtype=float), array.std(dtype=float))
    least, most, mean, deviation = (float(figure) for figure in figures)
    return Range(name, least, most, mean, deviation, float(np.mean(array == 0)))


@dataclass(frozen=True)
class Report:
    """What a design is predicted to cost and to reach: `data` is all of it, JSON-ready; `page` the
    HTML page that shows it."""

    data: Mapping[str, Any] = field(repr=False)
    page: Path

    def __repr__(self) -> str:
        return f"Report({self.page})"
