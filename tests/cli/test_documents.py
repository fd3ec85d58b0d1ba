"""What the documents name is there: files, modules, classes' methods, options, decisions. Lines of
prose are at most 120 columns long."""

import argparse
import ast
import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path

import pytest

import hlsgen
import hlsgen.engines
import hlsgen.kernel
import hlsgen.ops
from hlsgen.cli.main import parser
from hlsgen.errors import UsageError
from hlsgen.schedule.knobs import parse_pins
from tests.support.paths import ROOT

DOCUMENTS = {
    str(path.relative_to(ROOT)): path
    for path in (
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
    )
}
COLUMNS = 120
# Folders from which a document may name a file.
FOLDERS = (ROOT, ROOT / "hlsgen", ROOT / "docs")
SOURCES = ("hlsgen", "host", "benchmarks", "tests", "examples")
# Files that a design, a run or a reader has, and no checkout.
ELSEWHERE = re.compile(r"\b(foo|mine|compiled)\b|<|NAME|OUT|DIR\b")
FILE = re.compile(r"[\w.*/<>-]*\w\.(?:py|j2|csv|json|md)\b|(?:[\w.-]+/)+(?![\w*<])")
# Pages that exist on the site alone: docs/hooks.py makes them.
GENERATED = set(re.findall(r'"([\w-]+\.md)": ', (ROOT / "docs" / "hooks.py").read_text()))
# Options of other programs, which the documents show.
TORCHRUN = ("--nnodes", "--nproc-per-node", "--node-rank", "--master-addr", "--master-port")
FOREIGN = {
    "--concurrent": "hlsgen_host",
    "--index-url": "pip",
    "--extra-index-url": "pip",
    **dict.fromkeys((*TORCHRUN, "--standalone"), "torchrun"),
}
# Names of aoc's that no source of hlsgen has, and of examples.
OTHERS = {"force_pow2_depth", "memory_impl", "loop_ivdep", "hld_ram", "foo_engine"}
# What a pin is set to where the documents leave the number open.
OPEN = re.compile(r"=[A-Z]\w*$")


@pytest.fixture(params=DOCUMENTS)
def text(request):
    """A document."""
    return DOCUMENTS[request.param].read_text()


def prose(text):
    """A text without its blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)


def spans(text):
    """What is marked as code: blocks and words."""
    blocks = re.findall(r"^```.*?^```", text, re.S | re.M)
    plain = prose(text)
    lines = [line for line in plain.splitlines() if line.startswith("    ")]
    return blocks + lines + re.findall(r"`([^`]+)`", plain)


@cache
def file_names():
    """The names of all files of the sources."""
    folders = [ROOT / name for name in (*SOURCES, "templates")]
    return {path.name for folder in folders for path in folder.rglob("*.*")}


def lost_files(text):
    """The files and folders of the checkout that a text names, and that are not there. Without a
    folder it may be a file in any."""
    lost = []
    for name in (name for span in spans(text) for name in FILE.findall(span)):
        known = any(name.split("/")[0] == path.name for f in FOLDERS for path in f.iterdir())
        if ELSEWHERE.search(name) or not ((known and "/" in name) or name.endswith((".py", ".j2"))):
            continue
        there = any(next(f.glob(name), None) for f in FOLDERS)
        lost += [] if there or ("/" not in name and name in file_names()) else [name]
    return lost


def lost_links(text, folder):
    """The targets of links that are not there."""
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    own = (target for target in targets if "://" not in target)
    own = (target for target in own if Path(target).name not in GENERATED)
    return [target for target in own if not (folder / target).exists()]


def lost_modules(text):
    """Modules, and what they hold, that are not there: `hlsgen.a.b`, `python -m benchmarks.c`."""
    names = re.findall(r"\b(?:hlsgen|benchmarks)(?:\.[A-Za-z_]\w*)+", "\n".join(spans(text)))
    return [name for name in names if not name.endswith((".git", ".json")) and not found(name)]


def found(name):
    """Whether a dotted name is a module, or in one."""
    try:
        importlib.import_module(name)
        return True
    except ModuleNotFoundError:
        owner, _, last = name.rpartition(".")
        return bool(owner) and found(owner) and hasattr(importlib.import_module(owner), last)


@cache
def words():
    """The words of all sources but the generated texts."""
    folders = [ROOT / name for name in (*SOURCES, "templates")]
    kinds = ("*.py", "*.j2", "*.json", "*.h")
    paths = (path for folder in folders for kind in kinds for path in folder.rglob(kind))
    own = (path for path in paths if path != Path(__file__))
    return set(re.findall(r"\w+", "\n".join(path.read_text() for path in own)))


def lost_words(text):
    """Names with an underscore that no source has."""
    marked = (FILE.sub("", span) for span in re.findall(r"`([^`]+)`", prose(text)))
    names = {name for span in marked for name in re.findall(r"\b[a-z]\w*_\w+\b", span)}
    return sorted(names - words() - OTHERS)


@cache
def classes():
    """The classes of operators, engines and descriptions of kernels, by name."""
    known = {}
    for package in (hlsgen.ops, hlsgen.engines, hlsgen.kernel):
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            members = dict(inspect.getmembers(module, inspect.isclass))
            known |= {n: c for n, c in members.items() if c.__module__ == info.name}
    return known


def lost_members(text):
    """`Class.member` where the class is known and has no such member."""
    named = [re.fullmatch(r"(\w+)\.(\w+)(?:\(.*)?", span) for span in spans(text)]
    pairs = [match.groups() for match in named if match and match[1] in classes()]
    return [f"{owner}.{name}" for owner, name in pairs if not has(classes()[owner], name)]


def has(kind, name):
    return hasattr(kind, name) or name in getattr(kind, "__dataclass_fields__", ())


@cache
def commands():
    """The options of every command of hlsgen."""
    actions = parser()._actions
    (subs,) = (a for a in actions if isinstance(a, argparse._SubParsersAction))
    return {name: set(sub._option_string_actions) for name, sub in subs.choices.items()}


@cache
def other_options():
    """The options of the programs in a checkout that are not hlsgen's commands."""
    folders = [ROOT / name for name in ("host", "benchmarks")]
    texts = [path.read_text() for folder in folders for path in folder.rglob("*.py")]
    return set(re.findall(r'"(--[a-z][\w-]+)"', "\n".join(texts)))


