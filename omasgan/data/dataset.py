"""The data set that every source returns; the rest of the program uses nothing else of a source."""

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
    """The shape of one sample, and which of its columns are anomaly scores.

    Parameters
    ----------
    shape
        (C, H, W) for an image with values 0..255, (k,) for a row of numbers.
    auxiliary
        Indices of the columns of a row that are anomaly scores by themselves, higher is more anomalous; only a
        representation sets them.
    """

    shape: tuple[int, ...]
    auxiliary: tuple[int, ...] = ()

    @property
    def is_image(self) -> bool:
        """Whether a sample is an image rather than a row."""
        return len(self.shape) == 3

    @property
    def size(self) -> int:
        """Number of values in one sample."""
        return int(torch.Size(self.shape).numel())


@dataclass(frozen=True)
class Samples:
    """Samples and the class of each.

    Parameters
    ----------
    x
        The samples: uint8 (n, C, H, W) for images, float32 (n, k) for rows.
    y
        The classes as indices into the class names; int64 (n,).
    names
        A name for each sample, such as the path of its file; empty where the samples have no names.
    """

    x: Tensor
    y: Tensor
    names: tuple[str, ...] = ()

    def at(self, index: Tensor) -> Tensor:
        """The samples at these indices (m, ...), in their order; a view instead of a copy if these are consecutive."""
        if len(index) and bool((index == torch.arange(len(index)) + index[0]).all()):
            return self.x[int(index[0]) : int(index[0]) + len(index)]
        return self.x[index]

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def digest(self) -> str:
        """A hash of all samples and labels, 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for tensor in (self.x, self.y):
            digest.update(repr((tensor.dtype, tuple(tensor.shape))).encode())
            digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Columns:
    """The columns of a table of training rows, by which new rows are matched.

    Parameters
    ----------
    names
        The names of the columns; None where the table has none.
    medians
        What is put in the place of missing cells; None to refuse them.
    label
        The name of the column of labels, which is no feature; None where there is none.
    """

    names: tuple[str, ...] | None
    medians: tuple[float, ...] | None = None
    label: str | None = None


@dataclass(frozen=True)
class Dataset:
    """The official training and test split of a data set.

    Parameters
    ----------
    train, test
        The two splits; their samples have the same shape.
    class_names
        The classes by name, in the order of the indices in `Samples.y`.
    support
        The exact support of the normal data, for the toy sets; else None.
    masks
        Which pixels of the test images are anomalous, where that is known; else None. uint8 (n, H, W): 1 for an
        anomalous pixel, 0 for a normal one, 255 in images without a mask.
    columns
        The columns of a table; None for other data.
    """

    train: Samples
    test: Samples
    class_names: tuple[str, ...]
    support: Support | None = None
    masks: Tensor | None = None
    columns: Columns | None = None

    @property
    def spec(self) -> Spec:
        """The shape of one sample."""
        return Spec(tuple(self.train.x.shape[1:]))
