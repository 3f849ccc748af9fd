"""What every detector promises, whoever wrote it: a new option in conf/detector is tested without a change here."""

import copy
import inspect
from functools import cache

import pytest
import torch
from hydra import compose, initialize_config_dir

from omasgan.configuration.checks import check
from omasgan.configuration.schema import FOLDER, register
from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector
from omasgan.pipeline import build
from omasgan.training import checkpoint
from omasgan.training.stage import Workspace

NAMES = sorted(path.stem for path in (FOLDER / "detector").glob("*.yaml"))
SHAPES = {"grey": (1, 8, 8), "colour": (3, 8, 8), "rows": (5,), "embeddings": (1, 8, 8)}
IMAGES = ("grey", "colour")
ARCHITECTURES = {
    # Batch norm and spectral norm everywhere: what depends on the batch, or changes when it is used, would show.
    "grey": ["experiment=pixels", "architecture.width=8", "architecture.discriminator_norm=batch"],
    "colour": ["experiment=pixels", "architecture=mlp", "architecture.width=32"],
    "rows": ["experiment=rows", "architecture=mlp", "architecture.width=32", "architecture.spectral_norm=true"],
    "embeddings": ["architecture.width=32"],
}
KINDS = {
    "omasgan": ["grey", "colour", "rows", "embeddings"],
    "fgan": ["grey", "rows"],
    "nearest_autoencoder": ["colour", "rows"],
    "nearest_embedding": ["rows", "embeddings"],  # elsewhere than in embeddings it is the nearest neighbour
    "nearest_neighbour": ["colour", "rows"],
    "pca": ["grey", "rows"],
    "mahalanobis": ["colour", "rows"],
    "isolation_forest": ["grey", "rows"],
    "autoencoder": ["grey", "rows"],
    "vae": ["colour", "rows"],
    "ganomaly": ["grey", "rows"],
    "bdsg": ["grey", "rows"],
    "cvae_negatives": ["grey", "rows"],
    "ognet": ["colour"],
    "anogan": ["grey", "rows"],
    "f_anogan": ["colour", "rows"],
    "egbad": ["grey", "rows"],
    "deep_svdd": ["grey", "rows"],
    "drocc": ["colour", "rows"],
    "adae": ["colour", "rows"],
    "fence_gan": ["grey", "rows"],
    "rumi_gan": ["grey", "rows"],
    "minlgan": ["grey", "rows"],
    "tail_gan": ["grey", "rows"],
    "geom": ["grey"],
    "goad": ["grey", "rows"],
}
"""What a detector is tried on; one that is not named here, on all. The baselines know of no networks."""

WIDE_RESNET = ["experiment=pixels", "architecture.depth=10", "architecture.stride=2"]
SHORT_SEARCH = ["detector.detector.search_steps=10", "detector.detector.lr=0.1"]
QUICK_G = [
    "optimisation.lr_generator=1e-2"
]  # the images of a G that has not learned are as far from noise as from normals
OTHER_NETWORKS = {
    ("tail_gan", "grey"): [*ARCHITECTURES["grey"], *QUICK_G],
    ("anogan", "grey"): [*ARCHITECTURES["grey"], *SHORT_SEARCH, *QUICK_G],
    ("anogan", "rows"): [*ARCHITECTURES["rows"], *SHORT_SEARCH],
    ("egbad", "grey"): ["architecture=dcgan_encoder", "architecture.width=8", "detector.detector.features=32"],
    ("f_anogan", "colour"): [
        *("architecture.width=8", "detector.detector.critic_steps=1"),
        *("detector.detector.lr=5e-3", "detector.detector.lr_encoder=5e-3"),
    ],
    ("autoencoder", "grey"): ["architecture=dcgan_encoder", "architecture.width=8"],
    ("ganomaly", "grey"): ["architecture=dcgan_encoder", "architecture.width=8"],
    ("adae", "colour"): ["architecture=dcgan_encoder", "architecture.width=8"],
    ("cvae_negatives", "grey"): ["architecture=dcgan_encoder", "architecture.width=8"],
    ("ognet", "colour"): ["architecture=dcgan_encoder", "architecture.width=8"],
    # Normalised in contrast, the bright noise of `normals` and that of `noise` are alike.
    ("deep_svdd", "grey"): ["architecture=dcgan_encoder", "architecture.width=8", "detector.detector.contrast=false"],
    ("geom", "grey"): WIDE_RESNET,
    ("goad", "grey"): WIDE_RESNET,
}
"""In place of ARCHITECTURES, for detectors with networks of their own."""

ROWS_NEED = {"nearest_autoencoder": ["architecture@detector.representation.autoencoder.architecture=mlp"]}
TINY = (
    *("budget=smoke", "budget.representation_batch=64", "budget.batch=64", "boundary.N=64", "boundary.Q=128"),
    *("optimisation.lr_discriminator=1e-3", "optimisation.lr_generator=1e-5"),
)
SHORT = (
    *TINY,
    *("budget.representation=60", "budget.task1=60", "budget.task2=20", "budget.task3=60", "budget.j=60"),
)
"""Long enough to tell noise from normal samples."""

every_detector = pytest.mark.parametrize("name", NAMES)
PAIRS = [(name, kind) for name in NAMES for kind in KINDS.get(name, SHAPES)]
FOR_ROWS = [name for name, kind in PAIRS if kind == "rows"]
every_pair = pytest.mark.parametrize(("name", "kind"), PAIRS)


def normals(kind, n, seed):
    """Bright images of their own shade, which no untrained generator makes; or rows of one cloud."""
    random = torch.Generator().manual_seed(seed)
    if kind == "rows":
        return 3 + torch.randn(n, *SHAPES[kind], generator=random) * torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0])
    shade = 200 + 15 * torch.randn(n, 1, 1, 1, generator=random)
    return (shade + 20 * torch.randn(n, *SHAPES[kind], generator=random)).clamp(0, 255).to(torch.uint8)


