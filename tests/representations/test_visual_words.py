import pytest
import torch

from omasgan.errors import UserError
from omasgan.representations.discriminants import Discriminants
from omasgan.representations.visual_words import CONTRAST
from tests.representations.building import ROWS, images, representation


def visual_words(**changes):
    """The part itself."""
    overrides = [f"representation.visual_words.{name}={value}" for name, value in changes.items()]
    return representation("visual_words", overrides=overrides).parts["visual_words"]


def test_the_count_of_a_word_is_how_much_its_cosine_exceeds_the_mean_cosine():
    """Computed from its definition, one patch after the other, from filters whose rows are words, then whitening."""
    learned, x = visual_words(), images(64)
    learned.fit(x)
    pixels = learned.scaling(x[:3]).unfold(2, 3, 1).unfold(3, 3, 1)[:, 0].flatten(3)  # (3, 6, 6, 9)
    patches = learned.draw(x)
    filters = learned.filters.flatten(1)
    counts = torch.zeros(3, 8, 2, 2)
    for image in range(3):
        for row in range(6):
            for column in range(6):
                patch = pixels[image, row, column]
                patch = (patch - patch.mean()) / (patch.var(correction=0) + CONTRAST).sqrt()
                outputs = filters @ patch - learned.shift.flatten()
                above = (outputs[:8] / outputs[8:].norm()).clamp_min(0)
                counts[image, :, row // 3, column // 3] += above / 9
    torch.testing.assert_close(learned.counts(x[:3]), counts.flatten(1).sqrt(), rtol=1e-4, atol=1e-4)
    whitened = patches @ filters[8:].T - learned.shift.flatten()[8:]
    assert whitened.mean(dim=0).abs().max() < 1e-4, "whitened patches have zero mean"
    above_mean = patches @ filters[:8].T - learned.shift.flatten()[:8]
    assert above_mean.sum(dim=1).abs().max() < 1e-3, "what exceeds the mean adds up to nothing"


def test_brightness_and_contrast_leave_the_embeddings_nearly_as_they_are():
    learned, x = visual_words(), images(128)
    learned.fit(x)
    own, dimmed, other = (learned.encode(each) for each in (x, (x * 0.7 + 30).to(torch.uint8), x.flip(0)))
    assert (own - dimmed).norm(dim=1).mean() < 0.3 * (own - other).norm(dim=1).mean()


def test_a_discriminant_tells_images_apart_in_units_of_the_difference_between_views():
    """Six mixed directions: images differ in three of them, views of one image in all, least in the third."""
    random = torch.Generator().manual_seed(0)
    between, within = torch.tensor([9.0, 9, 3, 0, 0, 0]), torch.tensor([3.0, 1, 0.3, 9, 1, 0.5])
    mixed = torch.linalg.qr(torch.randn(6, 6, generator=random))[0]
    images = torch.randn(20_000, 6, generator=random) * between
    first, second = ((images + torch.randn(images.shape, generator=random) * within) @ mixed for _ in range(2))
    discriminants = Discriminants(3, seed=0)
    discriminants.fit(first, second)
    a, b = discriminants(first), discriminants(second)
    torch.testing.assert_close((a - b).T @ (a - b) / (2 * len(a)), torch.eye(3), rtol=0, atol=0.05)
    scaled = images[:50, :3] * (between / within)[:3] / between[:3]
    apart = torch.pdist(discriminants(images[:50] @ mixed))
    torch.testing.assert_close(apart, torch.pdist(scaled), rtol=0.05, atol=0.5)


def test_a_rotation_evens_the_columns_of_an_embedding_and_changes_no_distance():
    x = images(256)
    embeddings = []
    for seed in (0, 1):
        discriminants = Discriminants(8, seed)
        learned = visual_words()
        learned.fit(x)
        discriminants.fit(learned.counts(x), learned.counts(x.roll(1, dims=-1)))
        embeddings.append(discriminants(learned.counts(x)))
    torch.testing.assert_close(torch.pdist(embeddings[0]), torch.pdist(embeddings[1]), rtol=1e-2, atol=1e-3)
    spread = torch.linalg.eigvalsh(torch.cov(embeddings[0].T))
    deviations = embeddings[0].std(dim=0)
    assert deviations.max() / deviations.min() < 0.5 * (spread.max() / spread.min()).sqrt()


def test_words_are_learned_once_by_two_detectors_of_a_run(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    x = images(64)
    first, second = (representation("visual_words", folder=tmp_path, seed=seed) for seed in (0, 1))
    first.fit(x)
    second.fit(x)
    assert torch.equal(first.encode(x), second.encode(x)), "another seed alone would give other embeddings"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch_size": 8}, "patch_size=8 and regions=2: images of 8 x 8 pixels .* a patch_size of 7 at most"),
        ({"components": 33}, r"visual_words\.components is 33, but 8 words in 2 x 2 regions are 32 values"),
        ({"components": 513}, "components is 513: it must be at least 1 and at most 512"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_the_image_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        visual_words(**change)


def test_words_need_enough_images():
    message = r"visual_words\.words is 600, but the 16 normal training samples have 576 patches"
    with pytest.raises(UserError, match=message):
        visual_words(words=600).fit(images(16))


def test_rows_have_no_visual_words():
    with pytest.raises(UserError, match="visual words are for images"):
        representation("visual_words", spec=ROWS)
