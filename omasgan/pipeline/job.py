"""One run to be made: its configuration, its folder, and the name and tags under which loggers list it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omasgan.configuration.identity import class_folder, split_of, weights_of
from omasgan.evaluation.objective import Split
from omasgan.runs.logger import Identity
from omasgan.runs.results import Figures as Metrics

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
        Name of the sweep that the run is part of; None outside a sweep.
    """

    config: Mapping[str, Any]
    identity: str
    choices: Mapping[str, str]
    folder: Path
    sweep: str | None = None

    @property
    def debug(self) -> str | None:
        """The chosen option of the group `debug`; None where there is none."""
        option = str(self.choices.get("debug"))
        return None if option == "None" else option

    @property
    def split(self) -> Split:
        """The split that the run's figures are on."""
        return split_of(self.choices["protocol"])

    @property
    def listed_as(self) -> Identity:
        """The name, group, job type and tags of the run for all loggers, made from the settings of the run."""
        names = [self.choices[group] for group in ("dataset", "protocol", "detector", "architecture", "divergence")]
        ablation = self.choices["ablation"]
        which = class_folder(self.config["protocol"])
        seed = f"seed_{self.config['seed']}"
        dataset, protocol, detector = names[:3]
        weights = weights_of(self.config)
        return Identity(
            name=" ".join(part for part in (dataset, protocol, detector, which, seed) if part),
            group=self.sweep or f"{dataset}_{protocol}_{detector}-{self.identity}",
            job_type=detector if ablation == "none" else f"{detector}_{ablation}",
            tags=tuple(part for part in (*names, which, seed, ablation, *weights) if part and part != "none"),
        )
