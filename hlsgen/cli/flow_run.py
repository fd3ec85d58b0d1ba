"""Runs the steps of a flow: each by its command's own function, where it is not up to date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnx

from hlsgen.cli import build, report, validate
from hlsgen.cli.accuracy import interval_text
from hlsgen.cli.console import Console, command
from hlsgen.cli.designs import MANIFEST as DESIGN
from hlsgen.cli.designs import opened
from hlsgen.cli.flow_file import STEPS, Flow, Step, in_words_of, options_of
from hlsgen.data.evaluate import Evaluator, Score, input_shape, run
from hlsgen.data.known import KNOWN, locate
from hlsgen.data.pictures import Pictures, read_test_pictures
from hlsgen.errors import HlsgenError, UsageError
from hlsgen.files import held
from hlsgen.flow import LOCK, Digests, Manifest, Origin, Record, digest, digests
from hlsgen.frontend.model import read_model
from hlsgen.host.pictures import read_preparation
from hlsgen.left import AUDIT, VALIDATION
from hlsgen.train.settings import CHECKPOINT, RUN

# What the network is called in a flow that starts from a file.
MODEL = "model"
# Files that steps leave in the design.
LEFT = {"validate": VALIDATION, "audit": AUDIT, "report": "report.html"}


class StepConsole(Console):
    """The console of a step: what its command would print as JSON is kept."""

    def __init__(self, quiet: bool):
        super().__init__(False, quiet)
        self.told: dict[str, Any] = {}

    def result(self, value: dict[str, Any]) -> None:
        """Keep a command's JSON object."""
        self.told = value


