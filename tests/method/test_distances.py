import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from omasgan.method.losses import EPSILON, dispersion, distance, nearest, pairwise
from tests.method.tensors import gradients, normal

sizes = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)


# Eq. (4)


def brute_distance(b, g, p=2.0):
    """min_j || b_i - g_j ||_p, one pair at a time, in float64."""
    return torch.stack(
        [torch.stack([(x - y).abs().pow(p).sum().pow(1 / p) for y in g.double()]).min() for x in b.double()]
    )


@given(n=sizes, q=sizes, k=sizes, seed=seeds)
def test_distance_is_the_least_over_all_pairs(n, q, k, seed):
    b, g = normal(n, k, seed=seed), normal(q, k, seed=seed + 1)
    torch.testing.assert_close(distance(b, g).double(), brute_distance(b, g), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("p", [1.0, 3.0])
@given(n=sizes, q=sizes, k=sizes, seed=seeds)
def test_distance_in_another_norm_is_the_one_to_the_euclidean_neighbour(p, n, q, k, seed):
    b, g = normal(n, k, seed=seed), normal(q, k, seed=seed + 1)
    neighbours = g[torch.cdist(b.double(), g.double()).argmin(dim=1)]
    found = distance(b, g, p).double()
    expected = (b - neighbours).double().abs().pow(p).sum(dim=1).pow(1 / p)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found >= brute_distance(b, g, p) - 1e-4).all(), "an upper bound of the minimum"


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_distance_to_a_single_sample_has_no_choice_of_neighbour(p):
    b, g = normal(20, 5), normal(1, 5, seed=1)
    torch.testing.assert_close(distance(b, g, p).double(), brute_distance(b, g, p), rtol=1e-4, atol=1e-4)


@given(n=sizes, q=sizes, k=sizes, seed=seeds, chunk=st.integers(1, 15))
def test_the_chunk_does_not_matter(n, q, k, seed, chunk):
    random = torch.Generator().manual_seed(seed)
    b, g = (torch.randint(-4, 5, (m, k), generator=random).float() for m in (n, q))  # exact, so ties are ties
    found = (b - g[nearest(b, g, chunk)]).square().sum(dim=1)
    assert torch.equal(found, (b[:, None] - g).square().sum(dim=2).min(dim=1).values)


def test_distance_takes_images():
    b, g = normal(4, 3, 5, 6), normal(7, 3, 5, 6, seed=1)
    torch.testing.assert_close(distance(b, g), distance(b.flatten(1), g.flatten(1)))


@pytest.mark.parametrize("p", [2.0, 3.0])
def test_the_gradient_of_distance_is_that_of_the_minimum_and_reaches_b_alone(p):
    b, g = normal(9, 6).requires_grad_(True), normal(1 if p != 2 else 12, 6, seed=1).requires_grad_(True)
    (found,) = gradients(distance(b, g, p).sum(), b)
    (expected,) = gradients(brute_distance(b, g, p).sum(), b)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    distance(b, g, p).sum().backward()
    assert g.grad is None


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("k", [2, 784, 3072])
def test_distance_to_a_copy_is_about_nothing_and_has_a_finite_gradient(p, k):
    g = normal(5, k)
    b = g[:2].clone().requires_grad_(True)
    d = distance(b, g, p)
    assert (d <= 2 * EPSILON * k ** (1 / p)).all()
    (gradient,) = gradients(d.sum(), b)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("offset", [0.0, 30.0, 1000.0])
def test_the_origin_does_not_matter_to_distance(offset):
    b, g = normal(20, 784) + offset, normal(60, 784, seed=1) + offset
    d = distance(b.requires_grad_(True), g)
    torch.testing.assert_close(d.double(), torch.cdist(b.double(), g.double()).min(dim=1).values, rtol=1e-4, atol=1e-4)
    assert gradients(d.sum(), b)[0].isfinite().all()


def test_distance_keeps_the_order_of_b_and_forgets_that_of_g():
    b, g = normal(8, 4), normal(15, 4, seed=1)
    order, other = (torch.randperm(m, generator=torch.Generator().manual_seed(2)) for m in (8, 15))
    torch.testing.assert_close(distance(b[order], g[other]), distance(b, g)[order])


@pytest.mark.parametrize("scale", [1e-2, 10.0])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_distance_scales_with_the_data(scale, p):
    b, g = normal(8, 4), normal(15, 4, seed=1)
    torch.testing.assert_close(distance(scale * b, scale * g, p), scale * distance(b, g, p), rtol=1e-3, atol=0)


# Eq. (5)


