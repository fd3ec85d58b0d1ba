"""The process that compiles a text for the audit: OpenCL on standard input; PoCL leaves program.bc in its cache."""

from __future__ import annotations

import sys
import warnings

import pyopencl as cl


def compile_text(text: str, options: list[str]) -> str:
    """Compile on the first device that the loader sees. Returns clang's log where it refuses."""
    device = cl.get_platforms()[0].get_devices()[0]
    program = cl.Program(cl.Context([device]), text)
    try:
        program.compile(options=options)
    except cl.Error:
        return program.get_build_info(device, cl.program_build_info.LOG)
    return ""


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # pyopencl's, about a cache of its own
    sys.exit(compile_text(sys.stdin.read(), sys.argv[1:]) or 0)
