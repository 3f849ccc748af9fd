"""The labels of arrays as class names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omasgan.data.class_names import ANOMALY, NORMAL

LABELS = ("y_train", "y_test")
"""The labels in an .npz file."""


def of_file(path: Path) -> tuple[str, ...]:
    """The classes in an .npz file, whose samples are not read."""
    with np.load(path, allow_pickle=False) as file:
        if set(file.files) == {"X", "y"}:
            return (ANOMALY, NORMAL)
        y_train, y_test = (file.get(name) for name in LABELS)
    return distinct(*with_defaults(y_train, y_test, 1, 1))


def with_defaults(
    y_train: NDArray[Any] | None, y_test: NDArray[Any] | None, n_train: int, n_test: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The labels of a training and a test split of n samples, of one class each where they have none."""
    if y_test is None:
        y_test = np.full(n_test, NORMAL)
    if y_train is None:
        y_train = np.full(n_train, NORMAL if y_test.dtype.kind == "U" else 0)
    return y_train, y_test


def distinct(y_train: NDArray[Any], y_test: NDArray[Any]) -> tuple[str, ...]:
    """The distinct labels of both splits as text, in sorted order of the numbers or texts."""
    kind = np.str_ if y_train.dtype.kind == "U" else np.int64
    return tuple(map(str, np.unique(np.concatenate([y_train, y_test], dtype=kind)).tolist()))
