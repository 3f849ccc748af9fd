"""Masks that say which pixels of an image are anomalous, in the layout of MVTec AD."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from omasgan.data.image_files import no_limit
from omasgan.errors import UserError

log = logging.getLogger("omasgan")

UNKNOWN = 255
"""The value of all pixels of an image without a mask."""


def read(images: Sequence[Path], ground_truth: Path, anomalies: Collection[str], size: int) -> Tensor:
    """Read the masks of test images, which are in folders named by their class.

    Parameters
    ----------
    images
        The files of the n test images.
    ground_truth
        The folder of masks: the mask of x/photo.png is x/photo_mask.png or x/photo.png in it. Every pixel above 0 is
        anomalous.
    anomalies
        The classes whose images have anomalies; all pixels of other images are normal.
    size
        Height and width that masks are resized to, without mixing pixels.

    Returns
    -------
    Tensor
        uint8 (n, size, size): 1 for an anomalous pixel, 0 for a normal one, `UNKNOWN` in anomalies without a mask.

    Raises
    ------
    UserError
        For a mask that cannot be read.
    """
    masks = np.zeros((len(images), size, size), dtype=np.uint8)
    missing = []
    for mask, image in zip(masks, images, strict=True):
        if image.parent.name not in anomalies:
            continue
        folder = ground_truth / image.parent.name
        path = next((p for p in (folder / f"{image.stem}_mask.png", folder / f"{image.stem}.png") if p.is_file()), None)
        if path is None:
            mask[:] = UNKNOWN
            missing.append(image)
            continue
        try:
            with no_limit(), Image.open(path) as file:
                mask[:] = np.asarray(file.convert("L").resize((size, size), Image.Resampling.NEAREST)) > 0
        except Exception as error:  # a decoder may raise anything on a damaged file
            raise UserError(f"{path} can't be read as a mask ({error}): replace or remove it") from error
    if missing:
        log.warning("%d anomalies have no mask, such as %s; pixels are compared without them", len(missing), missing[0])
    return torch.from_numpy(masks)
