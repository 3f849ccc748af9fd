import gzip
import hashlib
import io
import math
import os
import pickle
import struct
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import datasets

from omasgan.data.benchmarks import IDX_FILES, cifar10, fashion_mnist, kmnist, mnist, read_idx, svhn
from omasgan.errors import UserError

DATA = Path(os.environ.get("OMASGAN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def tiny_idx(seed=0, n=20):
    """The content of the four files: n training and n // 2 test images of 5 x 4."""
    rng = np.random.default_rng(seed)
    arrays = [part for m in (n, n // 2) for part in (rng.integers(0, 256, (m, 5, 4)), rng.integers(0, 10, m))]
    return {name: idx(array.astype(np.uint8)) for name, array in zip(IDX_FILES, arrays, strict=True)}


def write(folder, files, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)


def md5(content):
    return hashlib.md5(content).hexdigest()


@pytest.fixture(autouse=True)
def served(monkeypatch):
    """The only network there is: a file's name to its content, or to an error."""
    files = {}

    class Response(io.BytesIO):
        def __init__(self, url, content):
            super().__init__(content)
            self.url, self.length = url, len(content)

    def urlopen(request):
        content = files.get(request.full_url.rsplit("/", 1)[1], URLError("no network"))
        if isinstance(content, Exception):
            raise content
        return Response(request.full_url, content)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    return files


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.booleans(), st.data())
def test_idx_round_trip(tmp_path_factory, shape, packed, data):
    values = data.draw(st.binary(min_size=math.prod(shape), max_size=math.prod(shape)))
    array = np.frombuffer(values, dtype=np.uint8).reshape(shape)
    path = tmp_path_factory.mktemp("idx") / ("x.gz" if packed else "x")
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    found = read_idx(path)
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found, array)


WHOLE = idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_every_cut_of_an_idx_file_is_refused(tmp_path, packed):
    content = gzip.compress(WHOLE) if packed else WHOLE
    path = tmp_path / ("cut.gz" if packed else "cut")
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=path.name):
            read_idx(path)


DAMAGED = {
    "longer": WHOLE + b"\0",
    "floats": b"\0\0\x0d\x01" + struct.pack(">If", 1, 0.5),
    "magic": b"\x89PNG" + WHOLE[4:],
    "no_dimensions": b"\0\0\x08\0" + b"\x07",
    "no_samples": idx(np.zeros((0, 3, 4), dtype=np.uint8)),
    "boundless": b"\0\0\x08\x03" + b"\xff" * 12,
    "not_packed.gz": WHOLE,
    "crc.gz": gzip.compress(WHOLE)[:-8] + bytes(8),
    "deflate.gz": gzip.compress(WHOLE)[:10] + b"\xff" * 40,
    "packed": gzip.compress(WHOLE),
}


# By name alone: what is packed holds the time, so that two workers would collect tests of other names.
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_idx_file_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(DAMAGED[name])
    with pytest.raises(UserError, match=rf"{name} .*downloaded again"):
        read_idx(tmp_path / name)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("folder", ["MNIST/raw", "mnist", "raw", "."])
def test_mnist_is_read_from_where_it_lies(tmp_path, folder, packed):
    files = tiny_idx()
    write(tmp_path / folder, files, packed)
    dataset = mnist(str(tmp_path))
    assert dataset.spec.shape == (1, 5, 4)
    assert dataset.train.x.numpy().tobytes() == files["train-images-idx3-ubyte"][16:]
    assert bytes(dataset.train.y.tolist()) == files["train-labels-idx1-ubyte"][8:]
    assert dataset.test.x.numpy().tobytes() == files["t10k-images-idx3-ubyte"][16:]
    assert bytes(dataset.test.y.tolist()) == files["t10k-labels-idx1-ubyte"][8:]
    assert dataset.class_names == tuple("0123456789")


def test_every_set_has_its_own_folder_in_one_root(tmp_path):
    sources = {"mnist": mnist, "fashion_mnist": fashion_mnist, "KMNIST/raw": kmnist}
    contents = {folder: tiny_idx(seed) for seed, folder in enumerate(sources)}
    for folder, files in contents.items():
        write(tmp_path / folder, files)
    for folder, source in sources.items():
        x = source(str(tmp_path)).train.x
        assert x.numpy().tobytes() == contents[folder]["train-images-idx3-ubyte"][16:]


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "cache" / "mnist", tiny_idx())
    assert len(mnist("~/cache").train) == 20


@pytest.mark.parametrize(
    "change",
    [
        {"train-labels-idx1-ubyte": idx(np.zeros(19, dtype=np.uint8))},
        {"train-labels-idx1-ubyte": idx(np.full(20, 10, dtype=np.uint8))},
        {"train-images-idx3-ubyte": idx(np.zeros((20, 20), dtype=np.uint8))},
        {"train-labels-idx1-ubyte": idx(np.zeros((20, 1), dtype=np.uint8))},
    ],
    ids=["too few labels", "label 10", "flat images", "labels in two dimensions"],
)
def test_images_and_labels_that_do_not_belong_together(tmp_path, change):
    write(tmp_path, tiny_idx() | change)
    with pytest.raises(UserError, match=r"train-images.*train-labels.*don't belong together"):
        mnist(str(tmp_path))


def serve_kmnist(served, monkeypatch):
    files = tiny_idx()
    packed = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
    monkeypatch.setattr(datasets.KMNIST, "resources", [(name, md5(c)) for name, c in packed.items()])
    served.update(packed)
    return files


