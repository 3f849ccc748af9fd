"""Convolutions that halve or double an image, faster on a CPU in bfloat16 than those of PyTorch (experiments/speed).

Three maps between a large image (n, c, 2h, 2w), a small one (n, s, h, w) and a weight (s, c, 4, 4) do all the work:
`shrink`, its transpose `enlarge`, and `correlate`. The gradients of each of them are the other two.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad
from torch.nn.grad import conv2d_weight

SIDE, STRIDE, PADDING = 4, 2, 1

FEW = 8
"""With fewer channels of the large image than this, PyTorch is slow at `enlarge` and fast at `correlate`."""

PATCHES = 2**22
"""Largest number of values that `correlate` unfolds at a time; twice as many do not fit in the cores' caches."""


class Halving(nn.Conv2d):
    """The convolution that halves an image: (n, inputs, 2h, 2w) to (n, outputs, h, w); kernel 4, stride 2, padding 1.

    Examples
    --------
    >>> Halving(3, 8)(torch.zeros(2, 3, 16, 16)).shape
    torch.Size([2, 8, 8, 8])
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, SIDE, STRIDE, PADDING)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, 2h, 2w) to (n, outputs, h, w)."""
        dtype = short_type(x)
        if dtype is None:
            return super().forward(x)
        return _in_type(dtype, Shrink, x, self)


class Doubling(nn.ConvTranspose2d):
    """The transposed convolution that doubles an image: (n, inputs, h, w) to (n, outputs, 2h, 2w); see `Halving`.

    Examples
    --------
    >>> Doubling(8, 3)(torch.zeros(2, 8, 8, 8)).shape
    torch.Size([2, 3, 16, 16])
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, SIDE, STRIDE, PADDING, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, 2h, 2w); `output_size` must be None or that size."""
        dtype = short_type(x)
        if dtype is None:
            return super().forward(x, output_size)
        return _in_type(dtype, Enlarge, x, self)


def short_type(x: Tensor) -> torch.dtype | None:
    """The type in which this module's operators compute, on a CPU under autocast; None if PyTorch's are to be used."""
    here = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    return torch.get_autocast_dtype("cpu") if here else None


def _in_type(dtype: torch.dtype, operator: type[Operator], x: Tensor, layer: Halving | Doubling) -> Tensor:
    """The operator with the weights of a layer, computed in `dtype`."""
    bias = None if layer.bias is None else layer.bias.to(dtype)
    with torch.autocast("cpu", enabled=False):
        result: Tensor = operator.apply(x.to(dtype), layer.weight.to(dtype), bias)
    return result


class Shrink(torch.autograd.Function):
    """`shrink`, with gradients computed by `enlarge` and `correlate`."""

    @staticmethod
    def forward(ctx: Any, large: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """See `shrink`."""
        ctx.save_for_backward(large, weight)
        return shrink(large, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the large image, the weight and the bias."""
        return _gradients(ctx, gradient, Enlarge, large=ctx.saved_tensors[0], small=gradient)


class Enlarge(torch.autograd.Function):
    """`enlarge`, with gradients computed by `shrink` and `correlate`."""

    @staticmethod
    def forward(ctx: Any, small: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """See `enlarge`."""
        ctx.save_for_backward(small, weight)
        return enlarge(small, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the small image, the weight and the bias."""
        return _gradients(ctx, gradient, Shrink, large=gradient, small=ctx.saved_tensors[0])


Operator = Shrink | Enlarge


def _gradients(
    ctx: Any, gradient: Tensor, transpose: type[Operator], large: Tensor, small: Tensor
) -> tuple[Tensor | None, ...]:
    """The gradients of an operator's image, weight and bias; None for those that are not needed."""
    of_image, of_weight, of_bias = ctx.needs_input_grad
    return (
        transpose.apply(gradient, ctx.saved_tensors[1], None) if of_image else None,
        correlate(large, small) if of_weight else None,
        gradient.sum((0, 2, 3)) if of_bias else None,
    )


def shrink(large: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The convolution with kernel 4 and stride 2; (n, s, h, w)."""
    return conv2d(large, weight, bias, STRIDE, PADDING)


def enlarge(small: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The transpose of `shrink`; (n, c, 2h, 2w)."""
    (s, c), (n, _, h, w) = weight.shape[:2], small.shape
    if c >= FEW:
        return conv_transpose2d(small, weight, bias, STRIDE, PADDING)
    # Every 2 x 2 pixels of the padded large image depend on 2 x 2 pixels of the small one: one convolution computes
    # them as 4 c channels, which are then moved to their pixels.
    taps = weight.view(s, c, 2, 2, 2, 2).permute(3, 5, 1, 0, 2, 4).reshape(4 * c, s, 2, 2).flip(2, 3)
    biases = None if bias is None else bias.repeat(4)
    dealt = conv2d(small, taps.contiguous(memory_format=torch.channels_last), biases, padding=1)
    dealt = dealt.permute(0, 2, 3, 1).reshape(n, h + 1, w + 1, 2, 2, c).transpose(2, 3).reshape(n, 2 * h + 2, -1, c)
    return dealt[:, 1:-1, 1:-1].permute(0, 3, 1, 2)


def correlate(large: Tensor, small: Tensor) -> Tensor:
    """The gradient of the sum of small * shrink(large, weight) with respect to the weight; (s, c, 4, 4).

    On several threads it is faster than PyTorch, whose speed hardly grows with their number.
    """
    c, s, threads = large.shape[1], small.shape[1], torch.get_num_threads()
    if c < FEW or threads == 1:
        return conv2d_weight(large, (s, c, SIDE, SIDE), small, STRIDE, PADDING)  # type: ignore[no-any-return, no-untyped-call]
    chunks = -(-small.numel() * SIDE * SIDE * c // (s * PATCHES))
    pairs = zip(torch.tensor_split(large, chunks), torch.tensor_split(small, chunks), strict=True)
    parts = torch.cat([_products(*pair, threads) for pair in pairs])
    return parts.sum(dim=0).view(s, SIDE, SIDE, c).permute(0, 3, 1, 2)


def _products(large: Tensor, small: Tensor, threads: int) -> Tensor:
    """The sums of `correlate` over each thread's share of the samples, with the channels last; (shares, s, 16 c)."""
    # A thread that unfolds the patches of its samples also reads them. If another thread read them, they would move
    # from core to core, which takes three times as long as the product where the cores share no cache.
    c, s = large.shape[1], small.shape[1]
    shares = threads if small[:, 0].numel() % threads == 0 else 1
    # With the channels last, four pixels of a row are one contiguous run of 4 c numbers.
    rows = pad(large.permute(0, 2, 3, 1), (0, 0, PADDING, PADDING, PADDING, PADDING)).flatten(2)
    patches = rows.unfold(1, SIDE, STRIDE).unfold(2, SIDE * c, STRIDE * c).reshape(shares, -1, SIDE * SIDE * c)
    return small.permute(0, 2, 3, 1).reshape(shares, -1, s).transpose(1, 2) @ patches
