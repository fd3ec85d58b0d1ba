"""Operators that hand the numbers of an integer feature map on as they are, so that float32 can
carry them: all that may stand between an integer input, such as a picture of bytes, and the cast
that makes numbers of it to compute with."""

from __future__ import annotations

import onnx

MOVES = frozenset(
    (
        "Concat",
        "DepthToSpace",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Reshape",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    )
)
# Of these, what joins several feature maps; the others move their first input.
JOINS = frozenset(("Concat",))

# What takes truth values.
LOGIC = frozenset(("And", "Cast", "Not", "Or", "Where", "Xor"))


def works_on_truth(node: onnx.NodeProto) -> bool:
    """Whether a node takes truth values as they are handed in."""
    return node.op_type in LOGIC


def moves_whole_numbers(node: onnx.NodeProto, whole: set[str]) -> bool:
    """Whether a node moves the integer values called `whole` that it reads, and nothing else."""
    places = [place for place, name in enumerate(node.input) if name in whole]
    return node.op_type in MOVES and (node.op_type in JOINS or places == [0])
