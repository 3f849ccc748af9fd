"""2-D sets whose support is known exactly: the modes are normal, a uniform background is the anomaly.

Training data holds the modes alone. Half of the test data comes from the modes, half is the background:
uniform over the training data's bounding box grown by 1 on each side, outside the modes' 99 % support.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch

from omasgan.data.dataset import Dataset, Samples
from omasgan.data.support import Annulus, Arc, Disc, Floats, Point, Shape, Support, Tube
from omasgan.errors import UserError

# In noise standard deviations: 99 % of a normal variable, and of the length of a normal vector in the plane.
HALF_WIDTH_99 = NormalDist().inv_cdf(0.995)
RADIUS_99 = math.sqrt(-2 * math.log(0.01))

MARGIN = 1.0


def rings(train_size: int = 4000, test_size: int = 2000, noise: float = 0.05, seed: int = 0) -> Dataset:
    """Two concentric rings, unequal in mass, with normal noise along the radius."""
    _check_noise(noise, below=0.5 / HALF_WIDTH_99)
    return _dataset(
        [_ring("inner", 0.3, 0.5, noise), _ring("outer", 0.7, 1.2, noise)], noise, train_size, test_size, seed
    )


def moons(train_size: int = 4000, test_size: int = 2000, noise: float = 0.05, seed: int = 0) -> Dataset:
    """Two interleaved half circles with isotropic normal noise.

    The support of a moon is all points within RADIUS_99 noise of its half circle. It holds at least 99 % of
    the moon's mass, for the noise moves 99 % of the points by no more than that; as it moves many of the
    others along the half circle, it holds about 99.75 %.
    """
    _check_noise(noise, below=1 / RADIUS_99)
    upper, lower = Arc((0.0, 0.0), 1.0, 0.0, math.pi), Arc((1.0, 0.5), 1.0, math.pi, math.pi)
    return _dataset([_moon("upper", upper, noise), _moon("lower", lower, noise)], noise, train_size, test_size, seed)


def blobs(train_size: int = 4000, test_size: int = 2000, noise: float = 0.12, seed: int = 0) -> Dataset:
    """Three isotropic normal distributions, unequal in mass and, at the default noise, well apart."""
    _check_noise(noise, below=math.inf)
    modes = [
        _blob("large", 0.5, (0.0, 1.0), noise),
        _blob("middle", 0.3, (-0.9, -0.6), noise),
        _blob("small", 0.2, (0.9, -0.6), noise),
    ]
    return _dataset(modes, noise, train_size, test_size, seed)


@dataclass(frozen=True)
class _Mode:
    """One class: its share of the mass, its 99 % support and n draws (n, 2) from it."""

    name: str
    mass: float
    shape: Shape
    draw: Callable[[np.random.Generator, int], Floats]


def _ring(name: str, mass: float, radius: float, noise: float) -> _Mode:
    circle = Arc((0.0, 0.0), radius)

    def draw(rng: np.random.Generator, n: int) -> Floats:
        return circle.at(rng.random(n)) * (1 + noise / radius * rng.standard_normal((n, 1)))

    return _Mode(name, mass, Annulus(circle.centre, radius, HALF_WIDTH_99 * noise), draw)


def _moon(name: str, spine: Arc, noise: float) -> _Mode:
    def draw(rng: np.random.Generator, n: int) -> Floats:
        return spine.at(rng.random(n)) + noise * rng.standard_normal((n, 2))

    return _Mode(name, 0.5, Tube(spine, RADIUS_99 * noise), draw)


def _blob(name: str, mass: float, centre: Point, noise: float) -> _Mode:
    def draw(rng: np.random.Generator, n: int) -> Floats:
        return np.asarray(centre) + noise * rng.standard_normal((n, 2))

    return _Mode(name, mass, Disc(centre, RADIUS_99 * noise), draw)


def _dataset(modes: Sequence[_Mode], noise: float, train_size: int, test_size: int, seed: int) -> Dataset:
    if train_size < 1 or test_size < 2 or seed < 0:
        raise UserError(
            f"train_size={train_size}, test_size={test_size}, seed={seed}: "
            "a toy set needs at least 1 training and 2 test samples, and a seed of 0 or more"
        )
    support = Support(tuple(mode.shape for mode in modes), noise)
    # A generator each, so that the size of the training data does not change which test data is drawn.
    train_rng, test_rng, background_rng = np.random.default_rng(seed).spawn(3)
    train = _draw(modes, train_rng, train_size)
    normal = _draw(modes, test_rng, test_size - test_size // 2)
    background = _background(train.x.numpy(), support, background_rng, test_size // 2)
    test = Samples(
        x=torch.cat([normal.x, torch.from_numpy(background)]),
        y=torch.cat([normal.y, torch.full((len(background),), len(modes))]),
    )
    return Dataset(train, test, (*(mode.name for mode in modes), "background"), support)


def _draw(modes: Sequence[_Mode], rng: np.random.Generator, n: int) -> Samples:
    y = rng.choice(len(modes), size=n, p=[mode.mass for mode in modes])
    x = np.empty((n, 2), dtype=np.float32)
    for m, mode in enumerate(modes):
        x[y == m] = mode.draw(rng, int(np.sum(y == m)))
    return Samples(torch.from_numpy(x), torch.from_numpy(y))


def _background(data: np.ndarray, support: Support, rng: np.random.Generator, n: int) -> np.ndarray:
    low, high = data.min(axis=0) - MARGIN, data.max(axis=0) + MARGIN
    kept = np.empty((0, 2), dtype=np.float32)
    while len(kept) < n:
        points = rng.uniform(low, high, (n, 2)).astype(np.float32)
        kept = np.concatenate([kept, points[support.outside(points)]])
    return kept[:n]


def _check_noise(noise: float, below: float) -> None:
    if not 0 < noise < below:
        raise UserError(f"noise={noise}: the noise of this toy set must lie above 0 and below {below:.3g}")
