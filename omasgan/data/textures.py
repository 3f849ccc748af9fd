"""A procedural set of woven textures with defects and the masks of these, which needs no download."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from omasgan.data.class_names import TEXTURES
from omasgan.data.dataset import Dataset, Samples
from omasgan.errors import UserError

Pixels = NDArray[np.float64]
Defect = Callable[[Pixels, np.random.Generator], NDArray[np.bool_]]

SMALLEST = 32
"""Height and width of an image, in pixels, at least."""


def textures(train_size: int = 200, test_size: int = 40, size: int = 128, seed: int = 0) -> Dataset:
    """Make images of a woven cloth; in the test, also with a scratch, a spot, a missing part or a stain of colour.

    Parameters
    ----------
    train_size
        Number of normal training images.
    test_size
        Number of normal test images, and of test images with each kind of defect.
    size
        Height and width of an image, in pixels, at least 32.
    seed
        Seed of all random numbers.

    Returns
    -------
    Dataset
        uint8 images (3, size, size) of the classes good, scratch, spot, missing and colour, with masks.

    Raises
    ------
    UserError
        For a size or a number of images that is too small.
    """
    if size < SMALLEST or train_size < 1 or test_size < 1:
        raise UserError(
            f"textures have size={size}, train_size={train_size}, test_size={test_size}: "
            f"choose a size of at least {SMALLEST}, and at least 1 image of each kind"
        )
    random = np.random.default_rng(seed)
    train = [_cloth(size, random) for _ in range(train_size)]
    test, masks, y = [], [], []
    for number, spoil in enumerate((None, *DEFECTS)):
        for _ in range(test_size):
            image = _cloth(size, random)
            masks.append(np.zeros((size, size), dtype=bool) if spoil is None else spoil(image, random))
            test.append(image)
            y.append(number)
    return Dataset(
        Samples(_as_tensor(train), torch.zeros(train_size, dtype=torch.int64)),
        Samples(_as_tensor(test), torch.tensor(y)),
        TEXTURES,
        masks=torch.from_numpy(np.stack(masks).astype(np.uint8)),
    )


def _as_tensor(images: list[Pixels]) -> Tensor:
    return torch.from_numpy(np.rint(np.stack(images).clip(0, 255)).astype(np.uint8)).permute(0, 3, 1, 2).contiguous()


def _cloth(size: int, random: np.random.Generator) -> Pixels:
    """A woven cloth in even, slightly varying light, (size, size, 3) in 0..255."""
    rows, columns = np.mgrid[:size, :size]
    shift = random.uniform(0, 8, size=2)
    bend = 1.5 * gaussian_filter(random.standard_normal((size, size)), 12) * 12
    across = np.sin(2 * np.pi * (rows + shift[0] + bend) / 8)
    along = np.sin(2 * np.pi * (columns + shift[1] + bend) / 8)
    over = np.sign(np.sin(np.pi * (rows + shift[0]) / 8) * np.sin(np.pi * (columns + shift[1]) / 8))
    weave = np.where(over > 0, across, along)
    fibres = gaussian_filter(random.standard_normal((size, size)), 0.7)
    light = 1 + 0.1 * random.standard_normal()
    grey = light * (120 + 28 * weave + 18 * fibres)
    return np.asarray(grey[..., None] * np.array([1.05, 0.98, 0.85]))


def _place(size: int, margin: int, random: np.random.Generator) -> tuple[Pixels, Pixels]:
    """The offsets of every pixel from a random place that is at least `margin` pixels from the border."""
    rows, columns = np.mgrid[:size, :size].astype(np.float64)
    middle = random.uniform(margin, size - margin, size=2)
    return rows - middle[0], columns - middle[1]


def _scratch(image: Pixels, random: np.random.Generator) -> NDArray[np.bool_]:
    size = len(image)
    down, right = _place(size, size // 5, random)
    angle = random.uniform(0, np.pi)
    along = down * np.sin(angle) + right * np.cos(angle)
    beside = down * np.cos(angle) - right * np.sin(angle)
    mask = (np.abs(along) < size * random.uniform(0.1, 0.2)) & (np.abs(beside) < 0.8)
    image[mask] = random.choice([40.0, 215.0])
    return np.asarray(mask)


def _spot(image: Pixels, random: np.random.Generator) -> NDArray[np.bool_]:
    size = len(image)
    down, right = _place(size, size // 6, random)
    radius = size * random.uniform(0.03, 0.07)
    depth = np.exp(-((np.hypot(down, right) / radius) ** 4))
    image *= (1 - random.uniform(0.35, 0.6) * depth)[..., None]
    return np.asarray(depth > 0.5)


def _missing(image: Pixels, random: np.random.Generator) -> NDArray[np.bool_]:
    size = len(image)
    down, right = _place(size, size // 6, random)
    half = size * random.uniform(0.04, 0.09, size=2)
    mask = (np.abs(down) < half[0]) & (np.abs(right) < half[1])
    image[mask] = image.mean(axis=(0, 1)) + 4 * random.standard_normal((int(mask.sum()), 1))
    return np.asarray(mask)


def _colour(image: Pixels, random: np.random.Generator) -> NDArray[np.bool_]:
    size = len(image)
    down, right = _place(size, size // 6, random)
    radius = size * random.uniform(0.06, 0.1)
    mask = np.hypot(down, right) < radius
    tint = np.array([[1.3, 0.9, 0.75], [0.75, 0.95, 1.35], [0.8, 1.25, 0.8]])[random.integers(3)]
    image[mask] *= tint
    return np.asarray(mask)


DEFECTS: tuple[Defect, ...] = (_scratch, _spot, _missing, _colour)
"""Functions that spoil an image in place and return which pixels are changed; in the order of the classes."""
