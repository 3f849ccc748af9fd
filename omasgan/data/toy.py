"""Two-dimensional data sets whose support is known exactly.

The modes of the distribution are the normal classes; training data come from them alone. Half of the test data come
from the modes; the other half, class 'background', is uniform over the training data's bounding box grown by 1 on each
side, outside the modes' 99 % support.
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

HALF_WIDTH_99 = NormalDist().inv_cdf(0.995)
"""99 % of a standard normal variable lies within this distance of 0."""

RADIUS_99 = math.sqrt(-2 * math.log(0.01))
"""99 % of a standard normal vector in the plane lies within this distance of 0."""

MARGIN = 1.0
"""By how much the background exceeds the bounding box of the training data on each side."""


def rings(train_size: int = 4000, test_size: int = 2000, noise: float = 0.05, seed: int = 0) -> Dataset:
    """Draw two concentric rings with normal noise along the radius, 30 % of the mass in the inner ring.

    Parameters
    ----------
    train_size, test_size
        Number of samples; at least 1 and 2.
    noise
        Standard deviation of the noise, in data units; above 0 and below 0.194, where the inner ring closes.
    seed
        Seed of the draws; at least 0.

    Returns
    -------
    Dataset
        float32 rows (n, 2), with the support of the modes.

    Raises
    ------
    UserError
        For a size, noise or seed that is out of range.
    """
    _check_noise(noise, below=0.5 / HALF_WIDTH_99)
    return _dataset(
        [_ring("inner", 0.3, 0.5, noise), _ring("outer", 0.7, 1.2, noise)], noise, train_size, test_size, seed
    )


def moons(train_size: int = 4000, test_size: int = 2000, noise: float = 0.05, seed: int = 0) -> Dataset:
    """Draw two interleaved half circles with isotropic normal noise.

    The support of a half circle is all points within a distance of RADIUS_99 * noise. The noise moves 99 % of the
    points by no more than that, and moves many of the others along the half circle, so the support holds about 99.75 %
    of the mass.

    Parameters
    ----------
    train_size, test_size, seed
        See `rings`.
    noise
        Standard deviation of the noise, in data units; above 0 and below 0.329.

    Returns
    -------
    Dataset
        float32 rows (n, 2), with the support of the modes.

    Raises
    ------
    UserError
        For a size, noise or seed that is out of range.
    """
    _check_noise(noise, below=1 / RADIUS_99)
    upper, lower = Arc((0.0, 0.0), 1.0, 0.0, math.pi), Arc((1.0, 0.5), 1.0, math.pi, math.pi)
    return _dataset([_moon("upper", upper, noise), _moon("lower", lower, noise)], noise, train_size, test_size, seed)


def blobs(train_size: int = 4000, test_size: int = 2000, noise: float = 0.12, seed: int = 0) -> Dataset:
    """Draw three isotropic normal distributions, with 50, 30 and 20 % of the mass, far apart at the default noise.

    Parameters
    ----------
    train_size, test_size, seed
        See `rings`.
    noise
        Standard deviation of the noise, in data units; above 0.

    Returns
    -------
    Dataset
        float32 rows (n, 2), with the support of the modes.

    Raises
    ------
    UserError
        For a size, noise or seed that is out of range.
    """
    _check_noise(noise, below=math.inf)
    modes = [
        _blob("large", 0.5, (0.0, 1.0), noise),
        _blob("middle", 0.3, (-0.9, -0.6), noise),
        _blob("small", 0.2, (0.9, -0.6), noise),
    ]
    return _dataset(modes, noise, train_size, test_size, seed)


@dataclass(frozen=True)
class _Mode:
    """One class: its name, share of the mass, 99 % support, and a function that draws n points (n, 2) from it."""

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
            "set a train_size of at least 1, a test_size of at least 2 and a seed of at least 0"
        )
    support = Support(tuple(mode.shape for mode in modes), noise)
    # One generator for each, so that the size of the training data does not change which test data are drawn.
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
        raise UserError(f"noise={noise}: set the noise of this toy data set above 0 and below {below:.3g}")
