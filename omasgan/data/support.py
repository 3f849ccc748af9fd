"""The exact support of a two-dimensional toy data set, and how well a generator's samples cover its boundary.

Every boundary consists of circular arcs, so that lengths, projections and distances are exact, not sampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Point = tuple[float, float]

TURN = 2 * math.pi


@dataclass(frozen=True)
class Arc:
    """A circular arc: the points centre + radius (cos a, sin a), with a from `start` to `start + sweep`.

    Parameters
    ----------
    centre, radius
        The circle, in data units.
    start, sweep
        In radians; a negative sweep runs clockwise.
    """

    centre: Point
    radius: float
    start: float = 0.0
    sweep: float = TURN

    @property
    def length(self) -> float:
        """The length of the arc, in data units."""
        return self.radius * abs(self.sweep)

    def at(self, share: Floats) -> Floats:
        """The points (n, 2) at the given fractions of the arc's length (n,), 0..1."""
        angle = self.start + self.sweep * share
        return np.asarray(self.centre) + self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def project(self, points: Floats) -> Floats:
        """For each point (n, 2), the fraction of the arc's length, 0..1, where the arc is nearest to it; (n,)."""
        dx, dy = (points - np.asarray(self.centre)).T
        span = abs(self.sweep)
        turned = (math.copysign(1.0, self.sweep) * (np.arctan2(dy, dx) - self.start)) % TURN
        nearer_end = np.where(turned - span < TURN - turned, 1.0, 0.0)
        return np.where(turned <= span, turned / span, nearer_end)

    def distance(self, points: Floats) -> Floats:
        """The distances (n,) of points (n, 2) to the arc."""
        return _norm(points - self.at(self.project(points)))


@dataclass(frozen=True)
class Outline:
    """A closed curve made of arcs, each of which begins where the previous one ends."""

    arcs: tuple[Arc, ...]

    @property
    def length(self) -> float:
        """The length of the curve, in data units."""
        return sum(arc.length for arc in self.arcs)

    def at(self, share: Floats) -> Floats:
        """The points (n, 2) at the given fractions of the curve's length (n,), 0..1."""
        position = share * self.length
        points = np.empty((len(share), 2))
        start = 0.0
        for arc in self.arcs:
            from_here = position >= start  # points beyond this arc are overwritten by the next one
            points[from_here] = arc.at((position[from_here] - start) / arc.length)
            start += arc.length
        return points

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """For each point (n, 2), where the curve is nearest: the fraction of its length (n,) and the distance (n,)."""
        starts = np.cumsum([0.0] + [arc.length for arc in self.arcs[:-1]])
        distances = np.stack([arc.distance(points) for arc in self.arcs])
        positions = np.stack(
            [start + arc.length * arc.project(points) for start, arc in zip(starts, self.arcs, strict=True)]
        )
        nearest = distances.argmin(axis=0), np.arange(len(points))
        return positions[nearest] / self.length, distances[nearest]


class Shape(Protocol):
    """A closed set in the plane, bounded by outlines."""

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """The closed curves that bound the set."""
        ...

    def distance(self, points: Floats) -> Floats:
        """The distances (n,) of points (n, 2) to the set, 0 inside."""
        ...


@dataclass(frozen=True)
class Disc:
    """All points within `radius` of `centre`."""

    centre: Point
    radius: float

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """The circle."""
        return (Outline((Arc(self.centre, self.radius),)),)

    def distance(self, points: Floats) -> Floats:
        """See `Shape`."""
        return np.maximum(_norm(points - np.asarray(self.centre)) - self.radius, 0.0)


@dataclass(frozen=True)
class Annulus:
    """All points within `half_width` of a circle; `half_width` is less than `radius`."""

    centre: Point
    radius: float
    half_width: float

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """The inner and the outer circle."""
        radii = (self.radius - self.half_width, self.radius + self.half_width)
        return tuple(Outline((Arc(self.centre, radius),)) for radius in radii)

    def distance(self, points: Floats) -> Floats:
        """See `Shape`."""
        return np.maximum(Arc(self.centre, self.radius).distance(points) - self.half_width, 0.0)


@dataclass(frozen=True)
class Tube:
    """All points within `half_width` of the arc `spine`.

    Parameters
    ----------
    spine
        At most half a circle.
    half_width
        In data units; less than the radius of the arc.
    """

    spine: Arc
    half_width: float

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """One curve: the outer arc, the half circle at the end, the inner arc, the half circle at the start."""
        spine, end = self.spine, self.spine.start + self.spine.sweep
        half_turn = math.copysign(math.pi, spine.sweep)
        (x0, y0), (x1, y1) = spine.at(np.array([0.0, 1.0])).tolist()
        return (
            Outline(
                (
                    Arc(spine.centre, spine.radius + self.half_width, spine.start, spine.sweep),
                    Arc((x1, y1), self.half_width, end, half_turn),
                    Arc(spine.centre, spine.radius - self.half_width, end, -spine.sweep),
                    Arc((x0, y0), self.half_width, spine.start + half_turn, half_turn),
                )
            ),
        )

    def distance(self, points: Floats) -> Floats:
        """See `Shape`."""
        return np.maximum(self.spine.distance(points) - self.half_width, 0.0)


