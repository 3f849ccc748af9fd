"""Image files: finding them, reading them in several threads, and leaving out those that cannot be read."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Gt
from PIL import Image, ImageOps
from torch import Tensor

from omasgan.errors import UserError

log = logging.getLogger("omasgan")

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"))
"""Files with other suffixes are ignored, and so are hidden ones, such as ._x.png, which macOS writes beside x.png."""

MODES = {1: "L", 3: "RGB"}
"""Pillow's mode for each number of channels."""

MOST_UNREADABLE = 0.1
"""The largest share of the images that may be unreadable; with more, they are refused."""

DARK = 1 / 8
"""If no value of an image reaches this fraction of the largest possible one, its camera probably has fewer bits."""

NAMED = 5
"""Largest number of files that a message names."""

IN_MEMORY = 2**30
"""Largest size in bytes of images that are held in memory; larger sets go to a temporary file."""

TOLD_EVERY = 10.0
"""Seconds between two messages that tell how many images have been read."""


Megapixels = Annotated[float, Gt(0)]
"""The type of the setting `megapixels`."""


class UnreadableError(UserError):
    """An image file is missing, damaged or not an image."""


@dataclass(frozen=True)
class ReadSettings:
    """How image files are read.

    Parameters
    ----------
    size, channels, bits, megapixels
        See `omasgan.data.folders.image_folder`.

    Raises
    ------
    UserError
        For a size or a number of channels that is not allowed.
    """

    size: int
    channels: int
    bits: int = 16
    megapixels: Megapixels = 179.0

    def __post_init__(self) -> None:
        if self.size < 1 or self.channels not in MODES:
            raise UserError(
                f"size={self.size}, channels={self.channels}: set a size of at least 1, and 1 or 3 channels"
            )
        if not 8 <= self.bits <= 32:
            raise UserError(f"bits={self.bits}: an image uses 8 to 32 bits for a value")


def read_settings(dataset: Mapping[str, Any], shape: tuple[int, ...]) -> ReadSettings:
    """How images are read for samples of this shape; the data set's settings may have `bits` and `megapixels`."""
    return ReadSettings(shape[1], shape[0], **{key: dataset[key] for key in ("bits", "megapixels") if key in dataset})


def list_images(folder: Path, recursive: bool = False) -> list[Path]:
    """The image files directly in a folder, or at any depth, sorted; raises UserError where there are none."""
    images = find_images(folder, recursive)
    if not images:
        raise UserError(f"{folder} holds no images: put files into it that end in {', '.join(sorted(SUFFIXES))}")
    return images


def read_images(paths: Sequence[Path], settings: ReadSettings) -> Tensor:
    """Read image files, turned upright by their EXIF orientation and resized by an antialiased bilinear filter.

    Parameters
    ----------
    paths
        The n files.
    settings
        How they are read.

    Returns
    -------
    Tensor
        uint8 (n, channels, size, size).

    Raises
    ------
    UserError
        For a file that is missing, damaged or not an image.
    """
    images = _room(len(paths), settings)
    for image, read in zip(images, _read_all(paths, settings), strict=True):
        if isinstance(read, UnreadableError):
            raise read
        image[:] = read
    return torch.from_numpy(images)


def readable_images(paths: Sequence[Path], settings: ReadSettings) -> tuple[list[int], Tensor]:
    """Read image files as `read_images` does, but leave out those that cannot be read, and log how many and which.

    Returns
    -------
    tuple
        The places in `paths` of the files that were read, and their images, uint8 (n, channels, size, size).

    Raises
    ------
    UserError
        Where more than `MOST_UNREADABLE` of the files cannot be read.
    """
    images = _room(len(paths), settings)
    kept: list[int] = []
    wrong: dict[int, str] = {}
    for place, read in enumerate(_read_all(paths, settings)):
        if isinstance(read, UnreadableError):
            wrong[place] = str(read)
        else:
            images[len(kept)] = read
            kept.append(place)
    found = torch.from_numpy(images[: len(kept)])
    if not wrong:
        return kept, found
    names = ", ".join(paths[place].name for place in list(wrong)[:NAMED])
    more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    counted = f"{len(wrong)} of {len(paths)} images can't be read: {names}{more}"
    if len(wrong) > MOST_UNREADABLE * len(paths):
        first = next(iter(wrong.values()))
        raise UserError(f"{counted}; at most {MOST_UNREADABLE:.0%} may be left out ({first})")
    log.warning("%s; they are left out", counted)
    return kept, found


