"""The published image benchmarks in their official split, read from a cache folder, `root`.

Files that are already in that folder are used. Missing files are downloaded by torchvision; an interrupted download
leaves no incomplete file behind.
"""

from __future__ import annotations

import gzip
import math
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import check_integrity

from omasgan.data.class_names import CIFAR10, FASHION_MNIST, KMNIST, TEN_DIGITS
from omasgan.data.dataset import Dataset, Samples
from omasgan.errors import UserError
from omasgan.files import user_path

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
MEND = "replace it, or delete it to have it downloaded again"


_DOWNLOADS = ContextVar("downloads", default=True)


@contextmanager
def downloads(allowed: bool) -> Iterator[None]:
    """A context in which missing files are downloaded, or else are an error."""
    token = _DOWNLOADS.set(allowed)
    try:
        yield
    finally:
        _DOWNLOADS.reset(token)


def mnist(root: str) -> Dataset:
    """Load MNIST: 60,000 training and 10,000 test images (1, 28, 28).

    Parameters
    ----------
    root
        The cache folder. The four IDX files, plain or .gz, are read from the first of these folders that has them all:
        root/<torchvision's name>/raw, root/<name of the data set>, root/raw, root.

    Returns
    -------
    Dataset
        uint8 images, with the ten classes in the order of their labels.

    Raises
    ------
    UserError
        For a file that is damaged or cannot be downloaded.
    """
    return _idx_benchmark(datasets.MNIST, "mnist", root, TEN_DIGITS)


def fashion_mnist(root: str) -> Dataset:
    """Load Fashion-MNIST: 60,000 training and 10,000 test images (1, 28, 28); see `mnist` for its files."""
    return _idx_benchmark(datasets.FashionMNIST, "fashion_mnist", root, FASHION_MNIST)


def kmnist(root: str) -> Dataset:
    """Load Kuzushiji-MNIST: 60,000 training and 10,000 test images (1, 28, 28); see `mnist` for its files."""
    return _idx_benchmark(datasets.KMNIST, "kmnist", root, KMNIST)


def svhn(root: str) -> Dataset:
    """Load Street View House Numbers: 73,257 training and 26,032 test images (3, 32, 32).

    Parameters
    ----------
    root
        The cache folder, with the files train_32x32.mat and test_32x32.mat.

    Returns
    -------
    Dataset
        uint8 images, with the ten digits as classes.

    Raises
    ------
    UserError
        For a file whose checksum is not the published one, or that cannot be downloaded.
    """
    top = user_path(root)
    splits = ("train", "test")
    md5 = {file: checksum for _, file, checksum in map(datasets.SVHN.split_list.get, splits)}
    _provide("SVHN", top, md5, [partial(datasets.SVHN, split=split) for split in splits])
    _verify(top, md5)
    parts = [datasets.SVHN(top, split=split) for split in splits]
    train, test = (Samples(_images(part.data), torch.from_numpy(part.labels)) for part in parts)
    return Dataset(train, test, TEN_DIGITS)


def cifar10(root: str) -> Dataset:
    """Load CIFAR-10: 50,000 training and 10,000 test images (3, 32, 32).

    The official files are pickles, so none is opened unless the checksums of all are the published ones.

    Parameters
    ----------
    root
        The cache folder, with the files in cifar-10-batches-py.

    Returns
    -------
    Dataset
        uint8 images, with the ten classes in the order of their labels.

    Raises
    ------
    UserError
        For a file whose checksum is not the published one, or that cannot be downloaded.
    """
    top = user_path(root)
    source = datasets.CIFAR10
    md5 = dict(source.train_list + source.test_list) | {source.meta["filename"]: source.meta["md5"]}
    md5 = {f"{source.base_folder}/{file}": checksum for file, checksum in md5.items()}
    _provide("CIFAR-10", top, md5, [source])
    _verify(top, md5)
    parts = [source(top, train=train) for train in (True, False)]
    train, test = (Samples(_images(part.data.transpose(0, 3, 1, 2)), torch.tensor(part.targets)) for part in parts)
    return Dataset(train, test, CIFAR10)


