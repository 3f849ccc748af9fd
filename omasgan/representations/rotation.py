"""Random rotations of embeddings."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def random_rotation(size: int, generator: Generator) -> Tensor:
    """A random orthogonal matrix, (size, size), on the CPU.

    Detectors scale every column of an embedding to unit standard deviation, which would undo differences in variance
    between columns. After a random rotation all columns have about the same variance, and distances are unchanged.
    """
    rotation: Tensor = torch.linalg.qr(torch.randn(size, size, generator=generator))[0]
    return rotation
