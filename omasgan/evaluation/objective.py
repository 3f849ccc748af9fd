"""The objective of a run: the samples that its figures are on; and the names of figures, which say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from omasgan.errors import UserError

Split = Literal["test", "pseudo"]
"""'test': the official test split. 'pseudo': classes of the training split that stand in for the anomalies."""

SPLITS: tuple[Split, ...] = get_args(Split)

ON = {"test": "on the test split", "pseudo": "on pseudo-anomalies, held out of the training split"}
"""What headings say of a split."""


@dataclass(frozen=True)
class Objective:
    """The samples that a run's figures are on. Figures with other objectives are not averaged or ranked together.

    Parameters
    ----------
    split
        Where the samples are from.
    abnormal
        Names of the classes that were tested as anomalies, in the order of the data set; empty where there are none,
        and for a run of an earlier version that does not say it.
    n_normal, n_abnormal
        Number of samples of each kind; 0 where a run of an earlier version does not say it.
    """

    split: Split
    abnormal: tuple[str, ...]
    n_normal: int
    n_abnormal: int


def metric_key(split: str, metric: str, term: str) -> str:
    """The name of a figure in files, W&B and tables, such as 'test/auroc/full'."""
    return f"{split}/{metric}/{term}"


def parse_key(key: str) -> tuple[Split, str, str]:
    """The split, the metric and the term of a figure's name; the inverse of `metric_key`.

    Raises
    ------
    UserError
        For a name that is not one of a figure.

    Examples
    --------
    >>> parse_key("pseudo/auroc/full")
    ('pseudo', 'auroc', 'full')
    """
    split, _, rest = key.partition("/")
    metric, _, term = rest.partition("/")
    if split not in SPLITS or not metric or not term:
        raise UserError(
            f"'{key}' is not the name of a figure: give <split>/<metric>/<term>, where the split is "
            f"{' or '.join(SPLITS)}, such as test/auroc/full"
        )
    return split, metric, term


def flat(split: str, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Figures by name from figures by term, then by metric."""
    return {metric_key(split, metric, term): value for term, of in metrics.items() for metric, value in of.items()}


def nested(figures: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Figures by term, then by metric, from figures by name; the inverse of `flat`.

    Examples
    --------
    >>> nested({"test/auroc/full": 0.98, "test/auprc/full": 0.9})
    {'full': {'auroc': 0.98, 'auprc': 0.9}}
    """
    found: dict[str, dict[str, float]] = {}
    for key, value in figures.items():
        _, metric, term = parse_key(key)
        found.setdefault(term, {})[metric] = value
    return found
