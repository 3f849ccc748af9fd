"""What metrics.json holds: the figures of a finished run and its objective, in today's form and in the earlier one.

The earlier form has the figures by term, then by metric, and no objective; it follows from the run's protocol.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from omasgan.configuration.classes import PSEUDO, class_of
from omasgan.configuration.identity import split_of
from omasgan.configuration.old_names import renamed_terms
from omasgan.evaluation.objective import Objective, flat, nested

Figures = dict[str, dict[str, float]]
"""Values by term, then by metric; empty where the test had no anomalies."""

COUNTS = ("n_normal", "n_abnormal")
"""What the earlier form repeats for each term, and the objective holds now."""


@dataclass(frozen=True)
class Cost:
    """What a run's detector costs, on the machine and beside the processes that the run had; None where not known.

    Attributes
    ----------
    training_seconds
        Time of training, with the stages that were reused or trained in an interrupted attempt.
    scoring_seconds
        Time of scoring 1,000 samples.
    parameters
        Number of parameters that were trained by gradients, of all networks; 0 for a detector that trains none.
    """

    training_seconds: float | None = None
    scoring_seconds: float | None = None
    parameters: int | None = None


@dataclass(frozen=True)
class Result:
    """The figures of a finished run, and the samples that they are on."""

    metrics: Figures
    objective: Objective


def content(metrics: Figures, objective: Objective) -> dict[str, Any]:
    """The entries of metrics.json that `parsed` reads."""
    return {"objective": asdict(objective), "metrics": flat(objective.split, metrics)}


def figures(content: Mapping[str, Any]) -> Figures:
    """The figures in the content of a metrics.json, NaN for one that is null.

    Raises
    ------
    AttributeError, KeyError, TypeError, ValueError, UserError
        For content of another form.
    """
    stored = content["metrics"]
    found = nested(stored) if all("/" in key for key in stored) else stored
    return {
        str(term): {str(name): _number(value) for name, value in values.items() if name not in COUNTS}
        for term, values in renamed_terms(found).items()
    }


def parsed(content: Mapping[str, Any], choice: str, protocol: Mapping[str, Any]) -> Result:
    """The figures and the objective in the content of a metrics.json of any version.

    Parameters
    ----------
    content
        The content of the file.
    choice
        The run's option of the group `protocol`.
    protocol
        The protocol's settings.

    Raises
    ------
    AttributeError, KeyError, TypeError, ValueError, UserError
        For content of another form.
    """
    return Result(figures(content), _objective(content, choice, protocol))


def cost(content: Mapping[str, Any]) -> Cost:
    """The cost in the content of a metrics.json; of a version that did not measure it, nothing is known.

    Raises
    ------
    AttributeError, TypeError, ValueError
        For content of another form.
    """
    known = content.get("cost", {})
    numbers = {name: known.get(name) for name in ("training_seconds", "scoring_seconds", "parameters")}
    training, scoring, parameters = (None if value is None else float(value) for value in numbers.values())
    return Cost(training, scoring, None if parameters is None else int(parameters))


def _objective(content: Mapping[str, Any], choice: str, protocol: Mapping[str, Any]) -> Objective:
    if "objective" in content:
        known = content["objective"]
        return Objective(known["split"], tuple(map(str, known["abnormal"])), *(int(known[name]) for name in COUNTS))
    split = split_of(choice)
    role, name = class_of(protocol)
    abnormal, _, pseudo = name.partition(PSEUDO)
    tested = pseudo if split == "pseudo" else abnormal if role == "abnormal" else ""
    terms = [values for key, values in content.get("metrics", {}).items() if "/" not in key]
    counts = [int(terms[0].get(name, 0)) if terms else 0 for name in COUNTS]
    return Objective(split, (tested,) if tested else (), *counts)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
