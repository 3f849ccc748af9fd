"""The figure by which a sweep ranks its settings and a search chooses them: `sweep.objective`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from omasgan.configuration.identity import split_of
from omasgan.errors import UserError
from omasgan.evaluation.objective import ON, Split, metric_key, parse_key
from omasgan.report.study import METRICS
from omasgan.report.sweep_analysis import LOWER_IS_BETTER, value_of
from omasgan.runs.results import Figures
from omasgan.text import did_you_mean, heading


@dataclass(frozen=True)
class Criterion:
    """A figure that settings are compared by.

    Parameters
    ----------
    split
        The split that it is on.
    metric
        The metric.
    term
        The term; None for the main term of each detector.
    """

    split: Split
    metric: str = "auroc"
    term: str | None = None

    @property
    def maximised(self) -> bool:
        """Whether larger values are better."""
        return self.metric not in LOWER_IS_BETTER

    def mean(self, runs: Mapping[str, Figures]) -> float:
        """The mean over runs by their class; raises UserError where a run does not have the term."""
        values = [value_of(metrics, self.metric, self.term) for metrics in runs.values()]
        lacking = [name for name, value in zip(runs, values, strict=True) if math.isnan(value)]
        if lacking:
            terms = ", ".join(runs[lacking[0]])
            raise UserError(
                f"sweep.objective is {metric_key(self.split, self.metric, self.term or '?')}, which {lacking[0]} does "
                f"not have: choose one of the terms {terms}"
            )
        return fmean(values)

    def __str__(self) -> str:
        return f"{METRICS[self.metric]} of {heading(self.term) if self.term else 'the score'} {ON[self.split]}"


def criterion(given: str | None, protocol: str) -> Criterion:
    """The criterion of a sweep.

    Parameters
    ----------
    given
        `sweep.objective`, such as 'pseudo/auroc/divergence'; None for the AUROC of the detector's main term.
    protocol
        The option of `protocol`.

    Raises
    ------
    UserError
        Where there is no such metric, or the protocol tests another split.
    """
    split = split_of(protocol)
    if given is None:
        return Criterion(split)
    try:
        asked, metric, term = parse_key(given)
    except UserError as error:
        raise UserError(f"sweep.objective: {error}") from None
    if metric not in METRICS:
        hint = did_you_mean(metric, METRICS)
        raise UserError(f"sweep.objective is '{given}': its metric must be one of {', '.join(METRICS)}{hint}")
    if asked != split:
        raise UserError(
            f"sweep.objective is '{given}', but the figures of protocol={protocol} are {ON[split]}: give "
            f"{metric_key(split, metric, term)}"
        )
    return Criterion(split, metric, term)
