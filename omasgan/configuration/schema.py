"""The top level of the configuration, and what this program registers with Hydra."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import MISSING

from omasgan.training.settings import Debug

PACKAGE = Path(__file__).parents[1]

FOLDER = next(folder for folder in (PACKAGE / "conf", PACKAGE.parent / "conf") if (folder / "config.yaml").is_file())
"""The folder of the configuration groups: inside the installed package, or beside the package in a checkout."""

SWEEPS = FOLDER.parent / "multirun_sweeps"
"""The folder of the sweep definitions, which are the group `sweep`; beside `conf` in both cases."""

PLUGINS = PACKAGE / "plugins"
"""The launcher and the sweepers as Hydra plugins; this folder exists in a checkout only (see pyproject.toml)."""

Task = Literal["run", "plan", "score", "export", "list", "clean", "report", "dashboard"]
"""Values of `task`."""

Precision = Literal["auto", "float32", "bfloat16"]
"""Values of `precision`."""


@dataclass
class Score:
    """What `task=score` scores, and with which run.

    Parameters
    ----------
    run
        The folder of a finished run.
    input
        The new samples: an image, a folder of images (those in folders below it, too), a pattern such as
        'new/*.jpg', - for a list of images on standard input, or an .npy or .csv file of samples.
    output
        The CSV file that the scores are written to; null for scores.csv in the current folder.
    overwrite
        Whether a file that exists is replaced; without it, the command ends with a message before it scores.
    maps
        Whether the anomaly map of each image is written, too, as a picture in a folder beside the scores
        (scores_maps/<image>.png for scores.csv), and a sheet of the highest scores (scores_maps.png). Only detectors on
        patches have maps: representation=pretrained_patches or pixel_patches.
    alpha
        The largest p-value of a sample that is called anomalous, 0..1: the rate of false alarms.
    false_discovery_rate
        Whether `alpha` is instead the largest expected fraction of false alarms among all samples that are called
        anomalous (Benjamini and Hochberg).
    """

    run: str | None = None
    input: str | None = None
    output: str | None = None
    overwrite: bool = False
    maps: bool = False
    alpha: float = 0.05
    false_discovery_rate: bool = False


@dataclass
class Export:
    """Which run `task=export` writes as a graph that runs without this program, and to which file.

    Parameters
    ----------
    run
        The folder of a finished run.
    output
        The file: .onnx for ONNX (which needs `omasgan[onnx]`), .pt2 for torch.export.
    overwrite
        Whether a file that exists is replaced.
    maps
        Whether the graph gives the anomaly maps of images, too. Only detectors on patches have maps.
    """

    run: str | None = None
    output: str = "detector.onnx"
    overwrite: bool = False
    maps: bool = False


@dataclass
class List:
    """Which runs `task=list` shows, in which order, and whether it also writes them to a file.

    Parameters
    ----------
    csv
        The CSV file that a row for each run is written to, with its settings and figures; null for none.
    where
        Conditions on settings and figures, separated by commas, all of which a run must meet, such as
        'mu>1, state=done'; null shows all runs.
    sort
        The setting or figure that the runs are sorted by: of figures, as test/auroc/full, the best first; of
        everything else, the smallest. Null sorts by folder.
    limit
        The number of runs that are shown at most; null for all.
    """

    csv: str | None = None
    where: str | None = None
    sort: str | None = None
    limit: int | None = None


@dataclass
class Clean:
    """What `task=clean` removes in addition to interrupted runs, and whether it asks first.

    Parameters
    ----------
    failed
        Whether failed runs are removed, too.
    yes
        Whether runs are removed without asking.
    """

    failed: bool = False
    yes: bool = False


@dataclass
class Sweep:
    """By what a sweep ranks its settings, and what its jobs know of it.

    Parameters
    ----------
    objective
        The figure that a sweep ranks by and a search chooses by, as <split>/<metric>/<term>, such as
        pseudo/auroc/divergence; null for the AUROC of the detector's score.
    varied
        The keys that differ between the jobs, after which loggers name the runs; the sweeper sets this.
    """

    objective: str | None = None
    varied: Any = None


@dataclass
class Search:
    """Which trial of a Bayesian search a job is; the sweeper sets this.

    Parameters
    ----------
    journal
        The file in which Optuna stores the study.
    study
        The name of the study.
    trial
        The number of the trial in the study; null for a job outside a search.
    """

    journal: str | None = None
    study: str | None = None
    trial: int | None = None


@dataclass
class Report:
    """What `task=report` and `task=dashboard` read, and where the report is written.

    Parameters
    ----------
    folders
        A folder of runs, or a list of them; runs are found at any depth. Null stands for the folder `runs`.
    output
        The folder of the report.
    title
        The title of the page.
    pictures
        Largest number of runs whose sample grids and boundary plots are embedded in the page. With 0, the page has no
        pictures of test samples either, for which the data set would be read.
    """

    folders: Any = None
    output: str = "report"
    title: str = "Anomaly detection results"
    pictures: int = 40


@dataclass
class Config:
    """The top level of the configuration: a node for every group, and the settings that belong to no group.

    A group's node is checked against the signature of its `_target_` (see `checks.check`).

    Parameters
    ----------
    abnormal_dataset
        A second data set, whose test samples are the anomalies of `protocol=cross_dataset`; null for none.
    seed
        The seed of all random numbers, at least 0.
    test_samples
        About how many test samples are scored, for detectors that are slow to score, such as anogan; null for all.
        Every class gives the same share of its samples, the same ones for all seeds and detectors.
    log_every
        The number of steps from one record of the losses to the next, at least 1.
    precision
        The type that networks (by autocast) and the search for nearest neighbours compute in; auto takes bfloat16
        where the device has instructions for it, else float32.
    device
        The device that trains and scores: auto (a GPU where there is one), cpu or cuda:N.
    threads
        The number of CPU threads of this process; null for all cores.
    runs
        The folder that runs are stored in.
    data
        The folder that data sets are downloaded to and read from.
    feature_cache
        The folder in which `representation=pretrained` stores the features of images, so that later or resumed runs
        need not compute them again; null stores none. Features of patches are not stored.
    task
        What the command does: train and evaluate a run, plan that, score new samples, export a detector, list runs,
        remove unfinished runs, write a report, or save a W&B dashboard. It has nothing to do with Tasks 1 to 3.
    """

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
    logger: Any = field(default_factory=dict)
    abnormal_dataset: Any = None
    seed: int = 0
    test_samples: int | None = None
    log_every: int = 20
    precision: str = "auto"
    device: str = "auto"
    threads: int | None = None
    runs: str = "runs"
    data: str = MISSING
    feature_cache: str | None = None
    task: str = "run"
    score: Score = field(default_factory=Score)
    export: Export = field(default_factory=Export)
    list: List = field(default_factory=List)
    clean: Clean = field(default_factory=Clean)
    sweep: Sweep = field(default_factory=Sweep)
    search: Search = field(default_factory=Search)
    report: Report = field(default_factory=Report)
    debug: Debug = field(default_factory=Debug)


GRID: dict[str, Any] = {"_target_": "hydra_plugins.omasgan.Grid", "max_batch_size": None, "params": {}}
"""The settings of the sweeper `basic`, which is used where a sweep chooses no other."""

RAY: dict[str, Any] = {
    "_target_": "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher",
    "ray": {
        "init": {"address": None, "include_dashboard": False, "object_store_memory": None},
        "remote": {"num_cpus": 1, "max_calls": 1},  # a process for each job, because torch keeps its memory
    },
}
"""The settings of the launcher `ray`: a cluster on this machine, or the one at hydra.launcher.ray.init.address."""


class SweepsPath(SearchPathPlugin):
    """Adds the folder of the sweep definitions to those in which Hydra finds options.

    `hydra.searchpath` would do so only for `config.yaml` itself: a user's own file that builds on it may not inherit
    that setting, and would lose the sweeps where it has one.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """See Hydra."""
        search_path.append("omasgan", f"file://{SWEEPS}")


def register() -> None:
    """Register the top level and the plugins with Hydra. Call it before Hydra starts; a second call does no harm."""
    ConfigStore.instance().store(name="schema", node=Config)
    Plugins.instance().register(SweepsPath)
    if PLUGINS.is_dir() and str(PLUGINS) not in sys.path:
        sys.path.append(str(PLUGINS))
    # These two replace what Hydra's plugins stored under the same names. The sweeper is replaced here and not by
    # config.yaml, because a sweep's definition could then not choose another one.
    known = Plugins.instance().class_name_to_class
    ConfigStore.instance().store(group="hydra/sweeper", name="basic", node=GRID, provider="omasgan")
    if RAY["_target_"] in known:
        ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RAY, provider="omasgan")
