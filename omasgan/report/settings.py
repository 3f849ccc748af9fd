"""Groups the runs by setting: a data set and a protocol, with the classes that are its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from omasgan.configuration.classes import CLASS_KEYS, PSEUDO, PSEUDO_KEY, together
from omasgan.report.configurations import DATA, PLACES, TARGET, canonical, differing, leaves, short
from omasgan.report.folders import Run
from omasgan.report.study import Setting
from omasgan.text import natural

WHOLE = "all"
"""The one column of a setting that has no classes."""

MANY = 20
"""A setting of more classes than this has columns for those alone that have runs."""

Key = tuple[str, str, str]
"""What runs of one setting share: the data set's option, the protocol's, and the settings of both."""


def group_by_setting(runs: list[Run], class_names: Mapping[int, Sequence[str]]) -> tuple[list[Setting], dict[int, int]]:
    """Group the runs by setting.

    Parameters
    ----------
    runs
        All runs. A run whose class is an index is replaced by one whose class is the name.
    class_names
        All classes of a run's data set, for the runs where they are known.

    Returns
    -------
    tuple[list[Setting], dict[int, int]]
        The settings, and the place of the setting of every run whose configuration is known.
    """
    grouped: dict[Key, list[int]] = {}
    flat: dict[Key, dict[str, Any]] = {}
    for number, run in enumerate(runs):
        if run.config:
            key, settings_of_data = _key(run)
            grouped.setdefault(key, []).append(number)
            flat[key] = settings_of_data
    settings: list[Setting] = []
    setting_of: dict[int, int] = {}
    for key, members in sorted(grouped.items()):
        role = next((runs[m].role for m in members if runs[m].role), "")
        names = next((list(class_names[m]) for m in members if m in class_names), [])
        for member in members:
            runs[member] = replace(runs[member], cls=_named(runs[member].cls, names))
            setting_of[member] = len(settings)
        classes = _columns({runs[m].cls for m in members if runs[m].cls}, names) if role else [WHOLE]
        number_of = int(flat[key]["classes_together"])
        settings.append(Setting(_label(key, flat), key[0], key[1], role, classes, together=number_of))
    return settings, dict(sorted(setting_of.items()))


def _key(run: Run) -> tuple[Key, dict[str, Any]]:
    """What a run shares with those of its setting, and the settings of its data set and protocol."""
    left_out = {*PLACES, *CLASS_KEYS, PSEUDO_KEY, TARGET}
    nodes = {group: run.config.get(group) for group in DATA}
    flat = {k: v for k, v in leaves(nodes) if k.rsplit(".", 1)[-1] not in left_out}
    flat["classes_together"] = together(run.config["protocol"])  # means over pairs and over classes stay apart
    return (run.choices.get("dataset", "?"), run.choices.get("protocol", "?"), canonical(flat)), flat


def _label(key: Key, flat: Mapping[Key, Mapping[str, Any]]) -> str:
    """'mnist loo', with the settings in which it differs from others of these options."""
    varied = differing([flat[other] for other in flat if other[:2] == key[:2]])
    suffix = ", ".join(f"{short(k, varied)}={flat[key].get(k, '-')}" for k in varied)
    return f"{key[0]} {key[1]}" + (f" ({suffix})" if suffix else "")


def _columns(have: set[str], names: Sequence[str]) -> list[str]:
    """All classes of the data set where they are known and not too many; else those that have runs, sorted."""
    if have <= set(names) and len(names) <= MANY:
        return list(names)
    return sorted(have, key=natural)


def _named(cls: str, names: Sequence[str]) -> str:
    """A class by its name where a run was given its index; with a pseudo-anomaly, both."""
    parts = [
        names[int(part)] if part not in names and part.isdecimal() and int(part) < len(names) else part
        for part in cls.split(PSEUDO)
    ]
    return PSEUDO.join(parts)
