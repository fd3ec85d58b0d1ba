"""A stage as a torch module."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from hlsgen.errors import PlanError
from hlsgen.frontend.training import Origin, Trainable
from hlsgen.graph import Port
from hlsgen.ops.conv import ConvAttributes
from hlsgen.train.cut import Part
from hlsgen.train.layers import Mode, Tensor, forward

# Weights of BatchNormalization that follow the batches instead of being learnt.
RUNNING = ("mean", "variance")


class PartModule(nn.Module):
    """The layers of a part, with feature maps in torch's layout `channels_last` or not. Its learnt
    weights are `weights`, its running statistics `running`, keyed by ONNX initializer.

    A weight that only one layer uses lies as the layer wants it, so that every use of it, in
    backward passes too, is the one copy itself; only weights that layers share, repeat or fill with
    zeros are copied when they are used.
    """

    def __init__(
        self, network: Trainable, part: Part, device: str = "cpu", channels_last: bool = False
    ):
        super().__init__()
        self.part, self.mode, self.channels_last = part, Mode(), channels_last
        self.ports = network.graph.inputs if part.first else ()
        self.fixed: dict[tuple[str, str], Tensor] = {}
        self.slots: dict[tuple[str, str], Slot] = {}
        learnt: dict[str, Tensor] = {}
        running: dict[str, Tensor] = {}
        owners = [origin.initializer for origin in network.origins.values()]
        for layer in part.layers:
            for what, value in layer.weights.items():
                origin = network.origins.get((layer.name, what))
                if origin is None:
                    self.fixed[layer.name, what] = torch.from_numpy(value.copy()).to(device)
                    continue
                array = network.values[origin.initializer]
                slot = Slot.make(
                    origin, value.shape, array.shape, owners.count(origin.initializer) == 1
                )
                self.slots[layer.name, what] = slot
                target = running if what in RUNNING else learnt
                tensor = torch.from_numpy(slot.stored(array)).to(device)
                if (
                    channels_last
                    and isinstance(layer.attributes, ConvAttributes)
                    and tensor.dim() == 4
                ):
                    tensor = tensor.contiguous(memory_format=torch.channels_last)
                target[slot.name] = tensor
        self.weights = {name: nn.Parameter(value) for name, value in learnt.items()}
        self.running = running
        for number, weight in enumerate(self.weights.values()):
            self.register_parameter(
                f"weight{number}", weight
            )  # so that torch's own tools find them

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The tensors that leave the part, for those that enter it; the first part takes the
        network's own input."""
        if self.part.first:
            values = {port.tensor: self.laid_out(canonical(inputs[0], port)) for port in self.ports}
        else:
            values = dict(zip(self.part.inputs, inputs, strict=True))
        for layer in self.part.layers:
            weights = {what: self.weight(layer.name, what) for what in layer.weights}
            values[layer.output] = forward(
                layer, weights, [values[name] for name in layer.inputs], self.mode
            )
        return tuple(values[name] for name in self.part.outputs)

    def laid_out(self, x: Tensor) -> Tensor:
        """A feature map in the layout of the stage."""
        return x.contiguous(memory_format=torch.channels_last) if self.channels_last else x

    def weight(self, layer: str, what: str) -> Tensor:
        """A layer's weight in the layer's shape."""
        slot = self.slots.get((layer, what))
        if slot is None:
            return self.fixed[layer, what]
        return slot.weight(self.weights.get(slot.name, self.running.get(slot.name)))

    def values(self) -> dict[str, np.ndarray]:
        """All weights and statistics as the ONNX file holds them, by initializer."""
        found = {}
        for slot in self.slots.values():
            tensor = (
                self.weights[slot.name] if slot.name in self.weights else self.running[slot.name]
            )
            found[slot.name] = slot.restored(tensor.detach().cpu().numpy())
        return found


class Slot:
    """Where a layer finds a weight: in an initializer's tensor, as it lies or through `index`."""

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        kept: tuple[int, ...],
        order: np.ndarray | None,
        index: np.ndarray | None,
    ):
        self.name, self.shape, self.kept, self.order = name, shape, kept, order
        self.index, self.zero = index, None if index is None or index.min() >= 0 else index < 0

    @classmethod
    def make(
        cls, origin: Origin, shape: tuple[int, ...], kept: tuple[int, ...], alone: bool
    ) -> Slot:
        """A slot for a weight of `shape` whose initializer has shape `kept`; `alone` says that
        nothing else uses it."""
        index = origin.index
        if (
            index is not None
            and alone
            and len(np.unique(index)) == index.size == np.prod(kept)
            and index.min() == 0
        ):
            return cls(origin.initializer, shape, kept, index, None)
        return cls(origin.initializer, shape, kept, None, index)

    def stored(self, array: np.ndarray) -> np.ndarray:
        """The initializer as the tensor keeps it."""
        flat: np.ndarray = array.ravel()
        kept: np.ndarray
        if self.order is not None:
            kept = flat[self.order].reshape(self.shape)
        else:
            kept = flat.reshape(self.shape if self.index is None else self.kept).copy()
        return kept

    def restored(self, array: np.ndarray) -> np.ndarray:
        """The tensor as the initializer wants it."""
        flat = array.flatten()
        if self.order is not None:
            flat[self.order] = array.ravel()
        wanted: np.ndarray = flat.reshape(self.kept)
        return wanted

    def weight(self, tensor: Tensor | None) -> Tensor:
        """The layer's weight."""
        assert tensor is not None
        if self.index is None:
            return tensor.view(self.shape)
        picked = tensor.flatten()[torch.from_numpy(self.index).to(tensor.device)]
        zero = None if self.zero is None else torch.from_numpy(self.zero).to(tensor.device)
        return (picked if zero is None else picked.masked_fill(zero, 0.0)).view(self.shape)


def canonical(x: Tensor, port: Port) -> Tensor:
    """A minibatch of the network's input as `(N, C, H, W)`."""
    view = port.view
    if view.keeps_order:
        return x.reshape(len(x), *view.shape[1:])
    index = view.invert(np.arange(int(np.prod(view.value_shape))).reshape(view.value_shape)).ravel()
    return x.flatten(1)[:, torch.from_numpy(index)].view(len(x), *view.shape[1:])


def check_sharing(network: Trainable, parts: Sequence[Part]) -> None:
    """Raise PlanError when two stages would share a weight."""
    seen: dict[str, int] = {}
    for stage, part in enumerate(parts):
        for layer in part.layers:
            for what in layer.weights:
                origin = network.origins.get((layer.name, what))
                if origin is not None and seen.setdefault(origin.initializer, stage) != stage:
                    raise PlanError(
                        f"stages {seen[origin.initializer] + 1} and {stage + 1} would "
                        "share initializer "
                        f"{origin.initializer}",
                        where="--cut",
                        remedy="cut so that its layers are in one stage",
                    )
