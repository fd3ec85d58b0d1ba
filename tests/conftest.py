"""Options of the test suite, and the cache of compiled programs that all its processes share."""

import os
import shutil
import tempfile


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden OpenCL texts")


def pytest_configure(config):
    """A new cache each time, so that no result of an earlier run hides anything."""
    if not hasattr(config, "workerinput"):  # xdist's workers have the environment of the process that starts them
        config.program_cache = os.environ["HLSGEN_CACHE"] = tempfile.mkdtemp(prefix="hlsgen-cache-")


def pytest_unconfigure(config):
    if hasattr(config, "program_cache"):
        shutil.rmtree(config.program_cache, ignore_errors=True)
