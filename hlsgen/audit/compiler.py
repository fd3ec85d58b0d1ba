"""From OpenCL text to LLVM's IR: PoCL's clang, in processes of its own, and llvmlite, which reads
the bitcode."""

from __future__ import annotations

import atexit
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from importlib import metadata, resources, util
from math import ceil
from pathlib import Path

from hlsgen.errors import AuditError
from hlsgen.files import Scratch

INSTALL = "pip install 'hlsgen[audit]'"
PACKAGES = ("llvmlite", "pocl-binary-distribution")
# Unrolled where a pragma asks and only there; -g so that instructions know their lines.
OPTIONS = ("-cl-std=CL2.0", "-g", "-w")
# How aoc may round, but where a text says that it may not.
RELAXED = "-cl-fast-relaxed-math"
EXACT = "#pragma OPENCL FP_CONTRACT OFF"
# The exit status for a text that clang does not take.
REFUSED = 3
# The file, beside the bitcode, of what clang prints.
LOG = "clang.log"
# Seconds that a design may take; the largest of the zoo take a few.
TIMEOUT = 300.0


def missing() -> list[str]:
    """The packages of the extra `audit` that are not installed."""
    found = {"llvmlite": util.find_spec("llvmlite"), "pocl-binary-distribution": library()}
    return [name for name in PACKAGES if found[name] is None]


def check_installed() -> None:
    """Raise AuditError where the extra `audit` is not installed."""
    if absent := missing():
        raise AuditError(f"{' and '.join(absent)} not installed", where="audit", remedy=INSTALL)


def library() -> Path | None:
    """The library of PoCL that `pocl-binary-distribution` brings, or None."""
    try:
        files = metadata.files("pocl-binary-distribution") or ()
    except metadata.PackageNotFoundError:
        return None
    paths = [Path(str(f.locate())) for f in files if f.name.startswith("libpocl")]
    return next((path for path in paths if path.is_file()), None)


def prelude() -> str:
    """The text that makes OpenCL C of Intel's channels, up to line 1 of a design's own text."""
    return resources.files("hlsgen.audit").joinpath("prelude.h").read_text() + "#line 1\n"


def llvm_ir(text: str, timeout: float = TIMEOUT) -> str:
    """LLVM's IR, as text, of all kernels of an OpenCL text. Lines in it are those of `text`.

    Raises AuditError where the extra `audit` is not installed, the text does not compile, or
    `timeout` seconds pass.
    """
    check_installed()
    import llvmlite.binding as llvm

    return str(llvm.parse_bitcode(bitcode(prelude() + text, timeout)))


def bitcode(text: str, timeout: float) -> bytes:
    """The bitcode that PoCL's clang makes of an OpenCL text, before it becomes a program of a
    CPU."""
    with Scratch() as folder:
        options = OPTIONS if EXACT in text else (*OPTIONS, RELAXED)
        job = {"folder": folder, "options": options, "text": text, "seconds": ceil(timeout) + 1}
        status = WORKER.compile(job, timeout)
        log = Path(folder, LOG)
        printed = log.read_text(errors="replace") if log.is_file() else ""
        if status == REFUSED:
            raise AuditError(f"clang refuses the design's text\n{reason(printed)}", where="audit")
        made = next(Path(folder).rglob("program.bc"), None)
        if status or made is None:
            raise AuditError(f"PoCL failed\n{reason(printed)}", where="audit", remedy=INSTALL)
        return made.read_bytes()


class Worker:
    """A process that has imported what compiling needs, and forks for every text: so the start is
    paid once. It is started when it is needed, and leaves with this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.child: subprocess.Popen[str] | None = None

    def compile(self, job: Mapping[str, object], timeout: float) -> int:
        """The exit status of a job (`hlsgen.audit.worker`). Raises AuditError where it takes longer
        than `timeout` seconds."""
        with self.lock:
            if self.child is None or self.child.poll() is not None:
                self.child = self.started()
            try:
                return answered(self.child, json.dumps(job), timeout)
            except BaseException:  # an interrupt too must leave no clang behind
                self.end()
                raise

    def started(self) -> subprocess.Popen[str]:
        """A new process, the leader of a group of its own."""
        variables = os.environ | {
            # This library alone: another PoCL on the system may be of another LLVM.
            "OCL_ICD_VENDORS": str(library()),
            "PYOPENCL_NO_CACHE": "1",
            "OPENBLAS_NUM_THREADS": "1",  # a process with threads does not fork well
            "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path),
            "PYTHONSAFEPATH": "1",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "hlsgen.audit.worker"],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def end(self) -> None:
        """End the process, and what it has started."""
        child, self.child = self.child, None
        if child is not None:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()


def answered(child: subprocess.Popen[str], job: str, timeout: float) -> int:
    """The status that a worker answers a job with, -1 where it does not. Raises AuditError."""
    assert child.stdin is not None and child.stdout is not None
    try:
        print(job, file=child.stdin, flush=True)
    except OSError:
        return -1
    if not select.select([child.stdout], [], [], timeout)[0]:
        raise AuditError(f"clang did not finish within {timeout:g} s", where="audit")
    return int(child.stdout.readline() or -1)


WORKER = Worker()
atexit.register(WORKER.end)


def reason(log: str, most: int = 8) -> str:
    """The first errors of a compiler's log with the lines of the design's text, or its end where it
    names none."""
    lines = [
        re.sub(r"error: \S+\.cl:(\d+):\d+:", r"line \1:", line)
        for line in log.splitlines()
        if line.strip()
    ]
    return "\n".join([line for line in lines if line.startswith("line ")][:most] or lines[-most:])
