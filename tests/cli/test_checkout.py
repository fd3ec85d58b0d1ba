"""In the root of a clone every command works: with hlsgen installed, installed as editable, and
with its dependencies alone."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from hlsgen.cli.main import COMMANDS
from tests.support.environments import new_environment
from tests.support.paths import ROOT

# `python -m hlsgen ...` several times in one process; `python -c` puts the current folder first, as
# `-m` does.
IN_ONE_PROCESS = """
import json, runpy, sys
for words in json.loads(sys.argv[1]):
    sys.argv = ["hlsgen", *words]
    try:
        runpy.run_module("hlsgen", run_name="__main__", alter_sys=True)
    except SystemExit as left:
        assert left.code == 0, words
import hlsgen, hlsgen.host.worker, hlsgen.templates
for module in (hlsgen, hlsgen.host, hlsgen.templates):
    print(module.__file__)
"""
HELP_OF_ALL = [[command.NAME, "--help"] for command in COMMANDS]


@pytest.fixture
def clone(tmp_path):
    """A copy of the sources with their links, as `git clone` makes it."""
    root = tmp_path / "clone"
    root.mkdir()
    for name in ("hlsgen", "host", "templates"):
        shutil.copytree(
            ROOT / name, root / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root)
    return root


@pytest.fixture
def run(tmp_path):
    """Runs Python in an environment that has hlsgen's dependencies, and not hlsgen."""
    folder = tmp_path / "env"
    site = new_environment(folder)
    # Not by system_site_packages: an editable hlsgen of this environment would be seen.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for library in (Path(sys.prefix) / "lib").glob("*"):
        if not (folder / "lib" / library.name).exists():
            (folder / "lib" / library.name).symlink_to(library)  # the emulator's
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONSAFEPATH")
    }

    def run(*arguments, cwd, fails=False, **more):
        command = [folder / "bin" / "python", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=cwd, env=variables | more, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    return run


def install(run, clone, *options):
    """Install a clone, from what is on this machine alone."""
    offline = (
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--ignore-installed",
        "--disable-pip-version-check",
    )
    run("-m", "pip", "install", "-q", *offline, *options, ".", cwd=clone)


def first_steps(run, cwd, others=(), **variables):
    """Other commands, zoo, build, validate, and the host alone. Returns where modules were
    found."""
    model = ["zoo", "lenet5", "--size", "16", "-o", "small.onnx"]
    words = json.dumps([*others, model, ["build", "small.onnx", "--style", "base"]])
    homes = run("-c", IN_ONE_PROCESS, words, cwd=cwd, **variables).splitlines()[-3:]
    verdict = json.loads(
        run("-m", "hlsgen", "validate", "small_design", "--json", cwd=cwd, **variables)
    )
    assert verdict["ok"] and verdict["images"] == 1
    assert any(
        device["channels"]
        for device in json.loads(
            run("-m", "hlsgen.host", "devices", cwd=cwd, OCL_ICD_VENDORS=emulator(), **variables)
        )
    )
    return homes


def emulator():
    return str(Path(sys.prefix) / "lib" / "libintelocl_emu.so")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [None, [], ["--editable"]], ids=["not installed", "installed", "editable"]
)
def test_every_command_in_the_root_of_a_clone(options, run, clone, tmp_path):
    if options is not None:
        install(run, clone, *options)
    homes = first_steps(run, clone, HELP_OF_ALL)
    assert all(Path(home).is_relative_to(clone) for home in homes), homes
    if options is None:
        assert "No module named" in run("-m", "hlsgen", "doctor", cwd=tmp_path, fails=True)
    else:  # elsewhere too, and the installed one is whole without the clone
        code = "import hlsgen.host.worker, hlsgen.templates; print(hlsgen.__file__)"
        assert Path(run("-c", code, cwd=tmp_path).strip()).is_relative_to(
            clone if options else tmp_path / "env"
        )


@pytest.mark.slow
def test_a_clone_on_the_path_works_from_any_folder(run, clone, tmp_path):
    """Relative on the path, and with another hlsgen in the current folder that the child must not
    import."""
    (tmp_path / "work" / "hlsgen" / "host").mkdir(parents=True)
    first_steps(
        run,
        tmp_path / "work" / "hlsgen",
        PYTHONPATH=os.path.relpath(clone, tmp_path / "work" / "hlsgen"),
    )
    for package in ("hlsgen", "hlsgen/host"):
        (tmp_path / "work" / package / "__init__.py").write_text(
            "raise ImportError('another hlsgen')"
        )
    code = (
        "import sys; sys.path[0] = sys.argv[1]; from hlsgen.host.runner import "
        "find_devices; print(find_devices('emulator'))"
    )
    assert "FPGA" in run("-c", code, clone, cwd=tmp_path / "work")


def test_a_missing_dependency_is_one_message(run, clone):
    hidden = (
        "import sys; sys.modules['jinja2'] = None; import runpy; "
        "runpy.run_module('hlsgen', run_name='__main__')"
    )
    message = run("-c", hidden, cwd=clone, fails=True)
    assert (
        "Traceback" not in message
        and "package jinja2 is not installed" in message
        and "pip install" in message
    )
