"""The site builds strictly; what the project says of itself agrees: version, extras, checks."""

import configparser
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

import hlsgen
from hlsgen.cli.main import COMMANDS
from tests.support.paths import ROOT

yaml = pytest.importorskip("yaml")


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("mkdocs"), reason="pip install 'hlsgen[docs]'")
def test_the_site_builds(tmp_path):
    """Every page is in its place, every link leads somewhere, every name of the API is found."""
    command = [sys.executable, "-m", "mkdocs", "build", "-q", "--strict", "-d", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = (tmp_path / "cli" / "index.html").read_text()
    assert all(f">hlsgen {command.NAME}<" in shown for command in COMMANDS)
    names = (tmp_path / "api" / "index.html").read_text()
    known = [name for name in dir(hlsgen) if not name.startswith("_")]
    assert all(f'id="hlsgen.{name}"' in names for name in known)
    assert (tmp_path / "notebook" / "index.html").is_file()


def read(path):
    return yaml.safe_load((ROOT / path).read_text())


def test_the_citation_is_of_this_version():
    citation = read("CITATION.cff")
    assert citation["version"] == hlsgen.__version__ and citation["license"] == "Apache-2.0"


def extras():
    """The requirements of every extra."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    found = settings["options.extras_require"].items()
    return {name: text.split("\n") for name, text in found}


def needed(name):
    """What an extra requires, those that it names included."""
    for line in filter(None, extras()[name]):
        inner = re.match(r"hlsgen\[(.*)\]", line)
        if inner:
            for other in inner[1].split(","):
                yield from needed(other)
        else:
            yield line


def test_all_brings_no_cuda():
    """And no more is left out than PyTorch, MPI, and what only developers need."""
    assert not [line for line in needed("all") if line.startswith("torch")]
    rest = {"train", "mpi", "examples", "docs", "dev", "all", "benchmark"}
    named = set(re.findall(r"\w+", "".join(extras()["all"]))) - {"hlsgen"}
    assert named == set(extras()) - rest
    assert any(line.startswith("torch") for line in needed("train"))


def test_the_workflows_run_what_the_project_runs():
    jobs = read(".github/workflows/checks.yml")["jobs"]
    runs = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    assert ".ci/run" in runs and "python -m mkdocs build --strict" in runs
    hooks = read(".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert {hook["entry"].split()[0] for hook in hooks} == {"ruff"}
    for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")):
        form = yaml.safe_load(path.read_text())
        assert form["name"] and form["description"] and form["body"], path
