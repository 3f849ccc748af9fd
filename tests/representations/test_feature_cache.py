"""Features that are kept in a file."""

import sqlite3

import pytest
import torch

from omasgan.errors import UserError
from omasgan.representations import feature_cache
from omasgan.representations.feature_cache import FeatureCache


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "features", ["weights", 64])


def images(n, seed=0):
    return torch.randint(0, 256, (n, 1, 4, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def counting(asked):
    def compute(x):
        asked.append(len(x))
        return x.flatten(1).float() / 7

    return compute


def test_features_are_those_that_would_be_computed_and_each_image_is_computed_once(cache):
    asked, x = [], images(10)
    mixed = torch.cat([x[3:], images(4, seed=1), x[:2], x[:2]])
    compute = counting(asked)
    assert torch.equal(cache.features(x, compute), compute(x))
    assert torch.equal(cache.features(mixed, compute), compute(mixed))
    assert asked[0] == 10
    assert asked[2] == 4  # asked[1] and asked[3] are the comparisons
    again = FeatureCache(cache.path.parent, ["weights", 64])
    assert torch.equal(again.features(x, compute), x.flatten(1).float() / 7)
    assert len(asked) == 4


def test_other_settings_and_images_of_other_shapes_have_other_features(cache):
    x = images(2)
    cache.features(x, counting([]))
    asked = []
    FeatureCache(cache.path.parent, ["other weights", 64]).features(x, counting(asked))
    cache.features(x.view(2, 1, 2, 8), counting(asked))
    assert asked == [2, 2]


def test_what_was_computed_before_an_interruption_is_kept(cache, monkeypatch):
    monkeypatch.setattr(feature_cache, "IMAGES_TO_A_COMMIT", 4)
    asked = []

    def interrupted(x):
        if len(asked) == 2:
            raise KeyboardInterrupt
        return counting(asked)(x)

    with pytest.raises(KeyboardInterrupt):
        cache.features(images(10), interrupted)
    cache.features(images(10), counting(asked))
    assert asked == [4, 4, 2]


def test_a_damaged_file_is_named(cache):
    cache.path.write_bytes(b"no database" * 100)
    with pytest.raises(UserError, match=r"sqlite cannot be used .*leave feature_cache out"):
        cache.features(images(2), counting([]))


def test_features_survive_in_a_file_that_any_sqlite_reads(cache):
    cache.features(images(5), counting([]))
    assert sqlite3.connect(cache.path).execute("SELECT count(*) FROM features").fetchone() == (5,)