def log_copies(paths: Sequence[Path], images: Tensor) -> None:
    """Log which images are alike once they are resized, because copies in training and test make the test too easy."""
    first: dict[bytes, Path] = {}
    copies = []
    for path, image in zip(paths, images, strict=True):
        original = first.setdefault(hashlib.sha256(image.numpy()).digest(), path)
        if original is not path:
            copies.append(f"{path.name} = {original.name}")
    if copies:
        named = ", ".join(copies[:NAMED]) + (", ..." if len(copies) > NAMED else "")
        log.warning("%d of %d images are copies of others: %s", len(copies), len(paths), named)


def _room(n: int, settings: ReadSettings) -> np.ndarray:
    """Space for n images, uint8 (n, channels, size, size): memory, or a temporary file for more than `IN_MEMORY`."""
    shape = (n, settings.channels, settings.size, settings.size)
    if (needed := int(np.prod(shape))) <= IN_MEMORY:
        return np.empty(shape, dtype=np.uint8)
    try:
        with tempfile.TemporaryFile() as file:  # without a name, so that it is gone when nothing uses it any more
            if hasattr(os, "posix_fallocate"):  # so that a full disk is noticed here, and not while pixels are written
                os.posix_fallocate(file.fileno(), 0, needed)
            return np.memmap(file, dtype=np.uint8, mode="r+" if file.seek(0, os.SEEK_END) else "w+", shape=shape)
    except OSError as error:
        raise UserError(
            f"{n:,} images of {settings.size} x {settings.size} pixels need {needed / 1e9:.1f} GB in a temporary file "
            f"({error.strerror} in {tempfile.gettempdir()}): name another folder, as TMPDIR=/big/disk, or lower "
            "dataset.size"
        ) from error


def _read_all(paths: Sequence[Path], settings: ReadSettings) -> Iterator[np.ndarray | UnreadableError]:
    """The images, uint8 (channels, size, size), or why they cannot be read, in the order of `paths`."""
    start = told = time.monotonic()
    # Threads, because Pillow decodes and resizes without Python's lock.
    with no_limit(), ThreadPoolExecutor(torch.get_num_threads()) as threads:
        for done, read in enumerate(threads.map(partial(_read_image, settings=settings), paths), 1):
            if (now := time.monotonic()) - told > TOLD_EVERY:
                told, left = now, (now - start) / done * (len(paths) - done)
                log.info("%d of %d images read, %02d:%02d left", done, len(paths), left // 60, left % 60)
            yield read


@contextmanager
def no_limit() -> Iterator[None]:
    """Lift Pillow's own limit of pixels, in whose place `ReadSettings.megapixels` is checked."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def find_images(folder: Path, recursive: bool = False) -> list[Path]:
    """As `list_images`, but there may be none."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give one that holds images, or a folder of images for each class")
    found = folder.rglob("*") if recursive else folder.iterdir()
    shown = (path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    # A link to nothing is no file, but it is listed, so that it is named among the images that cannot be read.
    return sorted(p for p in shown if p.suffix.lower() in SUFFIXES and (p.is_file() or p.is_symlink()))


def _read_image(path: Path, settings: ReadSettings) -> np.ndarray | UnreadableError:
    """An image, uint8 (channels, size, size), or why it cannot be read."""
    size, channels = settings.size, settings.channels
    try:
        with Image.open(path) as file:
            if (pixels := file.width * file.height / 1e6) > settings.megapixels:
                raise ValueError(f"{pixels:,.2f} megapixels, more than dataset.megapixels={settings.megapixels:g}")
            if (frames := getattr(file, "n_frames", 1)) > 1:
                log.warning("%s has %d frames, of which the first one is used", path, frames)
            image = _eight_bit(ImageOps.exif_transpose(file), path, settings.bits).convert(MODES[channels])
            resized = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
            return resized.reshape(size, size, channels).transpose(2, 0, 1)
    except Exception as error:  # a decoder may raise anything on a damaged file
        return UnreadableError(f"{path} can't be read as an image ({error}): replace or remove it")


def _eight_bit(image: Image.Image, path: Path, bits: int) -> Image.Image:
    """Scale grey values of more than 8 bits, which Pillow would clip at 255."""
    if image.mode == "F":
        values = np.asarray(image)
        if not (values.min() >= 0 and values.max() <= 1):  # also where there is a NaN
            raise ValueError(
                f"it has floating-point values from {values.min():g} to {values.max():g}, and only 0 to 1 are read; "
                "save it with integers"
            )
        return Image.fromarray((255 * values).astype(np.uint8))
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0:
        raise ValueError(f"it has negative values, down to {pixels.min()}; save it with values from 0")
    if 0 < pixels.max() < DARK * 2**bits or pixels.max() >= 2**bits:
        used = max(8, int(pixels.max()).bit_length())
        log.warning("%s uses %d bits: set dataset.bits=%d if its images are too dark or too bright", path, used, used)
    scaled = pixels * 255 // (2**bits - 1)
    return Image.fromarray(scaled.clip(0, 255).astype(np.uint8))
