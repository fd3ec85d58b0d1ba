"""`Accelerator`: a design directory as an object, from the plan to results on a device."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hlsgen.accelerator.compare import compare_layers
from hlsgen.accelerator.deploy import deploy
from hlsgen.accelerator.inputs import Inputs, as_inputs
from hlsgen.accelerator.results import LayerComparison, Profile, Report, Trace, Validation, range_of
from hlsgen.accelerator.summary import summary
from hlsgen.accelerator.tables import Table
from hlsgen.audit.design import Audit, audit
from hlsgen.audit.verdict import verdict
from hlsgen.codegen.generate import check_target
from hlsgen.codegen.place import placed
from hlsgen.design_graph import graph_of
from hlsgen.errors import OutputError, PlanError
from hlsgen.files import Scratch, write_output
from hlsgen.graph import Graph
from hlsgen.host.bench import Prediction
from hlsgen.host.errors import HostError
from hlsgen.host.images import Tensors, random_images, read_labels
from hlsgen.host.pictures import read_preparation
from hlsgen.host.runner import RunResult
from hlsgen.host.runner import run as run_design
from hlsgen.host.session import Session
from hlsgen.host.system import SystemDesign, open_design
from hlsgen.host.validation import validate
from hlsgen.left import AUDIT, QUANTISATION, VALIDATION, leave, left
from hlsgen.model.calibration import Calibration, load_calibration
from hlsgen.model.estimate import Estimate
from hlsgen.plan import Plan
from hlsgen.report.beside import beside as side_by_side
from hlsgen.report.data import report_data
from hlsgen.report.on_host import on_host
from hlsgen.report.page import page
from hlsgen.schedule.explain import explain
from hlsgen.schedule.provenance import headline, throughput_band
from hlsgen.system.search import SystemPlan
from hlsgen.system.stored import built_plan, stored_plan
from hlsgen.validation import Reference

Progress = Callable[[dict[str, Any]], None]


class Accelerator:
    """A network as an accelerator: its design directory, and a device that runs it.

    The device is programmed at the first `predict` and stays so, in a process of its own: a crash
    or a deadlock ends that process alone, and the next call starts another. `close`, or a `with`
    block, gives it back. `device` is emulator, cpu, pocl, board or a number from `hlsgen doctor`;
    `timeout` the seconds after which a batch counts as deadlocked. The workers of a `session` of
    yours stay when it is closed.

    Methods raise HostError for inputs that do not fit and for a device that fails, HlsgenError for
    a directory that is no design.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        device: str = "emulator",
        timeout: float = 120.0,
        calibration: str | Path | None = None,
        session: Session | None = None,
    ):
        self.path = Path(path)
        self.design = open_design(self.path)
        self.device = device
        self.timeout = timeout
        self.calibration: Calibration = load_calibration(calibration)
        self._session = session or Session(keep=1)
        # A session that was given serves others too.
        self._end = None if session else weakref.finalize(self, self._session.close)
        # Where a build put what aoc had made of an earlier design here, "" where there was none.
        self.set_aside = ""
        # A temporary design goes with the object.
        self._folder: Scratch | None = None

    # ---- what it is

    @property
    def name(self) -> str:
        """The network's name."""
        return self.design.manifest.name

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """The shape of one image of every input, by name, led by a 1 that stands for the images."""
        return {port.name: port.shape for port in self.design.manifest.network_inputs}

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """The shape of one image's outputs, as `inputs` has them; sizes that depend on the data are
        -1."""
        return {port.name: port.shape for port in self.design.manifest.network_outputs}

    @cached_property
    def graph(self) -> Graph:
        """The network as hlsgen sees it, or the part of it that the design is."""
        return graph_of(self.design)

    @cached_property
    def plan(self) -> Plan:
        """Every decision of the scheduler. Raises PlanError for a plan that is not what was
        built, and for a system, which has a plan a board."""
        if isinstance(self.design, SystemDesign):
            first = self.path / self.design.system.boards[0].directory
            raise PlanError(
                "is a system of several boards, each with a plan of its own",
                where=str(self.path),
                remedy=f"name one of its boards, such as {first}",
            )
        return built_plan(self.design)

    @cached_property
    def estimate(self) -> Estimate:
        """Predicted time and resources."""
        return headline(self.graph, self.plan, self.calibration)

    @cached_property
    def prediction(self) -> Prediction:
        """The figures that a measurement on the board, or the boards, is held against."""
        if isinstance(self.design, SystemDesign):
            plan = stored_plan(self.design, self.graph, self.calibration)
            return system_prediction(plan, self.calibration)
        return predicted(self.graph, self.plan, self.estimate, self.calibration)

    @property
    def compiled(self) -> bool:
        """Whether aoc's result for the board, or for all boards, is there."""
        designs = self.design.boards if isinstance(self.design, SystemDesign) else [self.design]
        return all((d.path / "bin" / f"{d.manifest.name}.aocx").is_file() for d in designs)

    @property
    def reason(self) -> str:
        """Why the plan is as it is, in sentences."""
        return explain(self.graph, self.plan, self.estimate, self.calibration)

    @property
    def source(self) -> str:
        """The OpenCL text of all kernels."""
        return self.design.source

    @property
    def summary(self) -> Table:
        """What it is, reaches and costs, in a few lines."""
        return summary(
            self.graph,
            self.plan,
            self.estimate,
            (self.prediction.low, self.prediction.high),
            self.calibration,
            on_host(self.design.manifest),
            left(self.path, QUANTISATION),
            left(self.path, VALIDATION),
            left(self.path, AUDIT),
        )

    def __repr__(self) -> str:
        m = self.design.manifest
        return f"Accelerator({m.name}: {m.style} on {m.board}, {self.path})"

    def _repr_html_(self) -> str:
        return self.summary.html()

    # ---- running it

    def predict(self, x: Inputs) -> np.ndarray:
        """The network's output for any number of images `(N, ...)`, or for one image alone.

        `x` is an array, or a dictionary with an array for each input. Raises HostError for networks
        of several outputs, which `run` computes.
        """
        names = [port.name for port in self.design.manifest.network_outputs]
        if len(names) != 1:
            raise HostError(
                f"the network has {len(names)} outputs: {', '.join(names)}",
                remedy="use run(None, inputs), which gives all of them",
            )
        inputs, alone = as_inputs(self.design, x)
        output = self.execute(inputs).outputs[names[0]]
        return output[0] if alone else output

    def run(self, names: Sequence[str] | None, inputs: Mapping[str, Any]) -> list[np.ndarray]:
        """The outputs `names`, or all of them, as onnxruntime's sessions give them."""
        known = [port.name for port in self.design.manifest.network_outputs]
        unknown = [name for name in names or () if name not in known]
        if unknown:
            raise HostError(f"there is no output {unknown[0]!r}; there are {', '.join(known)}")
        outputs = self.execute(as_inputs(self.design, inputs)[0]).outputs
        return [outputs[name] for name in names or known]

    def execute(self, inputs: Tensors) -> RunResult:
        """The outputs of arrays `(images, ...)` float32, with the time that they took."""
        return run_design(
            self.design, inputs, device=self.device, timeout=self.timeout, session=self._session
        )

    def trace(self, x: Inputs) -> Trace:
        """The values of every layer for images, canonical `(N, C, H, W)`. Layers of boards that
        keep nothing in memory are left out."""
        inputs, _ = as_inputs(self.design, x)
        found: dict[str, list[np.ndarray]] = {}

        def keep(image: int, layers: Tensors) -> None:
            for name, value in layers.items():
                found.setdefault(name, []).append(value)

        result = run_design(
            self.design,
            inputs,
            device=self.device,
            timeout=self.timeout,
            on_layers=keep,
            session=self._session,
        )
        layers = {name: np.stack(values) for name, values in found.items()}
        return Trace(layers, result.outputs)

    # ---- judging it

    def validate(
        self,
        x: Inputs | None = None,
        *,
        samples: int = 1,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> Validation:
        """Hold every layer against numpy and the output against onnxruntime, on images `x` or on
        random ones. The verdict stays in the design directory.

        `strict` runs all kernels at once, over FIFOs of their true depth. A deadlock is a verdict
        too. `progress` is told of every step.
        """
        if samples < 1:
            raise HostError(f"{samples} is not a positive number of images")
        inputs = random_images(self.design, samples) if x is None else as_inputs(self.design, x)[0]
        reference = Reference(self.design, inputs)
        record, outputs = validate(
            self.design,
            inputs,
            reference,
            device=self.device,
            strict=strict,
            timeout=self.timeout,
            progress=progress,
            session=self._session,
        )
        record["onnxruntime"] = reference.against_onnxruntime(outputs) if outputs else None
        record["onnxruntime_refusal"] = reference.refusal
        record["onnxruntime_note"] = reference.note
        if record["onnxruntime"] is not None and not record["onnxruntime"]["ok"]:
            record["ok"] = False
        leave(self.path, VALIDATION, record)
        return Validation(record)

    def compare(self, x: Inputs | None = None) -> LayerComparison:
        """Hold every layer against the value that onnxruntime computes in its place, on images `x`
        or on a random one. Raises HostError where onnxruntime is missing or refuses the model."""
        inputs = random_images(self.design, 1) if x is None else as_inputs(self.design, x)[0]
        ports = self.design.manifest.network_inputs
        shapes = {port.name: port.model_shape for port in ports}
        return compare_layers(self.graph, shapes, inputs, self.trace(inputs))

    def profile(self, x: Inputs | None = None) -> Profile:
        """What the layers' values lie between, on images `x` or on a random one, and what their
        weights do."""
        values = self.trace(random_images(self.design, 1) if x is None else x)
        weights = [
            range_of(f"{layer.name}.{kind}", array)
            for layer in self.graph.layers
            for kind, array in layer.weights.items()
            if array.size
        ]
        return Profile(
            tuple(range_of(name, array) for name, array in values.items()), tuple(weights)
        )

    def audit(self) -> Audit:
        """Judge from the kernels' text whether aoc would build them at the pace and size that the
        model counts on. The verdict stays in the design directory. Raises AuditError."""
        _ = self.plan  # of one board
        found = audit(self.path)
        leave(self.path, AUDIT, verdict(found.findings, found.interval))
        return found

    def data(self, aoc: str | None = None) -> dict[str, Any]:
        """All that is known of the design, JSON-ready: predictions, layers, kernels, verdicts."""
        return report_data(self.path, self.graph, self.plan, self.calibration, aoc)

    def report(
        self,
        page_file: str | Path | None = None,
        *,
        aoc: str | None = None,
        beside: Accelerator | None = None,
    ) -> Report:
        """Predicted time and resources of every layer, written as a page too (`page_file`, else
        report.html in the design). `aoc` is the reports folder of aoc, `beside` another design, to
        be set beside. Raises OutputError."""
        path = Path(page_file or self.path / "report.html")
        data = self.data(aoc)
        if beside is not None:
            data = side_by_side(data, beside.data())
        write_output(path, page(data), f"--output {path}")
        return Report(data, path)

    # ---- keeping it

    def save(self, path: str | Path) -> Path:
        """Copy the design to a directory that is new, empty, or holds an earlier design. Raises
        OutputError."""
        target = Path(path)
        if self.path.resolve() in target.resolve().parents:
            raise OutputError("lies in the design itself", where=str(target))
        check_target(target)
        placed(target, lambda folder: shutil.copytree(self.path, folder, dirs_exist_ok=True))
        return target

    def deploy(
        self,
        archive: str | Path,
        x: Inputs | None = None,
        *,
        labels: str | Path | None = None,
        preparation: str | Path | None = None,
    ) -> Path:
        """Pack the design for the machine with the board: with a host that needs no hlsgen, a
        script, what it should give on images `x` or on a random one, `labels` (a file with a line
        a class; else the design's own labels.txt) and the `preparation` of pictures (a name or a
        file). The `archive` is .tar.gz or .zip. Raises OutputError, HostError."""
        own = self.path / "labels.txt"
        file = Path(labels) if labels else own if own.is_file() else None
        if file:
            read_labels(file)
        inputs = random_images(self.design, 1) if x is None else as_inputs(self.design, x)[0]
        chosen = read_preparation(preparation) if preparation else None
        deploy(self.design, Path(archive), inputs, self.prediction, file, chosen)
        return Path(archive)

    def close(self) -> None:
        """Give the device back. A later call gets a process for itself."""
        if self._end is not None:
            self._session.close()

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def system_prediction(plan: SystemPlan, calibration: Calibration) -> Prediction:
    """What boards in a row should reach together: as much as the slowest."""
    boards = zip(plan.graphs, plan.plans, plan.estimates, strict=True)
    bands = [throughput_band(*board, calibration) for board in boards]
    low, high = (plan.copies * min(side) for side in zip(*bands, strict=True))
    return Prediction(plan.throughput, low, high, plan.latency)


def predicted(graph: Graph, plan: Plan, estimate: Estimate, calibration: Calibration) -> Prediction:
    """What a design should reach, from its estimate."""
    band = throughput_band(graph, plan, estimate, calibration)
    return Prediction(estimate.throughput, *band, estimate.latency)


def load(
    path: str | Path,
    *,
    device: str = "emulator",
    timeout: float = 120.0,
    calibration: str | Path | None = None,
    session: Session | None = None,
) -> Accelerator:
    """The accelerator of a design directory. Raises HostError where there is none; see
    Accelerator."""
    return Accelerator(
        path, device=device, timeout=timeout, calibration=calibration, session=session
    )
