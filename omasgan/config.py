"""The configuration's top level, the checks after composing it, and the identity of a run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import MISSING, DictConfig, OmegaConf

from omasgan.errors import UserError
from omasgan.settings import Inference
from omasgan.validation import Range, check_node, check_value, did_you_mean

FOLDER = next(
    folder
    for folder in (Path(__file__).parent / "conf", Path(__file__).parents[1] / "conf")
    if (folder / "config.yaml").is_file()
)
"""The configuration groups: inside the package where it was installed from a wheel, beside it in a checkout."""

SWEEPS = FOLDER.parent / "multirun_sweeps"
"""The sweep definitions, a group of their own: beside `conf` in either place."""

PLUGINS = Path(__file__).parent / "plugins"
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
    representation: Any = MISSING
    detector: Any = MISSING
    floors: Any = MISSING
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


NOT_SCIENCE = frozenset(
    {"floors", "logger", "device", "threads", "runs", "data", "task", "score", "clean", "search", "report"}
)
"""Keys that change where and how a run is done, what it is compared with or how it is shown, but no result of it."""

SHOWN_APART = frozenset({"seed"})
"""Science keys that have their own place in a run's folder name, and so no part in its hash."""

GROUPS = tuple(f.name for f in fields(Config) if f.type == "Any" and f.name != "floors")
"""Keys whose node is one object's settings; `floors` holds several, by name."""

CLASS_KEYS = {"abnormal_class": "abnormal", "normal_class": "normal"}
"""A protocol's class, and what it is to the protocol."""

PSEUDO_KEY = "pseudo_class"
"""A protocol's second class, which stands in for the anomalies; null where the protocol knows it by itself."""


PSEUDO = "-pseudo-"
"""Between a class and the one that stands in for the anomalies, in a run's class."""


def is_pseudo(protocol: str) -> bool:
    """Whether a protocol, by its option's name, is there to choose settings by: its test holds no reported class."""
    return protocol.startswith("pseudo")


NAME_LENGTH = 60
"""Characters of a class's name in a run's folder name, at most."""


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


