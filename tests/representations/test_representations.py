import pytest
import torch
from torch.nn.functional import cosine_similarity

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.representations.contrastive import contrastive_loss, damped
from omasgan.representations.learned import Learned
from omasgan.representations.rotation_prediction import rotated_quarters, rotation_labels
from omasgan.training.gaussians import kl_to_standard_normal
from tests.representations.building import IMAGE, ROWS, images, representation


def test_pixels_change_nothing():
    pixels = representation("pixels")
    x = images(4)
    pixels.fit(x)
    assert pixels.embedding == IMAGE
    assert pixels.encode(x) is x
    assert torch.equal(pixels.decode(x), x)
    assert pixels.parts["pixels"].decode(x) is x


@pytest.mark.parametrize(
    ("parts", "length"),
    [
        (["autoencoder"], 24),
        (["contrastive"], 64),
        (["visual_words"], 12),
        (["pca"], 24),
        (["rotation_prediction"], 4),
        (["visual_words", "pca", "rotation_prediction"], 40),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else None,
)
def test_an_embedding_depends_on_the_sample_alone_and_survives_saving(parts, length):
    learned, x = representation(*parts), images(64)
    learned.fit(x)
    embeddings = learned.encode(x)
    assert embeddings.shape == (64, length) == (64, *learned.embedding.shape)
    alone = torch.cat([learned.encode(one) for one in x.split(1)])
    torch.testing.assert_close(alone, embeddings, rtol=1e-4, atol=1e-5 * float(embeddings.abs().max().clamp_min(1)))
    other = representation(*parts, seed=1)
    other.load_state_dict(learned.state_dict())
    assert torch.equal(other.encode(x), embeddings)
    trained = [name for name, part in learned.parts.items() if isinstance(part, Learned)]
    assert trained == [name for name in parts if name in ("autoencoder", "contrastive", "rotation_prediction")]
    for network in (network for name in trained for network in learned.parts[name].networks().values()):
        assert not any(weight.requires_grad for weight in network.parameters())


def test_an_autoencoder_gives_back_what_it_was_given():
    x = images(256)
    learned, untrained = representation("autoencoder", steps=100), representation("autoencoder", steps=0)
    for each in (learned, untrained):
        each.fit(x)
    decoded = learned.decode(learned.encode(x))
    assert decoded.shape == x.shape
    error, error_before = ((each.decode(each.encode(x)) - x).square().mean() for each in (learned, untrained))
    assert error < 0.1 * error_before
    assert error < x.float().var() / 10


def test_rows_have_an_autoencoder_too():
    learned = representation(
        "autoencoder", spec=ROWS, overrides=["architecture@representation.autoencoder.architecture=mlp"]
    )
    x = torch.randn(64, 5, generator=torch.Generator().manual_seed(0)) * 7 + 3
    learned.fit(x)
    assert learned.decode(learned.encode(x)).shape == x.shape


def test_views_of_one_image_are_nearer_than_other_images():
    learned, x = representation("contrastive", steps=60), images(256)
    learned.fit(x)
    own, view, other = (learned.encode(each) for each in (x, x.roll(1, dims=-1), x.flip(0)))
    assert cosine_similarity(own, view).mean() > cosine_similarity(own, other).mean() + 0.3


def test_a_rotated_copy_is_another_image_where_rotations_are_predicted():
    x = images(256)
    x[:, :, :2, :] = 255  # every image has one upright way of being
    similarity = {}
    for weight in (0, 2):
        overrides = [f"representation.contrastive.rotation_weight={weight}"]
        learned = representation("contrastive", steps=60, overrides=overrides)
        learned.fit(x)
        similarity[weight] = cosine_similarity(learned.encode(x), learned.encode(x.rot90(2, (2, 3)))).mean()
    assert similarity[2] < similarity[0] - 0.1


def test_the_rotation_of_what_the_images_never_show_is_predicted_badly_and_every_column_is_auxiliary():
    x = images(256)
    x[:, :, :2, :] = 255  # every image has one upright way of being
    learned = representation("rotation_prediction", steps=60)
    learned.fit(x)
    errors, of_rotated = learned.encode(x), learned.encode(x.rot90(2, (2, 3)))
    assert learned.embedding.auxiliary == (0, 1, 2, 3)
    assert (errors >= 0).all()
    assert of_rotated.sum(dim=1).min() > errors.sum(dim=1).max() + 1


def test_an_auxiliary_score_comes_from_the_cross_entropy_of_a_rotation():
    learned, x = representation("rotation_prediction").parts["rotation_prediction"], images(64)
    learned.fit(x)
    scaled = learned.scaling(x)
    for k in range(4):
        probability = learned.rotation_classifier(scaled.rot90(k, (2, 3))).softmax(dim=1)[:, k]
        found = learned.cross_entropies(scaled)[:, k]
        torch.testing.assert_close(found, -probability.log(), rtol=1e-4, atol=1e-4)


def test_principal_components_keep_what_varies_most_and_lead_back():
    random = torch.Generator().manual_seed(0)
    x = torch.randn(500, 5, generator=random) @ torch.randn(5, 5, generator=random) + 7
    scaled = (x - x.mean(dim=0)) / x.std(dim=0)
    kept = torch.linalg.eigvalsh(torch.cov(scaled.T)).flip(0)[:3]
    for whitening in (0.0, 0.5, 1.0):
        changes = ["representation.pca.components=3", f"representation.pca.whitening={whitening}"]
        learned, rotated_otherwise = (representation("pca", spec=ROWS, seed=seed, overrides=changes) for seed in (0, 1))
        for each in (learned, rotated_otherwise):
            each.fit(x)
        embeddings = learned.encode(x)
        torch.testing.assert_close(torch.linalg.eigvalsh(torch.cov(embeddings.T)).flip(0), kept ** (1 - whitening))
        torch.testing.assert_close(torch.pdist(embeddings), torch.pdist(rotated_otherwise.encode(x)))
        torch.testing.assert_close(learned.encode(learned.decode(embeddings)), embeddings)
    whole = representation("pca", spec=ROWS, overrides=["representation.pca.components=5"])
    whole.fit(x)
    torch.testing.assert_close(whole.decode(whole.encode(x)), x)


@pytest.mark.parametrize("n", [8, 7, 5, 3])
def test_each_quarter_of_a_batch_is_rotated_by_its_angle(n):
    x = torch.arange(n * 9.0).view(n, 1, 3, 3)
    out, labels = rotated_quarters(x), rotation_labels(x)
    for i, k in enumerate(labels.tolist()):
        assert torch.equal(out[i], torch.rot90(x[i], k, (1, 2)))
    sizes = torch.bincount(labels, minlength=4)
    assert sizes.max() - sizes.min() <= 1


def test_a_damped_row_keeps_its_direction():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(damped(x).norm(dim=1), x.norm(dim=1).sqrt())
    torch.testing.assert_close(cosine_similarity(damped(x), x), torch.ones(5))
    assert torch.equal(damped(torch.zeros(1, 3)), torch.zeros(1, 3))


def test_an_interrupted_representation_goes_on_as_if_nothing_had_been(tmp_path):
    x = images(64)
    for folder in ("whole", "parts"):
        (tmp_path / folder / "checkpoints").mkdir(parents=True)
    whole = representation("contrastive", steps=6, folder=tmp_path / "whole")
    whole.fit(x)
    again = representation("contrastive", steps=6, folder=tmp_path / "whole", seed=5)
    again.fit(x)
    assert torch.equal(again.encode(x), whole.encode(x)), "a finished one is loaded, whatever its weights were"


@pytest.mark.parametrize(
    ("name", "spec", "n", "message"),
    [
        ("contrastive", ROWS, 64, "contrastive embeddings are for images"),
        ("rotation_prediction", ROWS, 64, "rotations are for images"),
        ("contrastive", Spec((1, 8, 16)), 64, r"8 x 16 pixels cannot be rotated .*contrastive\.rotation_weight=0"),
        ("rotation_prediction", Spec((1, 8, 16)), 64, "8 x 16 pixels cannot be rotated .*without rotation_prediction"),
        ("autoencoder", ROWS, 64, "gets rows of 5"),
        ("pca", ROWS, 64, r"representation\.pca\.components is 24, but a sample has 5 numbers"),
        ("pca", IMAGE, 1, "one normal training sample has no principal components"),
    ],
)
def test_what_cannot_be_represented_is_refused(name, spec, n, message):
    with pytest.raises(UserError, match=message):
        representation(name, spec=spec).fit(torch.zeros(n, *spec.shape, dtype=torch.uint8))


@pytest.mark.parametrize(("name", "rank"), [("pca", 5), ("visual_words", 6)])
def test_few_samples_have_fewer_components_in_an_embedding_of_the_same_length(name, rank):
    learned, x = representation(name), images(6)
    learned.fit(x)
    others = learned.encode(images(40, seed=1))
    assert others.shape == (40, *learned.embedding.shape)
    directions = (others - others.mean(dim=0)).double()
    assert torch.linalg.matrix_rank(directions, rtol=1e-5) == rank


@pytest.mark.parametrize("name", ["autoencoder", "contrastive", "rotation_prediction"])
def test_a_batch_is_no_larger_than_the_number_of_samples(name, monkeypatch):
    learned, x, sizes = representation(name, steps=2).parts[name], images(6), []
    losses = learned.losses
    monkeypatch.setattr(learned, "losses", lambda batch, stage: sizes.append(len(batch)) or losses(batch, stage))
    learned.fit(x)
    assert sizes == [6, 6]
    assert learned.encode(x).isfinite().all()


def test_kl_is_that_of_the_normal_distributions():
    random = torch.Generator().manual_seed(0)
    mean, log_variance = (torch.randn(7, 3, generator=random, dtype=torch.float64) for _ in range(2))
    own = torch.distributions.Normal(mean, (log_variance / 2).exp())
    standard = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(own, standard).sum(dim=1).mean()
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)


def test_contrastive_loss_is_the_formula_of_simclr():
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    similarity = cosine_similarity(x[:, None], x[None], dim=2) / 0.3
    losses = []
    for i in range(8):
        others = torch.tensor([similarity[i, j] for j in range(8) if j != i])
        losses.append(others.logsumexp(dim=0) - similarity[i, (i + 4) % 8])
    torch.testing.assert_close(contrastive_loss(x, 0.3), torch.stack(losses).mean())
    torch.testing.assert_close(contrastive_loss(5 * x, 0.3), contrastive_loss(x, 0.3))


@pytest.mark.parametrize("name", ["visual_words", "pca"])
def test_images_that_are_all_alike_have_embeddings(name):
    learned, x = representation(name), images(1).expand(40, -1, -1, -1)
    learned.fit(x)
    embeddings = learned.encode(torch.cat([x[:3], images(3, seed=1)]))
    assert embeddings.isfinite().all()
    assert torch.equal(embeddings[0], embeddings[1])
