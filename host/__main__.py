"""`python -m hlsgen.host`, or `python -m host` beside a copy of this folder: runs or checks a
design without the compiler."""

from __future__ import annotations

import argparse
import json
import sys

from .archive import load_arrays, save_arrays
from .bench import bench
from .design import HostDesign
from .errors import HostError
from .finite import non_finite, warning
from .ranks import run_rank, world
from .reference import read_reference
from .runner import find_devices, run
from .system import SystemDesign, open_design
from .validation import validate


def parser() -> argparse.ArgumentParser:
    """The argument parser."""
    top = argparse.ArgumentParser(
        prog=f"python -m {__package__}",
        description="Run or check a design directory; needs numpy and pyopencl alone.",
    )
    commands = top.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="run a design and compare with stored references")
    check.add_argument("design")
    check.add_argument("reference", help=".npz file written by `hlsgen reference`")
    check.add_argument(
        "--strict", action="store_true", help="all kernels at once over FIFOs of their true depth"
    )
    execute = commands.add_parser("run", help="run a design, or one row of a system's boards")
    execute.add_argument("design")
    execute.add_argument("input", help=".npz file with one array (N, ...) for each input")
    execute.add_argument("output", help=".npz file to write")
    measure = commands.add_parser(
        "bench", help="measure images a second and latency, beside the prediction"
    )
    measure.add_argument("design")
    measure.add_argument("--images", type=int, default=64, help="for the throughput (default 64)")
    measure.add_argument(
        "--launches", type=int, default=64, help="single ones, for the latency (default 64)"
    )
    measure.add_argument("--json", action="store_true", help="print one JSON object")
    ranks = commands.add_parser(
        "ranks", help="run a system with a process a board, started by mpirun or srun"
    )
    ranks.add_argument("design")
    ranks.add_argument("input", help=".npz file with one array (N, ...) for each input")
    ranks.add_argument("output", help=".npz file that process 0 writes")
    ranks.add_argument("--links", default="", help="a new folder, for the links of emulated boards")
    for command in (check, execute, measure, ranks):
        command.add_argument(
            "--device", default="emulator", help="emulator, cpu, pocl, board, or a device number"
        )
        command.add_argument(
            "--timeout", type=float, default=120.0, help="seconds until a run counts as deadlocked"
        )
    commands.add_parser("devices", help="list OpenCL devices")
    return top


def warn(found: dict[str, dict[str, int]]) -> None:
    """Tell of NaN and infinities in results, on standard error."""
    if found:
        print(f"warning: {warning(found)}", file=sys.stderr)


def take_rank(design: HostDesign, options: argparse.Namespace) -> int:
    """Run one board of a system. An error ends the processes of all boards."""
    if not isinstance(design, SystemDesign):
        raise HostError(f"{options.design} is no system", remedy="run it with `run`")
    comm = world()
    try:
        outputs = run_rank(
            design,
            load_arrays(options.input),
            comm,
            device=options.device,
            timeout=options.timeout,
            links=options.links,
        )
    except (HostError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        comm.Abort(2)
        return 2
    if outputs is not None:
        save_arrays(options.output, outputs)
        warn(non_finite(outputs))
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; status 0 right, 1 wrong, 2 the input is at fault."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "devices":
            print(json.dumps(find_devices("system")))
            return 0
        design = open_design(options.design)
        if options.command == "ranks":
            return take_rank(design, options)
        if options.command == "check":
            reference = read_reference(options.reference)
            verdict, _ = validate(
                design,
                reference.inputs,
                reference,
                device=options.device,
                strict=options.strict,
                timeout=options.timeout,
            )
            print(json.dumps(verdict))
            warn(verdict.get("non_finite", {}))
            return 0 if verdict["ok"] else 1
        if options.command == "bench":
            measured = bench(
                design,
                images=options.images,
                launches=options.launches,
                device=options.device,
                timeout=options.timeout,
            )
            lines = [json.dumps(measured.as_dict())] if options.json else measured.lines()
            print(*lines, sep="\n")
            return 0
        images = load_arrays(options.input)
        result = run(design, images, device=options.device, timeout=options.timeout)
        save_arrays(options.output, result.outputs)
        warn(non_finite(result.outputs))
        return 0
    except (HostError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
