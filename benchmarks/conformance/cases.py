"""Runs ONNX's backend test cases through `hlsgen.backend`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import numpy_helper, version_converter
from onnx.backend.test import loader
from onnx.backend.test.case import node as node_cases
from onnx.backend.test.case.test_case import TestCase

from hlsgen.backend import Backend
from hlsgen.errors import HlsgenError
from hlsgen.frontend.model import OLDEST_OPSET, TARGET_OPSET, first_line, opset_of
from hlsgen.host.errors import HostError
from hlsgen.ops import onnx_importers

Sets = list[tuple[list[Any], list[Any]]]
KINDS = ("node", "pytorch-converted", "pytorch-operator")


@dataclass(frozen=True)
class Outcome:
    """What became of a case: "passed", "refused" (with hlsgen's reason) or "failed"."""

    kind: str
    name: str
    status: str
    reason: str = ""


def cases(kind: str) -> list[TestCase]:
    """ONNX's cases of a kind by name; of the node cases those whose operators are all supported."""
    found = sorted(loader.load_model_tests(kind=kind), key=lambda case: case.name)
    return found if kind != "node" else [case for case in found if concerns(case)]


@cache
def by_name(kind: str) -> dict[str, TestCase]:
    """All cases of a kind."""
    return {case.name: case for case in cases(kind)}


def node_case(module: str, name: str) -> TestCase:
    """One of ONNX's node cases. It computes the cases of a module as that is imported; those of all
    take 12 s."""
    import_module(f"{node_cases.__name__}.{module}")
    known: list[TestCase] = node_cases._NodeTestCases
    return next(case for case in known if case.name == name)


def run_named(kind: str, device: str, name: str) -> Outcome:
    """Run the case called `name`: what a worker process is told."""
    return run_case(by_name(kind)[name], device)


def concerns(case: TestCase) -> bool:
    """Whether a node case is one of a supported operator: all its nodes are."""
    known = onnx_importers()
    return all(
        node.op_type in known and node.domain in ("", "ai.onnx")
        for node in content(case)[0].graph.node
    )


def run_case(case: TestCase, device: str) -> Outcome:
    """Run all data sets of a case on "CPU" (numpy references) or "EMULATOR", with the case's own
    tolerances."""
    try:
        model, sets = content(case)
        prepared = Backend.prepare(converted(model), device)
        for inputs, outputs in sets:
            results = prepared.run(inputs)
            for result, expected in zip(results, outputs, strict=True):
                if expected is None or result.shape != expected.shape:
                    return Outcome(case.kind, case.name, "failed", f"shape {result.shape}")
                rtol = max(case.rtol, last_bit(expected.dtype))
                np.testing.assert_allclose(
                    result.astype(np.float64), expected.astype(np.float64), rtol, case.atol
                )
    except HlsgenError as error:
        return Outcome(case.kind, case.name, "refused", short(error))
    except HostError as error:  # designs take finite numbers alone
        status = "failed" if all(map(finite, inputs)) else "refused"
        return Outcome(case.kind, case.name, status, error.reason.split(" (")[0])
    except Exception as error:
        return Outcome(
            case.kind, case.name, "failed", f"{type(error).__name__}: {first_line(error)}"
        )
    return Outcome(case.kind, case.name, "passed")


def last_bit(kind: np.dtype) -> float:
    """What a result's own type rounds away: of bfloat16 more than cases allow."""
    return 2.0**-8 if kind == ml_dtypes.bfloat16 else 0.0


def finite(array: np.ndarray) -> bool:
    """Whether an input holds finite numbers alone."""
    return bool(np.isfinite(array.astype(np.float64)).all())


def converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at a version that hlsgen reads: the oldest cases go through ONNX's version
    converter first."""
    if opset_of(model) >= OLDEST_OPSET:
        return model
    try:
        return version_converter.convert_version(model, TARGET_OPSET)
    except Exception:
        return model


def content(case: TestCase) -> tuple[onnx.ModelProto, Sets]:
    """A case's model and data sets: node cases hold them, the others are files."""
    if case.model_dir is None:
        assert case.model is not None and case.data_sets is not None
        return case.model, [
            ([as_array(v) for v in a], [as_array(v) for v in b]) for a, b in case.data_sets
        ]
    folder = Path(case.model_dir)
    sets: Sets = [
        (tensors(data, "input"), tensors(data, "output"))
        for data in sorted(folder.glob("test_data_set_*"))
    ]
    return onnx.load(folder / "model.onnx"), sets


def as_array(value: Any) -> Any:
    """Values of types that numpy lacks are given as tensors."""
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def tensors(folder: Path, kind: str) -> list[np.ndarray | None]:
    """The numbered tensors of a data set; None for sequences and optionals."""
    found: list[np.ndarray | None] = []
    for number in range(len(list(folder.glob(f"{kind}_*.pb")))):
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString((folder / f"{kind}_{number}.pb").read_bytes())
            found.append(numpy_helper.to_array(tensor))
        except Exception:
            found.append(None)
    return found


def short(error: HlsgenError) -> str:
    """The reason on one line, without node names, so that equal reasons can be counted."""
    lines = [line.strip(" -") for line in str(error).splitlines()]
    useful = [
        line
        for line in lines
        if line and not line.startswith(("what to do", "1 node of", "2 nodes of"))
    ]
    return useful[0] if useful else lines[0]
