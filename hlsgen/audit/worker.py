"""The process that compiles texts for the audit: a job, as JSON, a line of standard input, and its
exit status a line of standard output. PoCL leaves program.bc in the job's folder."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import pyopencl as cl

from hlsgen.audit.compiler import LOG, REFUSED


def compiled(job: dict[str, Any]) -> int:
    """In a fork: compile the job's text on the first device that the loader sees. What clang prints
    goes to a file of the folder, and so does the trace of what nobody foresaw."""
    signal.alarm(job["seconds"])  # nobody may be left who would end it
    os.environ["POCL_CACHE_DIR"] = job["folder"]  # read when PoCL is loaded, which is now
    with open(Path(job["folder"], LOG), "w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        device = cl.get_platforms()[0].get_devices()[0]
        program = cl.Program(cl.Context([device]), job["text"])
        try:
            program.compile(options=job["options"])
        except cl.Error:
            print(program.get_build_info(device, cl.program_build_info.LOG), file=log)
            return REFUSED
    return 0


def main() -> None:
    """Serve until standard input ends."""
    warnings.simplefilter("ignore")  # pyopencl's, about a cache of its own
    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                os._exit(compiled(json.loads(line)))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
