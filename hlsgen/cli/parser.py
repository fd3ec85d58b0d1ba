"""An argument parser that suggests the likeliest of its choices for a misspelt one."""

from __future__ import annotations

import argparse
import re
import sys
from typing import NoReturn

from hlsgen.errors import did_you_mean

INVALID = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)$")


class Parser(argparse.ArgumentParser):
    """argparse's parser; its sub-parsers are of the same kind."""

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and raise Misused."""
        message = suggested(message)
        self.print_usage(sys.stderr)
        print(f"{self.prog}: error: {message}", file=sys.stderr)
        raise Misused(message)


def suggested(message: str) -> str:
    """A message of argparse's, with the likeliest choice where one was misspelt."""
    found = INVALID.search(message)
    if not found:
        return message
    return message + did_you_mean(found[1], (name.strip(" '") for name in found[2].split(",")))


class Misused(SystemExit):
    """The arguments are at fault: status 2, and what is wrong with them."""

    def __init__(self, message: str):
        super().__init__(2)
        self.message = message
