"""A user's own NumPy arrays or tables as a data set. Pickled objects are never loaded."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omasgan.data import tables
from omasgan.data.class_names import ANOMALY, NORMAL
from omasgan.data.dataset import Columns, Dataset, Samples
from omasgan.data.labels import LABELS, with_defaults
from omasgan.errors import UserError
from omasgan.files import user_path

Array = NDArray[Any]

log = logging.getLogger(__name__)

WHOLE = ("X", "y")
"""The arrays of an .npz file in the form of ADBench, which has no split."""

CHANNELS = (1, 3)
"""Numbers of channels that an image may have."""


def arrays(path: str, test_path: str | None = None, label: str | None = None, missing: str = "error") -> Dataset:
    """Load a data set from one .npz file, or from two .npy files or tables, one of training and one of test samples.

    Images are uint8, or floats in 0..1, of shape (n, H, W), (n, H, W, C) or (n, C, H, W) with C = 1 or 3; where the
    last two shapes both fit, the last axis is taken as the channels. Rows are numbers of shape (n, k).

    Labels are whole numbers or text of shape (n,), which name the classes. Without y_train all training samples belong
    to one class: 'normal', or 0 where y_test holds numbers. Without any labels the test samples are 'normal' as well.

    Parameters
    ----------
    path
        An .npz file with x_train, x_test and, optionally, y_test, or y_train and y_test; an .npz file with X and y,
        where y is 1 for an anomaly, of which two in three normal samples are for training and all others for the test;
        or, together with `test_path`, an .npy file or a table (see `tables.read`) of the training samples.
    test_path
        An .npy file or a table of the test samples. Columns are matched by their names.
    label
        The column of a table that holds the class of each row; a table of training rows may lack it.
    missing
        What is done about a missing cell of a table: `error`, or `median`, which puts the median of the training rows
        in its place, and in that of missing cells of rows that are scored later.

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
    if missing not in ("error", "median"):
        raise UserError(f"dataset.missing is '{missing}': choose error or median")
    train_path = user_path(path)
    columns = None
    if test_path is None:
        data = _load_npz(train_path)
        train_name, test_name = f"{train_path}: x_train", f"{train_path}: x_test"
    elif tables.is_table(train_path) and tables.is_table(user_path(test_path)):
        data, columns = _load_tables(train_path, user_path(test_path), label, missing)
        train_name, test_name = str(train_path), test_path
    else:
        data = {"x_train": _load_one(train_path), "x_test": _load_one(user_path(test_path))}
        train_name, test_name = str(train_path), test_path
    train, test = as_samples(data["x_train"], train_name), as_samples(data["x_test"], test_name)
    if train.shape[1:] != test.shape[1:]:
        raise UserError(
            f"{train_name} has samples of shape {tuple(train.shape[1:])}, "
            f"{test_name} of shape {tuple(test.shape[1:])}: both must have the same shape"
        )
    _report_copies(train, test, train_name, test_name)
    train_y, test_y, names = _labels(data.get("y_train"), data.get("y_test"), len(train), len(test), train_path)
    return Dataset(Samples(train, train_y), Samples(test, test_y), names, columns=columns)


def _report_copies(train: Tensor, test: Tensor, train_name: str, test_name: str) -> None:
    """Say how many training samples occur more than once, and how many test samples are training samples."""
    known = {hash(row.tobytes()) for row in train.numpy()}  # not the bytes, which would double the memory
    if copies := len(train) - len(known):
        log.info("%d of %d samples of %s are copies of others", copies, len(train), train_name)
    if shared := sum(hash(row.tobytes()) in known for row in test.numpy()):
        log.warning(
            "%d of %d samples of %s also occur in %s: their scores do not show how well new samples are scored",
            *(shared, len(test), test_name, train_name),
        )


def read_samples(path: Path, columns: Columns | None = None) -> Tensor:
    """Read the samples of one .npy file or table as `arrays` does: uint8 (n, C, H, W) or float32 (n, k).

    Parameters
    ----------
    path
        The file.
    columns
        The columns of the training data, by which those of a table are matched; None where they had no names.
    """
    if not tables.is_table(path):
        return as_samples(_load_one(path), str(path))
    _must_be_file(path)
    if columns is None:
        table, medians = tables.read(path), None
    else:
        table = tables.matched(tables.read(path, columns.label, needed=False), columns.names, str(path))
        medians = None if columns.medians is None else np.array(columns.medians)
    return as_samples(tables.filled(table.values, medians, str(path)), str(path))


