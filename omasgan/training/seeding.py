"""Independent, named streams of random numbers: adding a stage never changes what another one draws."""

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
"""Streams that were renamed after results had been published: their seeds are made from the first name."""


def stream_seed(seed: int, name: str) -> int:
    """A 63-bit seed that depends on the run's seed and on the stream's name alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{NAMES_IN_SEEDS.get(name, name)}".encode()).digest()[:8], "big") >> 1


def stream(seed: int, name: str, device: torch.device) -> torch.Generator:
    """The generator of one named stream."""
    return torch.Generator(device).manual_seed(stream_seed(seed, name))


@contextmanager
def seeded(seed: int, name: str) -> Iterator[None]:
    """Draw from a named stream whatever takes the processor's global generator (initial weights); restore it after."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, name))
        yield
