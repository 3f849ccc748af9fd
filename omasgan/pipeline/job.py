"""One run to be made: its configuration, its folder, and its place in a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omasgan.configuration.identity import split_of
from omasgan.configuration.sweep_names import InSweep
from omasgan.evaluation.objective import Split
from omasgan.runs.logger import Logger, loggers
from omasgan.runs.record import RunRecord
from omasgan.runs.results import Figures as Metrics
from omasgan.runs.wandb_trial import in_trial

__all__ = ["Job", "Metrics"]


@dataclass(frozen=True)
class Job:
    """One run to be made.

    A job of Hydra is made of one of these, or of several where it runs over all classes. The summary of such a job
    (`summary.write`) also gets one, whose folder is the one that holds the folders of the runs.

    Parameters
    ----------
    config
        The configuration, checked and resolved.
    identity
        Hash of the settings, apart from seed and class, that determine the results; see `identity_of`.
    choices
        The chosen option of each configuration group.
    folder
        The run's folder.
    sweep
        The job's place in its sweep; None outside a sweep.
    part
        The name of the run's folder in that of a job over several classes; empty for a job of one run.
    trial
        The record of the trial of a W&B sweep that the run is part of, if any.
    """

    config: Mapping[str, Any]
    identity: str
    choices: Mapping[str, str]
    folder: Path
    sweep: InSweep | None = None
    part: str = ""
    trial: RunRecord | None = None

    @property
    def debug(self) -> str | None:
        """The chosen option of the group `debug`; None where there is none."""
        option = str(self.choices.get("debug"))
        return None if option == "None" else option

    @property
    def loggers(self) -> list[Logger]:
        """The loggers of the run."""
        chosen = loggers(self.config["logger"])
        return chosen if self.trial is None else in_trial(chosen, self.trial.exporters)

    @property
    def pretrained(self) -> bool:
        """Whether the detector uses a network that others have trained on other images."""
        parts = self.config["detector"].get("representation", {})
        return any(name.startswith("pretrained") for name in parts)

    @property
    def split(self) -> Split:
        """The split that the run's figures are on."""
        return split_of(self.choices["protocol"])