def brute_dispersion(z, b, neighbours=None, epsilon=0.0):
    """1/(N-1) sum_{j != i} || z_i - z_j || / || b_i - b_j ||, or the mean over the nearest b_j, one pair at a time."""
    rows = []
    for i in range(len(b)):
        pairs = []
        for j in range(len(b)):
            if j != i:
                far = (b[i].double() - b[j].double()).norm()
                softened = (far.square() + epsilon**2).sqrt()
                pairs.append((far.item(), (z[i].double() - z[j].double()).norm() / softened))
        kept = sorted(pairs, key=lambda pair: pair[0])[:neighbours]
        rows.append(sum(ratio for _, ratio in kept) / len(kept))
    return torch.stack(rows)


@given(n=st.integers(2, 12), latent=sizes, k=st.integers(2, 12), seed=seeds)
def test_dispersion_is_the_mean_over_the_others(n, latent, k, seed):
    z, b = normal(n, latent, seed=seed), normal(n, k, seed=seed + 1)
    torch.testing.assert_close(dispersion(z, b).double(), brute_dispersion(z, b), rtol=1e-4, atol=1e-4)


@given(n=st.integers(2, 12), neighbours=st.integers(1, 14), seed=seeds)
def test_dispersion_over_the_nearest_alone(n, neighbours, seed):
    z, b = normal(n, 3, seed=seed), normal(n, 4, seed=seed + 1)
    found, expected = dispersion(z, b, neighbours).double(), brute_dispersion(z, b, neighbours)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("epsilon", [0.0, 0.7])
@pytest.mark.parametrize("neighbours", [None, 3])
def test_softened_dispersion_and_its_gradient(neighbours, epsilon):
    z, b = normal(10, 3), normal(10, 5, seed=1).requires_grad_(True)
    found_s, expected_s = dispersion(z, b, neighbours, epsilon), brute_dispersion(z, b, neighbours, epsilon)
    torch.testing.assert_close(found_s.double(), expected_s, rtol=1e-4, atol=1e-4)
    (found,) = gradients(found_s.sum(), b)
    (expected,) = gradients(expected_s.sum(), b)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_dispersion_drives_a_close_pair_apart():
    z, b = normal(2, 3), torch.tensor([[0.0, 0.0], [0.1, 0.0]], requires_grad=True)
    (gradient,) = gradients(dispersion(z, b).sum(), b)
    assert gradient[0, 0] > 0 > gradient[1, 0]


def test_dispersion_takes_images():
    z, b = normal(6, 3), normal(6, 1, 4, 5, seed=1)
    torch.testing.assert_close(dispersion(z, b), dispersion(z, b.flatten(1)))


@pytest.mark.parametrize("neighbours", [None, 3])
def test_dispersion_follows_the_order_of_the_pairs(neighbours):
    z, b = normal(10, 3), normal(10, 5, seed=1)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(dispersion(z[order], b[order], neighbours), dispersion(z, b, neighbours)[order])


@pytest.mark.parametrize("scale", [1e-2, 10.0])
@pytest.mark.parametrize("neighbours", [None, 3])
def test_dispersion_scales_with_z_and_against_b(scale, neighbours):
    z, b = normal(10, 3), normal(10, 5, seed=1)
    torch.testing.assert_close(dispersion(z, scale * b, neighbours), dispersion(z, b, neighbours) / scale)
    torch.testing.assert_close(dispersion(scale * z, b, neighbours), dispersion(z, b, neighbours) * scale)


@pytest.mark.parametrize("neighbours", [None, 2])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_dispersion_is_finite_where_samples_coincide(neighbours, offset):
    z, b = normal(8, 16), normal(8, 784, seed=1) + offset
    b[1] = b[0]
    s = dispersion(z, b.requires_grad_(True), neighbours)
    assert s.isfinite().all()
    assert gradients(s.sum(), b)[0].isfinite().all()


@pytest.mark.parametrize("far", [1.0, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_a_close_pair_among_distant_samples_is_not_lost_to_rounding(far, offset):
    z, b = normal(8, 16), normal(8, 784, seed=1) + offset
    b[1] = b[0] + far / math.sqrt(784)
    torch.testing.assert_close(dispersion(z, b).double(), brute_dispersion(z, b), rtol=1e-3, atol=0)


# The distances of all pairs


@given(n=st.integers(2, 8), k=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_gradient_of_pairwise_distances_is_that_of_the_definition(n, k, seed):
    random = torch.Generator().manual_seed(seed)
    a, weight = torch.randn(n, k, generator=random) + 5, torch.randn(n, n, generator=random)
    weight.fill_diagonal_(0)  # a distance of zero has no gradient
    mine, theirs = (a.clone().requires_grad_(True) for _ in range(2))
    (pairwise(mine) * weight).sum().backward()
    others = ~torch.eye(n, dtype=torch.bool)
    differences = (theirs.double()[:, None] - theirs.double()[None])[others]
    (torch.linalg.vector_norm(differences, dim=1) * weight[others]).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4)


def test_samples_that_meet_have_no_gradient():
    a = torch.tensor([[0.0], [EPSILON / 10]], requires_grad=True)
    pairwise(a).sum().backward()
    assert torch.equal(a.grad, torch.zeros(2, 1))
