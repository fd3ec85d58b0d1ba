"""Faults put into designs on purpose."""

from __future__ import annotations

from hlsgen.host.design import HostDesign


def change_kernels(design: HostDesign, old: str, new: str) -> HostDesign:
    """The design, its kernels with another text in place of one that stands there."""
    path = design.path / design.manifest.kernels[0]
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return design
