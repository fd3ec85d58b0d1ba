"""Makes kernels that wait on a channel hand the processor over, in the emulator.

The emulator compiles a blocking channel call into a loop that polls until its time slice is over.
With more kernels than cores nearly all time goes into polling: a small MobileNet at its true FIFO
depths took 28 s an image, and takes 0.2 s where a call that cannot go on yields. Depths stay exact,
since a non-blocking call succeeds and fails on the same FIFO. The generated text is not touched; a
board never sees this.
"""

from __future__ import annotations

# The emulator resolves names that the program does not define among those of its process:
# `sched_yield` is the C library's.
YIELDING = """#pragma OPENCL EXTENSION cl_intel_channels : enable
extern int sched_yield(void);
#define read_channel_intel(end) ({ \\
    bool taken_; \\
    __typeof__(read_channel_nb_intel(end, &taken_)) value_; \\
    while (value_ = read_channel_nb_intel(end, &taken_), !taken_) sched_yield(); \\
    value_; })
#define write_channel_intel(end, vector) ({ \\
    const __typeof__(read_channel_nb_intel(end, (bool *)0)) value_ = (vector); \\
    while (!write_channel_nb_intel(end, value_)) sched_yield(); })
#define read_channel_nb_intel(end, taken) ({ \\
    const __typeof__(read_channel_nb_intel(end, taken)) \\
        value_ = read_channel_nb_intel(end, taken); \\
    if (!*(taken)) sched_yield(); \\
    value_; })
#line 1
"""


def with_yielding_waits(source: str) -> str:
    """The OpenCL text with blocking channel calls that yield; text without channels stays as it
    is."""
    return YIELDING + source if "cl_intel_channels" in source else source
