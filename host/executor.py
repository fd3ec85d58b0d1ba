"""Builds a design's program on a device and runs its launches. Lives in the worker process."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyopencl as cl

from .design import HostDesign
from .devices import is_board, is_emulator
from .errors import DeadlockError, HostError
from .guards import POISONS, Guarded
from .layout import apply_steps, pack, prepared, unpack
from .manifest import Buffer, Launch, Layout
from .programs import compiled, emulated
from .waiting import with_yielding_waits

# Batches of a pipelined design are limited so that their deep FIFOs stay below this many values.
BATCH_VALUES = 1 << 25
# Characters of a compiler's message that are shown.
MESSAGE = 4000


class Executor:
    """One design on one device in one mode ("sequential" or "concurrent").

    `tapped` builds the kernels so that every layer's result is stored; `images` is the largest
    batch. `poison`: which of the poisons is in and round all buffers, None: none is. Without
    `optimise` the emulator compiles without optimisation; other devices always optimise.

    A design may prepare the next batch while it computes this one (`ahead` in the manifest): its
    alternating buffers exist twice then, and `batches` swaps them.
    """

    def __init__(
        self,
        design: HostDesign,
        device: Any,
        mode: str,
        *,
        tapped: bool,
        images: int,
        poison: int | None = None,
        optimise: bool = True,
    ):
        self.design, self.mode, self.tapped = design, mode, tapped and mode == "sequential"
        self.poison, self.optimise = poison, optimise
        self.guards: dict[str, Guarded] = {}
        self.run = design.run(mode)
        self.batched = design.manifest.batched
        self.batch = self.batch_size(images)
        self.context = cl.Context([device])
        started = time.perf_counter()
        self.program = self.build(device)
        self.build_seconds = time.perf_counter() - started
        self.queues: dict[str, Any] = {}
        self.device = device
        self.ahead = self.run.ahead
        self.buffers = {
            name: self.buffer(name, entry)
            for name, entry in design.manifest.buffers.items()
            if self.tapped or not entry.tap  # taps exist in tapped builds alone
        }
        self.other = {
            name: self.buffer(f"{name} (other)", entry)
            for name, entry in design.manifest.buffers.items()
            if self.ahead and entry.alternating
        }
        self.swapped = False
        self.kernels: dict[tuple[int, bool], Any] = {}
        self.started_once = False

    def batch_size(self, images: int) -> int:
        """Images per launch: as many as the design takes; of a pipelined design all in concurrent
        mode, else as many as memory allows."""
        if not self.batched:
            return self.design.manifest.images
        if self.mode == "concurrent":
            return images
        values = sum(b.elements for b in self.design.manifest.buffers.values() if b.per_image)
        return max(1, min(images, BATCH_VALUES // max(values, 1)))

    def serves(self, images: int, optimise: bool) -> bool:
        """Whether this program is as good for so many images as one that is built for them."""
        if optimise and not self.optimise:
            return False
        if self.mode == "concurrent" and not is_board(self.device):
            return self.batch == self.batch_size(images)
        return self.batch >= self.batch_size(images)

    @property
    def endless(self) -> bool:
        """Whether kernels of this run go on polling their channels on the host's processor for
        ever."""
        return self.mode == "concurrent" and bool(self.run.autorun) and not is_board(self.device)

    def build(self, device: Any) -> Any:
        """The program, from source on emulators and CPUs, from the .aocx file on a board. Raises
        HostError."""
        name = self.design.manifest.name
        if is_board(device):
            image = self.design.path / "bin" / f"{name}.aocx"
            if not image.is_file():
                raise HostError(
                    f"{image} is missing: a board needs a compiled design",
                    remedy="run `make hardware` in the design directory",
                )
            self.design.check_bitstream(image)
            return cl.Program(self.context, [device], [image.read_bytes()]).build()
        uses_channels = "cl_intel_channels" in self.design.source
        if uses_channels and "cl_intel_channels" not in device.extensions:
            raise HostError(
                f"{device.name.strip()} has no Intel channels, which this design uses",
                remedy="validate on the emulator, or build with --disable channels",
            )
        options = [*self.design.manifest.options, *self.run.options]
        if self.batched:
            options.append(f"-DHLSGEN_IMAGES={self.batch}")
        if self.tapped:
            options.append("-DHLSGEN_TAP")
        if not self.optimise and is_emulator(device):
            options.append("-cl-opt-disable")
        # Of the devices without a compiled image the FPGA emulator alone has channels.
        source = with_yielding_waits(self.design.source)
        build = emulated if is_emulator(device) else compiled
        try:
            return build(self.context, device, source, options)
        except cl.RuntimeError as error:
            raise HostError(
                f"the kernels do not compile on {device.name.strip()}:\n{errors_of(str(error))}"
            ) from None

    def buffer(self, name: str, entry: Buffer) -> Any:
        """A device buffer, filled from the weights file where the manifest says so."""
        count = entry.elements * (self.batch if entry.per_image else 1)
        flags = cl.mem_flags
        if self.poison is not None:
            queue = self.queue("host")
            guard = self.guards[name] = Guarded(
                self.context, queue, count * np.dtype(entry.dtype).itemsize, POISONS[self.poison]
            )
            if entry.section is not None:
                cl.enqueue_copy(queue, guard.buffer, self.design.section(entry.section))
            return guard.buffer
        bank = bank_flag(entry) if is_board(self.device) else 0
        if entry.section is not None:
            array, kind = self.design.section(entry.section), flags.READ_ONLY | bank
            return cl.Buffer(self.context, kind | flags.COPY_HOST_PTR, hostbuf=array)
        return cl.Buffer(
            self.context, flags.READ_WRITE | bank, count * np.dtype(entry.dtype).itemsize
        )

    def queue(self, name: str) -> Any:
        """The queue of a launch: one in-order queue in sequential mode, else one a name."""
        key = "queue" if self.mode == "sequential" else name
        if key not in self.queues:
            self.queues[key] = cl.CommandQueue(self.context, self.device)
        return self.queues[key]

    def launch(self, item: Launch, images: int) -> Any:
        """Enqueue one launch of the manifest as a single work-item."""
        key = id(item), self.swapped
        kernel = self.kernels.get(key)
        if kernel is None:
            kernel = self.kernels[key] = cl.Kernel(self.program, item.kernel)
            self.set_arguments(kernel, item, images)
        elif self.batched:
            self.set_arguments(kernel, item, images)
        return cl.enqueue_nd_range_kernel(self.queue(item.queue), kernel, (1,), (1,))

    def set_arguments(self, kernel: Any, item: Launch, images: int) -> None:
        """Bind buffers and numbers. What is launched ahead works on the memories of the next
        batch."""
        buffers = self.buffers | (self.other if any(item is one for one in self.ahead) else {})
        position = 0
        for argument in item.arguments:
            if argument.tap and not self.tapped:
                continue
            if argument.buffer is not None:
                kernel.set_arg(position, buffers[argument.buffer])
            else:
                kernel.set_arg(position, np.int32(argument.value(images)))
            position += 1

    def write_inputs(self, inputs: dict[str, np.ndarray]) -> None:
        """Pack a batch of ONNX values `(images, ...)` into the input buffers.

        A design that takes several images a launch gets the last one again where there are fewer.
        """
        for port in self.design.manifest.inputs:
            layout, images = port.layout, inputs[port.name]
            if not self.batched:
                images = images[np.minimum(np.arange(self.batch), len(images) - 1)]
            for index, image in enumerate(images):
                kind = self.design.manifest.buffers[layout.buffer].dtype
                value = prepared(image[None], port.preparation, kind)
                canonical = apply_steps(value, port.steps)[0]
                # Only the tensor's own range is transferred: a feature memory holds all other
                # tensors too.
                host = pack(canonical, layout)
                cl.enqueue_copy(
                    self.queue("host"),
                    self.buffers[layout.buffer],
                    host,
                    dst_offset=self.offset(layout, index),
                )

    def read(self, layout: Layout, index: int) -> np.ndarray:
        """A tensor of image `index` of the batch, canonical `(C, H, W)`."""
        host = np.empty(layout.span, self.design.manifest.buffers[layout.buffer].dtype)
        cl.enqueue_copy(
            self.queue("host"),
            host,
            self.buffers[layout.buffer],
            src_offset=self.offset(layout, index),
        )
        return unpack(host, layout)

    def offset(self, layout: Layout, index: int) -> int:
        """Where a tensor of image `index` of the batch begins in its buffer, in bytes."""
        buffer = self.design.manifest.buffers[layout.buffer]
        before = index * buffer.elements if buffer.per_image else 0
        return (before + layout.first) * np.dtype(buffer.dtype).itemsize

    def batches(
        self, batches: Sequence[dict[str, np.ndarray]], sizes: Sequence[int], timeout: float
    ) -> Iterator[float]:
        """Run batches of inputs, each an array `(images, ...)` a name, of so many images, and yield
        the seconds that each took, its results being in the buffers.

        Raises DeadlockError, and HostError for a write into a margin.
        """
        for number, (inputs, images) in enumerate(zip(batches, sizes, strict=True)):
            if not self.ahead:
                self.write_inputs(inputs)
                yield self.execute(self.run.launches, images, timeout)
                continue
            prepared = 0.0
            if number == 0:
                self.write_inputs(inputs)
                prepared = self.execute(self.ahead, images, timeout)
            self.swap()
            # Nothing follows the last batch.
            more = number + 1 < len(batches)
            if more:
                self.write_inputs(batches[number + 1])
            launches = [*self.run.launches, *(self.ahead if more else ())]
            yield prepared + self.execute(launches, images, timeout)

    def swap(self) -> None:
        """What was prepared is now to be computed, and the other way round."""
        for name, buffer in self.other.items():
            self.buffers[name], self.other[name] = buffer, self.buffers[name]
        self.swapped = not self.swapped

    def execute(self, launches: Sequence[Launch], images: int, timeout: float) -> float:
        """Run launches on what is in the buffers. Returns the seconds they took."""
        # A blocking write returns when its source may change; other queues do not wait for it.
        self.queue("host").finish()
        started = time.perf_counter()
        items = [] if self.started_once else list(self.run.once)
        self.started_once = True
        events = [(item.kernel, self.launch(item, images)) for item in (*items, *launches)]
        for queue in self.queues.values():
            queue.flush()
        wait(events, timeout, self.run.autorun if self.mode == "concurrent" else ())
        seconds = time.perf_counter() - started
        damaged = [name for name, guard in self.guards.items() if not guard.intact()]
        if damaged:
            raise HostError(
                f"a kernel wrote outside buffer {damaged[0]}",
                remedy="report this design: its kernels are wrong",
            )
        return seconds

    def outputs(self, index: int) -> dict[str, np.ndarray]:
        """The network's outputs of image `index` as ONNX values."""
        return {
            port.name: apply_steps(self.read(port.layout, index)[None], port.steps)
            for port in self.design.manifest.outputs
        }

    def layers(self, index: int) -> dict[str, np.ndarray]:
        """Results of all layers that are in memory, by layer name, canonical `(C, H, W)`."""
        return {
            layer.name: self.read(layer.layout, index)
            for layer in self.design.manifest.layers
            if layer.layout.buffer in self.buffers
        }


