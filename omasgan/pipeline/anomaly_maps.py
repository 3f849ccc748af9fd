"""The anomaly maps of a run's test images: a sheet of the most anomalous of each class, and metrics with masks."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omasgan.data.dataset import Dataset
from omasgan.data.protocols import IndexSplit
from omasgan.detectors.base import Detector
from omasgan.evaluation import plots
from omasgan.evaluation.localisation import localisation
from omasgan.evaluation.map_plots import map_sheet
from omasgan.evaluation.scores import ScoreTable
from omasgan.pipeline.job import Job
from omasgan.runs.folder import main_term
from omasgan.text import figures
from omasgan.training.record import Record

log = logging.getLogger("omasgan")

SHOWN = 16
"""Images of the sheet."""


def _most_anomalous(scores: NDArray[np.float64], classes: NDArray[np.int64]) -> list[int]:
    """The places of the `SHOWN` images of the sheet: of every class the highest score, then the second highest, ..."""
    met: dict[int, int] = {}
    turns = {}
    for place in np.argsort(-scores, kind="stable").tolist():
        turns[place] = met[classes[place]] = met.get(classes[place], 0) + 1
    return sorted(turns, key=lambda place: (turns[place], -scores[place]))[:SHOWN]


def locate(
    job: Job, dataset: Dataset, split: IndexSplit, detector: Detector, table: ScoreTable, record: Record
) -> dict[str, Any]:
    """Draw the sheet plots/maps.png, and measure the maps of all test images whose masks are known.

    Returns
    -------
    dict of str to Any
        The fields of `Localisation`; empty for a detector without maps, and without masks.
    """
    tested = split.tested(dataset)
    scores = table.terms[main_term(table.terms) or ""]
    worst = _most_anomalous(scores, table.class_index)
    masks = dataset.masks if split.within == "test" else None
    chosen = None if masks is None else masks[split.test].numpy()
    images = tested.x[split.test[worst]]
    every = None if chosen is None else detector.maps(tested.at(split.test))
    maps = detector.maps(images) if every is None else every[worst]
    if maps is None:
        return {}
    titles = [f"{table.class_names[table.class_index[place]]}  {scores[place]:.3g}" for place in worst]
    path = job.folder / "plots" / "maps.png"
    plots.save(map_sheet(images, maps, titles, None if chosen is None else chosen[worst]), path)
    record.picture("maps", path)
    found = None if chosen is None or every is None else localisation(chosen, every.numpy())
    if found is None:
        return {}
    log.info(
        "anomaly maps of %d images with masks: pixel AUROC %s, AUPRO up to a false-positive rate of 0.3 %s",
        *(found.images, figures(found.pixel_auroc), figures(found.aupro)),
    )
    record.summary({f"{job.split}/pixel_auroc": found.pixel_auroc, f"{job.split}/aupro": found.aupro})
    return asdict(found)
