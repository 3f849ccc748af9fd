"""A run's configuration as a flat table of settings, and the settings in which several of them differ."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omasgan.configuration.identity import GROUPS, SHOWN_APART, scientific
from omasgan.report.folders import Run

BASELINES = "baselines"
"""The key of a run's configuration under which the baselines stand, each by its name."""

DATA = ("dataset", "protocol", "abnormal_dataset")
"""Groups that make the setting; all others make the method."""

PLACES = frozenset({"root"})
"""Settings that say where data lie, so that two runs that differ in them are of one method."""

TARGET = "_target_"
"""Hydra's key of the class that a group builds."""

UNNAMED = ("boundary", "inference", "optimisation", "retraining", "budget")
"""Groups whose option's name says nothing of what they hold, since an override makes two of one name differ."""


def flatten(run: Run) -> dict[str, Any]:
    """Flatten the settings that determine a run's results, without those of the data, the class and the seed.

    Parameters
    ----------
    run
        A run whose configuration is known.

    Returns
    -------
    dict[str, Any]
        The value of every setting by its place, such as 'boundary.mu'. A group's class is under the group's own name,
        as the name of its option.
    """
    result: dict[str, Any] = {}
    left_out = {*SHOWN_APART, *DATA, BASELINES}
    config = {k: v for k, v in scientific(run.config).items() if k not in left_out}
    if isinstance(config.get("detector"), dict):  # it repeats the groups that it is built from
        config["detector"] = {k: v for k, v in config["detector"].items() if k not in GROUPS}
        if stands_alone(run):
            config = {"detector": config["detector"]}
    if isinstance(parts := config.get("representation"), dict):
        result["representation"] = "+".join(parts)
    for key, value in leaves(config):
        place, _, last = key.rpartition(".")
        if last == TARGET:
            if place in run.choices and place != "detector":
                result[place] = value if run.choices[place] == "default" else run.choices[place]
        elif last not in PLACES:
            result[key] = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else value
    for group in UNNAMED:
        result.pop(group, None)
    return result


def leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the place and value of every setting of a nested configuration, such as ('boundary.mu', 0.1)."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def canonical(settings: Mapping[str, Any]) -> str:
    """Return a text that is equal for equal flat settings; 1 and 1.0 are equal."""
    return json.dumps(json.loads(json.dumps(settings, default=str), parse_int=float), sort_keys=True)


def canonical_node(node: Mapping[str, Any]) -> str:
    """Return a text that is equal for equal nested settings."""
    return canonical(dict(leaves(node)))


def stands_alone(run: Run) -> bool:
    """Whether the run's detector is made from its own settings alone, as the baselines are, so that it may be one."""
    node = run.config.get("detector")
    return isinstance(node, dict) and not any(isinstance(value, dict) for value in node.values())


def baselines_of(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the baselines that the run's detector was compared with: their settings by name."""
    baselines = run.config.get(BASELINES)
    return {str(k): v for k, v in baselines.items() if isinstance(v, dict)} if isinstance(baselines, dict) else {}


def differing(flat: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the settings whose values differ among flat configurations; a missing setting differs from any value."""
    keys = dict.fromkeys(key for settings in flat for key in settings)
    return [key for key in keys if len({repr(_number(settings.get(key, math.nan))) for settings in flat}) > 1]


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def short(key: str, keys: Sequence[str]) -> str:
    """Shorten a setting's place to its last part, where no other of the keys ends in the same."""
    last = key.rpartition(".")[2]
    return last.rstrip("_") if sum(other.rpartition(".")[2] == last for other in keys) == 1 else key
