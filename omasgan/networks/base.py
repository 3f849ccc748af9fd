"""The interface of an architecture, and the small layers that the architectures share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from omasgan.errors import UserError


class Architecture(Protocol):
    """Makes fresh networks for samples of a given shape: (k,) for rows, (C, H, W) for images."""

    @property
    def latent(self) -> int:
        """l, the length of z ~ N(0, I_l)."""

    def generator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from z (n, l) to samples (n, *shape)."""

    def discriminator(self, shape: tuple[int, ...]) -> nn.Module:
        """A network from samples (n, *shape) to raw outputs v (n,), float32."""

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        """A network from samples (n, *shape) to (n, outputs); a discriminator is one with a single output."""


class Precise(nn.Linear):
    """A linear layer that computes in float32 even under autocast.

    bfloat16 has only 128 numbers between 4 and 8, so that many samples would have the same score.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) to (n, outputs), float32."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


def last_layer(inputs: int, outputs: int) -> nn.Linear:
    """The last layer of an encoder, (n, inputs) to (n, outputs); in float32 if its one output is a score."""
    return Precise(inputs, outputs) if outputs == 1 else nn.Linear(inputs, outputs)


class Flat(nn.Module):
    """Flattens (n, 1) or (n, 1, 1, 1) to (n,)."""

    def forward(self, v: Tensor) -> Tensor:
        """(n, 1) or (n, 1, 1, 1) to (n,)."""
        return v.flatten()


def autoencoder(architecture: Architecture, shape: tuple[int, ...]) -> nn.Sequential:
    """An encoder to the architecture's latent size, and its generator as the decoder."""
    return nn.Sequential(architecture.encoder(shape, architecture.latent), architecture.generator(shape))


def named_parts(name: str, autoencoder: nn.Module) -> dict[str, nn.Module]:
    """The encoder and the decoder of an autoencoder, under names that begin with its own."""
    encoder, decoder = autoencoder.children()
    return {f"{name} encoder": encoder, f"{name} decoder": decoder}


def features_and_output(network: nn.Module, x: Any) -> tuple[Tensor, Tensor]:
    """The features that a network's last linear layer is given, (n, k), and the network's output for its input x."""
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    found: list[Tensor] = []

    def keep(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(inputs[0])

    handle = last.register_forward_pre_hook(keep)
    try:
        output: Tensor = network(x)
    finally:
        handle.remove()
    return found[0].flatten(1), output


def without_spectral_norm(network: nn.Module) -> nn.Module:
    """The network, with the weights that it has now and no spectral norm in any layer."""
    for layer in network.modules():
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight")
    return network


def without_biases(network: nn.Module) -> nn.Module:
    """The network, with no bias in any layer, and no affine part in normalisation layers."""
    for layer in network.modules():
        if getattr(layer, "bias", None) is not None:
            layer.register_parameter("bias", None)
        if hasattr(layer, "affine"):
            layer.register_parameter("weight", None)
    return network


Layer = TypeVar("Layer", bound=nn.Module)

Norm = Literal["batch", "instance", "layer", "group", "none"]


class ToPixels(nn.Module):
    """Reshapes rows (n, C H W) to a feature map (n, C, H, W) in the channels-last memory format.

    nn.Unflatten would give the contiguous format: the layers after it, and their gradients, would then combine tensors
    of two memory formats, which takes five times as long.

    Parameters
    ----------
    shape
        C, H and W.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """(n, C H W) to (n, C, H, W), without a copy."""
        channels, height, width = self.shape
        return x.view(x.shape[0], height, width, channels).permute(0, 3, 1, 2)


class FromPixels(nn.Module):
    """Reshapes a feature map (n, C, H, W) to rows (n, C H W), as the inverse of `ToPixels`."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, C, H, W) to (n, C H W), without a copy where the memory format is channels-last."""
        return x.permute(0, 2, 3, 1).flatten(1)


NORMS: dict[Norm, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "group": lambda channels: nn.GroupNorm(math.gcd(8, channels), channels),
    "none": lambda channels: nn.Identity(),
}


def norm_layer(name: Norm, channels: int) -> nn.Module:
    """The normalisation layer for feature maps (n, channels, H, W)."""
    return NORMS[name](channels)


def halvings(architecture: str, shape: tuple[int, ...]) -> int:
    """How often an image is halved until neither of its sides exceeds 7 pixels.

    Parameters
    ----------
    architecture
        The name of the option that asks, for the error message.
    shape
        Of a sample, (C, H, W).

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    UserError
        For rows, and for images whose sides cannot be halved to 7 or less, or are that small already.
    """
    if len(shape) != 3:
        raise UserError(
            f"architecture={architecture} is for images, but gets rows of {shape[0]} numbers (data or embeddings): use "
            "architecture=mlp; to train on the pixels of images, use experiment=pixels; if the architecture belongs to "
            "a representation, use representation=pixels"
        )
    level, height, width = 0, *shape[1:]
    while max(height, width) > 7 and height % 2 == 0 and width % 2 == 0:
        level, height, width = level + 1, height // 2, width // 2
    if level == 0 or max(height, width) > 7:
        raise UserError(
            f"architecture={architecture} cannot make images of {shape[1]} x {shape[2]} pixels: it must be possible to "
            "halve their sides to 7 or less, as with 8, 16, 28, 32, 48 and 64; resize them (a folder of images with "
            "dataset.size) or use architecture=mlp; if the architecture belongs to a representation, use "
            "representation=[visual_words,pca]"
        )
    return level


def maybe_spectral(layer: Layer, spectral: bool) -> Layer:
    """The layer, with its weight divided by its spectral norm (Miyato et al. 2018) if `spectral` is true."""
    if spectral:
        spectral_norm(layer)
    return layer
