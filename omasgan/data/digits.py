"""The 8x8 digits that scikit-learn ships: 1,797 images that need no download."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

from omasgan.data.dataset import Dataset, Samples


def digits() -> Dataset:
    """Load the digits as uint8 images (1, 8, 8), their values 0..16 scaled to 0..255.

    The data set has no official split. Here the first two thirds of every class, in file order, are training data and
    the rest test data, so results cannot be compared with those on any other split.
    """
    bunch = load_digits()
    x = torch.from_numpy(np.rint(bunch.images * (255 / 16)).astype(np.uint8)).unsqueeze(1)
    y = torch.from_numpy(bunch.target.astype(np.int64))
    train = torch.zeros(len(y), dtype=torch.bool)
    for label in bunch.target_names:
        members = (y == int(label)).nonzero().squeeze(1)
        train[members[: len(members) * 2 // 3]] = True
    return Dataset(Samples(x[train], y[train]), Samples(x[~train], y[~train]), tuple(map(str, bunch.target_names)))
