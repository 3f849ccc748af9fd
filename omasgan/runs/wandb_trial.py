"""A trial of a W&B sweep: `wandb agent` starts this program and gives it the id of the W&B run that its sweep awaits.

The W&B run of a trial is that of the whole job, also over several classes; keys of a class then begin with its name.
After each class, the means so far are points of the objective's curve, so that the sweep can stop the trial early.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from omasgan.runs.logger import Exporter, Identity, Logger, Row
from omasgan.runs.wandb import WandbLogger
from omasgan.runs.wandb_exporter import WandbExporter

FOLDER = "trials"
"""The folder of the trials that W&B started, in that of the job."""


@dataclass(frozen=True)
class Agent:
    """What `wandb agent` says of the trial.

    Parameters
    ----------
    sweep_id
        The id of W&B's sweep.
    run_id
        The id of the run that the trial is.
    parameters
        The settings that the sweep chose; empty where the agent's file cannot be read.
    """

    sweep_id: str
    run_id: str
    parameters: Mapping[str, Any]


def agent() -> Agent | None:
    """The agent that started this program, if one did."""
    sweep_id, run_id = os.environ.get("WANDB_SWEEP_ID"), os.environ.get("WANDB_RUN_ID")
    return (
        Agent(sweep_id, run_id, _parameters(os.environ.get("WANDB_SWEEP_PARAM_PATH", "")))
        if sweep_id and run_id
        else None
    )


def _parameters(path: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return {str(key): node["value"] for key, node in content.items() if key != "wandb_version"}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        return {}


@dataclass(frozen=True)
class TrialLogger:
    """Opens the run of W&B that the sweep waits for.

    Parameters
    ----------
    settings
        The settings of `logger=wandb`. Project and entity are those of the sweep.
    agent
        What the agent says of the trial.
    """

    settings: WandbLogger
    agent: Agent

    def open(self, folder: Path, identity: Identity, config: dict[str, Any]) -> WandbExporter | None:
        """See `Logger`."""
        listed = self.settings.listed(identity, self.agent.run_id, config)
        listed["config"] |= self.agent.parameters  # by the names that the sweep knows them by
        for key in ("project", "entity"):
            listed[key] = os.environ.get(f"WANDB_{key.upper()}", listed[key])
        return self.settings.begin(folder, listed, is_new=True, sweep_id=self.agent.sweep_id)


@dataclass(frozen=True)
class PartLogger:
    """Hands the record of one run of the job to the W&B run of the trial.

    Parameters
    ----------
    trial
        The exporter of the trial.
    """

    trial: Exporter

    def open(self, folder: Path, identity: Identity, config: dict[str, Any]) -> Exporter:
        """See `Logger`."""
        return _Part(self.trial, f"{identity.part}/" if identity.part else "")


class _Part:
    """The exporter of one run of the job: the trial's, with a prefix before each name; it does not end the trial."""

    title = "W&B"

    def __init__(self, trial: Exporter, prefix: str) -> None:
        self._trial, self._prefix = trial, prefix

    def scalars(self, row: Row) -> None:
        self._trial.scalars({**row, "stage": self._prefix + row["stage"]})

    def rewind(self, stage: str, rows: Sequence[Row]) -> None:
        self._trial.rewind(self._prefix + stage, [{**row, "stage": self._prefix + stage} for row in rows])

    def picture(self, name: str, path: Path) -> None:
        self._trial.picture(self._prefix + name, path)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self._trial.table(self._prefix + name, columns, rows)

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        self._trial.bars(self._prefix + name, label, value, values)

    def summary(self, values: Mapping[str, float | str]) -> None:
        self._trial.summary({self._prefix + name: value for name, value in values.items()})

    def finish(self, exit_code: int) -> None: ...


def in_trial(chosen: Sequence[Logger], trial: Sequence[Exporter]) -> list[Logger]:
    """The loggers of a run, where that of W&B is replaced by the trial; it is left out if W&B refused the trial."""
    others = [each for each in chosen if not isinstance(each, WandbLogger)]
    return [*others, *(PartLogger(exporter) for exporter in trial)]
