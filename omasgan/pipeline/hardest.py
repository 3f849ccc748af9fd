"""The test samples whose scores are the most misleading, as a table with pictures for the loggers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from omasgan.data.dataset import Dataset
from omasgan.data.protocols import IndexSplit
from omasgan.evaluation.scores import ScoreTable
from omasgan.runs.folder import main_term
from omasgan.runs.logger import Picture

SHOWN = 60
"""Number of rows, at most: scores.npz has all samples, and a sweep makes many such tables."""

SIDE = 64
"""Pixels that a side of a picture has, at least; a digit of 8 x 8 pixels is too small to be seen."""


def table(scores: ScoreTable, dataset: Dataset, split: IndexSplit) -> tuple[list[str], list[list[object]]]:
    """The columns and rows of the table: sample, class, whether it is abnormal, every term of the score, and a picture.

    Half of the rows are the anomalies with the lowest scores, half the normal samples with the highest; where there are
    too few of the one kind, more are of the other.
    """
    main = scores.terms[main_term(scores.terms) or ""]
    order = np.argsort(main, kind="stable")
    missed, alarms = order[scores.label[order]], order[~scores.label[order]][::-1]
    n = max(min(len(missed), SHOWN // 2), SHOWN - len(alarms))
    chosen = [*missed[:n].tolist(), *alarms[: SHOWN - n].tolist()]
    x = split.tested(dataset).at(split.test)
    pictures = dataset.spec.is_image and dataset.spec.shape[0] in (1, 3)
    rows: list[list[object]] = [
        [
            scores.names[place] if scores.names else int(scores.index[place]),
            scores.class_names[scores.class_index[place]],
            bool(scores.label[place]),
            *(float(values[place]) for values in scores.terms.values()),
            *([Picture(_pixels(x[place]))] if pictures else []),
        ]
        for place in chosen
    ]
    return ["sample", "class", "abnormal", *scores.terms, *(["picture"] if pictures else [])], rows


def _pixels(image: Tensor) -> NDArray[np.uint8]:
    """An image uint8 (C, H, W) as rows of pixels, enlarged by a whole factor where it is small."""
    factor = -(-SIDE // min(image.shape[1:]))
    large = image.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    return np.asarray(large[0] if len(large) == 1 else large.permute(1, 2, 0))
