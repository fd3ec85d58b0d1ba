"""The process that compiles a text for the audit: OpenCL on standard input; PoCL leaves program.bc
in its cache."""

from __future__ import annotations

import sys
import warnings

import pyopencl as cl

from hlsgen.audit.compiler import REFUSED


def main() -> int:
    """Compile on the first device that the loader sees. Prints clang's log where it refuses."""
    warnings.simplefilter("ignore")  # pyopencl's, about a cache of its own
    device = cl.get_platforms()[0].get_devices()[0]
    program = cl.Program(cl.Context([device]), sys.stdin.read())
    try:
        program.compile(options=sys.argv[1:])
    except cl.Error:
        print(program.get_build_info(device, cl.program_build_info.LOG))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