def noise(kind, n, seed):
    return torch.randint(0, 256, (n, *SHAPES[kind]), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


@cache
def node(name, kind, budget):
    register()
    overrides = [f"detector={name}", "dataset=digits", *budget, *OTHER_NETWORKS.get((name, kind), ARCHITECTURES[kind])]
    overrides += ROWS_NEED.get(name, []) if kind == "rows" else []
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        return check(compose("config", overrides))["detector"]


def untrained(name, kind, seed=0, budget=SHORT) -> Detector:
    return build.detector(copy.deepcopy(node(name, kind, budget)), Spec(SHAPES[kind]), Workspace(seed=seed))


@cache
def trained(name, kind) -> Detector:
    detector = untrained(name, kind, budget=SHORT if kind in IMAGES else TINY)
    detector.fit(normals(kind, 200, seed=1))
    return detector


def check_close(scores, others):
    torch.testing.assert_close(scores, others, rtol=1e-4, atol=1e-4)  # scores here reach 50; a batch rounds otherwise


@every_detector
def test_fit_takes_samples_and_nothing_else(name):
    assert list(inspect.signature(untrained(name, KINDS.get(name, ["rows"])[-1]).fit).parameters) == ["train"]
    assert set(Detector.__abstractmethods__) == {"fit", "terms"}


@every_pair
def test_scores_are_float64_a_number_a_sample_and_not_all_alike(name, kind):
    detector, x = trained(name, kind), normals(kind, 50, seed=2)
    terms = detector.terms(x)
    for scores in (detector.score(x), *terms.values()):
        assert scores.dtype == torch.float64
        assert scores.shape == (50,)
        assert scores.device.type == "cpu"
        assert scores.isfinite().all()
    assert len(detector.score(x).unique()) > 25
    assert detector.score(x).std() > 1e-6, "by more than rounding"
    assert torch.equal(detector.score(x), terms[detector.main_term])


@every_pair
def test_a_batch_is_scored_as_its_samples_in_any_order(name, kind):
    detector = trained(name, kind)
    x = torch.cat([normals(kind, 20, seed=2), normals(kind, 20, seed=3) // 2])
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    many = x[torch.arange(len(x)).repeat(20)]
    terms, shuffled, repeated = (detector.terms(samples) for samples in (x, x[order], many))
    alone = [detector.terms(sample) for sample in x[::5].split(1)]
    for term, scores in terms.items():
        check_close(shuffled[term], scores[order])
        check_close(torch.cat([one[term] for one in alone]), scores[::5])
        check_close(repeated[term], scores.repeat(20))


@every_pair
def test_scoring_changes_nothing(name, kind):
    detector, x = trained(name, kind), normals(kind, 30, seed=2)
    state, input_before = copy.deepcopy(detector.state_dict()), x.clone()
    random = torch.get_rng_state()
    first = detector.score(x)
    detector.score(x[:3] // 2)
    assert torch.equal(detector.score(x), first)
    torch.testing.assert_close(detector.state_dict(), state, rtol=0, atol=0)
    assert torch.equal(x, input_before)
    assert torch.equal(torch.get_rng_state(), random)


@every_pair
def test_the_seed_alone_decides(name, kind):
    train, scores = normals(kind, 200, seed=1), []
    kept = train.clone()
    for global_seed in (0, 99):
        torch.manual_seed(global_seed)
        detector = untrained(name, kind, budget=TINY)
        detector.fit(train)
        assert torch.equal(train, kept)
        scores.append(detector.score(normals(kind, 30, seed=2)))
    assert torch.equal(*scores)


@every_pair
def test_a_checkpoint_holds_all_that_was_learned(name, kind, tmp_path):
    detector, x = trained(name, kind), normals(kind, 30, seed=2)
    path = tmp_path / "detector.pt"
    checkpoint.save(path, "detector", {"detector": detector.state_dict()})
    read = untrained(name, kind, seed=5)
    checkpoint.restore(path, {"detector": read}, checkpoint.load(path, "detector", torch.device("cpu")))
    for term, scores in detector.terms(x).items():
        assert torch.equal(read.terms(x)[term], scores), term


@every_pair
def test_constant_samples_have_finite_scores(name, kind):
    dtype = torch.float32 if kind == "rows" else torch.uint8
    x = torch.stack([torch.full(SHAPES[kind], value, dtype=dtype) for value in (0, 1, 127, 255)])
    for term, scores in trained(name, kind).terms(x).items():
        assert scores.isfinite().all(), term


@pytest.mark.parametrize("name", FOR_ROWS)
def test_a_constant_column_in_training_is_no_obstacle(name):
    train = normals("rows", 100, seed=1)
    train[:, 0] = 7
    detector = untrained(name, "rows", budget=TINY)
    detector.fit(train)
    assert detector.score(train).isfinite().all()
    assert detector.score(normals("rows", 10, seed=2)).isfinite().all()


@pytest.mark.parametrize(("name", "kind"), [pair for pair in PAIRS if pair[1] in IMAGES])
def test_noise_is_more_anomalous_than_what_training_was_like(name, kind):
    detector = trained(name, kind)
    assert detector.score(noise(kind, 50, seed=3)).mean() > detector.score(normals(kind, 50, seed=3)).mean()


@pytest.mark.parametrize("name", [name for name in FOR_ROWS if hasattr(untrained(name, "rows"), "measure")])
def test_for_a_baseline_far_rows_are_anomalous(name):
    detector, x = trained(name, "rows"), normals("rows", 50, seed=2)
    assert detector.score(3 + 20 * (x - 3)).min() > detector.score(x).median()