def science(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """What determines a run's results, apart from its seed and its class.

    Interpolations stay as they are written, so that a data folder elsewhere does not make another experiment.
    """
    node = cfg if isinstance(cfg, DictConfig) else OmegaConf.create(dict(cfg))
    plain = OmegaConf.to_container(node, resolve=False)
    assert isinstance(plain, dict)
    kept = {str(k): v for k, v in plain.items() if str(k) not in NOT_SCIENCE | SHOWN_APART | {"hydra"}}
    kept["protocol"] = {k: v for k, v in kept["protocol"].items() if k not in (*CLASS_KEYS, PSEUDO_KEY)}
    return kept


def identity(cfg: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that are equal for equal science keys; 1 and 1.0 are equal."""
    return digest(science(cfg))


def digest(settings: object) -> str:
    """Eight hexadecimal digits that are equal for equal settings."""
    return _digest(canonical(settings), 8)


def canonical(settings: object) -> str:
    """A text that is equal for equal settings; 1 and 1.0 are equal."""
    return json.dumps(json.loads(json.dumps(settings), parse_int=float), sort_keys=True)


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def class_of(protocol: Mapping[str, Any]) -> tuple[str, str]:
    """('abnormal', '3') or ('normal', 'cat'); two empty words where the protocol has no class, or stands for all.

    With a pseudo-anomaly named, ('abnormal', '3-pseudo-8').
    """
    pseudo = protocol.get(PSEUDO_KEY)
    for key, role in CLASS_KEYS.items():
        if protocol.get(key, "all") != "all" and pseudo != "all":
            return role, str(protocol[key]) if pseudo is None else f"{protocol[key]}{PSEUDO}{pseudo}"
    return "", ""


def class_folder(protocol: Mapping[str, Any]) -> str:
    """'abnormal_3' or 'normal_cat', in plain characters; another name for every class, and empty for none."""
    role, name = class_of(protocol)
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:NAME_LENGTH]
    if plain != name:
        plain = f"{plain}-{_digest(name, 6)}"  # or else 'a b' would share its folder with 'a_b'
    return f"{role}_{plain}" if role else ""


def run_folder(*, _root_: DictConfig) -> str:
    """A run's folder below `runs`, from its science keys: data set and protocol / detector and hash / seed / class."""
    if _root_.task != "run":
        return "."
    choices = _root_.hydra.runtime.choices
    detector = "_".join([choices.detector] + [choices.ablation] * (choices.ablation != "none"))
    parts = [
        f"{choices.dataset}_{choices.protocol}",
        f"{detector}-{identity(_root_)}",
        f"seed_{_root_.seed}",
        class_folder(_root_.protocol),
    ]
    return str(Path(*[part for part in parts if part]))


# At import, and not in `register`: a launcher's process imports this to find its run's folder, and registers nothing.
OmegaConf.register_new_resolver("expanduser", os.path.expanduser, replace=True)
OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
OmegaConf.register_new_resolver("sweeps_folder", lambda: str(SWEEPS), replace=True)


WEIGHTS = {"mu": ("boundary", "mu"), "nu": ("boundary", "nu"), "beta": ("retraining", "beta")}
"""The paper's three weights, which are swept more than anything else."""


def weights(config: Mapping[str, Any]) -> list[str]:
    """'mu=0.2' and so on, of a detector that has them: tags that W&B filters a sweep by."""
    detector = config["detector"].get("detector", config["detector"])
    return [f"{name}={detector[group][key]:g}" for name, (group, key) in WEIGHTS.items() if group in detector]


SWEEP_NAME = 110
"""Characters of a sweep's name, at most: W&B takes 128."""


def sweep_name(overrides: Sequence[str], choices: Mapping[str, str]) -> str:
    """What a sweep is called: its data, protocol and what its command line sets, whatever to; each class is part of it.

    Values are left out, so that a sweep that is issued again, or made wider, keeps its name.
    """
    keys = [override.lstrip("+~").partition("=")[0] for override in overrides]
    left_out = NOT_SCIENCE | {"dataset", "protocol"}
    shown = [key for key in keys if key.partition(".")[0] not in left_out]
    name = f"{choices['dataset']}_{choices['protocol']} over {', '.join(sorted(shown)) or 'nothing'}"
    return name if len(name) <= SWEEP_NAME else f"{name[: SWEEP_NAME - 9]}-{_digest(name, 8)}"


def check_keys(cfg: DictConfig) -> None:
    """Raise UserError for a key or a task that does not exist; all that a task without data or networks needs.

    `+typo=1` passes Hydra's own check, so the top level is held against the schema again.
    """
    allowed = [f.name for f in fields(Config)]
    for key in map(str, cfg):
        if key not in allowed:
            raise UserError(f"there is no setting '{key}'{did_you_mean(key, allowed)}: choose {', '.join(allowed)}")
    check_value("task", cfg.task, Task)


def check(cfg: DictConfig, groups: Collection[str] = (*GROUPS, "floors")) -> dict[str, Any]:
    """The configuration as plain containers, resolved, once every key, type and range is right.

    Raises UserError naming the key, what it is and what it may be. groups: those whose nodes are checked, which imports
    what they are built from.
    """
    check_keys(cfg)
    plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    config = {str(key): value for key, value in plain.items()}
    if isinstance(abnormal := config["abnormal_dataset"], str):
        raise UserError(f"abnormal_dataset is '{abnormal}': choose a data set as dataset@abnormal_dataset={abnormal}")
    # These two last: they hold other groups by reference, and a fault is named where the user sets it.
    for key in sorted(GROUPS, key=("representation", "detector").__contains__):
        if key in groups and (key != "abnormal_dataset" or config[key] is not None):
            check_node(key, config[key])
    for name, node in config["floors"].items() if "floors" in groups else ():
        check_node(f"floors.{name}", node)
    check_value("precision", config["precision"], Precision)
    check_value("seed", config["seed"], Annotated[int, Range(low=0)])
    if "inference" in groups:
        inference = config["inference"]
        low, high = (inference.get(key, getattr(Inference, key)) for key in ("reach_min", "reach_max"))
        if low > high:
            raise UserError(
                f"inference.reach_min is {low} and inference.reach_max {high}: the first must be the smaller"
            )
    if config["threads"] is not None and config["threads"] < 1:
        raise UserError(f"threads is {config['threads']}: it must be at least 1, or null for all cores")
    return config
