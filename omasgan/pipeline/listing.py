"""What loggers list a run under: its name, group, job type and tags, and its configuration with its provenance."""

from __future__ import annotations

import re
import shlex
from typing import Any

from omasgan.configuration.classes import class_folder, class_of
from omasgan.configuration.sweep_names import weights_of
from omasgan.pipeline.job import Job
from omasgan.runs import folder as runs
from omasgan.runs.logger import Identity
from omasgan.runs.provenance import provenance

LEFT_OUT = frozenset({"task", "score", "export", "clean", "report", "sweep"})
"""Settings that have nothing to do with a run."""

PROVENANCE = ("omasgan", "commit", "dirty", "torch", "device", "reused_from", "reused_stages")
"""Entries of a run's record that belong to its configuration; the last two name the run that trained some stages."""


def identity(job: Job) -> Identity:
    """The name, group, job type, tags and notes of a run.

    In a sweep, the name begins with the settings that differ from the other jobs.
    """
    names = [job.choices[group] for group in ("dataset", "protocol", "detector", "architecture", "divergence")]
    ablation = job.choices["ablation"]
    which = class_folder(job.config["protocol"])
    seed = f"seed_{job.config['seed']}"
    dataset, protocol, detector = names[:3]
    kind = detector if ablation == "none" else f"{detector}_{ablation}"
    first = job.sweep.differs if job.sweep else f"{dataset} {protocol} {detector}"
    return Identity(
        name=" ".join(part for part in (first, which, seed) if part),
        group=group(job),
        job_type=kind,
        tags=tuple(tag for tag in (*names, which, seed, ablation, *weights_of(job.config)) if tag and tag != "none"),
        notes=shlex.join(map(str, _record(job).get("command", ()))),
        part=job.part,
    )


def group(job: Job) -> str:
    """The name of the group of a run: that given for W&B, its sweep, or the runs that differ only in seed and class."""
    given = (job.config["logger"].get("wandb") or {}).get("group")
    names = [job.choices[group] for group in ("dataset", "protocol", "detector")]
    return given or (job.sweep.name if job.sweep else f"{'_'.join(names)}-{job.identity}")


def configuration(job: Job) -> dict[str, Any]:
    """The resolved configuration of a run, the chosen option of each group, its split and class, and its provenance."""
    record = _record(job)
    return {
        **{key: value for key, value in job.config.items() if key not in LEFT_OUT},
        "choices": {
            group: None if option == "None" else option
            for group, option in job.choices.items()
            if not re.search("[/@]", group)
        },
        "split": job.split,
        "class": class_of(job.config["protocol"])[1],
        "folder": str(job.folder.resolve()),
        **{key: record[key] for key in PROVENANCE if key in record},
    }


def _record(job: Job) -> dict[str, Any]:
    """The provenance of a run; of a job over several classes that of its first run, or of a run that begins now."""
    folder = next(runs.find(job.folder), job.folder)
    record = runs.read(folder / runs.PROVENANCE) or provenance()
    own = () if folder == job.folder else ("reused_from", "reused_stages")
    return {key: value for key, value in record.items() if key not in own}
