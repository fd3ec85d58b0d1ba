"""What a design is made of, by content: every file's SHA-256, and one of the manifest itself.

A design is code: its kernels run on the device, and its manifest says where they read and write.
So a manifest or weights that are not those of the build are refused. Edited kernels are an
engineer's right: they run where they are compiled anew, and what is said of them names their own
hash; a bitstream that was compiled from others is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
# The manifest of a system of several boards, one folder above their designs.
SYSTEM = "system.json"
# Where `make` notes which sources a bitstream was compiled from, as sha256sum prints them.
SOURCES = ".sources"


def file_hash(path: Path) -> str:
    """The SHA-256 of a file. Raises OSError."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(CHUNK):
            digest.update(data)
    return digest.hexdigest()


def manifest_digest(content: Mapping[str, Any]) -> str:
    """The SHA-256 of a manifest's content without its own `digest`, whatever the order and the
    spaces of its text."""
    rest = {name: value for name, value in content.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def design_identity(folder: Path) -> str:
    """A hash of all that decides what a design computes: its manifest, which names the weights'
    hash, and the kernels as they are now; of a system, its manifest and its boards' designs. Raises
    OSError, ValueError, KeyError."""
    if (folder / SYSTEM).exists():
        content = json.loads((folder / SYSTEM).read_text())
        boards = [design_identity(folder / str(b["directory"])) for b in content["boards"]]
        return hashlib.sha256("\n".join((manifest_digest(content), *boards)).encode()).hexdigest()
    content = json.loads((folder / "design.json").read_text())
    kernels = [file_hash(folder / str(name)) for name in content["kernels"]]
    return hashlib.sha256("\n".join((manifest_digest(content), *kernels)).encode()).hexdigest()


def compiled_from(image: Path) -> dict[str, str]:
    """The sources that a bitstream was compiled from, with their SHA-256; none where `make` left no
    note."""
    try:
        lines = image.with_name(image.name + SOURCES).read_text(errors="replace").splitlines()
    except OSError:
        return {}
    parts = (line.partition(" ") for line in lines if line.strip())
    return {name.strip().removeprefix("*"): value for value, _, name in parts}
