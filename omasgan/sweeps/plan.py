"""What a sweep or a run is going to do, and how long that takes: `task=plan`."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from omasgan.configuration.classes import known_names, number_of_runs
from omasgan.configuration.identity import canonical
from omasgan.runs import folder as runs
from omasgan.runs.folder import State
from omasgan.sweeps.jobs import ABSENT, SweepJob, plan
from omasgan.text import duration, table

PLAN = "plan"
"""The value of `task` for which a sweep is planned and not carried out."""

SAMPLE = 50
"""Number of finished runs from which a time is estimated, at most."""


@dataclass(frozen=True)
class Work:
    """What is left of a job.

    Attributes
    ----------
    runs
        Number of its runs that are not finished; None where it has a run for each class and these are not known yet.
    like
        What runs share that take about the same time: the data set, the detector, and the budget as text.
    """

    runs: int | None
    like: tuple[str, str, str]


def work_of(job: SweepJob, cfg: DictConfig) -> Work:
    """What is left of a job, given its composed configuration with Hydra's node."""
    number = number_of_runs(cfg.protocol, len(known_names(cfg.dataset, cfg.abnormal_dataset)))
    parts = [runs.state(part) for part in runs.find(job.folder)] if job.folder else []
    choices = cfg.hydra.runtime.choices
    budget = canonical(OmegaConf.to_container(cfg.budget, resolve=True))
    left = None if number is None else max(number - parts.count(State.DONE), 1)
    return Work(left, (str(choices.dataset), str(choices.detector), budget))


def seconds_of_finished(top: Path, like: tuple[str, str, str]) -> list[float]:
    """The seconds that some finished runs took with the same data set, detector and budget; at most `SAMPLE`."""
    dataset, detector, budget = like
    folders = itertools.chain.from_iterable(map(runs.find, sorted(top.glob(f"{dataset}_*"))))
    found = (_seconds(folder) for folder in folders if _is_like(folder, detector, budget))
    return list(itertools.islice((seconds for seconds in found if seconds), SAMPLE))


def _is_like(folder: Path, detector: str, budget: str) -> bool:
    choices = runs.read(folder / runs.PROVENANCE).get("choices") or {}
    is_done = (folder / runs.METRICS).exists()
    return is_done and choices.get("detector") == detector and canonical(runs.config_of(folder).get("budget")) == budget


def _seconds(folder: Path) -> float:
    return sum(float(value) for value in runs.read(folder / runs.METRICS).get("seconds", {}).values())


def job_table(jobs: Sequence[SweepJob], states: Sequence[State]) -> str:
    """The table of all jobs with what is going to be done with each, and a line of counts."""
    words = {**ABSENT, State.RUNNING: "running elsewhere"}
    rows = [[job.label, words[state], str(job.folder)] for job, state in zip(jobs, states, strict=True)]
    return f"{table(rows, ['job', 'state', 'folder'])}\n{plan(states)}"


def time_line(works: Sequence[Work], top: Path, parallel: int, at_most: bool = False) -> str:
    """The estimated time of what is left.

    Parameters
    ----------
    works
        What is left of each job that is not finished.
    top
        The folder `runs`.
    parallel
        The number of jobs at a time.
    at_most
        Whether some of the work may be saved, as by pruning.

    Returns
    -------
    str
        From the median of the finished runs with the same data set, detector and budget, where there are any.
    """
    if not works:
        return "nothing is left to do"
    known = {like: seconds_of_finished(top, like) for like in dict.fromkeys(work.like for work in works)}
    lacking = dict.fromkeys(work.like[:2] for work in works if not known[work.like])
    if lacking:
        which = ", ".join(f"{dataset} with {detector}" for dataset, detector in lacking)
        return f"estimated time: not known, because no run of {which} with this budget is finished"
    if any(work.runs is None for work in works):
        return "estimated time: not known, because the number of classes is known only once the data are loaded"
    total = sum((work.runs or 0) * statistics.median(known[work.like]) for work in works)
    number = sum(work.runs or 0 for work in works)
    source = sum(map(len, known.values()))
    runs_left, finished = (f"{count} run{'s' * (count != 1)}" for count in (number, source))
    several = f", {parallel} jobs at a time" if parallel > 1 else ""
    time = duration(total / min(parallel, len(works)))
    how = f"training and scoring, median of {finished} with the same budget"
    return f"estimated time: {'at most ' * at_most}{time} for {runs_left}{several} ({how})"
