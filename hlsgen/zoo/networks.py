"""Well-known CNN topologies with seeded weights: real shapes for building and measuring, not
trained."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from hlsgen.zoo.builder import NetworkBuilder, scaled


def lenet5(size: int, width: float, seed: int) -> onnx.ModelProto:
    """LeNet-5 as in Chung and Abdelrahman (2022): two 3x3 convolutions, two average pools, dense
    120-84-10, softmax."""
    n = NetworkBuilder("lenet5", 1, size, seed)
    side = size
    x = "input"
    for index, filters in enumerate((6, 16), start=1):
        x = n.relu(n.conv(x, f"conv{index}", max(1, round(filters * width)), 3), f"relu{index}")
        x = n.pool("AveragePool", x, f"pool{index}", 2, 2)
        side = (side - 2) // 2
    x = n.flatten(x, n.channels[x] * side * side)
    x = n.relu(n.dense(x, "fc1", max(1, round(120 * width))), "relu3")
    x = n.relu(n.dense(x, "fc2", max(1, round(84 * width))), "relu4")
    return n.finish(n.node("Softmax", [n.dense(x, "fc3", 10)], "softmax", 10, axis=1))


def mobilenetv1(size: int, width: float, seed: int) -> onnx.ModelProto:
    """MobileNetV1: thirteen depthwise-separable blocks; BatchNormalization and ReLU6 after every
    convolution."""
    n = NetworkBuilder("mobilenetv1", 3, size, seed)

    def block(x: str, name: str, filters: int, kernel: int, stride: int, groups: int = 1) -> str:
        x = n.conv(
            x, name, filters, kernel, stride=stride, pad=kernel // 2, groups=groups, bias=False
        )
        return n.relu6(n.batch_norm(x, f"{name}_bn"), f"{name}_relu")

    x = block("input", "conv1", scaled(32, width), 3, 2)
    plan = [
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    ]
    for index, (filters, stride) in enumerate(plan, start=1):
        x = block(x, f"depthwise{index}", n.channels[x], 3, stride, n.channels[x])
        x = block(x, f"pointwise{index}", scaled(filters, width), 1, 1)
    return n.finish(n.dense(n.global_pool(x), "fc", 1000))


def mobilenetv2(size: int, width: float, seed: int) -> onnx.ModelProto:
    """MobileNetV2: inverted residual blocks with linear bottlenecks."""
    n = NetworkBuilder("mobilenetv2", 3, size, seed)

    def block(
        x: str,
        name: str,
        filters: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        relu: bool = True,
    ) -> str:
        x = n.conv(
            x, name, filters, kernel, stride=stride, pad=kernel // 2, groups=groups, bias=False
        )
        x = n.batch_norm(x, f"{name}_bn", 1.0 if relu else 0.5)
        return n.relu6(x, f"{name}_relu") if relu else x

    x = block("input", "conv1", scaled(32, width), 3, 2)
    index = 0
    for expand, filters, repeats, stride in INVERTED_RESIDUALS:
        for repeat in range(repeats):
            index += 1
            shortcut, step = x, stride if repeat == 0 else 1
            hidden = n.channels[x] * expand
            if expand != 1:
                x = block(x, f"expand{index}", hidden, 1)
            x = block(x, f"depthwise{index}", hidden, 3, step, hidden)
            x = block(x, f"project{index}", scaled(filters, width), 1, relu=False)
            if step == 1 and n.channels[shortcut] == n.channels[x]:
                x = n.add(shortcut, x, f"add{index}")
    x = block(x, "conv_last", scaled(1280, max(1.0, width)), 1)
    return n.finish(n.dense(n.global_pool(x), "fc", 1000))


INVERTED_RESIDUALS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def resnet(
    name: str, repeats: tuple[int, ...], bottleneck: bool, size: int, width: float, seed: int
) -> onnx.ModelProto:
    """ResNet for ImageNet: 7x7 stem, four stages, projection shortcuts where the shape changes."""
    n = NetworkBuilder(name, 3, size, seed)
    x = n.conv("input", "conv1", scaled(64, width), 7, stride=2, pad=3, bias=False)
    x = n.pool("MaxPool", n.relu(n.batch_norm(x, "conv1_bn"), "conv1_relu"), "maxpool", 3, 2, 1)
    for stage, count in enumerate(repeats, start=1):
        for index in range(1, count + 1):
            stride = 2 if stage > 1 and index == 1 else 1
            x = _residual_block(
                n,
                x,
                f"stage{stage}_block{index}",
                scaled(64 << (stage - 1), width),
                stride,
                bottleneck,
            )
    return n.finish(n.dense(n.global_pool(x), "fc", 1000))


def _residual_block(
    n: NetworkBuilder, x: str, name: str, filters: int, stride: int, bottleneck: bool
) -> str:
    shortcut, outputs = x, filters * 4 if bottleneck else filters
    layers = (
        [(filters, 1, 1), (filters, 3, stride), (outputs, 1, 1)]
        if bottleneck
        else [(filters, 3, stride), (filters, 3, 1)]
    )
    for index, (channels, kernel, step) in enumerate(layers, start=1):
        last = index == len(layers)
        x = n.conv(
            x, f"{name}_conv{index}", channels, kernel, stride=step, pad=kernel // 2, bias=False
        )
        x = n.batch_norm(x, f"{name}_bn{index}", 0.5 if last else 1.0)
        if not last:
            x = n.relu(x, f"{name}_relu{index}")
    if stride != 1 or n.channels[shortcut] != outputs:
        shortcut = n.conv(shortcut, f"{name}_project", outputs, 1, stride=stride, bias=False)
        shortcut = n.batch_norm(shortcut, f"{name}_project_bn")
    return n.relu(n.add(x, shortcut, f"{name}_add"), f"{name}_relu")


def cifar_resnet(name: str, repeats: int, size: int, width: float, seed: int) -> onnx.ModelProto:
    """ResNet for 32x32 pictures of ten classes (He et al., 2015, section 4.2): three stages of
    `repeats` blocks, 16 to 64 channels."""
    n = NetworkBuilder(name, 3, size, seed)
    x = n.relu(
        n.batch_norm(n.conv("input", "conv1", scaled(16, width), 3, pad=1, bias=False), "conv1_bn"),
        "conv1_relu",
    )
    for stage in range(1, 4):
        for index in range(1, repeats + 1):
            stride = 2 if stage > 1 and index == 1 else 1
            x = _residual_block(
                n, x, f"stage{stage}_block{index}", scaled(8 << stage, width), stride, False
            )
    return n.finish(n.dense(n.global_pool(x), "fc", 10))


def alexnet(size: int, width: float, seed: int) -> onnx.ModelProto:
    """AlexNet's five convolutions and three dense layers with 3x3 windows, for 32x32 pictures of
    ten classes."""
    n = NetworkBuilder("alexnet", 3, size, seed)
    x, side = "input", -(-size // 2)
    for index, (filters, pooled) in enumerate(
        ((64, True), (192, True), (384, False), (256, False), (256, True)), start=1
    ):
        x = n.conv(
            x, f"conv{index}", scaled(filters, width), 3, stride=2 if index == 1 else 1, pad=1
        )
        x = n.relu(x, f"relu{index}")
        if pooled:
            x, side = n.pool("MaxPool", x, f"pool{index}", 2, 2), side // 2
    x = n.flatten(x, n.channels[x] * side * side)
    for index in (6, 7):
        x = n.relu(
            n.dense(n.dropout(x, f"dropout{index}"), f"fc{index}", scaled(4096, width)),
            f"relu{index}",
        )
    return n.finish(n.dense(x, "fc8", 10))


def vgg16(size: int, width: float, seed: int) -> onnx.ModelProto:
    """VGG-16's thirteen 3x3 convolutions, with BatchNormalization, and two dense layers, for 32x32
    pictures of ten classes."""
    n = NetworkBuilder("vgg16", 3, size, seed)
    x, side = "input", size
    for block, (filters, repeats) in enumerate(
        ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1
    ):
        for index in range(1, repeats + 1):
            name = f"conv{block}_{index}"
            x = n.conv(x, name, scaled(filters, width), 3, pad=1, bias=False)
            x = n.relu(n.batch_norm(x, f"{name}_bn"), f"{name}_relu")
        x, side = n.pool("MaxPool", x, f"pool{block}", 2, 2), side // 2
    x = n.relu(
        n.dense(n.flatten(x, n.channels[x] * side * side), "fc1", scaled(512, width)), "fc1_relu"
    )
    return n.finish(n.dense(n.dropout(x, "dropout"), "fc2", 10))


def squeezenet(size: int, width: float, seed: int) -> onnx.ModelProto:
    """SqueezeNet 1.1: fire modules, whose two expansions are concatenated."""
    n = NetworkBuilder("squeezenet", 3, size, seed)
    x = n.relu(n.conv("input", "conv1", scaled(64, width), 3, stride=2), "conv1_relu")
    for index, (squeeze, expand) in enumerate(
        ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
    ):
        if index in (0, 2, 4):
            x = n.pool("MaxPool", x, f"pool{index // 2 + 1}", 3, 2, ceil=True)
        name = f"fire{index + 2}"
        x = n.relu(n.conv(x, f"{name}_squeeze", scaled(squeeze, width), 1), f"{name}_squeeze_relu")
        left = n.relu(
            n.conv(x, f"{name}_expand1x1", scaled(expand, width), 1), f"{name}_expand1x1_relu"
        )
        right = n.relu(
            n.conv(x, f"{name}_expand3x3", scaled(expand, width), 3, pad=1),
            f"{name}_expand3x3_relu",
        )
        x = n.concat([left, right], f"{name}_concat")
    x = n.relu(n.conv(x, "conv10", 1000, 1), "conv10_relu")
    return n.finish(n.global_pool(x))


def _cifar_resnet(depth: int) -> Callable[[int, float, int], onnx.ModelProto]:
    return lambda size, width, seed: cifar_resnet(
        f"resnet{depth}", (depth - 2) // 6, size, width, seed
    )


def _resnet(
    name: str, repeats: tuple[int, ...], bottleneck: bool = False
) -> Callable[[int, float, int], onnx.ModelProto]:
    return lambda size, width, seed: resnet(name, repeats, bottleneck, size, width, seed)


# Name -> (builder, default input size).
NETWORKS: dict[str, tuple[Callable[[int, float, int], onnx.ModelProto], int]] = {
    "lenet5": (lenet5, 28),
    "mobilenetv1": (mobilenetv1, 224),
    "mobilenetv2": (mobilenetv2, 224),
    "resnet18": (_resnet("resnet18", (2, 2, 2, 2)), 224),
    "resnet34": (_resnet("resnet34", (3, 4, 6, 3)), 224),
    "resnet50": (_resnet("resnet50", (3, 4, 6, 3), True), 224),
    "squeezenet": (squeezenet, 224),
    "alexnet": (alexnet, 32),
    "vgg16": (vgg16, 32),
    "resnet20": (_cifar_resnet(20), 32),
    "resnet56": (_cifar_resnet(56), 32),
    "resnet110": (_cifar_resnet(110), 32),
}
