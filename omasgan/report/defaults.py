"""The values that the settings of runs have where nobody changes them: those of the options that the runs chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from omasgan.configuration.identity import option_names
from omasgan.configuration.schema import FOLDER, register
from omasgan.report.configurations import flatten
from omasgan.report.folders import Run

NOT_COMPOSED = frozenset({"logger", "baselines", "sweep", "debug", "detector_budget"})
"""Groups that set nothing which a report compares, `sweep`, which sets values of its own, and `detector_budget`, whose
option follows from other groups."""


def defaults_of(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the settings that some runs of one detector would have without an override of a single setting.

    Parameters
    ----------
    runs
        The runs. Of the groups, the options that all of them chose are chosen.

    Returns
    -------
    dict[str, Any]
        The settings as `flatten` returns them; empty where the options are not among the program's, or not any more.
    """
    first = runs[0]
    same = {g: option for g, option in first.choices.items() if all(run.choices.get(g) == option for run in runs)}
    overrides = tuple(
        f"{group}={_option(group, option)}" for group, option in same.items() if _is_chosen(group, option)
    )
    found = _composed(overrides)
    if found is None:
        return {}
    config, choices = found
    return flatten(replace(first, config=config, choices=choices))


def _is_chosen(group: str, option: str) -> bool:
    own = "/" not in group and "@" not in group and not group.startswith("dataset_")
    return own and option != "None" and group not in NOT_COMPOSED


def _option(group: str, option: str) -> str:
    return f"[{option.replace('+', ',')}]" if group == "representation" else option


@lru_cache
def _composed(overrides: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, str]] | None:
    """A configuration and its choices; None where it cannot be composed."""
    try:
        if GlobalHydra.instance().is_initialized():  # it knows the folders that the user added
            cfg = compose("config", list(overrides), return_hydra_config=True)
        else:
            register()
            with initialize_config_dir(str(FOLDER), version_base="1.3"):
                cfg = compose("config", list(overrides), return_hydra_config=True)
        choices = option_names(cfg, cfg.hydra.runtime.choices)
        own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
        config = OmegaConf.to_container(own, resolve=True)
    except (HydraException, OmegaConfBaseException):
        return None
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}, choices
