"""`python -m hlsgen`."""

import sys

try:
    from hlsgen.cli.main import main
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] == "hlsgen":
        raise
    sys.exit(f"error: the package {error.name} is not installed\n  what to do: run `pip install .` in hlsgen's folder")

if __name__ == "__main__":
    sys.exit(main())
