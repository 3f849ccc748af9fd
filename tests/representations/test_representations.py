import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch.nn.functional import cosine_similarity

from omasgan.configuration.checks import check
from omasgan.configuration.schema import FOLDER, register
from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.representations.autoencoder import kl_to_standard_normal
from omasgan.representations.contrastive import contrastive_loss, damped
from omasgan.representations.discriminants import Discriminants
from omasgan.representations.joined import Joined
from omasgan.representations.learned import Learned
from omasgan.representations.rotation_prediction import rotated_quarters, rotation_labels
from omasgan.representations.visual_words import CONTRAST
from omasgan.training.stage import Workspace

IMAGE, ROWS = Spec((1, 8, 8)), Spec((5,))
SMALL = tuple(
    f"representation.{name}={value}" for name, value in {"side": 3, "words": 8, "parts": 2, "components": 12}.items()
)
"""VisualWords for images of 8 x 8 pixels."""


def of_part(part, overrides):
    return [override.replace("representation.", f"representation.{part}.") for override in overrides]


def representation(name, spec=IMAGE, steps=60, folder=None, seed=0, overrides=()):
    register()
    short = [f"budget.representation={steps}", "budget.representation_batch=32"]
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = check(compose("config", [f"representation={name}", *short, *overrides]))
    return instantiate(config["representation"])(spec=spec, workspace=Workspace(seed=seed, folder=folder))


