import math

import numpy as np
import pytest
import torch

from omasgan.data.support import Annulus, Arc, Disc, Support, Tube, boundary_report

DISC = Disc((0.3, -0.2), 0.7)
ANNULUS = Annulus((-0.4, 0.1), 1.0, 0.3)
TUBE = Tube(Arc((0.2, 0.5), 1.0, 0.4, math.pi), 0.25)
BACKWARDS = Tube(Arc((0.0, 0.0), 0.8, 1.0, -2.0), 0.3)
SHAPES = [DISC, ANNULUS, TUBE, BACKWARDS]
AREAS = [
    math.pi * 0.7**2,
    4 * math.pi * 1.0 * 0.3,
    2 * 0.25 * math.pi * 1.0 + math.pi * 0.25**2,
    2 * 0.3 * 2.0 * 0.8 + math.pi * 0.3**2,
]
OVERLAPPING = Support(
    (Tube(Arc((0.0, 0.0), 1.0, 0.0, math.pi), 0.3), Tube(Arc((1.0, 0.5), 1.0, math.pi, math.pi), 0.3)),
    noise=0.1,
)

shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-2.5, 2.5, (2000, 2))


def dense(outline, n=4000):
    return outline.at(np.arange(n) / n)


def circle(radius, n=720, centre=(0.0, 0.0)):
    return Arc(centre, radius).at(np.arange(n) / n)


@shapes
def test_outlines_lie_on_the_boundary(shape):
    for outline in shape.outlines:
        boundary = dense(outline, 97)
        assert shape.distance(boundary).max() < 1e-12
        around = boundary[:, None] + circle(1e-3, 24)
        distance = shape.distance(around.reshape(-1, 2)).reshape(97, 24)
        assert (distance.max(axis=1) > 0.9e-3).all(), "every boundary point has an outside"
        assert (distance.min(axis=1) == 0).all(), "and an inside"


@shapes
def test_distance_is_that_to_the_nearest_boundary_point(shape, points):
    boundary = torch.from_numpy(np.concatenate([dense(outline) for outline in shape.outlines]))
    nearest = torch.cdist(torch.from_numpy(points), boundary).amin(dim=1).numpy()
    distance = shape.distance(points)
    outside = distance > 0
    assert 0 < outside.sum() < len(points)
    np.testing.assert_allclose(distance[outside], nearest[outside], atol=1e-3)


@shapes
def test_distance_is_lipschitz(shape, points):
    others = points[::-1]
    change = np.abs(shape.distance(points) - shape.distance(others))
    assert (change <= np.linalg.norm(points - others, axis=1) + 1e-12).all()


@pytest.mark.parametrize(("shape", "area"), list(zip(SHAPES, AREAS, strict=True)), ids=lambda x: type(x).__name__)
def test_outlines_enclose_the_area(shape, area):
    """Steiner's formula against the shoelace formula, and against the share of random points inside."""
    enclosed = []
    for outline in shape.outlines:
        x, y = dense(outline).T
        enclosed.append(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2)
    assert max(enclosed) - sum(sorted(enclosed)[:-1]) == pytest.approx(area, rel=1e-3)
    cloud = np.random.default_rng(1).uniform(-2.5, 2.5, (200_000, 2))
    assert np.mean(shape.distance(cloud) == 0) * 25 == pytest.approx(area, rel=0.03)


@shapes
def test_outlines_are_closed_and_evenly_walked(shape):
    for outline in shape.outlines:
        walk = outline.at(np.linspace(0, 1, 1001))
        np.testing.assert_allclose(walk[0], walk[-1], atol=1e-12)
        steps = np.linalg.norm(np.diff(walk, axis=0), axis=1)
        np.testing.assert_allclose(steps, outline.length / 1000, rtol=1e-2)


@shapes
def test_projection_inverts_the_walk(shape):
    share = (np.arange(200) + 0.5) / 200
    for outline in shape.outlines:
        found, distance = outline.project(outline.at(share))
        np.testing.assert_allclose(found, share, atol=1e-9)
        assert distance.max() < 1e-12


def test_points_may_be_numpy_or_torch_of_any_precision(points):
    support = Support((DISC,), 0.1)
    expected = support.distance(points)
    np.testing.assert_array_equal(support.distance(torch.from_numpy(points).requires_grad_()), expected)
    np.testing.assert_allclose(support.distance(torch.from_numpy(points).float()), expected, atol=1e-6)


def test_union_is_the_nearest_mode(points):
    support = Support((DISC, TUBE), 0.1)
    expected = np.minimum(DISC.distance(points), TUBE.distance(points))
    np.testing.assert_array_equal(support.distance(points), expected)
    np.testing.assert_array_equal(support.outside(points), expected > 0)


def test_a_point_that_is_not_a_number_is_outside():
    assert Support((DISC,), 0.1).outside([[math.nan, 0.0], [math.inf, 0.0]]).all()


def test_boundary_of_separate_modes_has_all_points_spread_by_length():
    support = Support((ANNULUS, Disc((4.0, 0.0), 1.0)), 0.1)
    ring, disc = support.boundary(200)
    assert len(ring) == len(disc) == 200
    radius = np.linalg.norm(ring - np.array(ANNULUS.centre), axis=1)
    assert (radius < 1).sum() == 70  # circumference 0.7 of the inner to 1.3 of the outer circle
    assert support.distance(np.concatenate([ring, disc])).max() < 1e-12


def test_boundary_leaves_out_what_another_mode_hides():
    for mode, points in zip(OVERLAPPING.modes, OVERLAPPING.boundary(500), strict=True):
        other = next(shape for shape in OVERLAPPING.modes if shape is not mode)
        assert 0 < len(points) < 500
        assert (other.distance(points) > 0).all()


def test_report_of_points_all_along_the_boundary():
    support = Support((Annulus((0.0, 0.0), 1.0, 0.3), Disc((4.0, 0.0), 1.0)), 0.1)
    rim = [circle(0.6), circle(1.4), circle(1.1, centre=(4.0, 0.0))]
    report = boundary_report(np.concatenate(rim), support)
    assert (report.outside, report.near, report.coverage) == (1, 1, 1)
    assert report.per_mode == [1, 1]


def test_report_tells_the_modes_apart():
    support = Support((Annulus((0.0, 0.0), 1.0, 0.3), Disc((4.0, 0.0), 1.0)), 0.1)
    report = boundary_report(circle(1.4), support)
    assert report.per_mode == pytest.approx([1.3 / 2, 0])  # the outer circle's share of both circles' length
    assert report.coverage == 0


def test_report_counts_lengths_and_points():
    support = Support((Disc((0.0, 0.0), 1.0),), 0.1)
    half = circle(1.2)[:360]
    inside, far = np.zeros((180, 2)), np.full((180, 2), 9.0)
    report = boundary_report(np.concatenate([half, inside, far]), support, bins=64)
    assert report.outside == pytest.approx(540 / 720)
    assert report.near == pytest.approx(360 / 540)
    assert report.coverage == pytest.approx(0.5)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), 9.0), np.full((5, 2), math.nan)])
def test_report_of_points_that_are_nowhere_near(points):
    report = boundary_report(points, Support((Disc((0.0, 0.0), 1.0),), 0.1))
    assert (report.near, report.coverage) == (0, 0)


def test_hidden_boundary_need_not_be_covered():
    rng = np.random.default_rng(0)
    boundary = np.concatenate(OVERLAPPING.boundary(4000))
    report = boundary_report(boundary + 1e-3 * rng.standard_normal(boundary.shape), OVERLAPPING)
    assert report.per_mode == [1, 1]
