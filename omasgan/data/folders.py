"""A folder of images as a data set, and reading of single image files."""

from __future__ import annotations

import hashlib
import logging
from bisect import bisect_left
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from omasgan.data import image_masks
from omasgan.data.class_names import NORMAL, class_folders
from omasgan.data.dataset import Dataset, Samples
from omasgan.errors import UserError
from omasgan.files import user_path

log = logging.getLogger("omasgan")

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"))
"""Files with other suffixes are ignored, and so are hidden ones, such as ._x.png, which macOS writes beside x.png."""

MODES = {1: "L", 3: "RGB"}
"""Pillow's mode for each number of channels."""

TEST_EVERY = 5
"""Every fifth image of a folder without test data is a test image."""

MOST_UNREADABLE = 0.1
"""The largest share of the images that may be unreadable; with more, they are refused."""

DARK = 2**13
"""Values of a 16-bit image; one without any as high most likely comes from a camera of fewer bits."""

NAMED = 5
"""Unreadable images that a message names at most."""


class UnreadableError(UserError):
    """An image file is missing, damaged, or none."""


def image_folder(root: str, test_root: str | None = None, size: int = 32, channels: int = 3, bits: int = 16) -> Dataset:
    """Load a data set of image files; the name of a folder is the class of the images in it.

    Three layouts are read:

    - root/train/<class>/* and root/test/<class>/*, as in MVTec AD;
    - root/<class>/* for training and test_root/<class>/* for the test;
    - root/*, where every fifth image in sorted order is test data.

    In the first two a folder may hold images instead of class folders; these are of class 'normal'. The first one may
    also have masks of the anomalies in the test images, root/ground_truth/<class>/<image>_mask.png.

    Parameters
    ----------
    root
        The folder of the data set, or of its training data.
    test_root
        The folder of the test data, where it is not part of `root`.
    size
        Height and width that images are resized to, in pixels; at least 1.
    channels
        1 for grey, 3 for colour.
    bits
        How many of their bits images of 16 bits use; 12 in many cameras.

    Returns
    -------
    Dataset
        uint8 images (channels, size, size). Training classes come first, then those that are only in the test, each in
        sorted order. A sample's name is its path relative to `root` or `test_root`.

    Raises
    ------
    UserError
        For a folder that is missing, empty or in none of these layouts, and where more than `MOST_UNREADABLE` of the
        images cannot be read; fewer are left out, named and counted.
    """
    train_top = test_top = user_path(root)
    if test_root is not None:
        test_top = user_path(test_root)
        train, test = _classes(train_top), _classes(test_top)
    elif (train_top / "train").is_dir():
        train, test = _classes(train_top / "train"), _classes(test_top / "test")
    else:
        train, test = _cut(train_top)
    names = sorted(train) + sorted(test.keys() - train.keys())
    told = [
        (path, path.relative_to(top).as_posix(), names.index(name))
        for classes, top in ((train, train_top), (test, test_top))
        for name, images in classes.items()
        for path in images
    ]
    kept, x = readable_images([path for path, _, _ in told], size, channels, bits)
    cut = bisect_left(kept, sum(map(len, train.values())))
    paths, called, numbers = zip(*(told[place] for place in kept), strict=True)
    y = torch.tensor(numbers)
    masks = _masks(train_top, paths[cut:], set(names) - set(train), size) if test_root is None else None
    return Dataset(
        Samples(x[:cut], y[:cut], called[:cut]), Samples(x[cut:], y[cut:], called[cut:]), tuple(names), masks=masks
    )


def _masks(root: Path, tested: Sequence[Path], anomalies: Collection[str], size: int) -> Tensor | None:
    """The masks of the test images, see `image_masks.read`; None where there is no folder of masks."""
    ground_truth = root / "ground_truth"
    return image_masks.read(tested, ground_truth, anomalies, size) if ground_truth.is_dir() else None


def list_images(folder: Path, recursive: bool = False) -> list[Path]:
    """The image files directly in a folder, or at any depth, sorted; raises UserError where there are none."""
    images = _find_images(folder, recursive)
    if not images:
        raise UserError(f"{folder} holds no images: put files into it that end in {', '.join(sorted(SUFFIXES))}")
    return images


def read_images(paths: Sequence[Path], size: int, channels: int, bits: int = 16) -> Tensor:
    """Read image files, turned upright by their EXIF orientation and resized by an antialiased bilinear filter.

    Parameters
    ----------
    paths
        The n files.
    size
        Height and width of the result, in pixels; at least 1.
    channels
        1 for grey, 3 for colour.
    bits
        See `image_folder`.

    Returns
    -------
    Tensor
        uint8 (n, channels, size, size).

    Raises
    ------
    UserError
        For a file that is missing, damaged or not an image, and for a size or number of channels that is not allowed.
    """
    images = _room(len(paths), size, channels)
    for image, path in zip(images, paths, strict=True):
        image[:] = _read_image(path, size, channels, bits)
    return torch.from_numpy(images)


