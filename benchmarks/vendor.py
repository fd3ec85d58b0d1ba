"""Fetches the JavaScript libraries of the explorer, and writes hlsgen/report/vendor anew.

bundles.json there says which packages, versions and files; this adds the SHA-256 of each file. A
package whose digest is recorded must still have it:

    python -m benchmarks.vendor            fetch what is recorded, compare, write
    python -m benchmarks.vendor --update   take new digests after a version was changed by hand
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

FOLDER = Path(__file__).parents[1] / "hlsgen" / "report" / "vendor"
REGISTRY = "https://registry.npmjs.org"


def address(bundle: dict[str, Any]) -> str:
    """Where a package lies."""
    package = bundle["package"]
    return f"{REGISTRY}/{package}/-/{package.split('/')[-1]}-{bundle['version']}.tgz"


def files(bundle: dict[str, Any]) -> dict[str, bytes]:
    """The files that are kept of a package, by the name that they have here."""
    with urlopen(address(bundle)) as answer:
        content = io.BytesIO(answer.read())
    found = {}
    with tarfile.open(fileobj=content) as packed:
        for source, name in bundle["files"].items():
            member = packed.extractfile(f"package/{source}")
            assert member is not None, source
            found[name] = member.read()
    return found


def refreshed(bundle: dict[str, Any], update: bool) -> dict[str, Any]:
    """Write a package's files; its entry with their digests. Raises SystemExit for others than
    those that are recorded."""
    digests = {}
    for name, content in files(bundle).items():
        digests[name] = hashlib.sha256(content).hexdigest()
        if not update and bundle.get("sha256", {}).get(name) != digests[name]:
            raise SystemExit(f"{name} of {address(bundle)} is another file than the recorded one")
        (FOLDER / name).write_bytes(content)
    return bundle | {"sha256": digests}


def main() -> None:
    """Fetch all packages."""
    record = FOLDER / "bundles.json"
    bundles = json.loads(record.read_text())
    new = [refreshed(bundle, "--update" in sys.argv[1:]) for bundle in bundles]
    record.write_text(json.dumps(new, indent=1) + "\n")


if __name__ == "__main__":
    main()
