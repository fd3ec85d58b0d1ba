"""The process that compiles a text for the audit: OpenCL on standard input; PoCL leaves program.bc in its cache."""

from __future__ import annotations

import sys

import pyopencl as cl


def compile_text(text: str, options: list[str]) -> None:
    """Compile on the first device that the loader sees. Raises pyopencl.Error with clang's log."""
    device = cl.get_platforms()[0].get_devices()[0]
    cl.Program(cl.Context([device]), text).compile(options=options)


if __name__ == "__main__":
    try:
        compile_text(sys.stdin.read(), sys.argv[1:])
    except cl.Error as error:
        sys.exit(str(error))
