"""What every source of data returns, and all that the rest of the program may know of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from omasgan.data.support import Support


@dataclass(frozen=True)
class Spec:
    """What one sample is.

    Parameters
    ----------
    shape
        (C, H, W) for an image with values 0..255, (k,) for a row of numbers.
    auxiliary
        Columns of a row that are anomaly scores by themselves, higher is more anomalous; a representation sets them.
    """

    shape: tuple[int, ...]
    auxiliary: tuple[int, ...] = ()

    @property
    def is_image(self) -> bool:
        """Whether a sample is an image rather than a row."""
        return len(self.shape) == 3

    @property
    def size(self) -> int:
        """How many numbers make one sample."""
        return int(torch.Size(self.shape).numel())


@dataclass(frozen=True)
class Samples:
    """Samples with their class.

    x: uint8 (n, C, H, W) for images, float32 (n, k) for rows. y: int64 (n,), an index into the class names.
    names: a name for every sample where it has one (a file's path), else empty.
    """

    x: Tensor
    y: Tensor
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change with any sample and any label."""
        digest = hashlib.sha256()
        for tensor in (self.x, self.y):
            digest.update(repr((tensor.dtype, tuple(tensor.shape))).encode())
            digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Dataset:
    """The official training and test split of a data set; `support` is known for the toy sets alone."""

    train: Samples
    test: Samples
    class_names: tuple[str, ...]
    support: Support | None = None

    @property
    def spec(self) -> Spec:
        """The shape of one sample."""
        return Spec(tuple(self.train.x.shape[1:]))
