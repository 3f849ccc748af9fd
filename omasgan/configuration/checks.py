"""The checks of a composed configuration, before anything is built."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Annotated, Any

from annotated_types import Ge
from omegaconf import DictConfig, OmegaConf

from omasgan.configuration.identity import GROUPS, SEVERAL, chosen_parts
from omasgan.configuration.schema import Config, Precision, Task
from omasgan.configuration.validation import check_node, check_nodes, check_value
from omasgan.errors import UserError
from omasgan.text import did_you_mean


def check_keys(cfg: DictConfig) -> None:
    """Raise UserError for a key or a task that does not exist; all that a task without data or networks needs.

    `+typo=1` passes Hydra's own check, so the top level is held against the schema again.
    """
    allowed = [f.name for f in fields(Config)]
    for key in map(str, cfg):
        if key not in allowed:
            raise UserError(f"there is no setting '{key}'{did_you_mean(key, allowed)}: choose {', '.join(allowed)}")
    check_value("task", cfg.task, Task)


def check(cfg: DictConfig, groups: Collection[str] = (*GROUPS, "baselines")) -> dict[str, Any]:
    """The configuration as plain containers, resolved, once every key, type and range is right.

    Raises UserError naming the key, what it is and what it may be. groups: those whose nodes are checked, which imports
    what they are built from.
    """
    check_keys(cfg)
    plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    config: dict[str, Any] = _chosen({str(key): value for key, value in plain.items()})
    if isinstance(abnormal := config["abnormal_dataset"], str):
        raise UserError(f"abnormal_dataset is '{abnormal}': choose a data set as dataset@abnormal_dataset={abnormal}")
    if "representation" in groups and config["representation"] == {}:
        raise UserError("representation has no part: choose one or several, as representation=[visual_words,pca]")
    # These three last: they hold other groups by reference, and a fault is named where the user sets it.
    last = ("representation", "detector", "baselines")
    for key in (*(key for key in GROUPS if key not in last), *last):
        if key in groups and (key != "abnormal_dataset" or config[key] is not None):
            (check_nodes if key in SEVERAL else check_node)(key, config[key])
    check_value("precision", config["precision"], Precision)
    check_value("seed", config["seed"], Annotated[int, Ge(0)])
    if config["threads"] is not None and config["threads"] < 1:
        raise UserError(f"threads is {config['threads']}: it must be at least 1, or null for all cores")
    return config


def _chosen(node: Any) -> Any:
    """The configuration without the settings of parts that are not chosen, wherever a representation is repeated."""
    if not isinstance(node, dict):
        return node
    return {
        key: chosen_parts(child) if key == "representation" and isinstance(child, dict) else _chosen(child)
        for key, child in node.items()
    }
