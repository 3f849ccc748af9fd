"""Names the variants of a detector by the settings in which they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omasgan.report.configurations import differing, short
from omasgan.report.folders import Run
from omasgan.report.study import Method

MOST_TOLD = 4
"""Settings that a label names; of more, it names one fewer, and then the run's identity."""

PRETRAINED = " (pretrained)"
"""Marks what is not learned from the normal samples alone, and is not to be compared with what is."""

Variant = tuple[int, str, str, str]
"""A detector with its settings: setting, detector, ablation, and the settings as one text."""


def variant_labels(
    variants: Mapping[Variant, list[int]], flat: Mapping[int, dict[str, Any]], runs: Sequence[Run]
) -> dict[Variant, tuple[str, dict[str, Any]]]:
    """Name every variant: its detector and ablation, and the settings in which it differs from others of these.

    Parameters
    ----------
    variants
        The runs of every variant.
    flat
        The flat settings of every run.
    runs
        All runs.

    Returns
    -------
    dict[Variant, tuple[str, dict[str, Any]]]
        The label of every variant, and its values of the settings that differ.
    """
    alike: dict[tuple[int, str, str], list[Mapping[str, Any]]] = {}
    for key, members in variants.items():
        alike.setdefault(key[:3], []).append(flat[members[0]])
    varied_of = {group: _told(differing(settings), settings) for group, settings in alike.items()}
    labels = {}
    for key, members in variants.items():
        varied = varied_of[key[:3]]
        values = {k: flat[members[0]][k] for k in varied if k in flat[members[0]]}
        name = key[1] if key[2] == "none" else f"{key[1]} {key[2]}"
        name += PRETRAINED if is_pretrained(flat[members[0]]) else ""
        told = [f"{short(k, varied)}={_plain(v)}" for k, v in values.items()]
        if len(told) > MOST_TOLD:
            kept = told[: MOST_TOLD - 1]
            told = [*kept, f"{len(told) - len(kept)} more", runs[members[0]].identity]
        labels[key] = " ".join([name, *told]), values
    return labels


def _told(varied: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings that differ, without those of parts of the representation that only some variants have."""
    return [key for key in varied if not key.startswith("representation.") or all(key in each for each in settings)]


def is_pretrained(settings: Mapping[str, Any]) -> bool:
    """Whether a detector uses a network that others have trained on other images; from its flat settings."""
    return "pretrained" in str(settings.get("representation"))


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def make_distinct(methods: list[Method]) -> list[Method]:
    """Sort the methods by setting, detectors before baselines, and number the labels that several of a setting share.

    Parameters
    ----------
    methods
        The methods, which are changed in place.

    Returns
    -------
    list[Method]
        The same list.
    """
    methods.sort(key=lambda method: (method.setting, method.baseline))
    seen: dict[tuple[int, str], int] = {}
    for method in methods:
        number = seen[method.setting, method.label] = seen.get((method.setting, method.label), 0) + 1
        if number > 1:
            method.label += f" ({number})"
    return methods
