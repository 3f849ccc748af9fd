"""A job as the trial of a W&B sweep, if `wandb agent` started this program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from omasgan.pipeline import listing
from omasgan.pipeline.job import Job, Metrics
from omasgan.pipeline.summary import AVERAGED, means
from omasgan.runs.logger import loggers
from omasgan.runs.record import open_record
from omasgan.runs.wandb import WandbLogger
from omasgan.runs.wandb_trial import FOLDER, TrialLogger, agent


@contextmanager
def as_trial(job: Job) -> Iterator[Job]:
    """Open the W&B run of the trial; yield the job, whose runs then log to it instead of to W&B runs of their own.

    Parameters
    ----------
    job
        The job, which is yielded unchanged if no agent started this program or no logger is W&B's.
    """
    started_by = agent()
    settings = [each for each in loggers(job.config["logger"]) if isinstance(each, WandbLogger)]
    if started_by is None or not settings or settings[0].mode == "disabled":
        yield job
        return
    place = job.folder / FOLDER / started_by.run_id
    opener = TrialLogger(settings[0], started_by)
    with open_record(place, listing.identity(job), listing.configuration(job), [opener]) as record:
        yield replace(job, trial=record)


def tell(job: Job, runs: Mapping[str, Metrics]) -> None:
    """Add the mean metrics of the classes so far to the trial, if there is one, so that its sweep can stop it."""
    if job.trial is None or not all(runs.values()):
        return
    values = {f"{metric}/{term}": mean for metric in AVERAGED for term, mean in means(runs, metric).items()}
    job.trial.scalars(job.split, len(runs), values)  # W&B's keys are those of `metric_key`
