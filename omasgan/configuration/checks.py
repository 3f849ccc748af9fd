"""The checks of a composed configuration, before anything is built."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Annotated, Any

from annotated_types import Ge
from omegaconf import DictConfig, OmegaConf

from omasgan.configuration import budgets  # noqa: F401  registers the resolver of budget=equal
from omasgan.configuration.identity import GROUPS, SEVERAL, chosen_only
from omasgan.configuration.schema import Config, Precision, Task
from omasgan.configuration.validation import check_node, check_nodes, check_value
from omasgan.errors import UserError
from omasgan.text import did_you_mean


def check_keys(cfg: DictConfig) -> None:
    """Check that the top-level keys and the task exist; tasks without data or networks need no other check.

    Hydra accepts `+typo=1`, so the keys of the top level are compared with the schema again.

    Parameters
    ----------
    cfg
        The composed configuration; nothing in it is resolved.

    Raises
    ------
    UserError
        Where a key or the task does not exist.
    """
    allowed = [f.name for f in fields(Config)]
    for key in map(str, cfg):
        if key not in allowed:
            raise UserError(
                f"there is no setting '{key}'{did_you_mean(key, allowed)}: choose one of {', '.join(allowed)}"
            )
    check_value("task", cfg.task, Task)


def check(cfg: DictConfig, groups: Collection[str] = (*GROUPS, "baselines", "logger")) -> dict[str, Any]:
    """Check every key, type and range of a configuration, and resolve it.

    Parameters
    ----------
    cfg
        The composed configuration.
    groups
        The groups whose nodes are checked. To check a node, the module of its `_target_` is imported.

    Returns
    -------
    dict of str to Any
        The configuration in plain containers, without the settings of parts of the representation that are not chosen.

    Raises
    ------
    UserError
        Where a key, a type or a value is wrong; the message names the key, its value and the allowed values.
    """
    check_keys(cfg)
    plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    config: dict[str, Any] = chosen_only({str(key): value for key, value in plain.items()})
    if isinstance(abnormal := config["abnormal_dataset"], str):
        raise UserError(f"abnormal_dataset is '{abnormal}': choose a data set as dataset@abnormal_dataset={abnormal}")
    if "representation" in groups and config["representation"] == {}:
        raise UserError("representation has no part: choose one or several, as representation=[visual_words,pca]")
    # These three come last, because they refer to other groups: an error there is reported under the key that was set.
    last = ("representation", "detector", "baselines")
    for key in (*(key for key in (*GROUPS, "logger") if key not in last), *last):
        if key in groups and (key != "abnormal_dataset" or config[key] is not None):
            (check_nodes if key in SEVERAL else check_node)(key, config[key])
    if "logger" in groups:
        check_value("log_every", config["log_every"], Annotated[int, Ge(1)])
    check_value("precision", config["precision"], Precision)
    check_value("seed", config["seed"], Annotated[int, Ge(0)])
    check_value("test_samples", config.get("test_samples"), Annotated[int, Ge(2)] | None)
    if config["threads"] is not None and config["threads"] < 1:
        raise UserError(f"threads is {config['threads']}: it must be at least 1, or null for all cores")
    return config
