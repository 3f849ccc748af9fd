"""A user's own NumPy arrays or CSV tables as a data set. Pickled objects are never loaded."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omasgan.data.dataset import Dataset, Samples
from omasgan.data.labels import LABELS, with_defaults
from omasgan.errors import UserError
from omasgan.files import user_path

Array = NDArray[Any]

CHANNELS = (1, 3)
"""Numbers of channels that an image may have."""


def arrays(path: str, test_path: str | None = None) -> Dataset:
    """Load a data set from one .npz file, or from two .npy or .csv files, which have no labels.

    Images are uint8, or floats in 0..1, of shape (n, H, W), (n, H, W, C) or (n, C, H, W) with C = 1 or 3; where the
    last two shapes both fit, the last axis is taken as the channels. Rows are numbers of shape (n, k).

    Labels are whole numbers or text of shape (n,), which name the classes. Without y_train all training samples belong
    to one class: 'normal', or 0 where y_test holds numbers. Without any labels the test samples are 'normal' as well.

    Parameters
    ----------
    path
        An .npz file with x_train, x_test and, optionally, y_test, or y_train and y_test; or, together with `test_path`,
        an .npy or .csv file of the training samples.
    test_path
        An .npy or .csv file of the test samples. The first line of a .csv file may hold the names of its columns.

    Returns
    -------
    Dataset
        The class names are the distinct labels in sorted order.

    Raises
    ------
    UserError
        For a file that is missing, damaged or pickled, for values or labels that are not as said above, and where
        training and test samples differ in shape.
    """
    train_path = user_path(path)
    if test_path is None:
        data = _load_npz(train_path)
        train_name, test_name = f"{train_path}: x_train", f"{train_path}: x_test"
    else:
        data = {"x_train": _load_npy(train_path), "x_test": _load_npy(user_path(test_path))}
        train_name, test_name = str(train_path), test_path
    train, test = as_samples(data["x_train"], train_name), as_samples(data["x_test"], test_name)
    if train.shape[1:] != test.shape[1:]:
        raise UserError(
            f"{train_name} has samples of shape {tuple(train.shape[1:])}, "
            f"{test_name} of shape {tuple(test.shape[1:])}: both must have the same shape"
        )
    train_y, test_y, names = _labels(data.get("y_train"), data.get("y_test"), len(train), len(test), train_path)
    return Dataset(Samples(train, train_y), Samples(test, test_y), names)


def read_samples(path: Path) -> Tensor:
    """Read the samples of one .npy or .csv file as `arrays` does: uint8 (n, C, H, W) or float32 (n, k)."""
    return as_samples(_load_npy(path), str(path))


def _load_npz(path: Path) -> dict[str, Array]:
    data = _load(path)
    if not isinstance(data, dict):
        raise UserError(f"{path} is one array: give the test data as test_path, or an .npz file that holds both")
    if missing := {"x_train", "x_test"} - data.keys():
        raise UserError(f"{path} has no {' and no '.join(sorted(missing))}: an .npz file must hold x_train and x_test")
    return data


def _load_npy(path: Path) -> Array:
    data = _load(path)
    if isinstance(data, dict):
        raise UserError(
            f"{path} is an .npz, which holds several arrays: give an .npy file, or this file alone as dataset.path"
        )
    return data


def _load(path: Path) -> Array | dict[str, Array]:
    if not path.is_file():
        raise UserError(f"{path} is not a file: give an .npz file, or .npy or .csv files of training and test data")
    if path.suffix.lower() == ".csv":
        return _load_csv(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {key: loaded[key] for key in ("x_train", "y_train", "x_test", "y_test") if key in loaded}
    except Exception as error:  # a damaged zip or header may raise anything
        raise UserError(
            f"{path} can't be read: it is damaged, not a NumPy file, or holds pickled objects, which are never "
            "loaded; save plain arrays with numpy.save or numpy.savez"
        ) from error


def _load_csv(path: Path) -> Array:
    """A table of numbers (n, k); a first line of column names is left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} can't be read as a table ({error}): replace the file") from error
    if lines and not any(map(_is_number, lines[0][1])):
        del lines[0]
    for number, row in lines:
        if len(row) != len(lines[0][1]):
            raise UserError(
                f"{path}, line {number}, has {len(row)} values, the first row {len(lines[0][1])}: "
                "give every row the same number of values"
            )
        for text in row:
            if not _is_number(text):
                raise UserError(
                    f"{path}, line {number}: '{text}' is not a number, and a table may hold only numbers: remove "
                    "columns and lines of text"
                )
    return np.array([row for _, row in lines], dtype=np.float64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_samples(x: Array, name: str) -> Tensor:
    """The samples of an array, as `arrays` takes them; `name` is what messages call it.

    Returns
    -------
    Tensor
        uint8 (n, C, H, W), or float32 (n, k).
    """
    if x.dtype.kind not in "iuf" or x.size == 0:
        raise UserError(f"{name} has type {x.dtype} and shape {x.shape}: it must hold numbers and at least one sample")
    if x.ndim == 2:
        return _rows(x, name)
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and x.shape[3] in CHANNELS:
        x = x.transpose(0, 3, 1, 2)
    elif x.ndim != 4 or x.shape[1] not in CHANNELS:
        raise UserError(
            f"{name} has shape {x.shape}: "
            "rows must be (n, k), images (n, H, W), (n, H, W, C) or (n, C, H, W) with C 1 or 3"
        )
    return _images(x, name)


def _rows(x: Array, name: str) -> Tensor:
    with np.errstate(over="ignore"):
        rows = x.astype(np.float32)
    if not np.isfinite(rows).all():
        raise UserError(f"{name} holds values that are NaN, infinite or too large for float32: remove those rows")
    return torch.from_numpy(rows)


def _images(x: Array, name: str) -> Tensor:
    if x.dtype.kind == "f" and ((x >= 0) & (x <= 1)).all():
        x = np.rint(x * 255).astype(np.uint8)
    if x.dtype != np.uint8:
        raise UserError(
            f"{name} holds {x.dtype} values from {x.min()} to {x.max()}: images must be uint8, or floats in 0..1"
        )
    return torch.from_numpy(np.ascontiguousarray(x))


def _labels(
    y_train: Array | None, y_test: Array | None, n_train: int, n_test: int, path: Path
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """The labels as indices into the sorted class names, and those names."""
    if y_test is None and y_train is not None:
        raise UserError(f"{path} has y_train and no y_test: give both, only y_test, or neither")
    y_train, y_test = with_defaults(y_train, y_test, n_train, n_test)
    for key, y, n in zip(LABELS, (y_train, y_test), (n_train, n_test), strict=True):
        if y.shape != (n,) or y.dtype.kind not in "biuU":
            raise UserError(
                f"{path}: {key} has type {y.dtype} and shape {y.shape}: "
                f"it must hold {n} whole numbers or texts, one for each sample"
            )
    if (y_train.dtype.kind == "U") != (y_test.dtype.kind == "U"):
        raise UserError(
            f"{path}: y_train has type {y_train.dtype}, y_test {y_test.dtype}: both must be numbers, or both text"
        )
    kind = np.str_ if y_train.dtype.kind == "U" else np.int64
    names, indices = np.unique(np.concatenate([y_train, y_test], dtype=kind), return_inverse=True)
    return (
        torch.from_numpy(indices[:n_train]),
        torch.from_numpy(indices[n_train:]),
        tuple(str(name) for name in names),
    )
