"""What benchmarks keep: results of runs that are done, which a stop does not lose, and tables in
pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlsgen.explore.execute import cut_off


@dataclass(frozen=True)
class Finished:
    """Results of the runs that are done, a line of JSON each in `path`."""

    path: Path

    def lines(self) -> Iterator[dict[str, Any]]:
        """Keys and results; a line that a stop cut off is left out."""
        for line in self.path.read_bytes().splitlines() if self.path.is_file() else ():
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and found.keys() == {"key", "result"}:
                    yield found

    def results(self) -> list[Any]:
        """Those of all runs."""
        return [line["result"] for line in self.lines()]

    def result(self, key: dict[str, Any]) -> Any:
        """The result of the run that `key` describes; None where it is not done."""
        wanted = json.loads(json.dumps(key))
        return next((line["result"] for line in self.lines() if line["key"] == wanted), None)

    def make(self, key: dict[str, Any], run: Callable[[], Any]) -> None:
        """Run and note it, unless it is done."""
        if self.result(key) is None:
            line = json.dumps({"key": key, "result": run()})
            with open(self.path, "a") as file:
                file.write("\n" * cut_off(self.path) + line + "\n")


def put_into(document: Path, name: str, text: str) -> None:
    """Replace what stands between the lines that begin with `<!-- name` and with `<!-- end`."""
    before, mark, rest = document.read_text().partition(f"<!-- {name}")
    first, _, rest = rest.partition("\n")
    after = rest[rest.index("<!-- end") :]
    document.write_text(f"{before}{mark}{first}\n\n{text}\n\n{after}")