def images(n, seed=0):
    """Bars, upright or lying: two modes that a code should tell apart."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 40, (n, 1, 8, 8), generator=random)
    x[: n // 2, :, :, 3:5] += 200
    x[n // 2 :, :, 3:5, :] += 200
    return x.to(torch.uint8)


def test_pixels_change_nothing():
    pixels = representation("pixels")
    x = images(4)
    pixels.fit(x)
    assert pixels.embedding == IMAGE
    assert pixels.encode(x) is x
    assert pixels.decode(x) is x


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("autoencoder", 24),
        ("contrastive", 64),
        ("joint", 88),
        ("patches", 12),
        ("principal", 24),
        ("photographs", 36),
        ("turns", 4),
        ("turned_photographs", 40),
        ("patches_autoencoder", 36),
    ],
)
def test_codes_depend_on_the_sample_alone_and_survive_saving(name, length):
    beside_others = name == "patches_autoencoder" or name.endswith("photographs")
    overrides = SMALL if name == "patches" else of_part("patches", SMALL) if beside_others else ()
    learned, x = representation(name, overrides=overrides), images(64)
    learned.fit(x)
    embeddings = learned.encode(x)
    assert embeddings.shape == (64, length) == (64, *learned.embedding.shape)
    alone = torch.cat([learned.encode(one) for one in x.split(1)])
    torch.testing.assert_close(alone, embeddings, rtol=1e-4, atol=1e-5 * float(embeddings.abs().max().clamp_min(1)))
    other = representation(name, seed=1, overrides=overrides)
    other.load_state_dict(learned.state_dict())
    assert torch.equal(other.encode(x), embeddings)
    parts = list(learned.parts.values()) if isinstance(learned, Joined) else [learned]
    trained = [part for part in parts if isinstance(part, Learned)]
    assert bool(trained) == (
        name in ("autoencoder", "contrastive", "joint", "turns", "turned_photographs", "patches_autoencoder")
    )
    for network in (network for part in trained for network in part.networks().values()):
        assert not any(weight.requires_grad for weight in network.parameters())


def test_an_autoencoder_gives_back_what_it_was_given():
    x = images(256)
    learned, untrained = representation("autoencoder", steps=400), representation("autoencoder", steps=0)
    for each in (learned, untrained):
        each.fit(x)
    decoded = learned.decode(learned.encode(x))
    assert decoded.shape == x.shape
    error, error_before = ((each.decode(each.encode(x)) - x).square().mean() for each in (learned, untrained))
    assert error < 0.1 * error_before
    assert error < x.float().var() / 10


def test_rows_have_an_autoencoder_too():
    learned = representation("autoencoder", ROWS, overrides=["architecture@representation.architecture=mlp"])
    x = torch.randn(64, 5, generator=torch.Generator().manual_seed(0)) * 7 + 3
    learned.fit(x)
    assert learned.decode(learned.encode(x)).shape == x.shape


def test_views_of_one_image_are_nearer_than_other_images():
    learned, x = representation("contrastive", steps=200), images(256)
    learned.fit(x)
    code, view, other = (learned.encode(each) for each in (x, x.roll(1, dims=-1), x.flip(0)))
    assert cosine_similarity(code, view).mean() > cosine_similarity(code, other).mean() + 0.3


def test_a_turned_copy_is_another_image_where_turns_are_told():
    x = images(256)
    x[:, :, :2, :] = 255  # every image has one upright way of being
    similarity = {}
    for turns in (0, 2):
        learned = representation("contrastive", steps=200, overrides=[f"representation.turns={turns}"])
        learned.fit(x)
        similarity[turns] = cosine_similarity(learned.encode(x), learned.encode(x.rot90(2, (2, 3)))).mean()
    assert similarity[2] < similarity[0] - 0.1


def test_turns_are_doubted_of_what_the_images_never_show_and_every_number_is_a_doubt():
    x = images(256)
    x[:, :, :2, :] = 255  # every image has one upright way of being
    learned = representation("turns", steps=200)
    learned.fit(x)
    doubts, of_turned = learned.encode(x), learned.encode(x.rot90(2, (2, 3)))
    assert learned.embedding.auxiliary == (0, 1, 2, 3)
    assert (doubts >= 0).all()
    assert of_turned.sum(dim=1).min() > doubts.sum(dim=1).max() + 1


def test_a_doubt_is_the_cross_entropy_of_a_copys_turn():
    learned, x = representation("turns"), images(64)
    learned.fit(x)
    scaled = learned.scaling(x)
    for turn in range(4):
        probability = learned.rotation_head(scaled.rot90(turn, (2, 3))).softmax(dim=1)[:, turn]
        torch.testing.assert_close(learned.doubts(scaled)[:, turn], -probability.log(), rtol=1e-4, atol=1e-4)


def test_side_by_side_the_doubts_stay_where_their_part_is():
    turned = representation("turned_photographs", overrides=of_part("patches", SMALL))
    assert turned.embedding == Spec((40,), auxiliary=(36, 37, 38, 39))
    assert representation("photographs", overrides=of_part("patches", SMALL)).embedding == Spec((36,))


def test_joint_codes_are_those_of_its_parts_and_the_autoencoder_draws_them():
    x = images(64)
    joint, *parts = (representation(name) for name in ("joint", "contrastive", "autoencoder"))
    for learned in (joint, *parts):
        learned.fit(x)
    embeddings = joint.encode(x)
    assert torch.equal(embeddings, torch.cat([part.encode(x) for part in parts], dim=1))
    assert torch.equal(joint.decode(embeddings), parts[1].decode(parts[1].encode(x)))
    assert parts[0].decode(parts[0].encode(x)) is None


def test_principal_components_keep_what_varies_most_and_lead_back():
    random = torch.Generator().manual_seed(0)
    x = torch.randn(500, 5, generator=random) @ torch.randn(5, 5, generator=random) + 7
    scaled = (x - x.mean(dim=0)) / x.std(dim=0)
    kept = torch.linalg.eigvalsh(torch.cov(scaled.T)).flip(0)[:3]
    for whitening in (0.0, 0.5, 1.0):
        changes = ["representation.components=3", f"representation.whitening={whitening}"]
        learned, turned_otherwise = (representation("principal", ROWS, seed=seed, overrides=changes) for seed in (0, 1))
        for each in (learned, turned_otherwise):
            each.fit(x)
        embeddings = learned.encode(x)
        torch.testing.assert_close(torch.linalg.eigvalsh(torch.cov(embeddings.T)).flip(0), kept ** (1 - whitening))
        torch.testing.assert_close(torch.pdist(embeddings), torch.pdist(turned_otherwise.encode(x)))
        torch.testing.assert_close(learned.encode(learned.decode(embeddings)), embeddings)
    whole = representation("principal", ROWS, overrides=["representation.components=5"])
    whole.fit(x)
    torch.testing.assert_close(whole.decode(whole.encode(x)), x)


def test_codes_of_photographs_are_those_of_its_parts_and_the_components_draw_them():
    x = images(64)
    whole = representation("photographs", overrides=of_part("patches", SMALL))
    parts = [representation("patches", overrides=SMALL), representation("principal")]
    for learned in (whole, *parts):
        learned.fit(x)
    embeddings = whole.encode(x)
    assert torch.equal(embeddings, torch.cat([part.encode(x) for part in parts], dim=1))
    assert torch.equal(whole.decode(embeddings), parts[1].decode(embeddings[:, 12:]))


@pytest.mark.parametrize("n", [8, 7, 5, 3])
def test_each_quarter_of_a_batch_is_turned_by_its_angle(n):
    x = torch.arange(n * 9.0).view(n, 1, 3, 3)
    out, turns = rotated_quarters(x), rotation_labels(x)
    for i, turn in enumerate(turns.tolist()):
        assert torch.equal(out[i], torch.rot90(x[i], turn, (1, 2)))
    sizes = torch.bincount(turns, minlength=4)
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
        ("turns", ROWS, 64, "turned copies are for images"),
        ("contrastive", Spec((1, 8, 16)), 64, "8 x 16 pixels cannot be turned"),
        ("turns", Spec((1, 8, 16)), 64, "8 x 16 pixels cannot be turned"),
        ("autoencoder", ROWS, 64, "is given rows of 5"),
        ("principal", ROWS, 64, "components are 24, but a sample has 5 numbers"),
        ("principal", IMAGE, 1, "one training normal has no principal components"),
    ],
)
def test_what_cannot_be_represented_is_said(name, spec, n, message):
    with pytest.raises(UserError, match=message):
        representation(name, spec).fit(torch.zeros(n, *spec.shape, dtype=torch.uint8))


@pytest.mark.parametrize("name", ["principal", "patches"])
def test_few_samples_have_fewer_components_in_codes_as_long(name):
    learned, x = representation(name, overrides=SMALL if name == "patches" else ()), images(6)
    learned.fit(x)
    others = learned.encode(images(40, seed=1))
    assert others.shape == (40, *learned.embedding.shape)
    directions = (others - others.mean(dim=0)).double()
    assert torch.linalg.matrix_rank(directions, rtol=1e-5) == (6 if name == "patches" else 5)


@pytest.mark.parametrize("name", ["autoencoder", "contrastive", "turns"])
def test_a_batch_is_no_larger_than_the_samples_are_many(name, monkeypatch):
    learned, x, sizes = representation(name, steps=2), images(6), []
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


def patches(**changes):
    return representation("patches", overrides=[*SMALL, *(f"representation.{k}={v}" for k, v in changes.items())])


def test_the_count_of_a_word_is_how_much_its_cosine_exceeds_the_mean_cosine():
    """As it is defined, one patch after the other, from filters whose rows are words and whitening side by side."""
    learned, x = patches(), images(64)
    learned.fit(x)
    pixels = learned.scaling(x[:3]).unfold(2, 3, 1).unfold(3, 3, 1)[:, 0].flatten(3)  # (3, 6, 6, 9)
    seen = learned.draw(x)
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
    whitened = seen @ filters[8:].T - learned.shift.flatten()[8:]
    assert whitened.mean(dim=0).abs().max() < 1e-4, "whitened patches have zero mean"
    above_mean = seen @ filters[:8].T - learned.shift.flatten()[:8]
    assert above_mean.sum(dim=1).abs().max() < 1e-3, "what exceeds the mean adds up to nothing"


def test_brightness_and_contrast_leave_the_codes_of_patches_nearly_as_they_are():
    learned, x = patches(), images(128)
    learned.fit(x)
    code, dimmed, other = (learned.encode(each) for each in (x, (x * 0.7 + 30).to(torch.uint8), x.flip(0)))
    assert (code - dimmed).norm(dim=1).mean() < 0.3 * (code - other).norm(dim=1).mean()


def test_a_discriminant_is_what_tells_images_apart_in_units_of_what_tells_their_views_apart():
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


def test_a_rotation_evens_the_numbers_of_a_code_and_changes_no_distance():
    x = images(256)
    embeddings = []
    for seed in (0, 1):
        discriminants = Discriminants(8, seed)
        learned = patches()
        learned.fit(x)
        discriminants.fit(learned.counts(x), learned.counts(x.roll(1, dims=-1)))
        embeddings.append(discriminants(learned.counts(x)))
    torch.testing.assert_close(torch.pdist(embeddings[0]), torch.pdist(embeddings[1]), rtol=1e-2, atol=1e-3)
    spread = torch.linalg.eigvalsh(torch.cov(embeddings[0].T))
    deviations = embeddings[0].std(dim=0)
    assert deviations.max() / deviations.min() < 0.5 * (spread.max() / spread.min()).sqrt()


def test_images_that_are_all_alike_have_codes():
    x = images(1).expand(40, -1, -1, -1)
    for learned in (patches(), representation("principal")):
        learned.fit(x)
        embeddings = learned.encode(torch.cat([x[:3], images(3, seed=1)]))
        assert embeddings.isfinite().all()
        assert torch.equal(embeddings[0], embeddings[1])


def test_patches_are_learned_once_by_two_detectors_of_a_run(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    x = images(64)
    first, second = (representation("patches", folder=tmp_path, overrides=SMALL, seed=seed) for seed in (0, 1))
    first.fit(x)
    second.fit(x)
    assert torch.equal(first.encode(x), second.encode(x)), "another seed alone would give other embeddings"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("side=8", "sides up to 7 with so many parts"),
        ("components=33", "8 words in 2 x 2 parts are 32 numbers"),
        ("components=513", "components is 513: it must be at least 1 and at most 512"),
    ],
)
def test_patches_that_do_not_fit_the_image_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        representation("patches", overrides=(*SMALL, f"representation.{change}"))


def test_patches_need_enough_images():
    with pytest.raises(UserError, match="words are 600, but the 16 training normals have 576 patches"):
        patches(words=600).fit(images(16))


def test_rows_have_no_patches():
    with pytest.raises(UserError, match="embeddings of patches are for images"):
        representation("patches", ROWS)
