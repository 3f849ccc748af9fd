"""How much each parameter of a sweep matters: main effects in a grid, and optuna's importances in a search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from omasgan.report.sweep_analysis import Row, varied


@dataclass(frozen=True)
class Effect:
    """The main effect of a parameter on the mean.

    Attributes
    ----------
    parameter
        Its name.
    means
        The mean over the settings with a value of it, by value in rising order.
    span
        The largest of these means minus the smallest.
    share
        The fraction of the variance of the settings' means that they account for; 0 where all means are equal.
    """

    parameter: str
    means: Mapping[Any, float]
    span: float
    share: float


def main_effects(rows: Sequence[Row]) -> list[Effect]:
    """The main effect of each parameter, the largest first.

    Where the rows are a full grid, the shares of all parameters add up to at most 1, and the rest is due to
    interactions. Otherwise (see `is_grid`) the effects of several parameters may be mixed.
    """
    means = [row.mean for row in rows]
    total = sum((mean - fmean(means)) ** 2 for mean in means)
    effects = []
    for name in varied([row.variant for row in rows]):
        groups: dict[Any, list[float]] = {}
        for row in rows:
            if name in row.variant.values:
                groups.setdefault(row.variant.values[name], []).append(row.mean)
        by_value = {key: fmean(groups[key]) for key in sorted(groups, key=_in_order)}
        between = sum(len(groups[key]) * (mean - fmean(means)) ** 2 for key, mean in by_value.items())
        span = max(by_value.values()) - min(by_value.values())
        effects.append(Effect(name, by_value, span, between / total if total else 0.0))
    return sorted(effects, key=lambda effect: effect.span, reverse=True)


def _in_order(key: Any) -> tuple[bool, float, str]:
    """The sort key of a parameter's value: numbers before words."""
    try:
        return False, float(key), ""
    except (TypeError, ValueError):
        return True, 0.0, str(key)


def is_grid(rows: Sequence[Row]) -> bool:
    """Whether the rows are all combinations of their parameters' values, each once."""
    names = varied([row.variant for row in rows])
    combinations = {tuple(str(row.variant.values.get(name)) for name in names) for row in rows}
    sizes = (len({str(row.variant.values.get(name)) for row in rows}) for name in names)
    return len(combinations) == len(rows) == math.prod(sizes)


def importances(study: Any) -> dict[str, float]:
    """The importance of each parameter of a search by functional ANOVA, the largest first; they add up to 1.

    Parameters
    ----------
    study
        An optuna study.

    Returns
    -------
    dict of str to float
        Empty where fewer than two trials are complete, or all have the same value.

    References
    ----------
    F. Hutter, H. Hoos and K. Leyton-Brown (2014), An efficient approach for assessing hyperparameter importance. ICML.
    """
    import optuna

    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return {str(k): float(v) for k, v in optuna.importance.get_param_importances(study, evaluator=evaluator).items()}
