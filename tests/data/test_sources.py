"""The signature of a source is its configuration's schema."""

import inspect
import typing

import pytest

from omasgan.data import arrays, benchmarks, digits, folders, textures, toy
from omasgan.data.dataset import Dataset

SOURCES = [
    toy.rings,
    toy.moons,
    toy.blobs,
    digits.digits,
    textures.textures,
    benchmarks.mnist,
    benchmarks.fashion_mnist,
    benchmarks.kmnist,
    benchmarks.svhn,
    benchmarks.cifar10,
    folders.image_folder,
    arrays.arrays,
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_a_source_takes_plain_values_and_returns_a_dataset(source):
    hints = typing.get_type_hints(source)
    assert hints.pop("return") is Dataset
    assert hints.keys() == inspect.signature(source).parameters.keys()
    assert set(hints.values()) <= {int, float, bool, str, str | None, list[int]}
