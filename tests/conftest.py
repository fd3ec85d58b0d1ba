"""Options of the test suite, what all its processes share (threads, the cache of compiled
programs, plans), the order of tests, and who may use a device."""

import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from hlsgen.host.session import Session
from tests.support import plans


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden OpenCL texts")


def pytest_configure(config):
    """A new cache each time, so that no result of an earlier run hides anything."""
    if not hasattr(
        config, "workerinput"
    ):  # xdist's workers have the environment of the process that starts them
        # A worker a core: threads of torch and numpy that wait for each other would take the
        # others' time.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        config.shared = Path(tempfile.mkdtemp(prefix="hlsgen-tests-"))
        for variable, name in (("HLSGEN_CACHE", "programs"), (plans.FOLDER, "plans")):
            (config.shared / name).mkdir()
            os.environ[variable] = str(config.shared / name)


def pytest_unconfigure(config):
    if hasattr(config, "shared"):
        shutil.rmtree(config.shared, ignore_errors=True)


def pytest_collection_modifyitems(items):
    """What takes long comes first, so that xdist's workers end at about the same time; else the
    order stays."""
    items.sort(
        key=lambda item: [not item.get_closest_marker(mark) for mark in ("slow", "emulator")]
    )


def pytest_collection_finish():
    """Modules and collected tests stay: no collection of garbage looks at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def devices_where_marked_alone(request, monkeypatch):
    """`make quick` must not meet a device by chance: who uses one says so."""

    def refuse(*_):
        raise AssertionError("this test uses a device: mark it with @pytest.mark.emulator")

    if request.node.get_closest_marker("emulator") is None:
        monkeypatch.setattr(Session, "worker", refuse)
