"""Forty small networks in the words of people who write them in torch, each with the shape of its
input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Shape = tuple[int, ...]
PICTURE = (1, 3, 16, 16)


@dataclass(frozen=True)
class Pattern:
    """A network: makes the module, whose `dtype` input has `shape`."""

    make: Callable[[], nn.Module]
    shape: Shape = PICTURE
    dtype: torch.dtype = torch.float32


class Do(nn.Module):
    """Modules by name, and a function of them and the input."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor], **modules: nn.Module):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """The function of the input."""
        result: Tensor = self.function(self, x)
        return result


def conv(inputs: int = 3, outputs: int = 8, kernel: int = 3, **options: Any) -> nn.Conv2d:
    """A convolution that keeps the size."""
    options.setdefault("padding", kernel // 2)
    return nn.Conv2d(inputs, outputs, kernel, **options)


def block(*layers: nn.Module) -> nn.Module:
    """A convolution and what follows."""
    return nn.Sequential(conv(), *layers)


def normalised(outputs: int, inputs: int = 3, **options: Any) -> nn.Module:
    """Convolution, normalisation, activation."""
    return nn.Sequential(conv(inputs, outputs, **options), nn.BatchNorm2d(outputs), nn.ReLU())


def attention(m: Any, x: Tensor) -> Tensor:
    """Every pixel looks at every other."""
    y = m.c(x)
    q, k, v = (part(y).flatten(2) for part in (m.q, m.k, m.v))
    weights = (q.transpose(1, 2) @ k / 2).softmax(-1)
    looked: Tensor = (v @ weights.transpose(1, 2)).view(y.shape[0], 8, y.shape[2], y.shape[3])
    result: Tensor = looked + y
    return result


def shuffle(x: Tensor, groups: int) -> Tensor:
    """The channel shuffle of ShuffleNet."""
    n, c, h, w = x.shape
    grouped: Tensor = x.view(n, groups, c // groups, h, w).transpose(1, 2)
    return grouped.reshape(n, c, h, w)


def focus(x: Tensor) -> Tensor:
    """Neighbouring pixels become channels, as in YOLOv5."""
    return torch.cat([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)


def excited(m: Any, x: Tensor) -> Tensor:
    """Squeeze and excitation, with linear layers."""
    y = m.c(x)
    n, c = y.shape[:2]
    gate: Tensor = torch.sigmoid(m.up(F.relu(m.down(y.mean((2, 3))))))
    result: Tensor = y * gate.view(n, c, 1, 1)
    return result


def prepared(m: Any, x: Tensor) -> Tensor:
    """A picture of bytes, height by width by colours, prepared in the network."""
    y = x.permute(0, 3, 1, 2).float() / 255.0
    mean, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.4, 0.5, 0.6), (0.2, 0.3, 0.2)))
    result: Tensor = m.c((y - mean) / scale)
    return result


def normalise_channels(m: Any, x: Tensor) -> Tensor:
    """A ConvNeXt block's first half."""
    result: Tensor = m.l(m.n(m.c(x).permute(0, 2, 3, 1)))
    return result.permute(0, 3, 1, 2)


class Position(nn.Module):
    """A learnt value for every place of a feature map."""

    def __init__(self) -> None:
        super().__init__()
        self.c, self.p = conv(stride=2), nn.Parameter(torch.randn(1, 8, 8, 8))

    def forward(self, x: Tensor) -> Tensor:
        """The feature map with it."""
        return torch.relu(self.c(x) + self.p)