def _room(n: int, size: int, channels: int) -> np.ndarray:
    """Memory for n images, uint8 (n, channels, size, size)."""
    if size < 1 or channels not in MODES:
        raise UserError(f"size={size}, channels={channels}: set a size of at least 1, and 1 or 3 channels")
    return np.empty((n, channels, size, size), dtype=np.uint8)


def readable_images(paths: Sequence[Path], size: int, channels: int, bits: int = 16) -> tuple[list[int], Tensor]:
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
    images = _room(len(paths), size, channels)
    kept: list[int] = []
    wrong: dict[int, str] = {}
    for place, path in enumerate(paths):
        try:
            images[len(kept)] = _read_image(path, size, channels, bits)
            kept.append(place)
        except UnreadableError as error:
            wrong[place] = str(error)
    _tell_copies([paths[place] for place in kept], images)
    read = torch.from_numpy(images[: len(kept)])
    if not wrong:
        return kept, read
    names = ", ".join(paths[place].name for place in list(wrong)[:NAMED])
    more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    counted = f"{len(wrong)} of {len(paths)} images can't be read: {names}{more}"
    if len(wrong) > MOST_UNREADABLE * len(paths):
        first = next(iter(wrong.values()))
        raise UserError(f"{counted}; at most {MOST_UNREADABLE:.0%} may be left out ({first})")
    log.warning("%s; they are left out", counted)
    return kept, read


def _tell_copies(paths: Sequence[Path], images: np.ndarray) -> None:
    """Log which images are alike once they are resized, because copies in training and test make the test too easy."""
    first: dict[bytes, Path] = {}
    copies = []
    for path, image in zip(paths, images, strict=False):
        original = first.setdefault(hashlib.sha256(image).digest(), path)
        if original is not path:
            copies.append(f"{path.name} = {original.name}")
    if copies:
        named = ", ".join(copies[:NAMED]) + (", ..." if len(copies) > NAMED else "")
        log.warning("%d of %d images are copies of others: %s", len(copies), len(paths), named)


def _find_images(folder: Path, recursive: bool = False) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give one that holds images, or a folder of images for each class")
    found = folder.rglob("*") if recursive else folder.iterdir()
    shown = (path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    # A link to nothing is no file, but it is listed, so that it is named among the images that cannot be read.
    return sorted(p for p in shown if p.suffix.lower() in SUFFIXES and (p.is_file() or p.is_symlink()))


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The images of every class below a folder; images directly in it are of class 'normal'."""
    images = _find_images(folder)
    folders = class_folders(folder)
    if images and folders:
        raise UserError(
            f"{folder} holds both images and folders ({images[0].name}, {folders[0].name}): "
            "keep either the images, all of class 'normal', or a folder of images for each class"
        )
    return {path.name: list_images(path) for path in folders} or {NORMAL: list_images(folder)}


def _cut(folder: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Split the images directly in a folder: every fifth for the test, the others for training."""
    classes = _classes(folder)
    if classes.keys() != {NORMAL} or (folder / NORMAL).is_dir():
        raise UserError(
            f"{folder} has the folders {', '.join(classes)} and no test data: "
            "put them into 'train' and 'test' folders, or give test_root"
        )
    images = classes[NORMAL]
    test = images[TEST_EVERY - 1 :: TEST_EVERY]
    if not test:
        raise UserError(
            f"{folder} holds {len(images)} images and no test data: "
            f"give test_root, or at least {TEST_EVERY} images, every fifth of which is then test data"
        )
    return {NORMAL: sorted(set(images) - set(test))}, {NORMAL: test}


def _read_image(path: Path, size: int, channels: int, bits: int) -> np.ndarray:
    """An image, uint8 (channels, size, size)."""
    try:
        with Image.open(path) as file:
            if (frames := getattr(file, "n_frames", 1)) > 1:
                log.warning("%s has %d frames, of which the first one is used", path, frames)
            image = _eight_bit(ImageOps.exif_transpose(file), path, bits).convert(MODES[channels])
            pixels = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
            return pixels.reshape(size, size, channels).transpose(2, 0, 1)
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise UnreadableError(f"{path} can't be read as an image ({error}): replace or remove it") from error


def _eight_bit(image: Image.Image, path: Path, bits: int) -> Image.Image:
    """Scale 16-bit grey values, which Pillow would clip at 255; refuse 32-bit values, whose range is unknown."""
    if image.mode in ("I", "F"):
        raise ValueError("it has 32-bit pixels")
    if not image.mode.startswith("I;16"):
        return image
    pixels = np.asarray(image).astype(np.int64)
    if 0 < pixels.max() < DARK:
        used = max(8, int(pixels.max()).bit_length())
        log.warning("%s has 16 bits, but uses %d: set dataset.bits=%d if its images are dark", path, used, used)
    scaled = pixels * 255 // (2**bits - 1)
    return Image.fromarray(scaled.clip(0, 255).astype(np.uint8))
