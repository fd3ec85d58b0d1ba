"""How the host runs a pipelined design: what it launches in which mode."""

from __future__ import annotations

from collections.abc import Sequence

from hlsgen.codegen.design import IMAGES, launch, run_mode
from hlsgen.codegen.pipelined_parts import LayerKernel, Parts
from hlsgen.codegen.weight_banks import bank_launches
from hlsgen.host.manifest import Argument, Launch, Run
from hlsgen.kernel.weight_banks import Bank


def pipelined_runs(parts: Parts, banks: Sequence[Bank], concurrent: bool) -> dict[str, Run]:
    """All ways; `concurrent`: whether kernels may run side by side."""
    first = [launch(joint.kernel, IMAGES) for joint in parts.joints if joint.receives]
    first += [launch(port.kernel, port.buffer, IMAGES) for port in parts.inputs]
    first += bank_launches(banks) or [
        launch(reader.kernel, "filters", IMAGES) for reader in parts.filters
    ]
    last = [launch(joint.kernel, IMAGES) for joint in parts.joints if not joint.receives]
    last += [launch(port.kernel, port.buffer, IMAGES) for port in parts.outputs]
    load = [launch("weight_loader", "weights")] * bool(parts.loading)
    apart = [stream.kernel for bank in banks for stream in bank.streams]
    middle = [each for layer in parts.layers for each in of_layer(layer, tap=True)]
    launches = [*load, *first, *(launch(kernel, IMAGES) for kernel in apart), *middle, *last]
    runs = {"sequential": run_mode(launches, options=["-DHLSGEN_SEQUENTIAL"])}
    if not concurrent:
        return runs
    alone = [layer for layer in parts.layers if layer.at.autorun]
    autorun = [layer.at.name for layer in alone]
    autorun += [kernel for layer in alone for kernel in layer.collector]
    resident = [
        each
        for layer in parts.layers
        if not layer.at.autorun
        for each in of_layer(layer, tap=False)
    ]
    # Kernels that the host launches for every batch read their weights anew each time.
    before, once = (load, []) if resident else ([], load)
    runs["concurrent"] = run_mode(
        [*before, *first, *resident, *last],
        options=["-DHLSGEN_EMULATION"],
        once=once,
        autorun=[*autorun, *apart],
    )
    return runs


def of_layer(layer: LayerKernel, tap: bool) -> list[Launch]:
    """A layer's kernels; with a `tap` it also stores its result."""
    name = layer.at.name
    taps = [Argument(buffer=tap_buffer(name), tap=True)] * tap
    sums = [Argument(buffer=scratch_buffer(name))] * layer.at.scratch
    collect = [launch(kernel, IMAGES) for kernel in layer.collector]
    return [*collect, launch(name, IMAGES, *taps, *sums)]


def tap_buffer(layer: str) -> str:
    """Where a layer's result is stored for checking."""
    return f"tap_{layer}"


def scratch_buffer(layer: str) -> str:
    """Where a layer's sums are, if they are in global memory."""
    return f"scratch_{layer}"