def _load_tables(
    train_path: Path, test_path: Path, label: str | None, missing: str
) -> tuple[dict[str, Array], Columns]:
    """The samples of two tables, their labels, and the columns of the training rows."""
    for path in (train_path, test_path):
        _must_be_file(path)
    test = tables.read(test_path, label)
    train = tables.read(train_path, label, needed=False)
    medians = None
    if missing == "median":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a column that is missing altogether, which becomes 0
            medians = np.nan_to_num(np.nanmedian(train.values, axis=0))
    test = tables.matched(test, train.names, str(test_path))
    data: dict[str, Array] = {
        "x_train": tables.filled(train.values, medians, str(train_path)),
        "x_test": tables.filled(test.values, medians, str(test_path)),
    }
    if label is not None and test.labels is not None:
        normal = np.full(len(train.values), NORMAL)
        data |= {"y_test": test.labels, "y_train": normal if train.labels is None else train.labels}
    stored = None if medians is None else tuple(medians.tolist())
    return data, Columns(train.names, stored, label)


def _load_npz(path: Path) -> dict[str, Array]:
    data = _load(path)
    if not isinstance(data, dict):
        raise UserError(f"{path} is one array: give the test data as test_path, or an .npz file that holds both")
    if data.keys() == set(WHOLE):
        return _halves(data["X"], data["y"], path)
    if missing := {"x_train", "x_test"} - data.keys():
        raise UserError(
            f"{path} has no {' and no '.join(sorted(missing))}: an .npz file must hold x_train and x_test, or X and y"
        )
    return data


def _load_one(path: Path) -> Array:
    data = _load(path)
    if isinstance(data, dict):
        raise UserError(
            f"{path} is an .npz, which holds several arrays: give an .npy file, or this file alone as dataset.path"
        )
    return data


def _must_be_file(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path} is not a file: give an .npz file, or .npy or .csv files of training and test data")


def _load(path: Path) -> Array | dict[str, Array]:
    _must_be_file(path)
    if tables.is_table(path):
        return tables.read(path).values
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {key: loaded[key] for key in ("x_train", "y_train", "x_test", "y_test", *WHOLE) if key in loaded}
    except Exception as error:  # a damaged zip or header may raise anything
        raise UserError(
            f"{path} can't be read: it is damaged, not a NumPy file, or holds pickled objects, which are never "
            "loaded; save plain arrays with numpy.save or numpy.savez, and texts as array.astype(str)"
        ) from error


def _halves(x: Array, y: Array, path: Path) -> dict[str, Array]:
    """The samples of an .npz file that does not say which are for training: two in three normal ones are."""
    y = y.ravel()
    if y.shape != (len(x),) or not np.isin(y, (0, 1)).all():
        raise UserError(f"{path}: y must hold {len(x)} values that are 1 for an anomaly and 0 for a normal sample of X")
    normal = np.flatnonzero(y == 0)
    training = np.delete(normal, np.s_[2::3])
    test = np.setdiff1d(np.arange(len(x)), training)
    names = np.array([NORMAL, ANOMALY])
    return {"x_train": x[training], "x_test": x[test], "y_test": names[y[test].astype(int)]}


def as_samples(x: Array, name: str) -> Tensor:
    """The samples of an array, as `arrays` takes them; `name` is what messages call it.

    Returns
    -------
    Tensor
        uint8 (n, C, H, W), or float32 (n, k).
    """
    if x.dtype.kind not in "iufb" or x.size == 0:
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
            f"{name} holds {x.dtype} values from {x.min()} to {x.max()}: images must be uint8, or floats in 0..1 "
            "(divide by 255, or save as uint8)"
        )
    return torch.from_numpy(np.ascontiguousarray(x))


def _as_labels(y: Array) -> Array:
    """Labels of shape (n, 1) as (n,), and whole numbers of a float type as integers."""
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    return y.astype(np.int64) if y.dtype.kind == "f" and (y == np.rint(y)).all() else y


def _labels(
    y_train: Array | None, y_test: Array | None, n_train: int, n_test: int, path: Path
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """The labels as indices into the sorted class names, and those names."""
    if y_test is None and y_train is not None:
        raise UserError(f"{path} has y_train and no y_test: give both, only y_test, or neither")
    y_train, y_test = (None if y is None else _as_labels(y) for y in (y_train, y_test))
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
