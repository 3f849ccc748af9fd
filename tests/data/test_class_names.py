"""The classes of a data set are told without loading it, and are those that it has when it is loaded."""

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from omasgan.data.arrays import arrays
from omasgan.data.class_names import CIFAR10, FASHION_MNIST, KMNIST, class_names
from omasgan.data.digits import digits
from omasgan.data.folders import image_folder


def told(source, **settings):
    return class_names({"_target_": f"{source.__module__}.{source.__name__}", **settings})


def test_published_benchmarks():
    assert tuple(datasets.FashionMNIST.classes) == FASHION_MNIST
    assert tuple(datasets.KMNIST.classes) == KMNIST
    assert len(CIFAR10) == len(set(CIFAR10)) == 10
    assert told(digits) == digits().class_names


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"y_test": np.array(["good", "bad"])},
        {"y_test": np.array([3, 0], np.uint8)},
        {"y_train": np.array([10, 2, 2]), "y_test": np.array([1, 3])},
        {"y_train": np.array(["b", "a", "a"]), "y_test": np.array(["longer", "a"])},
        {"y_train": np.array([True, False, False]), "y_test": np.array([True, False])},
    ],
    ids=str,
)
def test_arrays(tmp_path, labels):
    path = str(tmp_path / "data.npz")
    np.savez(path, x_train=np.zeros((3, 2)), x_test=np.zeros((2, 2)), **labels)
    assert told(arrays, path=path, test_path=None) == arrays(path).class_names


@pytest.mark.parametrize(
    "files",
    [
        ["train/b/0.png", "train/a/0.png", "train/.hidden/0.png", "test/c/0.png", "test/a/0.png"],
        ["train/0.png", "test/normal/0.png", "test/broken/0.png"],
        [f"{number}.png" for number in range(5)],
    ],
    ids=str,
)
def test_image_folders(tmp_path, files):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / name)
    assert told(image_folder, root=str(tmp_path)) == image_folder(str(tmp_path)).class_names
    if (tmp_path / "test").is_dir():
        apart = {"root": f"{tmp_path}/train", "test_root": f"{tmp_path}/test", "size": 8}
        assert told(image_folder, **apart) == image_folder(**apart).class_names


def test_what_cannot_be_told_is_told_by_loading(tmp_path):
    (tmp_path / "cut.npz").write_bytes(b"PK")
    for path in (tmp_path / "cut.npz", tmp_path / "nowhere.npz"):
        assert told(arrays, path=str(path)) == ()
    assert told(image_folder, root=f"{tmp_path}/nowhere", test_root=None) == ("normal",)
    assert told(image_folder, root=f"{tmp_path}/nowhere", test_root=f"{tmp_path}/nowhere") == ()
    assert told(digits, wrong=1) == ()
    assert class_names({"_target_": "wine.wine"}) == ()


def test_an_npz_without_a_split_and_a_table_with_labels(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.arange(16.0).reshape(8, 2), y=np.array([0, 0, 1, 0, 0, 0, 1, 0]))
    path = str(tmp_path / "a.npz")
    assert told(arrays, path=path) == arrays(path).class_names
    assert told(arrays, path="a.csv", test_path="b.csv", label="kind", missing="error") == ()
    assert told(arrays, path="a.csv", test_path="b.csv", label=None, missing="error") == ("normal",)
