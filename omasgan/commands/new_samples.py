"""The samples that `task=score` is given: images, folders of them, patterns, names on standard input, or an array."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from omasgan.data import arrays, image_files
from omasgan.data.dataset import Columns, Spec
from omasgan.errors import UserError
from omasgan.files import user_path

STDIN = "-"
"""Stands for a list of image files on standard input, one in a line."""


def read(
    given: str, spec: Spec, columns: Columns | None = None, dataset: Mapping[str, Any] | None = None
) -> tuple[list[str], Tensor]:
    """Names and samples of what is to be scored, for a detector of samples of that shape.

    Parameters
    ----------
    given
        An image, a folder of images at any depth, a pattern of either such as 'new/*.jpg', '-' for a list of files on
        standard input, or an .npy file or a table of samples.
    spec
        The shape of the run's samples.
    columns
        The columns of the table that the run has learned from, if it was one.
    dataset
        The run's data set in its configuration, which says how images are read.

    Returns
    -------
    tuple
        The n names, which are paths of images relative to the folder, and the samples (n, *spec.shape).

    Raises
    ------
    UserError
        Where nothing is found, nothing can be read, or the samples have another shape.
    """
    if given == STDIN:
        paths = [user_path(line.strip()) for line in sys.stdin if line.strip()]
        if not paths:
            raise UserError("score.input=- reads names of images from standard input, one in a line, and got none")
        return _images(paths, [str(path) for path in paths], spec, given, dataset)
    source = user_path(given)
    if not source.exists() and any(sign in given for sign in "*?["):
        top = Path(source.anchor)
        paths = [path for found in sorted(top.glob(str(source.relative_to(top)))) for path in _files(found)]
        if not paths:
            raise UserError(f"score.input={given} matches no image: check the pattern and where it is used")
        return _images(paths, [str(path) for path in paths], spec, given, dataset)
    if not source.exists():
        raise UserError(f"score.input={source} does not exist: give images, or an .npy or .csv of samples")
    if source.is_dir():
        paths = image_files.list_images(source, recursive=True) if _takes_images(spec) else []
        return _images(
            paths, [path.relative_to(source).as_posix() for path in paths], spec, str(source), dataset, "a folder"
        )
    if source.suffix.lower() in image_files.SUFFIXES:
        return _images([source], [source.name], spec, str(source), dataset, "an image")
    x = arrays.read_samples(source, columns)
    if tuple(x.shape[1:]) != spec.shape:
        raise UserError(
            f"score.input={source} has samples {tuple(x.shape[1:])}, the run is on {spec.shape}: "
            "give samples of the run's shape"
        )
    return [str(index) for index in range(len(x))], x


def _files(path: Path) -> list[Path]:
    """The images of a match of a pattern."""
    if path.is_dir():
        return image_files.list_images(path, recursive=True)
    return [path] if path.suffix.lower() in image_files.SUFFIXES else []


def _takes_images(spec: Spec) -> bool:
    return spec.is_image and spec.shape[1] == spec.shape[2]


def _images(
    paths: list[Path], names: list[str], spec: Spec, given: str, dataset: Mapping[str, Any] | None, what: str = "images"
) -> tuple[list[str], Tensor]:
    """The images that can be read, resized to the run's shape; one that is given alone must be readable."""
    if not _takes_images(spec):
        raise UserError(f"score.input={given} is {what}, but the run is on samples {spec.shape}: give an array")
    settings = image_files.read_settings(dataset or {}, spec.shape)
    if len(paths) == 1:
        return names, image_files.read_images(paths, settings)
    kept, x = image_files.readable_images(paths, settings)
    return [names[place] for place in kept], x
