"""The configuration's top level, and what Hydra is told of this program."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import MISSING

PACKAGE = Path(__file__).parents[1]

FOLDER = next(folder for folder in (PACKAGE / "conf", PACKAGE.parent / "conf") if (folder / "config.yaml").is_file())
"""The configuration groups: inside the package where it was installed from a wheel, beside it in a checkout."""

SWEEPS = FOLDER.parent / "multirun_sweeps"
"""The sweep definitions, a group of their own: beside `conf` in either place."""

PLUGINS = PACKAGE / "plugins"
"""The launcher and the sweepers as Hydra plugins; absent from a wheel, which installs them where Hydra looks."""

Task = Literal["run", "score", "list", "clean", "report", "dashboard"]

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass
class Score:
    """What task=score needs: a finished run's folder, what to score, and where the scores go (CSV)."""

    run: str | None = None
    input: str | None = None
    output: str | None = None


@dataclass
class Clean:
    """What task=clean removes beside interrupted runs, and whether it does so without asking."""

    failed: bool = False
    yes: bool = False


@dataclass
class Search:
    """Which trial of a Bayesian search a job is; the sweeper sets it. journal: the study's file."""

    journal: str | None = None
    study: str | None = None
    trial: int | None = None


@dataclass
class Report:
    """What task=report and task=dashboard need: the folders of runs (null: `runs`), and where the report goes.

    folders: one, or a list; runs are found at any depth. title: the page's. pictures: of so many runs at most the
    sample grids and boundary pictures are embedded.
    """

    folders: Any = None
    output: str = "report"
    title: str = "Anomaly detection results"
    pictures: int = 40


@dataclass
class Config:
    """The configuration: a node for every group, checked against its `_target_`, and the keys of the program itself."""

    dataset: Any = MISSING
    protocol: Any = MISSING
    representation: Any = field(default_factory=dict)  # its parts by name
    detector: Any = MISSING
    baselines: Any = MISSING
    divergence: Any = MISSING
    architecture: Any = MISSING
    augmentation: Any = MISSING
    optimisation: Any = MISSING
    boundary: Any = MISSING
    retraining: Any = MISSING
    inference: Any = MISSING
    budget: Any = MISSING
    logger: Any = MISSING
    abnormal_dataset: Any = None
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"
    threads: int | None = None
    runs: str = "runs"
    data: str = MISSING
    task: str = "run"
    score: Score = field(default_factory=Score)
    clean: Clean = field(default_factory=Clean)
    search: Search = field(default_factory=Search)
    report: Report = field(default_factory=Report)


GRID: dict[str, Any] = {"_target_": "hydra_plugins.omasgan.Grid", "max_batch_size": None, "params": {}}
"""The sweeper that a sweep has where its definition chooses no other."""

RAY: dict[str, Any] = {
    "_target_": "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher",
    "ray": {
        "init": {"address": None, "include_dashboard": False, "object_store_memory": None},
        "remote": {"num_cpus": 1, "max_calls": 1},  # a process a job, as torch frees nothing of the last one
    },
}
"""hydra/launcher=ray: a cluster on this machine, or the one at hydra.launcher.ray.init.address."""


def register() -> None:
    """Make the top level and our plugins known to Hydra, before it starts; may be called again."""
    ConfigStore.instance().store(name="schema", node=Config)
    if PLUGINS.is_dir() and str(PLUGINS) not in sys.path:
        sys.path.append(str(PLUGINS))
    # These two replace what plugins stored under their names when they were found: Hydra's sweeper, so that a
    # definition can choose another (it could not, had config.yaml overridden the default), and ray's settings.
    known = Plugins.instance().class_name_to_class
    ConfigStore.instance().store(group="hydra/sweeper", name="basic", node=GRID, provider="omasgan")
    if RAY["_target_"] in known:
        ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RAY, provider="omasgan")
