"""What a user gives to an estimator, as samples: arrays, tensors, tables or a folder of images."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from omasgan.data import arrays, image_files
from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.files import user_path


def is_folder(X: Any) -> bool:
    """Whether samples are given as the path of a folder or a file."""
    return isinstance(X, str | PathLike)


def as_array(X: Any) -> Any:
    """A tensor as an array; everything else as it is."""
    return X.detach().cpu().numpy() if isinstance(X, Tensor) else X


def is_images(X: Any) -> bool:
    """Whether an array holds images, which have more than two dimensions."""
    return getattr(X, "ndim", 2) > 2


def read_folder(path: Any, settings: Mapping[str, Any]) -> Tensor:
    """The images of a folder, at any depth.

    Parameters
    ----------
    path
        The folder.
    settings
        The data set's node of the configuration, which has `size` and `channels`.

    Returns
    -------
    Tensor
        uint8 (n, C, H, W).
    """
    shape = (settings["channels"], settings["size"], settings["size"])
    paths = image_files.list_images(user_path(Path(path)), recursive=True)
    return image_files.readable_images(paths, image_files.read_settings(settings, shape))[1]


def read_new(path: Any, spec: Spec) -> Tensor:
    """The images of a folder, or an array in a file, for a detector that was trained on samples of this shape."""
    place = user_path(Path(path))
    if place.is_dir():
        return read_folder(place, {"size": spec.shape[1], "channels": spec.shape[0]})
    return arrays.read_samples(place)


def samples(X: Any) -> Tensor:
    """The samples of an array: uint8 (n, C, H, W) or float32 (n, k), as the data set `arrays` makes them.

    Raises
    ------
    UserError
        For values or shapes that are not allowed.
    """
    return arrays.as_samples(np.asarray(X), "X")


def must_fit(x: Tensor, spec: Spec) -> None:
    """Raise UserError where samples have another shape than those of the training."""
    if tuple(x.shape[1:]) != spec.shape:
        raise UserError(f"X has samples {tuple(x.shape[1:])}, the detector was trained on {spec.shape}: give the same")
