import math

import pytest
import torch

from omasgan.data.toy import blobs, moons, rings
from omasgan.errors import UserError

SOURCES = [rings, moons, blobs]
MASSES = {rings: [0.3, 0.7], moons: [0.5, 0.5], blobs: [0.5, 0.3, 0.2]}

sources = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)


@sources
def test_shape_of_the_data(source):
    dataset = source(train_size=50, test_size=31)
    modes = len(dataset.support.modes)
    assert dataset.spec.shape == (2,)
    assert dataset.train.x.dtype == dataset.test.x.dtype == torch.float32
    assert (len(dataset.train), len(dataset.test)) == (50, 31)
    assert (len(dataset.train.y), len(dataset.test.y)) == (50, 31)
    assert len(dataset.class_names) == modes + 1
    assert dataset.class_names[-1] == "background"
    assert dataset.train.y.max() < modes, "no background in training"
    assert (dataset.test.y == modes).sum() == 15


@sources
def test_support_holds_99_percent_of_every_mode(source):
    dataset = source(train_size=200_000, test_size=2)
    for m, mode in enumerate(dataset.support.modes):
        x = dataset.train.x[dataset.train.y == m]
        inside = (mode.distance(x.double().numpy()) == 0).mean()
        if source is moons:
            assert 0.99 <= inside < 0.999
        else:
            assert inside == pytest.approx(0.99, abs=0.003)


@sources
def test_modes_have_their_mass(source):
    y = source(train_size=50_000, test_size=2).train.y
    assert (y.bincount() / len(y)).tolist() == pytest.approx(MASSES[source], abs=0.01)


@sources
def test_background_is_outside_and_fills_the_grown_box(source):
    dataset = source(train_size=1000, test_size=20_000)
    background = dataset.test.x[dataset.test.y == len(dataset.support.modes)]
    assert dataset.support.outside(background).all()
    low, high = dataset.train.x.amin(dim=0) - 1, dataset.train.x.amax(dim=0) + 1
    torch.testing.assert_close(background.amin(dim=0), low, atol=0.02, rtol=0)
    torch.testing.assert_close(background.amax(dim=0), high, atol=0.02, rtol=0)
    assert ((background >= low) & (background <= high)).all()


@sources
def test_seed_decides_the_data(source):
    first, again, other = source(seed=3), source(seed=3), source(seed=4)
    for a, b in ((first.train, again.train), (first.test, again.test)):
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.y, b.y)
    assert not torch.equal(first.train.x, other.train.x)
    assert not torch.equal(first.train.x[:1000], first.test.x[:1000])


@sources
def test_size_of_training_leaves_the_normal_test_data(source):
    small, large = source(train_size=10), source(train_size=500)
    assert torch.equal(small.test.x[:1000], large.test.x[:1000])


def test_default_modes_are_apart():
    for source in SOURCES:
        support = source(train_size=1, test_size=2).support
        assert all(len(points) == 100 for points in support.boundary(100))


@pytest.mark.parametrize(
    ("source", "noise"), [(rings, 0.0), (moons, 0.0), (blobs, 0.0), (rings, -0.1), (moons, math.nan), (blobs, math.inf)]
)
def test_noise_out_of_range(source, noise):
    with pytest.raises(UserError, match=f"noise={noise}"):
        source(noise=noise)


@pytest.mark.parametrize(("source", "noise"), [(rings, 0.2), (moons, 0.33)])
def test_noise_that_closes_the_hole(source, noise):
    with pytest.raises(UserError, match=f"noise={noise}.*below"):
        source(noise=noise)


@sources
@pytest.mark.parametrize("bad", [{"train_size": 0}, {"test_size": 1}, {"seed": -1}], ids=str)
def test_sizes_and_seed_out_of_range(source, bad):
    ((key, value),) = bad.items()
    with pytest.raises(UserError, match=f"{key}={value}"):
        source(**bad)
