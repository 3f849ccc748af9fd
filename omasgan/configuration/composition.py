"""Composes configurations that differ only in values from one reading of the files.

Hydra reads and merges about forty files for each configuration, which takes 0.15 s, and it composes the configuration
of every command twice. The jobs of a sweep mostly differ in values, not in the options that are chosen.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hydra._internal import hydra as hydra_program
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.config_repository import IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig


class Composer(ConfigLoaderImpl):
    """Hydra's loader of configurations, which remembers the configuration of each choice of options.

    Parameters
    ----------
    config_search_path
        The folders of the configuration files. A change in them after the first composition is not noticed.
    """

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self._remembered: dict[tuple[str | None, ...], DictConfig] = {}
        self._folders: dict[tuple[str | None, ...], IConfigRepository] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_remembered": {}, "_folders": {}}  # launchers send this object to each job

    def _load_configuration_impl(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        parsed = OverridesParser.create().parse_overrides(overrides)
        if validate_sweep_overrides:
            self.validate_sweep_overrides_legal(parsed, run_mode, from_shell)
        values = self._values(config_name, parsed)
        options = [str(override.input_line) for override in parsed if override not in values]
        key = (config_name, *options)
        if key in self._remembered:
            cfg = copy.deepcopy(self._remembered[key])
        else:
            cfg = super()._load_configuration_impl(config_name, options, run_mode, from_shell, validate_sweep_overrides)
            if "???" not in cfg.hydra.runtime.choices.values():  # a sweep may leave an option open, a run may not
                self._remembered[key] = copy.deepcopy(cfg)
        self._apply_overrides_to_config(values, cfg)
        _note_overrides(cfg, parsed)
        return cfg

    def _values(self, config_name: str | None, overrides: list[Override]) -> list[Override]:
        """The overrides that set values, and decide nothing about which files are read or how Hydra composes them."""
        places = [str(override.input_line) for override in overrides if override.key_or_group == "hydra.searchpath"]
        key = (config_name, *places)
        if key not in self._folders:  # with those of `hydra.searchpath`, unlike `self.repository`
            self._folders[key] = self._parse_overrides_and_create_caching_repo(config_name, places)[1]
        return [
            override
            for override in overrides
            if not override.is_sweep_override()
            and not override.key_or_group.startswith(("hydra.searchpath", "hydra.job"))
            and (isinstance(override.value(), dict) or not self._folders[key].group_exists(override.key_or_group))
        ]


def _note_overrides(cfg: DictConfig, overrides: list[Override]) -> None:
    """Write into the node `hydra` what Hydra writes there about all overrides."""
    of_the_job = [override for override in overrides if not override.is_hydra_override()]
    cfg.hydra.overrides.hydra = [override.input_line for override in overrides if override.is_hydra_override()]
    cfg.hydra.overrides.task = [override.input_line for override in of_the_job]
    cfg.hydra.runtime.cwd = str(Path.cwd())
    how = cfg.hydra.job.config.override_dirname
    cfg.hydra.job.override_dirname = get_overrides_dirname(of_the_job, **how)


def install() -> None:
    """Make Hydra compose with a `Composer`."""
    hydra_program.ConfigLoaderImpl = Composer  # type: ignore[attr-defined]
