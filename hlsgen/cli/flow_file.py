"""FLOW.toml: what it may say, and the commands' options that follow."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from hlsgen.cli import (
    audit,
    build,
    quantise,
    report,
    sparsify,
    sparsify_options,
    train,
    train_options,
    validate,
    zoo,
)
from hlsgen.cli.parser import Parser, suggested
from hlsgen.cli.quantising import quantising
from hlsgen.data.known import KNOWN
from hlsgen.errors import HlsgenError, UsageError, did_you_mean
from hlsgen.host.pictures import read_toml

# Keys above the tables, and the kinds of their values.
KEYS: dict[str, type] = {
    "model": str, "out": str, "data": str, "test": str, "prepare": str, "pictures": int,
}  # fmt: skip
# What a step takes from there where its own table has no other.
SHARED = ("data", "test", "prepare")
# Options whose values may name files, relative to FLOW.toml: their contents count.
FILES = ("data", "test", "prepare", "plan", "calibration", "input", "board", "aoc")
ARGUMENT = re.compile(r"argument (?:-\w/)?-*([\w-]+)\S*: (.*)")


@dataclass(frozen=True)
class Step:
    """A table of the file, which is a command's run. `made` is the file or folder that it makes,
    `output` the option that says so; `owned` are options that the flow decides, `fixed` those that
    it gives; `check` raises HlsgenError for options that do not go together."""

    name: str
    command: ModuleType
    made: str = ""
    output: str = ""
    owned: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    check: Callable[[argparse.Namespace], object] = lambda options: None

    @property
    def trains(self) -> bool:
        """Whether it goes on from a checkpoint."""
        return self.command is train

    @property
    def judges(self) -> bool:
        """Whether it is about a design that is there."""
        return self.command in (validate, audit, report)


# Of `build --quantise`, which is a step of its own here.
QUANTISING = (
    "prepare", "calibrate", "method", "keep_float", "keep", "max_loss", "metric",
    "no_bias_correction",
)  # fmt: skip
TRAINED = ("out", "force", "resume", "log", "log_folder")
STEPS = {
    step.name: step
    for step in (
        Step("zoo", zoo, "model.onnx", "--output", ("output", "force"), ("--force",)),
        Step("train", train, "trained.onnx", "--out", TRAINED, check=train_options.read_settings),
        Step(
            "sparsify",
            sparsify,
            "sparse.onnx",
            "--out",
            ("out", "force", "curves", "fine_tune", "lr"),
            ("--force",),
            sparsify_options.check_options,
        ),
        Step(
            "fine_tune",
            train,
            "tuned.onnx",
            "--out",
            (*TRAINED, "keep_zeros"),
            ("--keep-zeros",),
            train_options.read_settings,
        ),
        Step(
            "quantise",
            quantise,
            "int8.onnx",
            "--out",
            ("out", "force"),
            ("--force",),
            lambda options: quantising(options, options.data),
        ),
        Step(
            "build",
            build,
            "design",
            "--out",
            ("out", "audit", "validate", "quantise", "boards", "topology", *QUANTISING),
            check=build.check_options,
        ),
        Step("validate", validate),
        Step("audit", audit, owned=("html", "force")),
        Step("report", report, owned=("output", "force")),
    )
}


@dataclass(frozen=True)
class Flow:
    """A flow's file: where it and its results are, and the steps' own words of command line by
    name, in order. `files` are the paths among their options."""

    path: Path
    out: Path
    model: Path | None
    data: str
    test: str
    prepare: str
    pictures: int
    words: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, Mapping[str, Path]]


def read_flow(path: Path) -> Flow:
    """The flow that a file describes. Raises UsageError, which names file, field and remedy."""
    try:
        data = read_toml(path)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot be read ({error})",
            where=str(path),
            remedy="name a TOML file as docs/flow.md describes it",
        ) from None
    check_names(path, data)
    for name, kind in KEYS.items():
        if name in data and (type(data[name]) is not kind or (kind is int and data[name] < 0)):
            what = "text" if kind is str else "a whole number"
            raise UsageError(f"{data[name]!r} is not {what}", where=f"{path}, {name}")
    check_chain(path, data)
    top = {name: data.get(name, kind()) for name, kind in KEYS.items()}
    words: dict[str, tuple[str, ...]] = {}
    options: dict[str, dict[str, Any]] = {}
    files: dict[str, dict[str, Path]] = {}
    for step in STEPS.values():
        if step.name in data:
            keys = known_keys(step)
            shared = {k: top[k] for k in SHARED if top[k] and k in keys}
            given = shared | {k.replace("-", "_"): v for k, v in data[step.name].items()}
            files[step.name] = found = named_files(path.parent, given)
            words[step.name] = step_words(path, step, given, found)
            options[step.name] = {k: v for k, v in given.items() if k not in found}
    return Flow(
        path,
        path.parent / (top["out"] or f"{path.stem}_flow"),
        path.parent / top["model"] if top["model"] else None,
        str(resolved(path.parent, top["data"])),
        str(resolved(path.parent, top["test"])),
        str(resolved(path.parent, top["prepare"])),
        top["pictures"],
        words,
        options,
        files,
    )


def check_names(path: Path, data: Mapping[str, Any]) -> None:
    """Raise UsageError for keys and tables that a flow has not."""
    known = [*KEYS, *STEPS]
    for name, value in data.items():
        if name not in known:
            raise UsageError(
                f"a flow has no {name!r}{did_you_mean(name, known)}",
                where=f"{path}, {name}",
                remedy=f"keys are {', '.join(KEYS)}; tables are {', '.join(STEPS)}",
            )
        if name in STEPS and not isinstance(value, dict):
            raise UsageError(
                "is a step", where=f"{path}, {name}", remedy=f"make it a table: [{name}]"
            )


def check_chain(path: Path, data: Mapping[str, Any]) -> None:
    """Raise UsageError for steps without what they are about."""
    if ("model" in data) == ("zoo" in data):
        raise UsageError(
            "which network does it start from?",
            where=f"{path}, model",
            remedy='either model = "FILE.onnx" or a table [zoo] with network = "NAME"',
        )
    for name, step in STEPS.items():
        if name in data and step.judges and "build" not in data:
            raise UsageError(
                "there is no design", where=f"{path}, [{name}]", remedy="add a table [build]"
            )
    if data.get("pictures") and not ("validate" in data and "data" in data):
        raise UsageError(
            "the accelerator computes them when it is validated",
            where=f"{path}, pictures",
            remedy="add a table [validate], and data",
        )


def parser_of(step: Step, where: str = "") -> Parser:
    """A parser of the step's options, which raises UsageError."""
    parser = Told(prog=step.command.NAME, add_help=False, allow_abbrev=False)
    parser.where = where
    step.command.add_arguments(parser)
    return parser


