import pytest
import torch

from omasgan.data.dataset import Spec
from omasgan.detectors.transformations.transformations import (
    COUNT,
    FLIPS,
    ROTATIONS,
    SHIFTS,
    GeometricTransformations,
    moved,
    must_have_transformations,
)
from omasgan.errors import UserError

SIDE = 12
QUARTER = SIDE // 4
ALL = torch.arange(COUNT)


@pytest.fixture
def transformations():
    return GeometricTransformations(SIDE)


def image(channels=1):
    return torch.rand(1, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def index(flip=False, right=0, down=0, rotation=0):
    """The index of a transformation."""
    places = [FLIPS.index(flip), SHIFTS.index(right), SHIFTS.index(down), ROTATIONS.index(rotation)]
    index = 0
    for place, options in zip(places, (FLIPS, SHIFTS, SHIFTS, ROTATIONS), strict=True):
        index = index * len(options) + place
    return torch.tensor([index])


def test_they_are_72_and_all_differ(transformations):
    assert len(transformations) == COUNT == 72
    assert len(transformations.every(image()).unique(dim=0)) == 72


def test_the_first_one_changes_nothing(transformations):
    x = image(3)
    assert torch.equal(transformations(x, index()), x)


@pytest.mark.parametrize(("change", "order"), [({"flip": True}, 2), ({"rotation": 1}, 4), ({"rotation": 2}, 2)])
def test_flips_and_rotations_return_the_image_after_as_often_as_their_order(transformations, change, order):
    x = changed = image(3)
    for turn in range(order):
        changed = transformations(changed, index(**change))
        assert torch.equal(changed, x) == (turn == order - 1)


def test_a_flip_exchanges_left_and_right_and_a_rotation_is_counterclockwise(transformations):
    x = image()
    assert torch.equal(transformations(x, index(flip=True))[..., 0], x[..., -1])
    assert torch.equal(transformations(x, index(rotation=1))[..., 0], x[..., 0, :].flip(-1))


@pytest.mark.parametrize("axis", ["right", "down"])
def test_a_shift_moves_by_a_quarter_and_reflects_what_enters(transformations, axis):
    dimension, x = {"right": 3, "down": 2}[axis], image()
    forth = transformations(x, index(**{axis: 1}))
    assert torch.equal(forth.narrow(dimension, QUARTER, SIDE - QUARTER), x.narrow(dimension, 0, SIDE - QUARTER))
    assert torch.equal(forth.narrow(dimension, 0, QUARTER), x.narrow(dimension, 0, QUARTER).flip(dimension))
    back = transformations(x, index(**{axis: -1}))
    assert torch.equal(back.narrow(dimension, 0, SIDE - QUARTER), x.narrow(dimension, QUARTER, SIDE - QUARTER))
    again = transformations(forth, index(**{axis: -1}))
    kept = SIDE - QUARTER
    assert torch.equal(again.narrow(dimension, 0, kept), x.narrow(dimension, 0, kept)), "only one edge is lost"


def test_each_image_gets_its_own_transformation_and_every_is_all_of_them_in_order(transformations):
    x = torch.cat([image(3), image(3).flip(2), 1 - image(3)])
    every = transformations.every(x).unflatten(0, (3, 72))
    for i in range(3):
        assert torch.equal(transformations(x[i].expand(72, -1, -1, -1), ALL), every[i])
    mixed = transformations(x, torch.tensor([5, 70, 33]))
    assert torch.equal(mixed, torch.stack([every[0, 5], every[1, 70], every[2, 33]]))


def test_the_images_are_channels_last_whatever_they_were(transformations):
    for x in (image(3), image(3).contiguous(memory_format=torch.channels_last)):
        assert transformations.every(x).is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(transformations(x, index(rotation=3)), x.rot90(3, (2, 3)))


def test_the_order_is_flip_then_shift_then_rotation():
    x = image()[0, 0]
    flipped = moved(x, True, 0, 0, 0)
    assert torch.equal(moved(flipped, False, 1, -1, 3), moved(x, True, 1, -1, 3))
    assert torch.equal(moved(moved(x, False, 1, -1, 0), False, 0, 0, 3), moved(x, False, 1, -1, 3))


@pytest.mark.parametrize(
    ("shape", "said"), [((5,), "rows of 5 numbers"), ((1, 8, 12), "8 x 12 pixels"), ((3, 6, 6), "6 x 6 pixels")]
)
def test_samples_without_these_transformations_are_refused(shape, said):
    with pytest.raises(UserError, match=said) as caught:
        must_have_transformations(Spec(shape), "geom")
    assert "detector=geom" in str(caught.value)
    assert "\n" not in str(caught.value)
