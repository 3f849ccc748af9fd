"""The configuration of an estimator, composed from the same files as that of a command."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from omasgan.configuration.checks import check
from omasgan.configuration.explain import explain, is_users
from omasgan.configuration.identity import GROUPS
from omasgan.configuration.schema import FOLDER, register
from omasgan.errors import UserError

GROUP_KEYS = (
    *("experiment", "detector", "representation", "divergence", "architecture", "augmentation", "boundary"),
    *("retraining", "inference", "optimisation", "budget", "ablation"),
)
"""The parameters of an estimator that choose an option of a group; None keeps the default."""

SHORT = {
    "mu": "boundary.mu",
    "nu": "boundary.nu",
    "beta": "retraining.beta",
    "lambda_": "inference.lambda_",
    "seed": "seed",
    "device": "device",
    "threads": "threads",
    "precision": "precision",
}
"""The parameters of an estimator that are a single setting, with the name of the setting."""

GIVEN = "given in Python"
"""Stands for the place of the data in the configuration."""

KINDS = {"rows": "rows", "images": "pixels", "folder": "image_folder"}
"""The experiment that is used by default for each kind of samples."""


def overrides(parameters: Mapping[str, Any], kind: str) -> list[str]:
    """The words that would follow `omasgan` on a command line.

    Parameters
    ----------
    parameters
        The estimator's parameters.
    kind
        `rows`, `images` or `folder`.
    """
    chosen = {key: parameters[key] for key in GROUP_KEYS if parameters[key] is not None}
    chosen.setdefault("experiment", KINDS[kind])
    values = {SHORT[key]: parameters[key] for key in SHORT if parameters[key] is not None}
    values |= parameters["settings"] or {}
    return [f"{key}={_word(value)}" for key, value in {**chosen, **values}.items()]


def _word(value: Any) -> str:
    """A value in the grammar of Hydra's command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(map(_word, value))}]"
    return str(value)


def composed(words: Sequence[str], source: Mapping[str, str]) -> dict[str, Any]:
    """The checked configuration.

    Parameters
    ----------
    words
        Overrides, see `overrides`.
    source
        Values for settings of the data set that a command must be given, such as `root`; they are only used where the
        chosen data set has such a setting that is not set.

    Raises
    ------
    UserError
        Where a setting is wrong.
    """
    register()
    words = [*words, "logger=none", "baselines=none"]
    try:
        with initialize_config_dir(str(FOLDER), version_base="1.3", job_name="omasgan"):
            cfg = compose("config", words)
        for key in OmegaConf.missing_keys(cfg):
            OmegaConf.update(cfg, key, source.get(key.removeprefix("dataset."), GIVEN))
        return check(cfg, groups=(*GROUPS, "baselines", "logger"))
    except Exception as error:
        if not is_users(error):
            raise
        with _command_line(words):
            raise UserError(explain(error)) from error


@contextmanager
def _command_line(words: Sequence[str]) -> Iterator[None]:
    """Let the words be those of the program's command line, from which errors of Hydra are explained."""
    before, sys.argv = sys.argv, ["omasgan", *words]
    try:
        yield
    finally:
        sys.argv = before


def yaml(config: Mapping[str, Any]) -> str:
    """A configuration as YAML."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(config)))
