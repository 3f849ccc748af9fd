"""Features of a frozen network in a file, so that other runs, or the same one resumed, do not compute them again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from omasgan.errors import UserError
from omasgan.files import make_folder
from omasgan.training.batches import split
from omasgan.training.progress import with_progress

IMAGES_TO_A_COMMIT = 512
"""Images whose features are stored at a time: as many, at most, are computed again after an interruption."""

WAIT = 600.0
"""Seconds to wait while another process writes to the same file."""


class FeatureCache:
    """Features of images in an SQLite file; several processes may use it at once.

    An image is known by a hash of its pixels, so it does not matter in which data set or at which place it is. Features
    are equal to computed ones up to the rounding of batches of another size.

    Parameters
    ----------
    folder
        The folder of the file.
    settings
        All that the features depend on besides the image. They determine the file's name, so that other settings have
        another file.

    Raises
    ------
    UserError
        Where the folder cannot be made.
    """

    def __init__(self, folder: Path, settings: Sequence[object]) -> None:
        make_folder(folder)
        self.path = folder / f"{hashlib.sha256(repr(tuple(settings)).encode()).hexdigest()[:16]}.sqlite"

    def features(self, x: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """The features of images.

        Parameters
        ----------
        x
            uint8 (n, C, H, W), on the CPU.
        compute
            Gives the features, float32 (m, k), of m images that the file does not have yet.

        Returns
        -------
        Tensor
            float32 (n, k).

        Raises
        ------
        UserError
            Where the file cannot be read or written.
        """
        if not len(x):
            return compute(x)
        keys = [
            hashlib.blake2b(repr(x.shape[1:]).encode() + image.numpy().tobytes(), digest_size=16).digest()
            for image in x
        ]
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT)) as file:
                file.execute("CREATE TABLE IF NOT EXISTS features (image BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
                known = {key: value for key in keys if (value := _read(file, key)) is not None}
                missing = torch.tensor(list({k: i for i, k in enumerate(keys) if k not in known}.values())).long()
                for part in with_progress(split(missing, IMAGES_TO_A_COMMIT) if len(missing) else [], "features"):
                    values = compute(x[part]).numpy()
                    rows = [(keys[i], value.tobytes()) for i, value in zip(part.tolist(), values, strict=True)]
                    with file:  # commits
                        file.executemany("INSERT OR IGNORE INTO features VALUES (?, ?)", rows)
                    known.update(rows)
        except sqlite3.Error as error:
            raise UserError(
                f"the file of features {self.path} cannot be used ({error}): make room there, remove the file if it is "
                "damaged, or leave feature_cache out"
            ) from error
        return torch.from_numpy(np.stack([np.frombuffer(known[key], np.float32) for key in keys]))


def _read(file: sqlite3.Connection, key: bytes) -> bytes | None:
    row = file.execute("SELECT value FROM features WHERE image = ?", (key,)).fetchone()
    return None if row is None else row[0]
