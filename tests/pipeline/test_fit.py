"""What the detector and the baselines learn from, and what they share."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from omasgan.data.dataset import Samples
from omasgan.detectors.baselines import Baseline
from omasgan.detectors.omasgan import OMASGAN
from omasgan.errors import UserError
from omasgan.evaluation.scores import ScoreTable
from omasgan.pipeline import build
from omasgan.representations.base import Pixels
from tests.pipeline.running import DIGITS, TOY


def test_too_few_normals_are_refused_before_anything_is_learned(start, no_pictures, steps):
    with pytest.raises(
        UserError, match=r"the memory bank has 10 samples .*memory_bank_size=10\) and needs more than 10"
    ):
        start(
            *DIGITS,
            "representation=autoencoder",
            "architecture=mlp",
            "inference.memory_bank_size=10",
        )
    assert not steps


class Sealed(Samples):
    """Samples that must not be seen yet."""

    opened = False

    @property
    def x(self):
        assert type(self).opened, "a test sample is seen before training ended"
        return self._x

    @x.setter
    def x(self, value):
        object.__setattr__(self, "_x", value)


def test_no_abnormal_sample_and_no_test_sample_reaches_training(start, no_pictures, monkeypatch):
    whole = build.dataset
    WHITE = 255

    def guarded(config):
        dataset = whole(config)
        x = dataset.train.x.clone()
        x[dataset.train.y == 3] = WHITE
        return replace(dataset, train=Samples(x, dataset.train.y), test=Sealed(dataset.test.x, dataset.test.y))

    seen = []

    def watched(kind):
        plain = kind.fit

        def fit(self, train):
            assert train.dtype == torch.uint8
            seen.append(type(self).__name__)
            white = (train == WHITE).flatten(1).all(dim=1)
            assert not white.any(), "an abnormal sample is trained on"
            plain(self, train)
            Sealed.opened = True

        monkeypatch.setattr(kind, "fit", fit)

    watched(OMASGAN)
    watched(Baseline)
    monkeypatch.setattr(build, "dataset", guarded)
    monkeypatch.setattr(Sealed, "opened", False)
    start(*DIGITS, "baselines=cheap")
    assert seen == ["OMASGAN", "NearestNeighbour", "PCA", "Mahalanobis", "IsolationForest"]


def test_a_baseline_of_other_settings_does_not_meet_the_checkpoint_of_the_last(start, no_pictures):
    def baseline(**settings):
        more = [
            f"baselines.nearest_autoencoder.representation.autoencoder.{key}={value}" for key, value in settings.items()
        ]
        folder = start(*DIGITS, "baselines=all", "~baselines.nearest_embedding", *more)
        return folder, ScoreTable.load(folder / "scores.npz").terms["nearest_autoencoder"]

    folder, plain = baseline()
    assert baseline(lr=0.005)[0] == folder
    assert not np.array_equal(baseline(lr=0.005)[1], plain)
    assert np.array_equal(baseline()[1], plain)


@pytest.mark.parametrize("setting", ["lr=0.005", "architecture.latent=7"])
def test_a_baseline_learns_its_own_embeddings_where_the_method_learns_them_otherwise(start, no_pictures, setting):
    embeddings = (*DIGITS, "representation=autoencoder", "architecture=mlp", "inference.j_features=neighbours")
    baselines = ("baselines=all", f"representation.autoencoder.{setting}")
    tables = [
        ScoreTable.load(start(*embeddings, *more) / "scores.npz").terms for more in (baselines, ["baselines=all"])
    ]
    other, plain = (table["nearest_autoencoder"] for table in tables)
    assert np.array_equal(other, plain), "the baseline is the same whatever the method's embeddings are"
    assert np.array_equal(tables[1]["nearest_embedding"], plain), "and what is learned alike is learned once"
    assert not np.array_equal(tables[0]["nearest_embedding"], plain)


def test_embeddings_are_computed_once_for_all_detectors_that_use_them(start, no_pictures, monkeypatch):
    encoded, plain = [], Pixels.encode
    monkeypatch.setattr(Pixels, "encode", lambda self, x: encoded.append(len(x)) or plain(self, x))
    start(*DIGITS, "baselines=none", "+detector@baselines.nearest_embedding=nearest_embedding")
    assert len(encoded) == 2, "training and test samples, once each"


def test_fgan_is_task_1_of_omasgan(start, no_pictures):
    full, base = start(*TOY), start(*TOY, "detector=fgan")
    tables = [ScoreTable.load(folder / "scores.npz").terms["task1"] for folder in (full, base)]
    assert np.array_equal(*tables)
