"""The scores of a run's test samples: all that the metrics, the plots and the report need of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omasgan.errors import UserError
from omasgan.evaluation.metrics import evaluate
from omasgan.files import write_atomically

_TERM = "term_"


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """The n test samples of one run, in the order of scoring.

    index: int64 (n,), the sample's place in the official split that it is from. class_index: int64 (n,), into
    class_names. label: bool (n,), True for an anomaly. terms: float64 (n,) each, by name, higher = more anomalous.
    names: a name for every sample where it has one (a file's path), else empty.
    ValueError for columns that do not fit together.
    """

    index: NDArray[np.int64]
    class_index: NDArray[np.int64]
    label: NDArray[np.bool_]
    terms: dict[str, NDArray[np.float64]]
    class_names: tuple[str, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = [self.class_index, self.label, *self.terms.values()]
        if any(column.shape != (len(self),) for column in columns) or len(self.names) not in (0, len(self)):
            raise ValueError("the columns differ in length")
        if self.label.dtype != np.bool_:
            raise ValueError("the labels are not bool")
        if not set(np.unique(self.class_index)) <= set(range(len(self.class_names))):
            raise ValueError("a sample's class has no name")

    def __len__(self) -> int:
        return len(self.index)

    def save(self, path: Path) -> None:
        """Write a compressed .npz without pickles. UserError where the disk refuses."""
        columns: dict[str, Any] = {
            "index": self.index,
            "class": self.class_index,
            "label": self.label,
            **{_TERM + name: values for name, values in self.terms.items()},
            "class_names": np.array(self.class_names, dtype=np.str_),
            "names": np.array(self.names, dtype=np.str_),
        }
        write_atomically(path, lambda file: np.savez_compressed(file, **columns))

    @classmethod
    def load(cls, path: Path, only: Collection[str] | None = None) -> ScoreTable:
        """Read what `save` wrote; of the terms `only` these, which is faster. UserError for a file that is not one."""
        wanted = None if only is None else {_TERM + name for name in only}
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(
                    index=file["index"],
                    class_index=file["class"],
                    label=file["label"],
                    terms={
                        key.removeprefix(_TERM): file[key]
                        for key in file.files
                        if key.startswith(_TERM) and (wanted is None or key in wanted)
                    },
                    class_names=tuple(file["class_names"].tolist()),
                    names=tuple(file["names"].tolist()),
                )
        except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds for a foreign file
            raise UserError(
                f"cannot read {path} as the scores of a run ({error}); score again or give a scores.npz"
            ) from error


def metrics_of(table: ScoreTable, seed: int) -> dict[str, dict[str, float]]:
    """Each term's metrics by name. UserError, naming the term, for scores that have none."""
    metrics = {}
    for name, scores in table.terms.items():
        try:
            metrics[name] = evaluate(table.label, scores, seed).as_dict()
        except UserError as error:
            raise UserError(f"score {name}: {error}") from error
    return metrics