@dataclass
class Project:
    """A flow and what is done of it."""

    flow: Flow
    console: Console
    ran: dict[str, bool] = field(default_factory=dict)

    @cached_property
    def manifest(self) -> Manifest:
        """What is done."""
        return Manifest.read(self.flow.out)

    @property
    def steps(self) -> list[Step]:
        """The declared steps, in order."""
        return [step for name, step in STEPS.items() if name in self.flow.words]

    # ---- what a step is made of

    def feeder(self, step: Step) -> Step | None:
        """The step whose result this one takes: of a design the build, else the last one before it
        that makes a network."""
        if step.judges:
            return STEPS["build"]
        before = self.steps[: self.steps.index(step)]
        makers = [other for other in before if other.made and other.command is not build]
        return makers[-1] if makers else None

    def feeders(self, step: Step) -> list[Step]:
        """All steps whose results this one takes. The report shows the verdicts too."""
        first = self.feeder(step)
        found = [first] if first else []
        if step.command is report:
            found += [other for other in self.steps if other.judges and other is not step]
        return found

    def about(self, step: Step) -> Path | None:
        """The network or design that a step takes; None where it makes one of nothing."""
        if step.name == "zoo":
            return None
        before = self.feeder(step)
        return self.flow.out / before.made if before else self.flow.model

    def origin(self, step: Step) -> Origin:
        """What a step's results follow from. Raises HlsgenError for files that are not there."""
        options, inputs = dict(self.flow.options[step.name]), Digests()
        for before in self.feeders(step):
            record = self.manifest.steps.get(before.name)
            inputs |= record.outputs if record else {}
        if not self.feeder(step) and self.flow.model and step.name != "zoo":
            inputs |= self.model_digest()
        inputs |= {key: digest(path) for key, path in self.flow.files[step.name].items()}
        if options.get("data") in KNOWN:
            inputs["data"] = digest(locate(options["data"]))
        if step.command is validate and self.flow.pictures:
            options["pictures"] = self.flow.pictures
            inputs["test pictures"] = self.pictures_digest
        return Origin(options, inputs)

    def model_digest(self) -> Digests:
        """Of the network that the flow starts from. Raises UsageError."""
        assert self.flow.model is not None
        if not self.flow.model.is_file():
            raise UsageError("no such file", where=f"{self.flow.path}, model = {self.flow.model}")
        return {self.flow.model.name: digest(self.flow.model)}

    @cached_property
    def pictures_digest(self) -> str:
        """Of what accuracy is told on."""
        found = digest(locate(self.flow.test or self.flow.data))
        path = Path(self.flow.prepare)
        return f"{found} {digest(path) if path.is_file() else self.flow.prepare}"

    # ---- running

    def check(self) -> None:
        """Raise HlsgenError for options that do not go together, before anything runs."""
        for step in self.steps:
            with self.named(step):
                step.check(options_of(self.flow, step, self.about(step), forced(step))[0])

    @contextmanager
    def named(self, step: Step) -> Iterator[None]:
        """Errors name the flow's file and its table."""
        try:
            yield
        except HlsgenError as error:
            raise in_words_of(self.flow, step, error) from None

    def forecast(self) -> list[tuple[Step, str]]:
        """The steps, and why each would run; "" where it would not."""
        found: list[tuple[Step, str]] = []
        for step in self.steps:
            before = [other for other, why in found if why and other in self.feeders(step)]
            with self.named(step):
                why = self.manifest.why(step.name, self.origin(step))
            found.append((step, why or ", ".join(f"{other.name} runs" for other in before)))
        return found

    def run(self) -> bool:
        """Bring all steps up to date, in order. Returns False where one's verdict is that something
        is wrong: the flow ends there. Raises HlsgenError, also while another flow is at work in the
        same folder."""
        out = self.flow.out
        out.mkdir(parents=True, exist_ok=True)
        with held(out / LOCK, "flow", f"{self.flow.path}, out = {out}"):
            return self.run_steps()

    def run_steps(self) -> bool:
        """The same, alone in the folder."""
        if self.flow.model:
            self.judge_start()
        for number, step in enumerate(self.steps, 1):
            with self.named(step):
                origin = self.origin(step)
                why = self.manifest.why(step.name, origin)
                title = f"[{number}/{len(self.steps)}] {step.name}: {why or 'up to date'}"
                self.console.say(title, "bold")
                self.ran[step.name] = bool(why)
                if why and not self.execute(step, origin):
                    return False
                self.judge(step)
        return True

    def execute(self, step: Step, origin: Origin) -> bool:
        """Run a step's command, and note what it made. Returns False where its status says that
        something is wrong."""
        about, out, start = self.about(step), self.flow.out, perf_counter()
        line = command(*options_of(self.flow, step, about, forced(step))[1])
        self.console.say(f"$ {line}")
        again = self.manifest.start(step.name, line, origin)
        folder = out / f"{step.made}.training"
        resumed = again and step.trains and (folder / CHECKPOINT).is_file()
        options, _ = options_of(self.flow, step, about, ("--resume",) if resumed else forced(step))
        console = StepConsole(self.console.silent)
        options.json, options.quiet = False, console.silent
        if step.command.execute(options, console):
            return False
        if step.trains:  # its result is a worker's
            console.told = json.loads((folder / RUN).read_text())
        seconds, finished = (
            perf_counter() - start,
            datetime.now(timezone.utc).isoformat("T", "seconds"),
        )
        record = Record(line, origin, self.outputs(step), seconds, finished, result=console.told)
        self.manifest.finish(step.name, record)
        return True

    def outputs(self, step: Step) -> Digests:
        """The files that a step has made."""
        out, design = self.flow.out, STEPS["build"].made
        if step.judges:
            return digests(out, [f"{design}/{LEFT[step.name]}"])
        if step.command is build:
            files = json.loads((out / design / DESIGN).read_text())["files"]
            return digests(out, [f"{design}/{name}" for name in sorted({*files, DESIGN})])
        return digests(out, [step.made])

    # ---- accuracy

    def judge_start(self) -> None:
        """How much the network has right that the flow starts from."""
        origin = Origin({}, self.model_digest())
        if self.manifest.why(MODEL, origin):
            now = datetime.now(timezone.utc).isoformat("T", "seconds")
            self.manifest.finish(MODEL, Record("", origin, {}, 0.0, now))
        assert self.flow.model is not None
        self.judge_model(MODEL, self.flow.model)

    def judge(self, step: Step) -> None:
        """How much a step's result has right: a network in onnxruntime, a design on its device."""
        if step.command is validate and self.flow.pictures:
            self.judge_design(step)
        elif step.made and step.command is not build:
            self.judge_model(step.name, self.flow.out / step.made)

    def judge_model(self, name: str, path: Path) -> None:
        """How many of the test pictures a network has right."""
        if not self.flow.data:
            return
        known = self.manifest.steps[name].accuracy
        if known.get("test pictures") != self.pictures_digest:
            model = read_model(path)
            score = Evaluator(model, Pictures(*self.test_pictures(model))).reference
            self.note(name, score)
        self.console.say(f"accuracy of {path.name}: {accuracy_text(self.accuracy(name))}")

    def judge_design(self, step: Step) -> None:
        """How many of some test pictures the accelerator has right, and on how many onnxruntime
        gives the same answer."""
        if not self.manifest.steps[step.name].accuracy:
            options, _ = options_of(self.flow, step, self.about(step))
            model = read_model(Path(options.design) / "model.onnx")
            inputs, labels = self.test_pictures(model)
            inputs, labels = inputs[: self.flow.pictures], labels[: self.flow.pictures]
            with opened(options) as accelerator, self.console.status("computing test pictures"):
                answers = accelerator.predict(inputs).reshape(len(inputs), -1).argmax(1)
            same = run(model, inputs).reshape(len(inputs), -1).argmax(1) == answers
            score = Score(int((answers == labels).sum()), len(inputs))
            self.note(step.name, score, same_as_onnxruntime=int(same.sum()))
        self.console.say(f"accuracy of the accelerator: {accuracy_text(self.accuracy(step.name))}")

    def note(self, name: str, score: Score, **more: Any) -> None:
        """Put an accuracy into the manifest."""
        found = score.to_dict() | more | {"test pictures": self.pictures_digest}
        self.manifest.judged(name, json.loads(json.dumps(found)))

    def accuracy(self, name: str) -> Any:
        """What the manifest tells of an accuracy."""
        return self.manifest.steps[name].accuracy

    def test_pictures(self, model: onnx.ModelProto) -> tuple[np.ndarray, np.ndarray]:
        """Pictures that took no part in training, and their labels. Raises UsageError."""
        flow, shape = self.flow, input_shape(model)
        stored = read_test_pictures(flow.data, flow.test, shape, read_preparation(flow.prepare))
        if stored is None or stored.labels is None:
            raise UsageError(
                f"{'has no test pictures' if stored is None else 'holds no labels'}, "
                "on which accuracy could be told",
                where=f"{flow.path}, {'test' if flow.test else 'data'}",
                remedy="name labelled ones with test",
            )
        return stored.inputs(), stored.labels


def forced(step: Step) -> tuple[str, ...]:
    """What makes a step's command replace what an earlier run has made."""
    return ("--force",) if step.trains else ()


def accuracy_text(accuracy: Any) -> str:
    """An accuracy in words; "" where there is none."""
    if not accuracy:
        return ""
    score = Score(accuracy["right"], accuracy["pictures"])
    same = accuracy.get("same_as_onnxruntime")
    more = "" if same is None else f", same answer as onnxruntime on {same:,}"
    return f"{score.share:.2%} of {score.pictures:,} ({interval_text(score)}){more}"
