"""Networks as people build them, small, exported by torch's TorchScript exporter."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm(nn.LayerNorm):
    """Over the channels of (N, C, H, W), as ConvNeXt has it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, normalisation, two linear layers with GELU, a scale a channel, a residual."""

    def __init__(self, width: int):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.grow, self.shrink = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.rand(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.shrink(F.gelu(self.grow(y)))
        return x + y.permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, 4), LayerNorm(8), ConvNeXtBlock(8), LayerNorm(8),
        nn.Conv2d(8, 16, 2, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(16),
        nn.Linear(16, 10),
    )  # fmt: skip


class Attention(nn.Module):
    """Several heads, as timm writes them."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        qkv = self.qkv(x).reshape(batch, count, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q * (width // self.heads) ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, count, width))


class EncoderBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(approximate="tanh"), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.first(x))
        return x + self.mlp(self.second(x))


class ViT(nn.Module):
    """A convolution stem, a class token, position embeddings, two encoder blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 4, 4)
        )
        self.token = nn.Parameter(torch.randn(1, 1, 32))
        self.positions = nn.Parameter(torch.randn(1, 17, 32))
        self.blocks = nn.Sequential(EncoderBlock(32, 2), EncoderBlock(32, 4))
        self.head = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 10))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.blocks(x)[:, 0])


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, act=nn.SiLU):
    """Convolution, batch normalisation, activation."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


class Yolo(nn.Module):
    """A backbone with a split block and pooling, upsampling, a head whose boxes are expectations
    over 8 bins (DFL) around anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.down = conv(3, 16, 3, 2), conv(16, 16, 3, 2)
        self.first, self.inner, self.join = conv(16, 16), conv(8, 8, 3), conv(24, 16)
        self.deep, self.pooled = conv(16, 32, 3, 2), conv(64, 32)
        self.mix = conv(48, 16)
        self.boxes, self.classes = nn.Conv2d(16, 32, 1), nn.Conv2d(16, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.down(self.stem(x)))
        a, b = x.chunk(2, 1)
        x = self.join(torch.cat([a, b, b + self.inner(b)], 1))
        y = self.deep(x)
        pool = F.max_pool2d(y, 5, 1, 2)
        y = self.pooled(torch.cat([y, pool], 1))
        z = self.mix(torch.cat([F.interpolate(y, scale_factor=2.0, mode="nearest"), x], 1))
        boxes, classes = self.boxes(z).flatten(2), self.classes(z).flatten(2)
        bins = boxes.view(1, 4, 8, -1).transpose(2, 1).softmax(1)
        distance = F.conv2d(bins, torch.arange(8.0).view(1, 8, 1, 1)).view(1, 4, -1)
        size = int(boxes.shape[-1] ** 0.5)
        rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        anchors = torch.stack([columns.flatten(), rows.flatten()])[None] + 0.5
        low, high = distance.chunk(2, 1)
        first, last = anchors - low, anchors + high
        box = torch.cat([(first + last) / 2, last - first], 1) * 4
        return torch.cat([box, classes.sigmoid()], 1)


class Crnn(nn.Module):
    """Convolutions, a bidirectional LSTM over columns, a linear layer, log-softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv(1, 8, 3, 2, act=nn.ReLU), nn.MaxPool2d((2, 1)), conv(8, 16, 3, act=nn.ReLU)
        )
        self.recurrent = nn.LSTM(32, 12, bidirectional=True)
        self.head = nn.Linear(24, 11)

    def forward(self, x: Tensor) -> Tensor:
        y = self.features(x)
        columns = y.flatten(1, 2).permute(2, 0, 1)
        return F.log_softmax(self.head(self.recurrent(columns)[0]), 2)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = conv(3, 8, 3, act=nn.ReLU)
        self.deep = conv(8, 16, 3, act=nn.LeakyReLU)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.out = nn.Sequential(conv(16, 8, 3, act=nn.ReLU), nn.Conv2d(8, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        a = self.down(x)
        b = self.deep(F.max_pool2d(a, 2))
        up = self.up(b) + F.interpolate(b[:, :8], scale_factor=2, mode="bilinear")
        return self.out(torch.cat([a, up], 1)).argmax(1)


class MBConv(nn.Module):
    """An inverted residual with squeeze and excitation."""

    def __init__(self, width: int, act, gate):
        super().__init__()
        self.grow = conv(width, 3 * width, act=act)
        self.depthwise = conv(3 * width, 3 * width, 5, groups=3 * width, act=act)
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(3 * width, 6, 1), nn.ReLU(),
            nn.Conv2d(6, 3 * width, 1), gate(),
        )  # fmt: skip
        self.shrink = conv(3 * width, width, act=None)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(self.grow(x))
        return x + self.shrink(y * self.squeeze(y))


def classifier(*layers: nn.Module, width: int) -> nn.Module:
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


class Shuffle(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        half = width // 2
        self.branch = nn.Sequential(
            conv(half, half, act=nn.ReLU), conv(half, half, 3, groups=half, act=None),
            conv(half, half, act=nn.ReLU),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        y = torch.cat([a, self.branch(b)], 1)
        batch, channels, height, width = y.shape
        y = y.view(batch, 2, channels // 2, height, width).transpose(1, 2)
        return y.reshape(batch, channels, height, width)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convnext": (convnext, (1, 3, 32, 32)),
    "vit": (ViT, (1, 3, 32, 32)),
    "yolo": (Yolo, (1, 3, 32, 32)),
    "crnn": (Crnn, (1, 1, 8, 8)),
    "unet": (UNet, (1, 3, 16, 16)),
    "efficientnet": (
        lambda: classifier(conv(3, 8, 3, 2), MBConv(8, nn.SiLU, nn.Sigmoid), width=8),
        (1, 3, 16, 16),
    ),
    "mobilenet_v3": (
        lambda: classifier(
            conv(3, 8, 3, 2, act=nn.Hardswish), MBConv(8, nn.Hardswish, nn.Hardsigmoid), width=8
        ),
        (1, 3, 16, 16),
    ),
    "shufflenet": (
        lambda: classifier(conv(3, 16, 3, 2, act=nn.ReLU), Shuffle(16), Shuffle(16), width=16),
        (1, 3, 16, 16),
    ),
}


def exported(name: str, opset: int = 17) -> onnx.ModelProto:
    """A network as torch exports it, with seeded weights."""
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    module = make().eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 2)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.randn(shape),), file, opset_version=opset, dynamo=False,
            input_names=["x"],
        )  # fmt: skip
    return onnx.load_from_string(file.getvalue())
