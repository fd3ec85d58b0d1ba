"""Runs a design without channels on oclgrind: started by tests/cli/test_robustness.py in a process
of its own."""

import os
import sys

os.environ["OCL_ICD_VENDORS"] = sys.argv[2]  # before pyopencl is imported

import numpy as np
import pyopencl as cl

from hlsgen.host.design import HostDesign
from hlsgen.host.executor import Executor

design = HostDesign(sys.argv[1])
(platform,) = cl.get_platforms()
executor = Executor(design, platform.get_devices()[0], "sequential", tapped=False, images=1)
random = np.random.default_rng(0)
inputs = {
    e.name: random.standard_normal((1, *e.shape[1:]), dtype=np.float32)
    for e in design.manifest.inputs
}
list(executor.batches([inputs], [1], 120.0))
print("ran on", platform.name)
