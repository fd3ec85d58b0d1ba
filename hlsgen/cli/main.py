"""The command line's entry: parses arguments, runs a command, turns errors into one message."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence

from hlsgen.cli import (
    audit,
    boards,
    build,
    cache,
    calibrate,
    compare,
    completion,
    deploy,
    doctor,
    explore,
    flow,
    ops,
    quantise,
    reference,
    report,
    run,
    schema,
    sparsify,
    train,
    validate,
    zoo,
)
from hlsgen.cli.console import Console
from hlsgen.cli.parser import Misused, Parser
from hlsgen.cli.unforeseen import STATUS, told
from hlsgen.errors import HlsgenError, abbreviated
from hlsgen.host.errors import HostError
from hlsgen.interrupts import exit_status, polite_end
from hlsgen.version import __version__

COMMANDS = (
    flow,
    train,
    sparsify,
    quantise,
    build,
    validate,
    run,
    report,
    audit,
    explore,
    calibrate,
    compare,
    deploy,
    zoo,
    boards,
    schema,
    ops,
    doctor,
    cache,
    reference,
    completion,
)


def parser() -> argparse.ArgumentParser:
    """The argument parser with all commands."""
    top = Parser(
        prog="hlsgen",
        description="From an ONNX network to a verified Intel-FPGA OpenCL accelerator.",
        epilog="example: hlsgen zoo lenet5 -o lenet5.onnx && hlsgen build lenet5.onnx && hlsgen "
        "validate lenet5_design",
    )
    top.add_argument("--version", action="version", version=f"hlsgen {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        sub = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.HELP,
            epilog=f"example: {command.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.add_argument(
            "--json",
            action="store_true",
            help="print one JSON object on standard output and nothing else there",
        )
        sub.add_argument(
            "-q", "--quiet", action="store_true", help="print nothing but errors and warnings"
        )
        sub.set_defaults(execute=command.execute)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 success, 1 a check failed, 2 the input is at
    fault, 70 an internal error, 130 interrupted (128 and the signal's number)."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = parser().parse_args(given)
    except Misused as misused:
        if "--json" in given:
            print(json.dumps({"ok": False, "error": misused.message}))
        raise
    console, status = Console(options.json, options.quiet), 2
    try:
        with polite_end():
            return int(options.execute(options, console))
    except (HlsgenError, HostError) as error:
        message = abbreviated(str(error))
        if details := getattr(error, "details", ""):
            message, status = told(error, details, given), STATUS
    except KeyboardInterrupt as error:
        message, status = "interrupted", exit_status(error)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except MemoryError:
        message = "out of memory\n  what to do: use a smaller network or a machine with more memory"
    except OSError as error:
        message = f"{error.filename or 'file'}: {error.strerror or error}"
    except Exception as error:
        message, status = told(error, traceback.format_exc(), given), STATUS
    if options.json:
        print(json.dumps({"ok": False, "error": message}))
    console.error(message)
    return status
