"""A folder of images as a data set."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import Tensor

from omasgan.data import image_masks
from omasgan.data.class_names import NORMAL, class_folders
from omasgan.data.dataset import Dataset, Samples
from omasgan.data.image_files import Megapixels, ReadSettings, find_images, list_images, log_copies, readable_images
from omasgan.errors import UserError
from omasgan.files import user_path

TEST_EVERY = 5
"""Every fifth image of a folder without test data is a test image."""


def image_folder(
    root: str,
    test_root: str | None = None,
    size: int = 32,
    channels: int = 3,
    bits: int = 16,
    megapixels: Megapixels = 179.0,
) -> Dataset:
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
        How many of their bits images with integers of 16 or 32 bits use; 12 in many cameras. Floating-point images must
        have values from 0 to 1.
    megapixels
        The largest image that is read, in millions of pixels; a larger one counts as unreadable, because a small file
        may hold an image that does not fit into memory.

    Returns
    -------
    Dataset
        uint8 images (channels, size, size). Training classes come first, then those that are only in the test, each in
        sorted order. A sample's name is its path relative to `root` or `test_root`.

    Raises
    ------
    UserError
        For a folder that is missing, empty or in none of these layouts, and where more than a tenth of the
        images cannot be read; fewer are left out, named and counted.
    """
    top = user_path(root)
    entries, classes, trained, n_train = _listed(top, None if test_root is None else user_path(test_root))
    kept, x = readable_images([path for path, _, _ in entries], ReadSettings(size, channels, bits, megapixels))
    cut = bisect_left(kept, n_train)
    paths, called, numbers = zip(*(entries[place] for place in kept), strict=True)
    log_copies(paths, x)
    y = torch.tensor(numbers)
    masks = _masks(top, paths[cut:], set(classes) - trained, size) if test_root is None else None
    train, test = (Samples(x[part], y[part], called[part]) for part in (slice(cut), slice(cut, None)))
    return Dataset(train, test, tuple(classes), masks=masks)


def _listed(root: Path, test_root: Path | None) -> tuple[list[tuple[Path, str, int]], list[str], set[str], int]:
    """Path, name and class of each file, training first; the classes; those of the training; its number of files."""
    test_top = root
    if test_root is not None:
        test_top = test_root
        train, test = _classes(root), _classes(test_top)
    elif (root / "train").is_dir():
        train, test = _classes(root / "train"), _classes(test_top / "test")
    else:
        train, test = _cut(root)
    names = sorted(train) + sorted(test.keys() - train.keys())
    entries = [
        (path, path.relative_to(top).as_posix(), names.index(name))
        for classes, top in ((train, root), (test, test_top))
        for name, images in classes.items()
        for path in images
    ]
    return entries, names, set(train), sum(map(len, train.values()))


def _masks(root: Path, tested: Sequence[Path], anomalies: Collection[str], size: int) -> Tensor | None:
    """The masks of the test images, see `image_masks.read`; None where there is no folder of masks."""
    ground_truth = root / "ground_truth"
    return image_masks.read(tested, ground_truth, anomalies, size) if ground_truth.is_dir() else None


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The images of every class below a folder; images directly in it are of class 'normal'."""
    images = find_images(folder)
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
