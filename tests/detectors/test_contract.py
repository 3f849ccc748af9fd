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
ARCHITECTURES = {
    # Batch norm and spectral norm everywhere: what depends on the batch, or changes when it is used, would show.
    "grey": ["experiment=pixels", "architecture.width=8", "architecture.discriminator_norm=batch"],
    "colour": ["experiment=pixels", "architecture=mlp", "architecture.width=32"],
    "rows": ["experiment=rows", "architecture.width=32", "architecture.spectral_norm=true"],
    "embeddings": ["architecture.width=32"],
}
ROWS_NEED = {"nearest_autoencoder": ["architecture@detector.representation.autoencoder.architecture=mlp"]}
SHORT = [
    *("budget=smoke", "budget.representation=60", "budget.representation_batch=64", "budget.batch=64"),
    *("budget.task1=60", "budget.task2=20", "budget.task3=60", "budget.j=60", "boundary.N=64", "boundary.Q=128"),
    *("optimisation.lr_discriminator=1e-3", "optimisation.lr_generator=1e-5"),
]

every_detector = pytest.mark.parametrize("name", NAMES)
every_kind = pytest.mark.parametrize("kind", SHAPES)


def normals(kind, n, seed):
    """Bright images of their own shade, which no untrained generator makes; or rows of one cloud."""
    random = torch.Generator().manual_seed(seed)
    if kind == "rows":
        return 3 + torch.randn(n, *SHAPES[kind], generator=random) * torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0])
    shade = 200 + 15 * torch.randn(n, 1, 1, 1, generator=random)
    return (shade + 20 * torch.randn(n, *SHAPES[kind], generator=random)).clamp(0, 255).to(torch.uint8)


def noise(kind, n, seed):
    return torch.randint(0, 256, (n, *SHAPES[kind]), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


def untrained(name, kind, seed=0) -> Detector:
    register()
    overrides = [f"detector={name}", "dataset=digits", *ARCHITECTURES[kind], *SHORT]
    overrides += ROWS_NEED.get(name, []) if kind == "rows" else []
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        config = check(compose("config", overrides))
    return build.detector(config["detector"], Spec(SHAPES[kind]), Workspace(seed=seed))


@cache
def trained(name, kind) -> Detector:
    detector = untrained(name, kind)
    detector.fit(normals(kind, 200, seed=1))
    return detector


def check_close(scores, others):
    torch.testing.assert_close(scores, others, rtol=1e-4, atol=1e-5)


@every_detector
def test_fit_takes_samples_and_nothing_else(name):
    assert list(inspect.signature(untrained(name, "rows").fit).parameters) == ["train"]
    assert set(Detector.__abstractmethods__) == {"fit", "terms", "state_dict", "load_state_dict"}


@every_detector
@every_kind
def test_scores_are_float64_a_number_a_sample_and_not_all_alike(name, kind):
    detector, x = trained(name, kind), normals(kind, 50, seed=2)
    terms = detector.terms(x)
    for scores in (detector.score(x), *terms.values()):
        assert scores.dtype == torch.float64
        assert scores.shape == (50,)
        assert scores.device.type == "cpu"
        assert scores.isfinite().all()
    assert len(detector.score(x).unique()) > 25
    assert torch.equal(detector.score(x), terms[detector.main_term])


@every_detector
@every_kind
def test_a_batch_is_scored_as_its_samples_in_any_order(name, kind):
    detector = trained(name, kind)
    x = torch.cat([normals(kind, 20, seed=2), normals(kind, 20, seed=3) // 2])
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    many = x[torch.arange(len(x)).repeat(20)]
    terms, shuffled, repeated = (detector.terms(samples) for samples in (x, x[order], many))
    alone = [detector.terms(sample) for sample in x.split(1)]
    for term, scores in terms.items():
        check_close(shuffled[term], scores[order])
        check_close(torch.cat([one[term] for one in alone]), scores)
        check_close(repeated[term], scores.repeat(20))


@every_detector
@every_kind
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


@every_detector
@every_kind
def test_the_seed_alone_decides(name, kind):
    other = untrained(name, kind)
    torch.manual_seed(99)
    train = normals(kind, 200, seed=1)
    kept = train.clone()
    other.fit(train)
    assert torch.equal(train, kept)
    x = normals(kind, 30, seed=2)
    assert torch.equal(other.score(x), trained(name, kind).score(x))


@every_detector
@every_kind
def test_a_checkpoint_holds_all_that_was_learned(name, kind, tmp_path):
    detector, x = trained(name, kind), normals(kind, 30, seed=2)
    path = tmp_path / "detector.pt"
    checkpoint.save(path, "detector", {"detector": detector.state_dict()})
    read = untrained(name, kind, seed=5)
    checkpoint.restore(path, {"detector": read}, checkpoint.load(path, "detector", torch.device("cpu")))
    for term, scores in detector.terms(x).items():
        assert torch.equal(read.terms(x)[term], scores), term


@every_detector
@every_kind
def test_constant_samples_have_finite_scores(name, kind):
    dtype = torch.float32 if kind == "rows" else torch.uint8
    x = torch.stack([torch.full(SHAPES[kind], value, dtype=dtype) for value in (0, 1, 127, 255)])
    for term, scores in trained(name, kind).terms(x).items():
        assert scores.isfinite().all(), term


@every_detector
def test_a_constant_column_in_training_is_no_obstacle(name):
    train = normals("rows", 100, seed=1)
    train[:, 0] = 7
    detector = untrained(name, "rows")
    detector.fit(train)
    assert detector.score(train).isfinite().all()
    assert detector.score(normals("rows", 10, seed=2)).isfinite().all()


@every_detector
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_noise_is_more_anomalous_than_what_training_was_like(name, kind):
    detector = trained(name, kind)
    assert detector.score(noise(kind, 50, seed=3)).mean() > detector.score(normals(kind, 50, seed=3)).mean()


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(untrained(name, "rows"), "measure")])
def test_for_a_baseline_far_rows_are_anomalous(name):
    detector, x = trained(name, "rows"), normals("rows", 50, seed=2)
    assert detector.score(3 + 20 * (x - 3)).min() > detector.score(x).median()
