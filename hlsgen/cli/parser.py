"""An argument parser that suggests the likeliest of its choices for a misspelt one."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from hlsgen.errors import did_you_mean

INVALID = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)$")


class Parser(argparse.ArgumentParser):
    """argparse's parser; its sub-parsers are of the same kind."""

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and leave with status 2."""
        found = INVALID.search(message)
        if found:
            message += did_you_mean(found[1], (name.strip(" '") for name in found[2].split(",")))
        super().error(message)
