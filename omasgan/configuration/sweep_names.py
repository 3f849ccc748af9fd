"""What loggers call a sweep and its runs: names made of what varies in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omasgan.configuration.classes import CLASS_KEYS, PSEUDO_KEY
from omasgan.configuration.identity import NOT_SCIENCE, digest
from omasgan.text import shortened

WEIGHTS = {"mu": ("boundary", "mu"), "nu": ("boundary", "nu"), "beta": ("retraining", "beta")}
"""The paper's three weights, which sweeps change most often, and where the configuration holds them."""

SWEEP_NAME = 110
"""Largest number of characters of a sweep's name; W&B accepts 128."""

VALUE_LENGTH = 30
"""Largest number of characters of a value in a run's name."""


APART = frozenset({"seed", *(f"protocol.{key}" for key in (*CLASS_KEYS, PSEUDO_KEY))})
"""Settings that a run's name holds in any case, and that a sweep's name holds only where nothing else varies."""


@dataclass(frozen=True)
class InSweep:
    """The place of a job in its sweep.

    Parameters
    ----------
    name
        The name of the sweep.
    differs
        What differs from the other jobs, such as 'mu=0.2 nu=0.1', apart from seed and class; may be empty.
    """

    name: str
    differs: str


def weights_of(config: Mapping[str, Any]) -> list[str]:
    """The weights mu, nu and beta of a run's detector as tags for W&B, such as 'mu=0.2'; empty where it has none."""
    detector = config["detector"].get("detector", config["detector"])
    return [
        f"{name}={detector[group][key]:g}" for name, (group, key) in WEIGHTS.items() if key in detector.get(group, {})
    ]


def in_sweep(
    overrides: Sequence[str], varied: Collection[str] | None, choices: Mapping[str, str], sweep_id: str | None = None
) -> InSweep:
    """Name a sweep and one of its jobs.

    A sweep's name holds no values of what varies, so it stays the same when the sweep is started again or extended to
    more values, seeds or classes. Sweeps that vary the same but fix other settings have different names.

    Parameters
    ----------
    overrides
        The overrides of the job, such as 'boundary.mu=0.1'.
    varied
        The keys that vary in the sweep; None where the sweeper does not say, for all that are overridden.
    choices
        The chosen option of each group.
    sweep_id
        What W&B calls the sweep, where it is one of W&B's.
    """
    values = dict(override.lstrip("+~").partition("=")[::2] for override in overrides)
    science = {key: value for key, value in values.items() if key.partition(".")[0] not in NOT_SCIENCE}
    over = [key for key in science if varied is None or key in varied]
    fixed = {key: value for key, value in science.items() if key not in {*over, *APART, "dataset", "protocol"}}
    short = short_names(over)
    shown = [key for key in over if key not in APART]
    data = [choices[group] for group in ("dataset", "protocol") if group not in over]
    definition = [choices["sweep"]] if choices.get("sweep", "None") != "None" else []
    name = "_".join([*data, *definition, "over", "+".join(sorted(short[key] for key in shown or over)) or "nothing"])
    mark = sweep_id or (digest(fixed) if fixed else "")
    if len(name) + len(mark) >= SWEEP_NAME:
        mark = sweep_id or digest([shown, fixed])
        name = name[: SWEEP_NAME - len(mark) - 1]
    differs = " ".join(f"{short[key]}={_value(science[key])}" for key in shown)
    return InSweep(f"{name}-{mark}" if mark else name, differs)


def _value(text: str) -> str:
    """A value for a run's name; a number that a search has drawn is rounded to six digits."""
    try:
        return f"{float(text):.6g}" if len(text) > len("0.123456") else text
    except ValueError:
        return shortened(text, VALUE_LENGTH)


def short_names(keys: Collection[str]) -> dict[str, str]:
    """The last part of each key, such as 'mu' of 'boundary.mu'; the whole key where two have the same last part."""
    last = {key: key.rpartition(".")[2].rstrip("_") for key in keys}
    count = Counter(last.values())
    return {key: name if count[name] == 1 else key for key, name in last.items()}