def lost_options(text):
    """Options that no program has, or not the command that is given them."""
    lost = []
    for line in "\n".join(spans(text)).splitlines():
        shown = re.match(r"\s*(?:\$ )?(?:python -m )?(?:hlsgen )?(\w+)\b", line)
        own = commands().get(shown[1]) if shown else None
        known = own or {*set().union(*commands().values()), *other_options(), *FOREIGN}
        options = re.findall(r"(?<![\w-])--[a-z][\w-]*", line.partition("#")[0])
        lost += [option for option in options if option not in known]
    return lost


def lost_pins(text):
    """Decisions that `--set` does not know."""
    joined = " ".join(spans(text))
    pins = re.findall(r"--set\s+([\w.]+=\w+)", joined) + re.findall(r"engines\.[\w.]+=\w+", joined)
    return [pin for pin in pins if refused(OPEN.sub("=1", pin))]


def refused(pin):
    try:
        return not parse_pins([pin])
    except UsageError:
        return True


def long_lines(text):
    """Lines of prose beyond the last column; tables and code may be longer."""
    lines = [line for line in prose(text).splitlines() if len(line) > COLUMNS]
    return [line for line in lines if not line.startswith(("|", "    "))]


def broken_code(text):
    """Lines of prose at whose end a word of code is not closed: nobody finds it, or copies it."""
    lines = [line for line in prose(text).splitlines() if line.count("`") % 2]
    return [line for line in lines if not line.startswith("    ")]


def rooms():
    """The rows of the picture of the rooms in docs/architecture.md, from the top."""
    picture = DOCUMENTS["docs/architecture.md"].read_text().split("```")[1]
    return [re.split(r"\s{2,}", line)[0].split() for line in picture.strip().splitlines()]


def imports(path):
    """The rooms of hlsgen that a module imports from, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hlsgen."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.ImportFrom) and node.module == "hlsgen":
            yield from (alias.name for alias in node.names)


def test_faults_are_found():
    assert lost_files("`schedule/gone.py`, `gone.py`, `docs/model.md`, `hlsgen/gone/`") == [
        "schedule/gone.py", "gone.py", "hlsgen/gone/",
    ]  # fmt: skip
    assert lost_links("[a](model.md), [b](gone.md)", ROOT / "docs") == ["gone.md"]
    assert len(GENERATED) == 4 and not lost_links("[a](cli.md)", ROOT / "docs")
    names = "`hlsgen.schedule.gone`, `python -m benchmarks.gone`, `hlsgen.load_graph(x)`"
    assert lost_modules(names) == ["hlsgen.schedule.gone", "benchmarks.gone"]
    assert lost_members("`Conv.gone`, `Conv.nest`, `Nest.sources`") == ["Conv.gone"]
    assert lost_words("`nest`, `indexed_weights`, `pipelined_gone`") == ["pipelined_gone"]
    assert lost_options("`hlsgen build M --copies 2 --lost 1`, `--gone`") == ["--lost", "--gone"]
    assert (
        lost_pins("`--set engines.outputs=8`, `--set c.unroll_oc=N`") == ["engines.outputs=8"] * 2
    )
    assert broken_code("a `make\ndemo` b\n`c`\n```\n`\n```\n") == ["a `make", "demo` b"]
    assert long_lines(f"{'a ' * 70}\n| {'a ' * 70}\n```\n{'a ' * 70}\n```\n") == ["a " * 70]


def test_files(text):
    assert not lost_files(text)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links(name):
    assert not lost_links(DOCUMENTS[name].read_text(), DOCUMENTS[name].parent)


def test_modules(text):
    assert not lost_modules(text)


def test_members(text):
    assert not lost_members(text)


def test_words(text):
    assert not lost_words(text)


def test_options(text):
    assert not lost_options(text)


def test_decisions(text):
    assert not lost_pins(text)


def test_columns(text):
    assert not long_lines(text)


def test_code_stays_on_its_line(text):
    assert not broken_code(text)


def test_the_readme_names_the_two_commands():
    """As they are typed, so that they can be copied."""
    text = DOCUMENTS["README.md"].read_text()
    assert "`make demo`" in text and "`make test`" in text


def test_every_room_is_in_the_picture():
    package = Path(hlsgen.__file__).parent
    there = {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert {room for row in rooms() for room in row} == {
        name for name in there if not name.startswith("__")
    }


def test_imports_look_down():
    package = Path(hlsgen.__file__).parent
    row = {room: number for number, names in enumerate(rooms()) for room in names}
    upwards = [
        f"{path.relative_to(package)}: {other}"
        for room in row
        for path in (package / f"{room}.py", *sorted((package / room).rglob("*.py")))
        if path.exists()
        for other in imports(path)
        if row[other] < row[room]
    ]
    assert not upwards
