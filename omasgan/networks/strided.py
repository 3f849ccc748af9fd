"""Convolutions that halve or double an image, faster on a processor in bfloat16 than the library's own.

A pixel of the small image belongs to 4 x 4 pixels of the large one, two pixels further with every pixel; both operators
and their gradients come down to three maps between a large image (n, c, 2h, 2w), a small one (n, s, h, w) and a weight
(s, c, 4, 4): `shrink`, `enlarge`, which is its transpose, and `correlate`. Each is the gradient of another.

The library is fast at the first; at the second where c is no handful; at the third, which all training needs, on one
thread, while two of them are little faster. What is gained, and where: experiments/speed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad
from torch.nn.grad import conv2d_weight

SIDE, STRIDE, PADDING = 4, 2, 1

FEW = 8
"""Channels of the large image below which the library's own `enlarge` is slow, and its `correlate` is not."""

PATCHES = 2**22
"""Numbers that `correlate` lays out at a time, at most; twice as many no longer stay in the cores' caches."""


class Halving(nn.Conv2d):
    """(n, inputs, 2h, 2w) -> (n, outputs, h, w): kernel 4, stride 2, padding 1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, SIDE, STRIDE, PADDING)

    def forward(self, x: Tensor) -> Tensor:
        """As nn.Conv2d's."""
        dtype = short_type(x)
        if dtype is None:
            return super().forward(x)
        return _in_type(dtype, Shrink, x, self)


class Doubling(nn.ConvTranspose2d):
    """(n, inputs, h, w) -> (n, outputs, 2h, 2w): kernel 4, stride 2, padding 1."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, SIDE, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """As nn.ConvTranspose2d's, for an output of twice the size."""
        dtype = short_type(x)
        if dtype is None:
            return super().forward(x, output_size)
        return _in_type(dtype, Enlarge, x, self)


def short_type(x: Tensor) -> torch.dtype | None:
    """What a layer computes in where it is this module's turn: on a processor, under autocast; None: the library's."""
    here = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    return torch.get_autocast_dtype("cpu") if here else None


def _in_type(dtype: torch.dtype, operator: type[Operator], x: Tensor, layer: Halving | Doubling) -> Tensor:
    """The operator with a layer's weights; all of it in that type."""
    bias = None if layer.bias is None else layer.bias.to(dtype)
    with torch.autocast("cpu", enabled=False):
        result: Tensor = operator.apply(x.to(dtype), layer.weight.to(dtype), bias)
    return result


class Shrink(torch.autograd.Function):
    """`shrink` with the gradients of this module."""

    @staticmethod
    def forward(ctx: Any, large: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """See `shrink`."""
        ctx.save_for_backward(large, weight)
        return shrink(large, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of the large image, the weight and the bias."""
        return _gradients(ctx, gradient, Enlarge, large=ctx.saved_tensors[0], small=gradient)


class Enlarge(torch.autograd.Function):
    """`enlarge` with the gradients of this module."""

    @staticmethod
    def forward(ctx: Any, small: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """See `enlarge`."""
        ctx.save_for_backward(small, weight)
        return enlarge(small, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of the small image, the weight and the bias."""
        return _gradients(ctx, gradient, Shrink, large=gradient, small=ctx.saved_tensors[0])


Operator = Shrink | Enlarge


def _gradients(
    ctx: Any, gradient: Tensor, transpose: type[Operator], large: Tensor, small: Tensor
) -> tuple[Tensor | None, ...]:
    """Of an operator's image, weight and bias, as far as they are wanted."""
    of_image, of_weight, of_bias = ctx.needs_input_grad
    return (
        transpose.apply(gradient, ctx.saved_tensors[1], None) if of_image else None,
        correlate(large, small) if of_weight else None,
        gradient.sum((0, 2, 3)) if of_bias else None,
    )


def shrink(large: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The convolution; (n, s, h, w)."""
    return conv2d(large, weight, bias, STRIDE, PADDING)


def enlarge(small: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The transposed convolution; (n, c, 2h, 2w)."""
    (s, c), (n, _, h, w) = weight.shape[:2], small.shape
    if c >= FEW:
        return conv_transpose2d(small, weight, bias, STRIDE, PADDING)
    # Every 2 x 2 pixels of the large image, with its border, depend on 2 x 2 of the small one: as one convolution to
    # 4 c channels, which are then dealt out.
    taps = weight.view(s, c, 2, 2, 2, 2).permute(3, 5, 1, 0, 2, 4).reshape(4 * c, s, 2, 2).flip(2, 3)
    biases = None if bias is None else bias.repeat(4)
    dealt = conv2d(small, taps.contiguous(memory_format=torch.channels_last), biases, padding=1)
    dealt = dealt.permute(0, 2, 3, 1).reshape(n, h + 1, w + 1, 2, 2, c).transpose(2, 3).reshape(n, 2 * h + 2, -1, c)
    return dealt[:, 1:-1, 1:-1].permute(0, 3, 1, 2)


def correlate(large: Tensor, small: Tensor) -> Tensor:
    """How the sum of small * shrink(large) changes with the weight; (s, c, 4, 4)."""
    c, s, threads = large.shape[1], small.shape[1], torch.get_num_threads()
    if c < FEW or threads == 1:
        return conv2d_weight(large, (s, c, SIDE, SIDE), small, STRIDE, PADDING)  # type: ignore[no-any-return, no-untyped-call]
    chunks = -(-small.numel() * SIDE * SIDE * c // (s * PATCHES))
    pairs = zip(torch.tensor_split(large, chunks), torch.tensor_split(small, chunks), strict=True)
    parts = torch.cat([_products(*pair, threads) for pair in pairs])
    return parts.sum(dim=0).view(s, SIDE, SIDE, c).permute(0, 3, 1, 2)


def _products(large: Tensor, small: Tensor, threads: int) -> Tensor:
    """What some samples give to `correlate`, with the channels last: for each thread those of its own, (., s, 16 c).

    A thread lays out the patches of its samples and reads them itself. Where another one reads them, they go from core
    to core; where these share no cache, that takes three times as long as the product.
    """
    c, s = large.shape[1], small.shape[1]
    shares = threads if small[:, 0].numel() % threads == 0 else 1
    # Next to each other in memory, four pixels of a row are one run of 4 c numbers.
    rows = pad(large.permute(0, 2, 3, 1), (0, 0, PADDING, PADDING, PADDING, PADDING)).flatten(2)
    patches = rows.unfold(1, SIDE, STRIDE).unfold(2, SIDE * c, STRIDE * c).reshape(shares, -1, SIDE * SIDE * c)
    return small.permute(0, 2, 3, 1).reshape(shares, -1, s).transpose(1, 2) @ patches
