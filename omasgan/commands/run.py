"""`task=run`: train and evaluate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from omasgan.configuration.checks import check
from omasgan.configuration.classes import by_name, class_of, class_place, known_names
from omasgan.configuration.identity import identity_of
from omasgan.configuration.sweep_names import InSweep, in_sweep
from omasgan.data.dataset import Dataset
from omasgan.data.protocols import Protocol
from omasgan.errors import UserError
from omasgan.pipeline import build, summary
from omasgan.pipeline import run as pipeline
from omasgan.pipeline.job import Job, Metrics
from omasgan.pipeline.trial import as_trial, tell
from omasgan.runs.lock import HeldError
from omasgan.runs.logger import loggers
from omasgan.runs.wandb_trial import agent
from omasgan.sweeps import search
from omasgan.training.progress import log


def run(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> float | None:
    """Train and evaluate on the protocol's class, or on every class in turn, and print a table of the results.

    Parameters
    ----------
    cfg
        The composed configuration.
    choices
        The chosen option of each group.
    folder
        The job's folder; with several classes each run has a folder in it.

    Returns
    -------
    float or None
        The mean AUROC of the detector's score over the classes; None where the test data have no known anomaly.

    Raises
    ------
    HeldError
        Where another process is running some of the runs; the others are finished first.
    UserError
        Where the configuration or the data are wrong, or training diverges.
    """
    config = check(cfg)
    loggers(config["logger"])  # one whose package is missing is told of before the data are read
    dataset = build.dataset(config)
    config["protocol"] = _by_name(config, dataset.class_names)
    every = build.protocol(config).classes(dataset.class_names)
    trial = search.open_trial(config["search"], choices["protocol"])
    with as_trial(Job(config, identity_of(cfg), choices, folder, _sweep(config, choices))) as job:
        return _run(job, dataset, every, trial)


def _run(job: Job, dataset: Dataset, every: Sequence[Protocol], trial: search.Trial | None) -> float | None:
    """Make the run of each class and print the table; see `run`."""
    runs: dict[str, Metrics] = {}
    held: HeldError | None = None
    for number, protocol in enumerate(every, 1):
        part = _of_class(job, protocol, dataset.class_names) if len(every) > 1 else job
        role, name = class_of(part.config["protocol"])
        if len(every) > 1:
            log.info("%d of %d: %s %s", number, len(every), role, name)
        try:
            runs[name or job.choices["dataset"]] = pipeline.run(part, dataset, protocol)
        except HeldError as error:
            held = error
            continue
        tell(job, runs)
        if trial is not None and trial.hopeless(number, summary.mean_auroc(runs)):
            log.info("pruned: other trials were better after %d of %d classes", number, len(every))
            return summary.mean_auroc(runs)
    if held:
        raise held  # only now, so that this process finishes all other runs first
    if len(every) > 1:
        summary.write(job.folder, runs, role, job.config["baselines"], job)
    if all(runs.values()):
        print(summary.text(runs, role or "data", job.config["baselines"], job.split))
    else:
        print("the test data have no known anomaly, so there are scores but no metrics")
    print(f"scores, metrics and plots: {job.folder}")
    return summary.mean_auroc(runs) if all(runs.values()) else None


def _of_class(job: Job, protocol: Protocol, names: Sequence[str]) -> Job:
    """The run of one class of a job over several."""
    node = {**job.config["protocol"], **vars(protocol)}
    place = class_place(job.folder, node, names)
    return replace(job, config={**job.config, "protocol": node}, folder=place, part=place.name)


def _by_name(config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The protocol with its classes by name; an index is refused where the run's folder cannot be named by the class.

    Raises
    ------
    UserError
        Where there is no such class, or its name is not known before the data are loaded.
    """
    given = by_name(config["protocol"], known_names(config["dataset"], config["abnormal_dataset"]))
    named = by_name(config["protocol"], names)
    for key, value in named.items():
        if given[key] != value:
            raise UserError(
                f"protocol.{key}={config['protocol'][key]}: the classes of these data are known only once they are "
                f"loaded, so give the name: {value}"
            )
    return named


def _sweep(config: Mapping[str, Any], choices: Mapping[str, str]) -> InSweep | None:
    """What loggers call this job in its sweep; None outside a sweep."""
    if not HydraConfig.initialized():
        return None
    hydra_config, trial_of = HydraConfig.get(), agent()
    overrides, is_sweep = hydra_config.overrides.task, hydra_config.mode == RunMode.MULTIRUN
    if trial_of and is_sweep:
        raise UserError(
            f"wandb agent started this as one trial of its sweep {trial_of.sweep_id}, but it is a sweep by itself: "
            "leave out sweep=..., -m and lists of values, and give what varies as parameters of the sweep's YAML file"
        )
    if trial_of:
        return in_sweep(overrides, trial_of.parameters or None, choices, trial_of.sweep_id)
    return in_sweep(overrides, config["sweep"]["varied"], choices) if is_sweep else None
