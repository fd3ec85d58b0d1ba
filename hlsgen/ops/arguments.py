"""What an ONNX node is given: attributes, and inputs that are constants.

Models are read as opset 17 and later write them (`frontend.model.TARGET_OPSET`; older ones are
converted). An argument that later opsets move from an attribute to an input is asked for with
`integers`, which knows both places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from hlsgen.errors import UnsupportedError


class NodeArguments:
    """One ONNX node and the constants of its network. `label` names the node in messages."""

    def __init__(self, node: onnx.NodeProto, constants: Mapping[str, np.ndarray], label: str):
        self.node, self.constants, self.label = node, constants, label
        self.attributes: dict[str, Any] = {
            a.name: onnx.helper.get_attribute_value(a) for a in node.attribute
        }

    @property
    def op_type(self) -> str:
        """The ONNX operator type."""
        return self.node.op_type

    def unsupported(self, reason: str, remedy: str = "") -> UnsupportedError:
        """An error that names this node."""
        return UnsupportedError(reason, where=self.label, remedy=remedy)

    def attribute(self, name: str, default: Any) -> Any:
        """An ONNX attribute, with bytes decoded and lists as tuples."""
        value = self.attributes.get(name, default)
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        if isinstance(value, float) and value != value:
            raise self.unsupported(f"attribute {name} is not a number", "export the network again")
        return tuple(value) if isinstance(value, list) else value

    def input_name(self, index: int) -> str | None:
        """The ONNX name of an input; None where it is absent."""
        if index >= len(self.node.input) or not self.node.input[index]:
            return None
        return str(self.node.input[index])

    def constant(self, index: int) -> np.ndarray | None:
        """The constant that input `index` is bound to, or None."""
        name = self.input_name(index)
        return None if name is None else self.constants.get(name)

    def need_constant(self, index: int, what: str) -> np.ndarray:
        """The constant at input `index`. Raises UnsupportedError when it is computed at run
        time."""
        value = self.constant(index)
        if value is None:
            raise UnsupportedError(
                f"its {what} is not a constant",
                where=self.label,
                remedy="store it as an initializer; weights computed at run time are not supported",
                needs_constant=[self.input_name(index) or ""],
            )
        return value

    def integers(self, index: int, name: str) -> tuple[int, ...] | None:
        """The integers that the node gives as its attribute `name` or as input `index`; None where
        it gives neither.

        Raises UnsupportedError when they are computed at run time.
        """
        if name in self.attributes:
            return tuple(int(n) for n in self.attributes[name])
        if self.input_name(index) is None:
            return None
        return tuple(int(n) for n in self.need_constant(index, name).ravel())
