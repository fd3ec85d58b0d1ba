"""What every module provides that translates ONNX operators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from hlsgen.types import FLOAT32, DataType

if TYPE_CHECKING:
    from hlsgen.ops.importing import NodeImporter


class Importer(ABC):
    """Translates ONNX operators into layers, its own or other operators'."""

    # The ONNX operators it imports, each with what is supported of its attributes and inputs.
    onnx_types: ClassVar[Mapping[str, str]] = {}

    # Those of them that are not ONNX's own: onnxruntime's, of the domain com.microsoft.
    contributed: frozenset[str] = frozenset()
    # The types of feature maps that it reads.
    types: tuple[DataType, ...] = (FLOAT32,)
    # Inputs of its nodes that are weights where they are known: an input of the network that stands
    # there is one in ONNX's own cases.
    weight_places: tuple[int, ...] = ()

    # The operators whose layers it may make, beside its own.
    makes: tuple[str, ...] = ()
    # Those of them that few nodes become: a style that lacks them takes all others.
    rare: tuple[str, ...] = ()

    @abstractmethod
    def import_node(self, node: NodeImporter) -> None:
        """Translate one ONNX node into layers. Raises UnsupportedError for what no template
        covers."""
