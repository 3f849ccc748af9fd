import pytest
import torch

from omasgan.errors import UserError
from omasgan.training.augmentation import Affine, Flip, FlipColour, NoAugmentation, five_crops


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def x():
    return torch.rand(200, 3, 6, 5, generator=generator()) * 2 - 1


ALL = [NoAugmentation(), Flip(), FlipColour(), FlipColour(1.0), Affine()]
augmentations = pytest.mark.parametrize("augment", ALL, ids=str)


@augmentations
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_type_and_range_stay(augment, channels, x):
    y = augment(x[:, :channels], generator())
    assert y.shape == x[:, :channels].shape
    assert y.dtype == x.dtype
    assert y.abs().max() <= 1


@augmentations
def test_the_generator_decides(augment, x):
    assert torch.equal(augment(x, generator(1)), augment(x, generator(1)))
    if augment != NoAugmentation():
        assert not torch.equal(augment(x, generator(1)), augment(x, generator(2)))


@augmentations
def test_a_batch_is_not_changed_in_place(augment, x):
    before = x.clone()
    augment(x, generator())
    assert torch.equal(x, before)


@augmentations
def test_an_image_does_not_see_the_others(augment, x):
    other = torch.cat([torch.zeros_like(x[:1]), x[1:]])
    assert torch.equal(augment(other, generator())[1:], augment(x, generator())[1:])


def test_nothing_is_nothing(x):
    assert torch.equal(NoAugmentation()(x, generator()), x)
    assert NoAugmentation()(x[:, 0, 0], generator()).shape == (200, 5)


def test_flip_mirrors_about_half_of_the_images_whole(x):
    y = Flip()(x, generator())
    kept, mirrored = ((y == z).flatten(1).all(dim=1) for z in (x, x.flip(-1)))
    assert torch.equal(kept, ~mirrored)
    assert 70 < mirrored.sum() < 130


def test_colour_without_strength_is_a_flip(x):
    torch.testing.assert_close(FlipColour(0.0)(x, generator()), Flip()(x, generator()))


def test_colour_is_one_affine_map_for_every_channel_of_every_image(x):
    x = x / 4  # far from the ends, so that nothing is clamped
    strength = 0.2
    plain, changed = Flip()(x, generator()), FlipColour(strength)(x, generator())
    mean, spread = plain.mean(dim=(2, 3)), plain.std(dim=(2, 3))
    gain = changed.std(dim=(2, 3)) / spread
    torch.testing.assert_close(gain, gain[:, :1].expand(-1, 3))  # one contrast an image
    assert 1 - strength <= gain.min() < 1 - 0.8 * strength
    assert 1 + strength >= gain.max() > 1 + 0.8 * strength
    image_mean = mean.mean(dim=1, keepdim=True)
    shift = changed.mean(dim=(2, 3)) - image_mean - gain * (mean - image_mean)
    assert 1.5 * strength < shift.abs().max() <= 2 * strength
    assert (shift.std(dim=1) > 0).all(), "channels shift apart"
    assert len(gain[:, 0].unique()) == len(x), "every image draws its own"


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strength_out_of_range(strength):
    with pytest.raises(UserError, match=f"strength={strength}.*0..1"):
        FlipColour(strength)


def test_images_only():
    assert [augment.images_only for augment in (NoAugmentation(), Flip(), FlipColour())] == [
        False,
        True,
        True,
    ]


def test_an_affine_change_of_no_strength_is_none(x):
    torch.testing.assert_close(Affine(0.0, 0.0, 0.0, 0.0)(x, generator()), x)


def test_a_translation_moves_an_image_by_at_most_its_share():
    x = -torch.ones(100, 1, 16, 16)
    x[:, :, 7:9, 7:9] = 1
    moved = Affine(0.0, 0.0, 0.0, 0.5)(x, generator())
    places = (moved + 1).flatten(1).argmax(dim=1)
    rows, columns = places // 16, places % 16
    for along in (rows, columns):
        assert 3 <= along.min() < 5
        assert 10 < along.max() <= 12


def test_a_rotation_keeps_the_centre_and_turns_the_rest():
    x = -torch.ones(50, 1, 17, 17)
    x[:, :, 8, 8:] = 1
    turned = Affine(3.14, 0.0, 0.0, 0.0)(x, generator())
    assert (turned[:, 0, 8, 8] > 0.5).all()
    assert turned[:, 0, 8, 12:].mean() < 0.5
    assert (turned > 0).sum(dim=(1, 2, 3)).float().std() < 3, "and its length"


def test_looks_are_the_image_and_its_corners(x):
    assert torch.equal(next(iter(five_crops(x))), x)
    spot = torch.zeros(1, 1, 8, 8)
    spot[..., :3, :3] = 1
    corners = [float(look.sum()) for look in five_crops(spot)][1:]
    assert len(corners) == 4
    assert corners[0] == max(corners) > 9 > min(corners) == corners[3]  # the part in that corner shows it larger
