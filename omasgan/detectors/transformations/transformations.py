"""The transformations: 72 geometric ones of an image (flips, shifts and rotations), and random affine maps of a row."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from omasgan.data.dataset import Spec
from omasgan.errors import UserError

SMALLEST = 8
"""The fewest pixels of a side: a shift by a quarter of fewer pixels would hardly be one."""

FLIPS, SHIFTS, ROTATIONS = (False, True), (0, -1, 1), (0, 1, 2, 3)
"""Whether an image is flipped left to right, its shifts in quarters of its side, and its rotations by 90 degrees."""

COUNT = len(FLIPS) * len(SHIFTS) ** 2 * len(ROTATIONS)
"""M, the number of transformations."""


class GeometricTransformations:
    """Flips, shifts and rotates square images, exactly: each pixel of the result is a pixel of the image.

    An image is first flipped left to right or not, then shifted by a quarter of its side or not in each direction, and
    then rotated counterclockwise by 0, 90, 180 or 270 degrees. Pixels that a shift brings in from outside are the
    image's reflection at its edge (c b a | a b c). Transformation 0 is the identity. On images of 32 pixels these are
    the transformations of the paper; a quarter of the side lets images of 28 pixels keep their size.

    Parameters
    ----------
    side
        Height and width of the images, in pixels.
    device
        Where the images are.

    Attributes
    ----------
    source
        (M, side * side), int64: which pixel of an image, counted row by row, each pixel of its transform is.

    References
    ----------
    Golan & El-Yaniv 2018, "Deep anomaly detection using geometric transformations", NeurIPS.

    Examples
    --------
    >>> images = torch.arange(64.0).view(1, 1, 8, 8)
    >>> transformations = GeometricTransformations(8)
    >>> len(transformations)
    72
    >>> torch.equal(transformations(images, torch.tensor([0])), images)
    True
    >>> transformations.every(images).shape
    torch.Size([72, 1, 8, 8])
    """

    def __init__(self, side: int, device: torch.device | None = None) -> None:
        image = torch.arange(side * side).view(side, side)
        settings = itertools.product(FLIPS, SHIFTS, SHIFTS, ROTATIONS)
        self.source = torch.stack([moved(image, *setting).flatten() for setting in settings]).to(device)

    def __len__(self) -> int:
        """M, the number of transformations."""
        return len(self.source)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """Transform each image by the transformation of its own.

        Parameters
        ----------
        x
            (n, C, H, H).
        t
            (n,), int64: the index of the transformation of each image.

        Returns
        -------
        Tensor
            (n, C, H, H) in the channels-last memory format, in which networks are fastest.
        """
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)
        index = self.source[t][:, :, None].expand_as(pixels)
        return _images(pixels.gather(1, index), x.shape)

    def every(self, x: Tensor) -> Tensor:
        """All transforms of images (n, C, H, H), the M of an image next to each other; (n * M, C, H, H)."""
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)
        return _images(pixels.index_select(1, self.source.flatten()), x.shape)

    def state_dict(self) -> dict[str, Tensor]:
        """Empty: the transformations are always the same."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """There is nothing to restore."""


class AffineMaps:
    """Random affine maps of rows, T_t x = W_t x + b_t.

    The entries of W_t are drawn from N(0, 1/k) and those of b_t from N(0, 1), so that the columns of the transforms of
    standardised rows have about unit variance.

    Parameters
    ----------
    k
        Length of a row.
    count
        M, the number of maps.
    outputs
        r, the length of a transform.
    random
        The source of all random numbers, on the CPU.
    device
        Where the rows are.

    Attributes
    ----------
    W, b
        (M, r, k) and (M, r).

    References
    ----------
    Bergman & Hoshen 2020, "Classification-based anomaly detection for general data", ICLR.
    """

    def __init__(self, k: int, count: int, outputs: int, random: Generator, device: torch.device) -> None:
        self.W = torch.randn(count, outputs, k, generator=random).to(device) / math.sqrt(k)
        self.b = torch.randn(count, outputs, generator=random).to(device)

    def __len__(self) -> int:
        """M, the number of maps."""
        return len(self.W)

    def every(self, x: Tensor) -> Tensor:
        """All transforms of rows (n, k), the M of a row next to each other; (n * M, r)."""
        return (torch.einsum("trk,nk->ntr", self.W, x) + self.b).flatten(0, 1)

    def state_dict(self) -> dict[str, Tensor]:
        """W and b."""
        return {"W": self.W, "b": self.b}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` gave."""
        self.W, self.b = (state[name].to(self.W.device) for name in ("W", "b"))


def moved(image: Tensor, flip: bool, right: int, down: int, rotation: int) -> Tensor:
    """Flip, shift and rotate an image (H, H), in this order; shifts are in quarters of the side."""
    image = image.flip(1) if flip else image
    return image[_reflected(down, len(image))][:, _reflected(right, len(image))].rot90(rotation)


def must_have_transformations(spec: Spec, detector: str) -> None:
    """Raise UserError for samples that are no square images of at least `SMALLEST` pixels a side.

    Parameters
    ----------
    spec
        Of the samples.
    detector
        Its name, for the error message.
    """
    if not spec.is_image:
        raise UserError(
            f"detector={detector} rotates and shifts images, the data (or embeddings) are rows of {spec.shape[0]} "
            "numbers: for images, use representation=pixels; for rows, use another detector, such as goad"
        )
    height, width = spec.shape[1:]
    if height != width or height < SMALLEST:
        raise UserError(
            f"detector={detector} rotates images by 90 degrees and shifts them by a quarter, and cannot do so with "
            f"{height} x {width} pixels: use square images of at least {SMALLEST} x {SMALLEST}, or another detector"
        )


def _reflected(quarters: int, side: int) -> Tensor:
    """Which row of an image of `side` rows each row of the shifted image is; (side,)."""
    row = torch.arange(side) - quarters * (side // 4)
    row = torch.where(row < 0, -1 - row, row)
    return torch.where(row >= side, 2 * side - 1 - row, row)


def _images(pixels: Tensor, shape: torch.Size) -> Tensor:
    """Pixels (n, k H W, C) as images (n k, C, H, W)."""
    channels, height, width = shape[1:]
    return pixels.view(-1, height, width, channels).permute(0, 3, 1, 2)
