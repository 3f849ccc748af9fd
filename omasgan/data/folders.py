"""A folder of images as a data set, and the reading of single image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from omasgan.data.dataset import Dataset, Samples
from omasgan.errors import UserError

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"))
MODES = {1: "L", 3: "RGB"}
NORMAL = "normal"
TEST_EVERY = 5


def image_folder(root: str, test_root: str | None = None, size: int = 32, channels: int = 3) -> Dataset:
    """Images (channels, size, size) from one of three layouts, in which a folder's name is its class.

    root/train/<class>/* with root/test/<class>/* (MVTec's, too); <class>/* in root and in test_root; images
    directly in root, all of class 'normal', where without a test_root every fifth in sorted order is test
    data. Classes that occur in training come first, then those that occur in the test alone, both sorted. A
    sample's name is its path below the folder that was given. Files that are no images are ignored.
    """
    train_top = test_top = Path(root).expanduser()
    if test_root is not None:
        test_top = Path(test_root).expanduser()
        train, test = _classes(train_top), _classes(test_top)
    elif (train_top / "train").is_dir():
        train, test = _classes(train_top / "train"), _classes(test_top / "test")
    else:
        train, test = _cut(train_top)
    names = sorted(train) + sorted(test.keys() - train.keys())
    return Dataset(
        _samples(train, names, train_top, size, channels),
        _samples(test, names, test_top, size, channels),
        tuple(names),
    )


def list_images(folder: Path) -> list[Path]:
    """The image files directly in a folder, sorted; UserError where there are none."""
    images = _find_images(folder)
    if not images:
        raise UserError(f"{folder} holds no images: put {', '.join(sorted(SUFFIXES))} files into it")
    return images


def read_images(paths: Sequence[Path], size: int, channels: int) -> Tensor:
    """The image files as uint8 (n, channels, size, size), upright, resized by a bilinear filter with antialiasing.

    Raises UserError where a file is missing, damaged or no image.
    """
    if size < 1 or channels not in MODES:
        raise UserError(f"size={size}, channels={channels}: images need a size of at least 1 and 1 or 3 channels")
    images = np.empty((len(paths), channels, size, size), dtype=np.uint8)
    for i, path in enumerate(paths):
        images[i] = _read_image(path, size, MODES[channels]).reshape(size, size, channels).transpose(2, 0, 1)
    return torch.from_numpy(images)


def _find_images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: name one that holds images, or a folder of them for every class")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The images of every class below a folder; images directly in it are the class 'normal'."""
    images = _find_images(folder)
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if images and folders:
        raise UserError(
            f"{folder} holds both images and folders ({images[0].name}, {folders[0].name}): "
            "leave either images, all of class 'normal', or a folder of images for every class"
        )
    return {path.name: list_images(path) for path in folders} or {NORMAL: list_images(folder)}


def _cut(folder: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Every fifth image of a flat folder for the test, the others for training."""
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
            f"give test_root, or {TEST_EVERY} images, of which the last is cut off"
        )
    return {NORMAL: sorted(set(images) - set(test))}, {NORMAL: test}


def _samples(classes: Mapping[str, list[Path]], names: list[str], top: Path, size: int, channels: int) -> Samples:
    paths = [path for images in classes.values() for path in images]
    y = torch.tensor([names.index(name) for name, images in classes.items() for _ in images])
    return Samples(read_images(paths, size, channels), y, tuple(path.relative_to(top).as_posix() for path in paths))


def _read_image(path: Path, size: int, mode: str) -> np.ndarray:
    try:
        with Image.open(path) as file:
            image = _eight_bit(ImageOps.exif_transpose(file)).convert(mode)
            return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise UserError(f"{path} can't be read as an image ({error}): replace or remove it") from error


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey values, which Pillow would clip at 255; refuse 32-bit ones, of unknown range."""
    if image.mode in ("I", "F"):
        raise ValueError("it has 32-bit pixels")
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    return image
