"""The command of the final run: the settings that a sweep has chosen, on the test split."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from omasgan.configuration.classes import CLASS_KEYS, PSEUDO_KEY
from omasgan.configuration.identity import NOT_SCIENCE, canonical, is_pseudo, science
from omasgan.configuration.sweep_names import APART
from omasgan.sweeps.jobs import SweepJob, quoted

NOT_TAKEN = ("sweep", "search", "task")
"""Keys and groups of a sweep's command that its final run does not need."""

LAUNCHER = ("hydra/launcher", "hydra.launcher")
"""Hydra's own overrides that a final run with several seeds or classes takes over."""


def final_command(
    context: HydraContext, config: DictConfig, overrides: Mapping[str, Override], best: SweepJob
) -> str | None:
    """Make the command of the final run.

    It has the fixed overrides of the sweep, the chosen values, and all seeds and classes of the sweep. What the sweep's
    definition sets in addition is added as overrides. A protocol of pseudo-anomalies is replaced by that of the test
    split, whose name is the same without 'pseudo_'.

    Parameters
    ----------
    context, config
        See Hydra's `Sweeper.setup`.
    overrides
        All overrides of the sweep by key.
    best
        A job with the chosen values.

    Returns
    -------
    str or None
        The command; None where no overrides give the same settings, for example because a user's own sweep definition
        removes some.
    """

    def compose(given: Mapping[str, str]) -> DictConfig:
        one = {**given, **{key: f"{key}={best.values[key]}" for key in given if key in several}}
        # Not as a job of the sweep, which also has the settings of the sweep's own sweeper.
        name = config.hydra.job.config_name
        return context.config_loader.load_configuration(name, list(one.values()), RunMode.RUN)

    aim = context.config_loader.load_sweep_config(config, list(best.overrides))
    choice = str(aim.hydra.runtime.choices.protocol)
    pseudo = is_pseudo(choice)
    several = {key for key, override in overrides.items() if key in APART and override.is_sweep_override()}
    given = _taken(overrides, best, pseudo)
    several &= given.keys()
    wanted = dict(aim.hydra.runtime.choices)
    if pseudo:
        wanted["protocol"] = choice.removeprefix("pseudo_")
        if wanted["protocol"] not in context.config_loader.get_group_options("protocol"):
            return None
    # First the experiment, because it chooses options of other groups.
    for groups in (["experiment"], [group for group in wanted if not group.startswith("hydra/") and "@_" not in group]):
        there = compose(given).hydra.runtime.choices
        options = {group: wanted[group] for group in groups if there.get(group) != wanted.get(group)}
        chosen = {k: f"{k}={'null' if v is None else v}" for k, v in options.items() if k not in NOT_SCIENCE}
        given = {**chosen, **given}
    for key, value in _differing(aim, compose(given), pseudo):
        given[key] = f"{key}={value}"
    if any(_differing(aim, compose(given), pseudo)):
        return None
    launcher = [text for text in config.hydra.overrides.hydra if text.startswith(LAUNCHER)] if several else []
    words = ["omasgan", *(["-m"] if several else []), *map(shlex.quote, [*launcher, *given.values()])]
    return " ".join(words)


def _taken(overrides: Mapping[str, Override], best: SweepJob, pseudo: bool) -> dict[str, str]:
    """The overrides of the sweep that its final run takes over, with the chosen values, by key."""
    taken = {}
    for key, override in overrides.items():
        root = key.lstrip("+~").partition(".")[0]
        of_pseudo = pseudo and (root == "protocol" and key.rpartition(".")[2] not in CLASS_KEYS)
        if root in NOT_TAKEN or of_pseudo:
            continue
        chosen = override.is_sweep_override() and key not in APART
        taken[key] = f"{key}={best.values[key]}" if chosen else str(override.input_line)
    return taken


def _differing(aim: DictConfig, there: DictConfig, pseudo: bool) -> Iterator[tuple[str, str]]:
    """The settings of `aim` that another configuration does not have, as values of overrides by key."""
    wanted, found = (_leaves({**science(cfg), "protocol": _protocol(cfg, pseudo)}) for cfg in (aim, there))
    for key, value in wanted.items():
        if key not in found or canonical(found[key]) != canonical(value):
            yield key, quoted(value) if isinstance(value, str) else "null" if value is None else str(value).lower()
    yield from ((key, "") for key in found if key not in wanted)


def _protocol(cfg: DictConfig, pseudo: bool) -> dict[str, Any]:
    """The protocol's settings that both configurations have."""
    node = OmegaConf.to_container(cfg.protocol, resolve=False)
    assert isinstance(node, dict)
    return {str(k): v for k, v in node.items() if k in CLASS_KEYS or (not pseudo and k != PSEUDO_KEY)}


def _leaves(node: Any, prefix: str = "") -> dict[str, Any]:
    """All settings of nested containers by key; an item of a list is named by its place."""
    if isinstance(node, Mapping) and node:
        return {k: v for key, child in node.items() for k, v in _leaves(child, f"{prefix}{key}.").items()}
    return {prefix.removesuffix("."): node}
