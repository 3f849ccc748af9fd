"""The scores of a run's test samples, from which metrics, plots and report are made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omasgan.errors import UserError
from omasgan.evaluation.metrics import evaluate
from omasgan.files import write_atomically

_TERM = "term_"
"""Prefix of the arrays of terms in a file of scores."""


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """The scores and labels of the n test samples of one run, in the order in which they were scored.

    Parameters
    ----------
    index
        Index of each sample in the official split that it is from; int64 (n,).
    class_index
        The class of each sample as an index into `class_names`; int64 (n,).
    label
        True for an anomaly; bool (n,).
    terms
        The terms of the score by name, higher is more anomalous; float64 (n,) each.
    class_names
        The classes by name.
    names
        A name for each sample, such as the path of its file; empty where the samples have no names.

    Raises
    ------
    ValueError
        For columns that do not fit together.
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
        """Write a compressed .npz file without pickles; raises UserError where it cannot be written."""
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
    def load(
        cls, path: Path, only: Collection[str] | None = None, renamed: Mapping[str, str] = MappingProxyType({})
    ) -> ScoreTable:
        """Read the file that `save` wrote.

        Parameters
        ----------
        path
            The file.
        only
            Names of the terms to read, which is faster; None reads all.
        renamed
            New names of terms by the names that an earlier version wrote.

        Raises
        ------
        UserError
            For a file that is missing, damaged or not such a file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                stored = {key: key.removeprefix(_TERM) for key in file.files if key.startswith(_TERM)}
                terms = {key: renamed.get(name, name) for key, name in stored.items()}
                return cls(
                    index=file["index"],
                    class_index=file["class"],
                    label=file["label"],
                    terms={name: file[key] for key, name in terms.items() if only is None or name in only},
                    class_names=tuple(file["class_names"].tolist()),
                    names=tuple(file["names"].tolist()),
                )
        except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds of errors for a wrong file
            raise UserError(
                f"cannot read {path} as the scores of a run ({error}); score again or give a scores.npz file"
            ) from error


def metrics_of(table: ScoreTable, seed: int) -> dict[str, dict[str, float]]:
    """The metrics of each term, by name; `seed` is the bootstrap's.

    Raises
    ------
    UserError
        For a term whose metrics cannot be computed, with its name.
    """
    metrics = {}
    for name, scores in table.terms.items():
        try:
            metrics[name] = evaluate(table.label, scores, seed).as_dict()
        except UserError as error:
            raise UserError(f"score {name}: {error}") from error
    return metrics
