"""Waiting kernels yield in the emulator, and FIFOs are still exactly as deep as declared."""

import os
import subprocess
import sys

import pytest

from hlsgen.host import devices
from hlsgen.host.waiting import with_yielding_waits
from tests.support.paths import ROOT

# The producer fills the first FIFO before the second; the consumer empties the second first.
CROSSED = """
#pragma OPENCL EXTENSION cl_intel_channels : enable
channel float4 first __attribute__((depth(4)));
channel float4 second __attribute__((depth(4)));
__kernel void producer(const int count)
{
    for (int i = 0; i < count; ++i)
        write_channel_intel(first, (float4)(i));
    for (int i = 0; i < count; ++i)
        write_channel_intel(second, (float4)(10 * i));
}
__kernel void consumer(const int count, __global float4 *restrict out)
{
    for (int i = 0; i < count; ++i)
        out[i] = read_channel_intel(second);
    for (int i = 0; i < count; ++i)
        out[i] += read_channel_intel(first);
}
"""
RUN = """
import sys, time, os
import numpy as np, pyopencl as cl
source, count = sys.stdin.read(), int(sys.argv[1])
device = cl.get_platforms()[0].get_devices()[0]
context = cl.Context([device])
program = cl.Program(context, source).build()
out = np.zeros((count, 4), np.float32)
buffer = cl.Buffer(context, cl.mem_flags.WRITE_ONLY, out.nbytes)
queues = [cl.CommandQueue(context) for _ in range(2)]
events = [program.producer(queues[0], (1,), (1,), np.int32(count)),
          program.consumer(queues[1], (1,), (1,), np.int32(count), buffer)]
for queue in queues:
    queue.flush()
limit = time.monotonic() + 3
while time.monotonic() < limit and any(e.command_execution_status for e in events):
    time.sleep(0.01)
ended = not any(e.command_execution_status for e in events)
if ended:
    cl.enqueue_copy(queues[1], out, buffer)
print("right" if ended and (out == 11 * np.arange(count)[:, None]).all() else "blocked", flush=True)
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("count", "end"), [(1, "right"), (4, "right"), (5, "blocked")])
def test_depths_stay_exact(count, end):
    text = with_yielding_waits(CROSSED)
    assert "sched_yield" in text
    environment = devices.environment("emulator", 2) | {"PYTHONPATH": os.pathsep.join([str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(count)],
        input=text,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split()[-1:] == [end], done.stderr


def test_text_without_channels_stays_as_it_is():
    assert with_yielding_waits("__kernel void k(void) {}") == "__kernel void k(void) {}"
