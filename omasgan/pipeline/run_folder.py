"""What a run does with its folder before its first step: begin a new one, or check that it belongs to this run.

The lock of the folder is in `runs.lock`, the names of its files are in `runs.folder`.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import torch
from omegaconf import OmegaConf

from omasgan.configuration.classes import class_of, earlier
from omasgan.data.dataset import Dataset
from omasgan.data.protocols import IndexSplit
from omasgan.errors import UserError
from omasgan.files import make_folder, write_json, write_text
from omasgan.pipeline import listing
from omasgan.pipeline.job import Job
from omasgan.runs import folder as runs
from omasgan.runs import reuse
from omasgan.runs.provenance import provenance
from omasgan.training.stage import Workspace

log = logging.getLogger("omasgan")


def is_done(job: Job) -> bool:
    """Whether the run is finished and has the results of all configured baselines."""
    if _starts_anew(job):
        return False
    return (job.folder / runs.METRICS).exists() and not runs.lacking_baselines(job.folder, job.config["baselines"])


def _starts_anew(job: Job) -> bool:
    """Whether the folder holds an earlier run with the same option of `debug`.

    Such a run is never continued, because the code may have changed since.
    """
    before = runs.read(job.folder / runs.PROVENANCE).get("choices", {}).get("debug")
    return job.debug is not None and before == job.debug


def prepare(job: Job, dataset: Dataset, split: IndexSplit, workspace: Workspace) -> Job:
    """Write run.json of a new run before its first step, or check that the folder holds the run of this job.

    Parameters
    ----------
    job
        The run to be made.
    dataset, split
        Its data.
    workspace
        Its workspace.

    Returns
    -------
    Job
        The same job. For a finished run that lacks some baselines, a copy of the job, whose `baselines` are the ones
        that the run already has and the ones that are asked for.

    Raises
    ------
    UserError
        Where the folder belongs to a run with other settings or on other data, is damaged, or cannot be written.
    """
    if _starts_anew(job):
        runs.clear(job.folder)
    if not (job.folder / runs.PROVENANCE).exists():
        _begin(job, dataset, workspace)
        return job
    check(job, dataset, split)
    if not (job.folder / runs.METRICS).exists():
        return job
    wanted = job.config["baselines"]
    log.info("already finished except for %s", ", ".join(runs.lacking_baselines(job.folder, wanted)))
    return replace(job, config={**job.config, "baselines": {**runs.baselines_of(job.folder), **wanted}})


@contextmanager
def failure_noted(job: Job) -> Iterator[None]:
    """Remove the failed.json of an earlier attempt, and write a new one if an exception is raised inside."""
    failed = job.folder / runs.FAILED
    failed.unlink(missing_ok=True)
    try:
        yield
    except Exception as error:
        with suppress(UserError):
            write_json(failed, {"error": str(error), "traceback": traceback.format_exc()})
        raise


def _which(job: Job) -> dict[str, Any]:
    """What identifies a run, apart from its data."""
    name = class_of(job.config["protocol"])[1]
    return {"identity": job.identity, "seed": job.config["seed"], "class": name}


def check(job: Job, dataset: Dataset, split: IndexSplit) -> None:
    """Check that the folder holds a run of this configuration, trained on these data and, if finished, tested on them.

    Raises
    ------
    UserError
        Where the run or its data are others, or run.json is damaged.
    """
    record = job.folder / runs.PROVENANCE
    try:
        written = json.loads(record.read_text())
        wanted = _which(job)
        calls = {class_of(each)[1] for each in earlier(job.config["protocol"], dataset.class_names)}
        if written["class"] in calls:  # an earlier version called the same class by its index
            wanted["class"] = written["class"]
        other = [f"{key} {written[key]}, not {value}" for key, value in wanted.items() if written[key] != value]
        trained_on = written["data"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{record} is damaged: choose another folder, or delete this one") from None
    if other:
        raise UserError(
            f"{job.folder} holds a run with other settings ({', '.join(other)}; identity is a hash of the settings): "
            f"choose another folder, or delete this one; if you gave hydra.run.dir, leave it out instead"
        )
    data = {"training": (trained_on, dataset.train)}
    if tested_on := runs.read(job.folder / runs.METRICS).get("tested"):
        data["test"] = (tested_on, split.tested(dataset))
    for role, (known, samples) in data.items():
        if known != samples.digest:
            raise UserError(
                f"{job.folder} holds a run of other {role} data: samples or labels have since been added, changed or "
                f"removed; delete it, or keep it and choose another folder with runs=..."
            )


def _begin(job: Job, dataset: Dataset, workspace: Workspace) -> None:
    """Write run.json, and copy the stages that a finished run has trained with the same settings."""
    make_folder(job.folder / "checkpoints")
    write_config(job)
    arithmetic = {"device": workspace.device.type, "arithmetic": str(workspace.dtype or torch.float32)}
    made = {"data": dataset.train.digest, **arithmetic, **provenance()}
    source = None if job.debug else reuse.find(job.folder, job.identity, job.config, made)
    reused = {"reused_from": str(source.folder), "reused_stages": source.stages} if source else {}
    write_json(
        job.folder / runs.PROVENANCE,
        {**_which(job), **reused, "group": listing.group(job), "choices": dict(job.choices), **made},
    )
    if source:
        log.info("reuses %s of %s", ", ".join(source.stages), source.folder)
        reuse.copy_stages(source, job.folder)


def write_config(job: Job) -> None:
    """Write the resolved configuration of the run."""
    write_text(job.folder / runs.CONFIG, OmegaConf.to_yaml(OmegaConf.create(dict(job.config))))
