"""From OpenCL text to LLVM's IR: PoCL's clang, in a process of its own, and llvmlite, which reads
the bitcode."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata, resources, util
from pathlib import Path

from hlsgen.errors import AuditError

INSTALL = "pip install 'hlsgen[audit]'"
PACKAGES = ("llvmlite", "pocl-binary-distribution")
# Unrolled where a pragma asks and only there; -g so that instructions know their lines.
OPTIONS = ("-cl-std=CL2.0", "-g", "-w")
# How aoc may round, but where a text says that it may not.
RELAXED = "-cl-fast-relaxed-math"
EXACT = "#pragma OPENCL FP_CONTRACT OFF"
# The worker's exit status for a text that clang does not take.
REFUSED = 3
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
    with tempfile.TemporaryDirectory(prefix="hlsgen-audit-") as folder:
        variables = os.environ | {
            # This library alone: another PoCL on the system may be of another LLVM.
            "OCL_ICD_VENDORS": str(library()),
            "POCL_CACHE_DIR": folder,
            "PYOPENCL_NO_CACHE": "1",
            "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path),
            "PYTHONSAFEPATH": "1",
        }
        options = OPTIONS if EXACT in text else (*OPTIONS, RELAXED)
        command = [sys.executable, "-m", "hlsgen.audit.worker", *options]
        try:
            done = subprocess.run(
                command,
                input=text,
                env=variables,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AuditError(f"clang did not finish within {timeout:g} s", where="audit") from None
        if done.returncode == REFUSED:
            raise AuditError(
                f"clang refuses the design's text\n{reason(done.stdout)}", where="audit"
            )
        made = next(Path(folder).rglob("program.bc"), None)
        if done.returncode or made is None:
            raise AuditError(f"PoCL failed\n{reason(done.stderr)}", where="audit", remedy=INSTALL)
        return made.read_bytes()


def reason(log: str, most: int = 8) -> str:
    """The first errors of a compiler's log with the lines of the design's text, or its end where it
    names none."""
    lines = [
        re.sub(r"error: \S+\.cl:(\d+):\d+:", r"line \1:", line)
        for line in log.splitlines()
        if line.strip()
    ]
    return "\n".join([line for line in lines if line.startswith("line ")][:most] or lines[-most:])