def test_a_missing_set_is_downloaded_once(tmp_path, served, monkeypatch):
    files = serve_kmnist(served, monkeypatch)
    root = tmp_path / "new" / "cache"
    first = kmnist(str(root))
    assert first.train.x.numpy().tobytes() == files["train-images-idx3-ubyte"][16:]
    served.clear()
    assert torch.equal(kmnist(str(root)).test.x, first.test.x)
    assert sorted(path.name for path in root.rglob("*") if path.is_file()) == sorted(IDX_FILES)


@pytest.mark.parametrize(
    "error",
    [
        URLError("gone"),
        ConnectionResetError("gone"),
        IncompleteRead(b"gone"),
        b"other content",
    ],
    ids=["unreachable", "reset", "cut off", "tampered"],
)
def test_a_download_that_breaks_leaves_nothing(tmp_path, served, monkeypatch, error):
    serve_kmnist(served, monkeypatch)
    served["t10k-labels-idx1-ubyte.gz"] = error  # the last of the four
    with pytest.raises(UserError, match=rf"KMNIST.*by hand.*KMNIST/raw/t10k-labels-idx1-ubyte into {tmp_path}"):
        kmnist(str(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "files"),
    [
        (mnist, IDX_FILES),
        (svhn, ["train_32x32.mat", "test_32x32.mat"]),
        (cifar10, ["cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/batches.meta"]),
    ],
)
def test_without_a_network_the_files_and_their_place_are_named(tmp_path, source, files):
    with pytest.raises(UserError, match="no network") as raised:
        source(str(tmp_path))
    assert all(file in str(raised.value) for file in [*files, str(tmp_path)])


def test_a_root_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/cache"):
        mnist(str(tmp_path / "file" / "cache"))


@pytest.fixture
def svhn_root(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    entries = {}
    for split, n in (("train", 12), ("test", 11)):
        path = tmp_path / f"{split}_32x32.mat"
        x = rng.integers(0, 256, (32, 32, 3, n)).astype(np.uint8)
        scipy.io.savemat(path, {"X": x, "y": np.arange(n, dtype=np.uint8)[:, None] % 10 + 1})
        entries[split] = ["http://host/" + path.name, path.name, md5(path.read_bytes())]
    monkeypatch.setattr(datasets.SVHN, "split_list", entries)
    return tmp_path


def test_svhn_is_channels_first_and_its_label_ten_is_zero(svhn_root):
    dataset = svhn(str(svhn_root))
    mat = scipy.io.loadmat(svhn_root / "test_32x32.mat")
    assert dataset.spec.shape == (3, 32, 32)
    assert dataset.train.y.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    np.testing.assert_array_equal(dataset.test.x[4].permute(1, 2, 0), mat["X"][..., 4])


@pytest.mark.parametrize("file", ["train_32x32.mat", "test_32x32.mat"])
def test_a_damaged_svhn_file_is_named(svhn_root, file):
    path = svhn_root / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=f"{file} is not the official file"):
        svhn(str(svhn_root))


@pytest.fixture
def cifar_root(tmp_path, monkeypatch):
    """Two images in every batch; the first pixel of each is its batch's number, its own and their sum."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()

    def dump(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, md5((folder / name).read_bytes())]

    def batch(b):
        x = np.zeros((2, 3, 32, 32), dtype=np.uint8)
        x[:, :, 0, 1] = [(b, i, b + i) for i in range(2)]
        return {"data": x.reshape(2, -1), "labels": [b, (b + 1) % 10]}

    train = [dump(f"data_batch_{b}", batch(b)) for b in range(1, 6)]
    name, checksum = dump("batches.meta", {"label_names": [f"name {i}" for i in range(10)]})
    monkeypatch.setattr(datasets.CIFAR10, "train_list", train)
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [dump("test_batch", batch(6))])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": name, "key": "label_names", "md5": checksum})
    return tmp_path


def test_cifar10_is_channels_first(cifar_root):
    dataset = cifar10(str(cifar_root))
    assert dataset.spec.shape == (3, 32, 32)
    assert dataset.train.x[:, :, 0, 1].tolist() == [[b, i, b + i] for b in range(1, 6) for i in range(2)]
    assert dataset.train.y.tolist() == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert dataset.test.y.tolist() == [6, 7]
    assert dataset.class_names[3] == "cat"


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("file", ["data_batch_1", "data_batch_5", "test_batch", "batches.meta"])
def test_a_foreign_pickle_is_never_opened(cifar_root, file):
    marker = cifar_root / "ran"
    (cifar_root / "cifar-10-batches-py" / file).write_bytes(pickle.dumps(Bomb(marker)))
    with pytest.raises(UserError, match=f"{file} is not the official file"):
        cifar10(str(cifar_root))
    assert not marker.exists()


@pytest.mark.skipif(not (DATA / "mnist").is_dir(), reason=f"no MNIST in {DATA}/mnist (set OMASGAN_TEST_DATA)")
def test_the_real_mnist_in_official_order():
    dataset = mnist(str(DATA / "mnist"))
    official = {60_000: "6bbc9ace898e44ae57da46a324031adb", 10_000: "2646ac647ad5339dbf082846283269ea"}
    for part, n in ((dataset.train, 60_000), (dataset.test, 10_000)):
        header = struct.pack(">4I", 2051, n, 28, 28)
        assert md5(header + part.x.numpy().tobytes()) == official[n]
    assert dataset.train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert dataset.test.y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
