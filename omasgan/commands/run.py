"""`task=run`: train and evaluate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from omasgan.sweeps.criterion import Criterion, criterion
from omasgan.sweeps.trial import Trial, open_trial
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
        The mean of the sweep's objective over the classes, by default of the AUROC of the detector's score; None where
        the test data have no known anomaly.

    Raises
    ------
    HeldError
        Where another process is running some of the runs; the others are finished first.
    UserError
        Where the configuration or the data are wrong, or training diverges.
    """
    config = check(cfg)
    loggers(config["logger"])  # so that a missing package of a logger is reported before the data are read
    wanted = criterion(config["sweep"]["objective"], choices["protocol"])
    dataset = build.dataset(config)
    config["protocol"] = _by_name(config, dataset.class_names)
    trial = open_trial(config["search"], choices["protocol"])
    every = build.protocol(config).classes(dataset.class_names)
    with as_trial(Job(config, identity_of(cfg), choices, folder, _sweep(config, choices))) as job:
        return _run(job, dataset, every, trial, wanted)


def _run(
    whole: Job, dataset: Dataset, every: Sequence[Protocol], trial: Trial | None, wanted: Criterion
) -> float | None:
    """Make the run of each class and print the table; see `run`."""
    jobs = _jobs(whole, every, dataset.class_names)
    runs: dict[str, Metrics] = {}
    for name, metrics in _results(jobs, dataset):
        runs[name] = metrics
        tell(whole, runs)
        if trial is not None and trial.hopeless(len(runs), len(jobs), wanted.mean(runs)):
            log.info("pruned: other trials were better after %d of %d classes", len(runs), len(jobs))
            return wanted.mean(runs)
    runs = {name: runs[name] for name in jobs}
    role, _ = class_of(next(iter(jobs.values()))[0].config["protocol"])
    if len(jobs) > 1:
        summary.write(whole.folder, runs, role, whole.config["baselines"], whole)
    if all(runs.values()):
        print(summary.text(runs, role or "data", whole.config["baselines"], whole.split, whole.pretrained))
    else:
        print("the test data have no known anomaly, so there are scores but no metrics")
    print(f"scores, metrics and plots: {whole.folder}")
    return wanted.mean(runs) if all(runs.values()) else None


def _jobs(whole: Job, every: Sequence[Protocol], names: Sequence[str]) -> dict[str, tuple[Job, Protocol]]:
    """The run of each class by the name of the class; that of the data set where the protocol has no class."""
    found = {}
    for protocol in every:
        job = _of_class(whole, protocol, names) if len(every) > 1 else whole
        found[class_of(job.config["protocol"])[1] or whole.choices["dataset"]] = job, protocol
    return found


def _results(jobs: Mapping[str, tuple[Job, Protocol]], dataset: Dataset) -> Iterator[tuple[str, Metrics]]:
    """Make all runs, and those that another process is running once more after the others.

    Yields
    ------
    tuple of str and Metrics
        The name of a class and the metrics of its run.

    Raises
    ------
    HeldError
        Where another process is still running some of them; all others are finished by then.
    """
    waiting = list(jobs)
    while waiting:
        held: dict[str, HeldError] = {}
        for name in waiting:
            job, protocol = jobs[name]
            if len(jobs) > 1:
                role = class_of(job.config["protocol"])[0]
                log.info("%d of %d: %s %s", list(jobs).index(name) + 1, len(jobs), role, name)
            try:
                metrics = pipeline.run(job, dataset, protocol)
            except HeldError as error:
                held[name] = error
                continue
            yield name, metrics
        if len(held) == len(waiting):
            raise held[waiting[0]]
        waiting = list(held)


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
