"""One run to be made: its configuration, its choices, its folder, and its name in W&B."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omasgan.configuration.identity import class_folder, weights_of
from omasgan.runs.wandb import Identity

Metrics = dict[str, dict[str, float]]
"""Term -> metric -> value; empty where the test split has no anomalies, or nothing else."""


@dataclass(frozen=True)
class Job:
    """One run's place and configuration (checked and resolved); `choices` are the chosen group options by group.

    sweep: what the run's sweep is called, None where it is part of none.
    """

    config: Mapping[str, Any]
    identity: str
    choices: Mapping[str, str]
    folder: Path
    sweep: str | None = None

    @property
    def wandb(self) -> Identity:
        """How W&B lists the run: everything from the science keys."""
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
