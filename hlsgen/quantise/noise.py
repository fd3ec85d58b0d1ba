"""Noise of a quantised network's tensors, all errors before them included, by onnxruntime's own
debugger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from hlsgen.files import Scratch
from hlsgen.quantise.static import Reader


def carried_noise(
    model: onnx.ModelProto, quantised: onnx.ModelProto, inputs: np.ndarray
) -> Mapping[str, float]:
    """Ratio of signal to noise in dB by tensor name, over inputs `(N, ...)`, of what is quantised
    in a QDQ network. All tensors of all inputs are held at once, so take few."""
    from onnxruntime.quantization import qdq_loss_debug as debug

    found = []
    with Scratch() as folder:
        for index, network in enumerate((quantised, model)):
            plain, probe = (Path(folder) / f"{kind}{index}.onnx" for kind in ("plain", "probe"))
            onnx.save(network, plain)
            debug.modify_model_output_intermediate_tensors(plain, probe)
            found.append(debug.collect_activations(str(probe), Reader(model, inputs)))
    errors = debug.compute_activation_error(debug.create_activation_matching(*found))
    return {name: e["xmodel_err"] for name, e in errors.items() if "xmodel_err" in e}
