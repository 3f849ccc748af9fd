import pytest
import torch

from omasgan.errors import UserError
from omasgan.training.augmentation import Flip, FlipColour, NoAugmentation
from omasgan.training.batches import Batches, Scaling

CPU = torch.device("cpu")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.randint(0, 256, (50, 3, 6, 5), generator=generator()).to(torch.uint8)


@pytest.fixture
def rows():
    x = torch.randn(200, 6, generator=generator())
    return x * torch.tensor([1e-4, 0.1, 1.0, 10.0, 1e4, 0.0]) + torch.tensor([0.0, 5.0, -3.0, 100.0, -1e4, 0.7])


def batches(x, augmentation=None):
    return Batches(x, Scaling(x), CPU, augmentation)


def test_pixels_are_mapped_onto_minus_one_to_one():
    x = torch.tensor([0, 51, 204, 255], dtype=torch.uint8).reshape(1, 1, 2, 2)
    scaling = Scaling(x)
    torch.testing.assert_close(scaling(x).flatten(), torch.tensor([-1.0, -0.6, 0.6, 1.0]))
    assert scaling(x).dtype == torch.float32


def test_every_pixel_value_comes_back():
    x = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(Scaling(x).invert(Scaling(x)(x)).round().to(torch.uint8), x)


def test_the_scale_of_images_does_not_depend_on_them(images):
    assert torch.equal(Scaling(images)(images), Scaling(images[:1] // 9)(images))


def test_rows_have_mean_zero_and_deviation_one(rows):
    scaled = Scaling(rows)(rows)
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(6), rtol=0, atol=1e-3)
    torch.testing.assert_close(scaled.std(dim=0)[:5], torch.ones(5), rtol=1e-3, atol=0)


def test_rows_come_back(rows):
    scaling, other = Scaling(rows), 3 * rows + 1
    torch.testing.assert_close(scaling.invert(scaling(other)), other, rtol=1e-4, atol=1e-5)


def test_rows_are_scaled_by_the_training_data_alone(rows):
    scaling = Scaling(rows)
    assert torch.equal(scaling(rows[:1]), scaling(rows)[:1])
    torch.testing.assert_close(scaling(rows + 1)[:, 2], scaling(rows)[:, 2] + 1 / rows[:, 2].std())


@pytest.mark.filterwarnings("ignore:std")  # of one row alone
@pytest.mark.parametrize(
    ("value", "n", "columns"),
    [(0.0, 1, 1), (0.0, 1000, 2), (0.1, 3, 2), (0.1, 1000, 1), (3.3, 1000, 2), (-1234.567, 3, 1), (1e6, 1000, 1)],
)
def test_a_constant_column_is_shifted_and_not_stretched(value, n, columns):
    x = torch.full((n, columns), value)
    scaling = Scaling(x)
    tolerance = 1e-6 * abs(value)
    torch.testing.assert_close(scaling(x), torch.zeros(n, columns), rtol=0, atol=tolerance)
    torch.testing.assert_close(scaling(x + 1), torch.ones(n, columns), rtol=0, atol=2 * tolerance + 1e-7)
    torch.testing.assert_close(scaling.invert(scaling(x)), x)


@pytest.mark.parametrize("kind", ["images", "rows"])
def test_a_scaling_survives_its_state(kind, request):
    x = request.getfixturevalue(kind)
    scaling = Scaling(x)
    twin = Scaling.from_state_dict({name: value.clone() for name, value in scaling.state_dict().items()})
    assert torch.equal(twin(x), scaling(x))
    assert torch.equal(twin.invert(twin(x)), scaling.invert(scaling(x)))
    assert all(isinstance(value, torch.Tensor) for value in scaling.state_dict().values())


@pytest.mark.parametrize("augmentation", [NoAugmentation(), Flip(), FlipColour(1.0)], ids=str)
def test_batches_of_images(images, augmentation):
    x = batches(images, augmentation).draw(64, generator())
    assert x.shape == (64, 3, 6, 5)
    assert x.dtype == torch.float32
    assert x.abs().max() <= 1
    assert x.min() < -0.9
    assert x.max() > 0.9


def test_a_batch_holds_training_samples_with_replacement(images):
    images[:, 0, 0, 0] = torch.arange(50)  # a mark on each
    x = batches(images).draw(5000, generator())
    marks = Scaling(images).invert(x)[:, 0, 0, 0].round().long()
    torch.testing.assert_close(x, Scaling(images)(images[marks]))
    counts = marks.bincount(minlength=50)
    assert counts.min() > 50, "every sample is drawn about a hundred times"
    assert counts.max() < 150


def test_batches_of_rows(rows):
    x = batches(rows).draw(7, generator())
    assert x.shape == (7, 6)
    scaled = Scaling(rows)(rows)
    assert all((row == scaled).all(dim=1).any() for row in x)


def test_the_stored_samples_stay_as_they_are(images):
    before = images.clone()
    stored = batches(images, FlipColour(1.0))
    stored.draw(64, generator())
    assert torch.equal(images, before)
    assert stored.x.dtype == torch.uint8


@pytest.mark.parametrize("augmentation", [NoAugmentation(), FlipColour()], ids=str)
def test_draws_depend_on_the_generator_alone(images, augmentation):
    source, random = batches(images, augmentation), generator(1)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, next_ = source.draw(8, random), source.draw(8, random)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    again = generator(1)
    assert torch.equal(batches(images, augmentation).draw(8, again), first)
    assert torch.equal(source.draw(8, again), next_)
    assert not torch.equal(first, next_)
    assert not torch.equal(source.draw(8, generator(2)), first)


def test_every_draw_is_augmented_anew(images):
    source, random = batches(images[:1], FlipColour()), generator()
    draws = torch.cat([source.draw(8, random), source.draw(8, random)])
    assert len(draws.unique(dim=0)) == 16


@pytest.mark.parametrize("shape", [(0, 1, 8, 8), (0, 4)])
def test_no_samples_at_all(shape):
    x = torch.zeros(shape)
    with pytest.raises(UserError, match="normal class is empty"):
        Batches(x, Scaling(torch.zeros(3, *shape[1:])), CPU)