class Told(Parser):
    """A parser whose errors name a table of a file, and the key."""

    where = ""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        found = ARGUMENT.match(message)
        key, reason = (found[1], found[2]) if found else ("", message)
        raise UsageError(
            suggested(reason),
            where=f"{self.where} {key.lower().replace('-', '_')}".strip(),
            remedy=f"`hlsgen {self.prog} --help` says what it takes",
        )


def known_keys(step: Step) -> dict[str, argparse.Action]:
    """The options that a table may set, by their long names with underscores."""
    found = {}
    for action in parser_of(step)._actions:
        names = [name for name in action.option_strings if name.startswith("--")]
        for name in names or ([action.dest] if step.command is zoo else []):
            found[name.lstrip("-").replace("-", "_")] = action
    return {name: action for name, action in found.items() if name not in step.owned}


def step_words(
    path: Path, step: Step, given: Mapping[str, Any], files: Mapping[str, Path]
) -> tuple[str, ...]:
    """A table as words of a command line. Raises UsageError for keys that it has not."""
    known = known_keys(step)
    words: list[str] = []
    for key, value in given.items():
        where = f"{path}, [{step.name}] {key}"
        if key in step.owned:
            raise UsageError(
                "the flow decides that",
                where=where,
                remedy=f"leave it out; what a table may set: {', '.join(known)}",
            )
        if key not in known:
            raise UsageError(
                f"`hlsgen {step.command.NAME}` has no option {key!r}{did_you_mean(key, known)}",
                where=where,
                remedy=f"choose from {', '.join(known)}",
            )
        words += option_words(where, known[key], files.get(key, value))
    return tuple(words)


def option_words(where: str, action: argparse.Action, value: Any) -> list[str]:
    """A key and its value as an option. Raises UsageError for values of another kind."""
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, (str, int, float, Path)) for item in items):
        raise UsageError(
            "is neither a number nor a text, nor a list of them",
            where=where,
            remedy="put a text in quotes",
        )
    if not action.option_strings:
        return [str(value)]
    flag = action.option_strings[-1]
    if (action.nargs == 0) != isinstance(value, bool):
        raise UsageError(
            f"{value!r} is not {'true or false' if action.nargs == 0 else 'a value that it takes'}",
            where=where,
        )
    if isinstance(value, bool):
        return [flag] * value
    if not isinstance(value, list):
        return [f"{flag}={value}"]
    if isinstance(action, argparse._AppendAction):
        return [f"{flag}={item}" for item in value]
    return [f"{flag}={','.join(map(str, value))}"]


def named_files(folder: Path, given: Mapping[str, Any]) -> dict[str, Path]:
    """The files among a table's values, by its keys."""
    texts = {key: value for key, value in given.items() if key in FILES and value}
    paths = {key: resolved(folder, value) for key, value in texts.items() if isinstance(value, str)}
    return {key: path for key, path in paths.items() if isinstance(path, Path)}


def resolved(folder: Path, value: str) -> Path | str:
    """The file that a value names, relative to a folder, else to where the command runs; the value
    itself where there is none, or where it is the name of a data set."""
    if not value or value in KNOWN:
        return value
    return next((path for path in (folder / value, Path(value)) if path.exists()), value)


def options_of(
    flow: Flow, step: Step, about: Path | None, extra: tuple[str, ...] = ()
) -> tuple[argparse.Namespace, list[str]]:
    """A step's options as its command takes them, and the words of that command. `about` is the
    network or design that it takes. Raises UsageError."""
    words = [str(about)] if about is not None else []
    if step.made:
        words.append(f"{step.output}={flow.out / step.made}")
    words += [*step.fixed, *flow.words[step.name], *extra]
    where = f"{flow.path}, [{step.name}]"
    options = parser_of(step, where).parse_args(words)
    return options, [step.command.NAME, *words]


def in_words_of(flow: Flow, step: Step, error: HlsgenError) -> HlsgenError:
    """A command's error as one of the flow's file: an option is a key of its table."""
    found = re.fullmatch(r"--([\w-]+)(?: (.*))?", error.where, re.S)
    place = f" {found[1].replace('-', '_')}" if found else f": {error.where}" * bool(error.where)
    return UsageError(error.reason, where=f"{flow.path}, [{step.name}]{place}", remedy=error.remedy)