def bank_flag(entry: Buffer) -> int:
    """Intel's flag for the bank of the memory in which a buffer lies (`CL_CHANNEL_1_INTELFPGA` to
    7)."""
    return entry.bank << 16


def wait(
    events: list[tuple[str, Any]],
    timeout: float,
    autorun: Sequence[str],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Poll events until all are complete. Raises DeadlockError with the kernels that are not,
    HostError for failures.

    A kernel that is blocked on a channel stays "running" for ever, so waiting on the event itself
    would never return.
    """
    limit, started, pending = time.monotonic() + timeout, time.monotonic(), list(events)
    while pending:
        pending = [(name, event) for name, event in pending if not complete(name, event)]
        now = time.monotonic()
        if pending and now > limit:
            names = list(dict.fromkeys(name for name, _ in pending))
            raise DeadlockError(names + [f"{name} (autorun)" for name in autorun], timeout)
        if pending and now - started > 0.005:
            sleep(min(0.02, (now - started) / 20))


def complete(name: str, event: Any) -> bool:
    """Whether an event is complete. Raises HostError when its kernel failed."""
    status = event.command_execution_status
    if status < 0:
        raise HostError(f"kernel {name} failed with OpenCL error {status}")
    return bool(status == cl.command_execution_status.COMPLETE)


def errors_of(text: str) -> str:
    """The errors of a compiler's message with the lines that show where, or all of a message that
    names none; no more than fits a screen or two."""
    lines = text.splitlines()
    marked = [n for n, line in enumerate(lines) if re.search(r"\berror\b", line, re.IGNORECASE)]
    shown = sorted({n + after for n in marked for after in range(3) if n + after < len(lines)})
    return "\n".join(lines[n] for n in shown)[:MESSAGE] if shown else text[:MESSAGE]