def read_idx(path: Path) -> Tensor:
    """Read the uint8 array in an IDX file, which may be compressed (.gz).

    Raises
    ------
    UserError
        Where the file can't be read, is not an IDX file of unsigned bytes, is empty, or is longer or shorter than its
        header says.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} can't be read ({error}): {MEND}") from error
    ndim = data[3] if data[:3] == b"\0\0\x08" and len(data) > 3 else 0
    header = 4 + 4 * ndim
    if ndim == 0 or len(data) < header:
        raise UserError(f"{path} is not an IDX file of unsigned bytes (it begins with '{data[:4].hex()}'): {MEND}")
    shape = struct.unpack_from(f">{ndim}I", data, 4)
    if math.prod(shape) == 0 or len(data) != header + math.prod(shape):
        raise UserError(f"{path} has {len(data) - header} bytes of data where its header says {shape}: {MEND}")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8, offset=header).reshape(shape)


def _idx_benchmark(source: Any, name: str, root: str, class_names: Sequence[str]) -> Dataset:
    """The data set from its four IDX files; `mnist` says in which folders they may be."""
    top = user_path(root)
    inside = f"{source.__name__}/raw"
    files = _find_idx([top / inside, top / name, top / "raw", top])
    if not files:
        title = f"{source.__name__} (four IDX files, plain or .gz)"
        _provide(title, top, [f"{inside}/{file}" for file in IDX_FILES], [source])
        files = [top / inside / file for file in IDX_FILES]
    train_images, train_labels, test_images, test_labels = files
    return Dataset(
        _idx_samples(train_images, train_labels, len(class_names)),
        _idx_samples(test_images, test_labels, len(class_names)),
        tuple(class_names),
    )


def _find_idx(folders: Iterable[Path]) -> list[Path]:
    for folder in folders:
        candidates = [(folder / file, folder / f"{file}.gz") for file in IDX_FILES]
        found = [path for plain, packed in candidates if (path := plain if plain.is_file() else packed).is_file()]
        if len(found) == len(IDX_FILES):
            return found
    return []


def _idx_samples(images: Path, labels: Path, classes: int) -> Samples:
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or y.ndim != 1 or len(x) != len(y) or int(y.max()) >= classes:
        raise UserError(
            f"{images} of shape {tuple(x.shape)} and {labels} of shape {tuple(y.shape)} up to {int(y.max())} "
            f"don't belong together: the shapes must be (n, H, W) and (n,), the labels 0..{classes - 1}"
        )
    return Samples(x.unsqueeze(1), y.long())


def _images(data: Any) -> Tensor:
    return torch.from_numpy(data).contiguous()


def _provide(title: str, root: Path, files: Iterable[str], fetches: Iterable[Callable[..., Any]]) -> None:
    """Download by torchvision's `fetches` the files (relative to root) that are missing."""
    missing = [file for file in files if not (root / file).is_file()]
    if not missing:
        return
    if not _DOWNLOADS.get():
        raise UserError(f"{title} is not in {root}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        # A file is moved into place once it is complete, so that an interrupted download leaves nothing behind.
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as temporary:
            for fetch in fetches:
                fetch(temporary, download=True)
            for file in missing:
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                (Path(temporary) / file).replace(root / file)
    except (OSError, RuntimeError, HTTPException) as error:
        reason = str(error).strip().rsplit("\n", 1)[-1]
        raise UserError(
            f"{title} could not be downloaded ({reason}): to do so by hand, put {', '.join(missing)} into {root}"
        ) from error


def _verify(root: Path, md5: Mapping[str, str]) -> None:
    for file, checksum in md5.items():
        if not check_integrity(root / file, checksum):
            raise UserError(f"{root / file} is not the official file (its MD5 differs) and was not opened: {MEND}")
