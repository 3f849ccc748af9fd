"""The wide residual network (Zagoruyko and Komodakis 2016): an encoder with any depth and widening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NoReturn

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import relu

from omasgan.errors import UserError
from omasgan.networks.base import Flat, Precise

STEM = 16
"""Channels after the first convolution, and of the first group of blocks where `widening` is 1."""

GROUPS = 3
"""Groups of blocks; each one after the first halves the image and doubles the channels."""


@dataclass(frozen=True)
class WideResNet:
    """Pre-activation blocks with batch norm in three groups of 16, 32 and 64 channels times `widening`.

    It has an encoder and a discriminator, for images of at least 8 x 8 pixels, but no generator.

    Parameters
    ----------
    depth
        6 n + 4, such as 10, 16, 22 or 28, for n blocks of two convolutions in each group.
    widening
        Factor of the channels of all blocks.
    stride
        Stride of the first convolution. In the paper it is 1; with 2, all layers work on a quarter of the pixels and
        take a quarter of the time.

    Raises
    ------
    UserError
        Where the depth is not 6 n + 4.

    References
    ----------
    Zagoruyko & Komodakis 2016, "Wide residual networks", BMVC.
    """

    depth: Annotated[int, Ge(10)] = 16
    widening: Annotated[int, Ge(1)] = 1
    stride: Annotated[int, Ge(1)] = 1

    def __post_init__(self) -> None:
        if (self.depth - 4) % 6 != 0:
            raise UserError(f"architecture.depth is {self.depth}: it must be 6 n + 4, such as 10, 16, 22 or 28")

    @property
    def latent(self) -> int:
        """See `generator`."""
        return self._refuse()

    def generator(self, shape: tuple[int, ...]) -> nn.Module:
        """There is none; raises UserError."""
        return self._refuse()

    def discriminator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from images (n, C, H, W) to raw outputs v (n,)."""
        return nn.Sequential(self.encoder(shape, 1), Flat())

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        """A network from images (n, C, H, W) to (n, outputs), float32."""
        _must_be_large_enough(shape)
        layers: list[nn.Module] = [nn.Conv2d(shape[0], STEM, 3, self.stride, padding=1, bias=False)]
        inputs = STEM
        for group in range(GROUPS):
            width = STEM * self.widening * 2**group
            for block in range((self.depth - 4) // 6):
                layers.append(WideBlock(inputs, width, stride=2 if group > 0 and block == 0 else 1))
                inputs = width
        layers += [nn.BatchNorm2d(inputs), nn.ReLU(), MeanOverSpace(), Precise(inputs, outputs)]
        return nn.Sequential(*layers).apply(initialise)

    def _refuse(self) -> NoReturn:
        raise UserError(
            "architecture=wide_resnet has no generator: it is for detectors that classify or embed images, such as "
            "geom and goad; use architecture=dcgan or architecture=resnet"
        )


class WideBlock(nn.Module):
    """A pre-activation block: norm, ReLU, conv, norm, ReLU, conv; plus its input.

    Where the number of channels or the size changes, the shortcut is a 1 x 1 convolution of the first ReLU's output.

    Parameters
    ----------
    inputs, outputs
        Channels of its input and of its output.
    stride
        2 halves the image.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        changes = inputs != outputs or stride > 1
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, H, W) to (n, outputs, H / stride, W / stride)."""
        active = relu(self.norm1(x))
        h = self.conv2(relu(self.norm2(self.conv1(active))))
        return torch.add(x if self.shortcut is None else self.shortcut(active), h)


class MeanOverSpace(nn.Module):
    """The mean of each channel of a feature map over its pixels, in float32 even under autocast."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, H, W) to (n, c), float32."""
        return x.float().mean(dim=(2, 3))


def initialise(layer: nn.Module) -> None:
    """Draw the weights of a convolution by He et al. 2015, for the ReLU that follows it."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


def _must_be_large_enough(shape: tuple[int, ...]) -> None:
    if len(shape) != 3:
        raise UserError(
            f"architecture=wide_resnet is for images, but gets rows of {shape[0]} numbers (data or embeddings): use "
            "architecture=mlp; to train on the pixels of images, use experiment=pixels"
        )
    if min(shape[1:]) < 8:
        raise UserError(
            f"architecture=wide_resnet is for images of at least 8 x 8 pixels, but gets {shape[1]} x {shape[2]}: "
            "resize them (a folder of images with dataset.size) or use architecture=mlp"
        )