@dataclass(frozen=True)
class Support:
    """The union of the modes' 99 % supports.

    Parameters
    ----------
    modes
        The support of each mode.
    noise
        Standard deviation of the noise, in data units.

    Examples
    --------
    >>> support = Support((Disc((0.0, 0.0), 1.0),), noise=0.1)
    >>> support.distance([[0.5, 0.0], [3.0, 0.0]]).tolist()
    [0.0, 2.0]
    """

    modes: tuple[Shape, ...]
    noise: float

    def distance(self, points: ArrayLike | Tensor) -> Floats:
        """The distances (n,) of points (n, 2) to the support, 0 inside."""
        points = _as_points(points)
        nearest: Floats = np.min([mode.distance(points) for mode in self.modes], axis=0)
        return nearest

    def outside(self, points: ArrayLike | Tensor) -> NDArray[np.bool_]:
        """Whether each point (n, 2) lies outside the support; bool (n,), True for NaN."""
        return np.not_equal(self.distance(points), 0)

    def boundary(self, per_mode: int) -> list[Floats]:
        """For each mode, about `per_mode` points (m, 2) at equal distances along its outlines.

        Points inside another mode are left out, as they are not on the boundary of the union.
        """
        boundary = []
        for m, mode in enumerate(self.modes):
            total = sum(outline.length for outline in mode.outlines)
            counts = [max(1, round(per_mode * outline.length / total)) for outline in mode.outlines]
            points = np.concatenate(
                [outline.at(np.arange(n) / n) for outline, n in zip(mode.outlines, counts, strict=True)]
            )
            boundary.append(points[self.exposed(m, points)])
        return boundary

    def exposed(self, mode: int, points: Floats) -> NDArray[np.bool_]:
        """Whether each point (n, 2) lies outside all modes except the one at index `mode`; bool (n,)."""
        others = [shape.distance(points) > 0 for m, shape in enumerate(self.modes) if m != mode]
        return np.logical_and.reduce(others, axis=0) if others else np.ones(len(points), dtype=bool)


@dataclass(frozen=True)
class BoundaryReport:
    """How well samples surround the support; all values are fractions, 0..1.

    Parameters
    ----------
    outside
        Samples outside the support, of all samples.
    near
        Samples within three standard deviations of the noise of the support, of those outside; 0 where none is outside.
    coverage
        The smallest value of `per_mode`.
    per_mode
        For each mode, the part of its boundary's length that is nearest to a sample which is outside and near.
    """

    outside: float
    near: float
    coverage: float
    per_mode: list[float]


def boundary_report(points: ArrayLike | Tensor, support: Support, bins: int = 64) -> BoundaryReport:
    """Measure how well samples surround a support.

    Each outline is divided into cells of equal length. A sample covers the cell that holds the point of the boundary
    nearest to it. Cells whose middle lies inside another mode are left out, as they are not on the boundary of the
    union.

    Parameters
    ----------
    points
        The samples (n, 2), at least one.
    support
        The support that they should surround.
    bins
        Cells of each outline.
    """
    points = _as_points(points)
    outside, distance = support.outside(points), support.distance(points)
    near = outside & (distance <= 3 * support.noise)
    outlines = [(m, outline) for m, mode in enumerate(support.modes) for outline in mode.outlines]
    shares, distances = zip(*(outline.project(points[near]) for _, outline in outlines), strict=True)
    nearest = np.argmin(distances, axis=0)

    covered, total = np.zeros(len(support.modes)), np.zeros(len(support.modes))
    for i, (m, outline) in enumerate(outlines):
        exposed = support.exposed(m, outline.at((np.arange(bins) + 0.5) / bins))
        hit = np.zeros(bins, dtype=bool)
        hit[(shares[i][nearest == i] * bins).astype(int) % bins] = True
        covered[m] += outline.length * np.mean(hit & exposed)
        total[m] += outline.length * np.mean(exposed)
    per_mode = (covered / total).tolist()
    return BoundaryReport(
        outside=float(outside.mean()),
        near=float(near.sum() / max(1, outside.sum())),
        coverage=min(per_mode),
        per_mode=per_mode,
    )


def _as_points(points: ArrayLike | Tensor) -> Floats:
    return torch.as_tensor(points).detach().cpu().double().numpy()


def _norm(vectors: Floats) -> Floats:
    return np.asarray(np.hypot(vectors[:, 0], vectors[:, 1]))
