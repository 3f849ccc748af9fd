"""Random rotations of embeddings."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def random_rotation(size: int, generator: Generator) -> Tensor:
    """A random orthogonal matrix, (size, size), on the CPU.

    Rotated by it, all columns of an embedding vary about alike and distances stay what they are. Detectors scale
    every column to unit deviation, which would otherwise make columns equal that are meant to count more or less.
    """
    rotation: Tensor = torch.linalg.qr(torch.randn(size, size, generator=generator))[0]
    return rotation