PATTERNS: dict[str, Pattern] = {
    "convolution, normalisation, ReLU": Pattern(lambda: normalised(8)),
    "depthwise separable": Pattern(
        lambda: nn.Sequential(normalised(8), normalised(8, 8, groups=8), conv(8, 12, 1))
    ),
    "residual": Pattern(lambda: Do(lambda m, x: F.relu(m.b(m.a(x)) + m.a(x)), a=conv(), b=conv(8))),
    "strided residual": Pattern(
        lambda: Do(
            lambda m, x: F.relu(m.a(x) + m.s(x)), a=normalised(8, stride=2), s=conv(stride=2)
        )
    ),
    "inception": Pattern(
        lambda: Do(
            lambda m, x: torch.cat([m.a(x), m.b(x), F.max_pool2d(x, 3, 1, 1)], 1),
            a=conv(3, 4, 1), b=conv(3, 4, 5),
        )
    ),
    "squeeze and excitation": Pattern(
        lambda: Do(excited, c=conv(), down=nn.Linear(8, 2), up=nn.Linear(2, 8))
    ),
    "SiLU": Pattern(lambda: block(nn.SiLU())),
    "Hardswish and Hardsigmoid": Pattern(lambda: block(nn.Hardswish(), conv(8), nn.Hardsigmoid())),
    "GELU": Pattern(lambda: block(nn.GELU())),
    "GELU by tanh": Pattern(lambda: block(nn.GELU(approximate="tanh"))),
    "Mish": Pattern(lambda: block(nn.Mish())),
    "PReLU, ELU and LeakyReLU": Pattern(lambda: block(nn.PReLU(8), nn.ELU(), nn.LeakyReLU())),
    "ReLU6 and clamp": Pattern(
        lambda: Do(lambda m, x: torch.clamp(F.relu6(m.c(x)), 0.1, 0.9), c=conv())
    ),
    "GroupNorm": Pattern(lambda: block(nn.GroupNorm(2, 8))),
    "InstanceNorm": Pattern(lambda: block(nn.InstanceNorm2d(8, affine=True))),
    "LayerNorm over channels": Pattern(
        lambda: Do(normalise_channels, c=conv(), n=nn.LayerNorm(8), l=nn.Linear(8, 8))
    ),
    "channel shuffle": Pattern(lambda: Do(lambda m, x: shuffle(m.c(x), 2), c=conv())),
    "channel split": Pattern(
        lambda: Do(
            lambda m, x: torch.cat([m.b(m.c(x).chunk(2, 1)[0]), m.c(x).chunk(2, 1)[1]], 1),
            c=conv(), b=conv(4, 4),
        )
    ),
    "PixelShuffle": Pattern(lambda: nn.Sequential(conv(3, 12), nn.PixelShuffle(2))),
    "focus": Pattern(lambda: Do(lambda m, x: m.c(focus(x)), c=conv(12))),
    "nearest upsampling": Pattern(lambda: block(nn.Upsample(scale_factor=2), conv(8))),
    "bilinear upsampling": Pattern(
        lambda: block(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
    ),
    "upsampling to another's size": Pattern(
        lambda: Do(lambda m, x: F.interpolate(m.c(x), size=x.shape[2:]), c=conv(stride=2))
    ),
    "bicubic upsampling": Pattern(lambda: block(nn.Upsample(scale_factor=2, mode="bicubic"))),
    "transposed convolution": Pattern(lambda: block(nn.ConvTranspose2d(8, 4, 4, 2, 1))),
    "dilated branches": Pattern(
        lambda: Do(
            lambda m, x: F.relu(m.a(x) + m.b(x)), a=conv(), b=conv(dilation=2, padding=2)
        )
    ),
    "poolings with ceil_mode and pads": Pattern(
        lambda: block(nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, 1))
    ),
    "adaptive poolings": Pattern(
        lambda: block(nn.AdaptiveAvgPool2d(4), nn.AdaptiveMaxPool2d(1), nn.Flatten())
    ),
    "classifier by view": Pattern(
        lambda: Do(
            lambda m, x: F.log_softmax(m.l(m.c(x).view(x.size(0), -1)), 1),
            c=conv(stride=4), l=nn.Linear(128, 5),
        )
    ),
    "reflection and replication pads": Pattern(
        lambda: nn.Sequential(nn.ReflectionPad2d(1), conv(padding=0), nn.ReplicationPad2d(2))
    ),
    "self attention": Pattern(
        lambda: Do(attention, c=conv(stride=4), q=conv(8, 4, 1), k=conv(8, 4, 1), v=conv(8, 8, 1))
    ),
    "position embedding": Pattern(Position),
    "L2 normalisation": Pattern(
        lambda: Do(lambda m, x: F.normalize(m.c(x).mean((2, 3)), dim=1), c=conv())
    ),
    "mask by where": Pattern(
        lambda: Do(lambda m, x: torch.where(m.c(x) > 0.1, m.c(x), torch.zeros(())), c=conv())
    ),
    "argmax of a segmentation": Pattern(
        lambda: Do(lambda m, x: m.c(x).argmax(1).float(), c=conv(3, 4))
    ),
    "one-dimensional": Pattern(
        lambda: nn.Sequential(
            nn.Conv1d(4, 8, 5, padding=2), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2)
        ),
        (1, 4, 32),
    ),
    "three-dimensional": Pattern(
        lambda: nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2)),
        (1, 2, 4, 8, 8),
    ),
    "recurrent over columns": Pattern(
        lambda: Do(lambda m, x: m.g(m.c(x).mean(2).permute(0, 2, 1))[0], c=conv(3, 4, stride=4),
                   g=nn.GRU(4, 4, batch_first=True))
    ),
    "a picture of bytes": Pattern(lambda: Do(prepared, c=conv()), (1, 16, 16, 3), torch.uint8),
    "half precision": Pattern(lambda: normalised(8).half(), dtype=torch.float16),
}  # fmt: skip
