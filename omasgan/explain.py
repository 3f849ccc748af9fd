"""Turns what Hydra, OmegaConf and the operating system raise into one line that a user can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue, OmegaConfBaseException

from omasgan import config as configuration
from omasgan.errors import UserError
from omasgan.validation import did_you_mean


def explain(error: BaseException) -> str:
    """The error in one line: what was given, what is allowed, how to mend it."""
    return " ".join(_explain(error).split())


def _explain(error: BaseException) -> str:
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OverrideParseException):
        return f"'{error.override}' is no override: write key=value, group=option or +key=value"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file is not None:
        return _missing_option(error.missing_cfg_file, error.options or [])
    if isinstance(error, OSError):
        return f"{error.filename or 'the file system'}: {error.strerror or error}"
    not_a_key = re.search(r"Could not override '([^']+)'", str(error))
    if not_a_key:
        return _missing_key(not_a_key[1])
    if isinstance(error, InterpolationResolutionError) and isinstance(error.__cause__, UserError):
        return str(error.__cause__)
    omegaconf_error = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    first_line = str(error).split("\n")[0]
    if isinstance(omegaconf_error, MissingMandatoryValue):
        return f"{omegaconf_error.full_key} is not set: give it as {omegaconf_error.full_key}=..."
    if isinstance(omegaconf_error, OmegaConfBaseException) and omegaconf_error.full_key:
        return f"{omegaconf_error.full_key}: {str(omegaconf_error).splitlines()[0]}"
    return first_line


def _missing_option(name: str, options: Sequence[str]) -> str:
    group, _, option = name.rpartition("/")
    choices = ", ".join(options)
    return f"there is no {group or 'configuration'} '{option}'{did_you_mean(option, options)}: choose one of {choices}"


def _missing_key(key: str) -> str:
    known = sorted(_keys(_defaults()))
    parent = key.rpartition(".")[0]
    beside = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == parent]
    there = f": {parent or 'the top level'} has {', '.join(beside)}" if beside else ""
    return f"there is no setting '{key}'{did_you_mean(key, known)}{there}"


def _defaults() -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(configuration.FOLDER), version_base="1.3"):
        return compose("config")


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    for key in node:
        yield f"{prefix}{key}"
        is_value = OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key)
        if not is_value and isinstance(node[key], DictConfig):
            yield from _keys(node[key], f"{prefix}{key}.")
