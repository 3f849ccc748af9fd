"""Pictures of the test samples on which runs disagree: one sheet for each setting and class."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from omasgan.errors import UserError
from omasgan.files import user_path
from omasgan.report.configurations import PLACES, canonical_node
from omasgan.report.folders import Run
from omasgan.report.page.embedded_pictures import Sheet, webp_url
from omasgan.report.samples import Compared
from omasgan.report.study import Study

LARGEST = 64
"""Pixels of a sample's picture in each direction; a larger one is scaled down."""

Images = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""The images (n, C, H, W) of an official split, C being 1 or 3, and their classes as indices."""

Load = Callable[[Run], Images]
"""Loads the split that a run was tested on from disk; raises UserError where it cannot, or where it has no images."""


def sheets(study: Study, compared: Mapping[tuple[int, str], Compared], load: Load) -> dict[tuple[int, str], Sheet]:
    """Draw the samples on which runs disagree most.

    Parameters
    ----------
    study
        The runs.
    compared
        The samples that are compared, by setting and class.
    load
        Loads the images of a run's data set.

    Returns
    -------
    dict[tuple[int, str], Sheet]
        A sheet, or the reason why there is none, for each setting and class.
    """
    result = {}
    loaded: dict[str, Images | str] = {}
    for (setting, cls), samples in compared.items():
        run = _a_run(study, setting, cls)
        key = f"{canonical_node({'': run.config.get('dataset')})} {run.objective and run.objective.split}"
        if key not in loaded:
            loaded[key] = _loaded(run, load)
        result[setting, cls] = _sheet(samples, loaded[key])
    return result


def _a_run(study: Study, setting: int, cls: str) -> Run:
    """A finished run of a setting and class."""
    methods = (study.methods[number] for number in study.of(setting))
    return next(study.runs[runs[0]] for method in methods for runs in method.done.get(cls, {}).values())


def _loaded(run: Run, load: Load) -> Images | str:
    """The images of a run's data set, or why there are none."""
    try:
        if missing := next(_missing_places(run.config), None):
            raise UserError(f"there are no data at {missing}")
        return load(run)
    except UserError as error:
        return str(error)


def _missing_places(config: Mapping[str, Any]) -> Any:
    """The folders of data that are not on this machine, for which no data set need be built."""
    for group in ("dataset", "abnormal_dataset"):
        node = config.get(group) or {}
        for key, place in node.items():
            if key in PLACES and not user_path(str(place)).exists():
                yield place


def _sheet(samples: Compared, images: Images | str) -> Sheet:
    if isinstance(images, str):
        return Sheet(reason=images)
    x, y = images
    chosen = samples.index[: samples.disputed]
    classes = samples.class_index[: samples.disputed]
    if chosen.max() >= len(x) or not np.array_equal(y[chosen], classes):
        return Sheet(reason="the data on this machine are not those of the runs")
    tiles = [_tile(image) for image in x[chosen]]
    width, height = tiles[0].size
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    whole = Image.new(tiles[0].mode, (columns * width, rows * height))
    for place, tile in enumerate(tiles):
        whole.paste(tile, (place % columns * width, place // columns * height))
    return Sheet(webp_url(whole, lossless=tiles[0].mode == "L"), columns, rows)


def _tile(image: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))
    if max(picture.size) > LARGEST:
        picture.thumbnail((LARGEST, LARGEST))
    return picture
