"""Anomaly maps as pictures: over the image they belong to, one at a time or as a sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from omasgan.evaluation.localisation import UNKNOWN

HOTTEST = 2.0
"""The value of an anomaly map that has the last colour; 0 has the first one."""

STRONGEST = 0.65
"""Share of the colour in a pixel of the value `HOTTEST`; the image shows through."""

COLUMNS = 4
"""Images in a row of a sheet."""


def overlay(image: Tensor, anomaly_map: Tensor) -> NDArray[np.uint8]:
    """An image with its anomaly map over it, the more of its colour the higher the value.

    Parameters
    ----------
    image
        uint8 (C, H, W), with C = 1 or 3.
    anomaly_map
        (H, W), see `HOTTEST`.

    Returns
    -------
    NDArray
        uint8 (H, W, 3).
    """
    grey = image.float().mean(dim=0).numpy()[..., None].repeat(3, axis=2)
    heat = (anomaly_map.clamp(0, HOTTEST) / HOTTEST).numpy()
    colours = mpl.colormaps["inferno"](heat)[..., :3] * 255
    share = STRONGEST * heat[..., None]
    return np.asarray(np.rint(grey * (1 - share) + colours * share), dtype=np.uint8)


def map_sheet(images: Tensor, maps: Tensor, titles: Sequence[str], masks: NDArray[np.uint8] | None = None) -> Figure:
    """Images with their anomaly maps; a line is around what is above 1, another one around known anomalies.

    Parameters
    ----------
    images
        uint8 (n, C, H, W).
    maps
        (n, H, W).
    titles
        n texts.
    masks
        uint8 (n, H, W), or None.
    """
    rows = math.ceil(len(images) / COLUMNS)
    columns = min(COLUMNS, len(images))
    figure = Figure(figsize=(2.3 * columns, 2.6 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for place, (ax, title) in enumerate(zip(axes.flat, titles, strict=False)):
        ax.imshow(overlay(images[place], maps[place]))
        if float(maps[place].max()) > 1:
            ax.contour(maps[place].numpy(), levels=[1], colors="white", linewidths=1)
        if masks is not None and (masks[place] == 1).any() and (masks[place] != UNKNOWN).all():
            ax.contour(masks[place], levels=[0.5], colors="deepskyblue", linewidths=1)
        ax.set_title(title, fontsize=8)
    known = masks is not None and bool((masks == 1).any())
    told = "white: above the score that one normal patch in a thousand exceeds"
    figure.suptitle(told + ("; blue: the anomaly" if known else ""), fontsize=9)
    return figure
