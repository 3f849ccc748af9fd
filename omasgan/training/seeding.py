"""Named, independent streams of random numbers, so that a new stage does not change the numbers of the others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

NAMES_IN_SEEDS = {
    "rotation_prediction": "turns",
    "weights of rotation classifier": "weights of teller of turns",
    "weights of rotation_head": "weights of teller",
    "memory bank": "bank",
}
"""Streams that were renamed after results had been published, with the names that their seeds are still made from."""


def stream_seed(seed: int, name: str) -> int:
    """The seed of a stream: 63 bits that depend only on the run's seed and on the name of the stream."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{NAMES_IN_SEEDS.get(name, name)}".encode()).digest()[:8], "big") >> 1


def stream(seed: int, name: str, device: torch.device) -> torch.Generator:
    """A random generator on a device for the stream of that name; see `stream_seed`."""
    return torch.Generator(device).manual_seed(stream_seed(seed, name))


@contextmanager
def seeded(seed: int, name: str) -> Iterator[None]:
    """Seed the global CPU generator from a named stream inside a `with` block, and restore it afterwards.

    Initial weights are drawn in this way, because PyTorch's layers take no generator.

    Examples
    --------
    >>> with seeded(0, "weights of G"):
    ...     first = torch.nn.Linear(2, 2).weight
    >>> with seeded(0, "weights of G"):
    ...     second = torch.nn.Linear(2, 2).weight
    >>> torch.equal(first, second)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, name))
        yield
