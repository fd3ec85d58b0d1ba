"""`python -m hlsgen`."""

import os
import sys


def run() -> int:
    """The command line. Ctrl-C ends it in order from the start: importing the compiler takes a
    moment."""
    try:
        from hlsgen.cli.main import main
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr, flush=True)
        # Not by returning: where an extension's own Python code was interrupted, CPython would end
        # by the signal, whatever the status.
        os._exit(130)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "hlsgen":
            raise
        sys.exit(
            f"error: the package {error.name} is not installed\n  what to do: run `pip "
            "install .` in hlsgen's folder"
        )
    return main()


if __name__ == "__main__":
    sys.exit(run())
