"""Random rotations of codes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def random_rotation(size: int, generator: Generator) -> Tensor:
    """A random orthogonal matrix, (size, size), on the CPU.

    Turned by it, every number of a code varies about alike, and distances stay what they are: detectors give each
    number unit deviation, which would make equal what is to count for more and for less.
    """
    rotation: Tensor = torch.linalg.qr(torch.randn(size, size, generator=generator))[0]
    return rotation
