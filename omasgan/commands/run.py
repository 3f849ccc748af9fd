"""`task=run`: train and evaluate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from omasgan.configuration.checks import check
from omasgan.configuration.identity import class_folder, class_of, identity_of, sweep_name
from omasgan.pipeline import build, classes
from omasgan.pipeline import run as pipeline
from omasgan.pipeline.run import Job, Metrics
from omasgan.runs.lock import HeldError
from omasgan.runs.logger import loggers
from omasgan.sweeps import search
from omasgan.training.progress import log


def run(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> float | None:
    """Train and evaluate on the protocol's class, or on each in turn, and print the table.

    Returns the mean AUROC of the detector's score over the classes; None where the test data holds no known anomaly.
    """
    config = check(cfg)
    loggers(config["logger"])  # one whose package is missing is told of before the data are read
    identity = identity_of(cfg)
    dataset = build.dataset(config)
    whole = build.protocol(config)
    trial = search.open_trial(config["search"], choices["protocol"])
    sweep = _sweep(choices)
    runs: dict[str, Metrics] = {}
    held: HeldError | None = None
    every = whole.classes(dataset.class_names)
    for number, protocol in enumerate(every, 1):
        node = {**config["protocol"], **(vars(protocol) if len(every) > 1 else {})}
        role, name = class_of(node)
        if len(every) > 1:
            log.info("%d of %d: %s %s", number, len(every), role, name)
        place = folder / class_folder(node) if len(every) > 1 else folder
        job = Job({**config, "protocol": node}, identity, choices, place, sweep)
        try:
            runs[name or choices["dataset"]] = pipeline.run(job, dataset, protocol)
        except HeldError as error:
            held = error
            continue
        if trial is not None and trial.hopeless(number, classes.mean_auroc(runs)):
            log.info("given up: other trials were better after %d of %d classes", number, len(every))
            return classes.mean_auroc(runs)
    if held:
        raise held  # once there is nothing left for this process to do
    if len(every) > 1:
        whole_job = Job(config, identity, choices, folder, sweep)
        classes.write(folder, runs, role, config["floors"], whole_job)
    if all(runs.values()):
        print(classes.text(runs, role or "data", config["floors"]))
    else:
        print("the test data holds no anomaly that is known, so there are scores and no metrics")
    print(f"scores, metrics and plots: {folder}")
    return classes.mean_auroc(runs) if all(runs.values()) else None


def _sweep(choices: Mapping[str, str]) -> str | None:
    """What the sweep that this job is part of is called, if it is part of one."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return sweep_name(HydraConfig.get().overrides.task, choices)
