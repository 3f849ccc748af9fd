"""The jobs of a sweep: from overrides to folders and states, how far they are, and the table of what became of them."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from omasgan.configuration.explain import explain
from omasgan.errors import UserError
from omasgan.runs import folder as runs
from omasgan.runs.folder import State
from omasgan.runs.lock import OWNER, HeldError, owner
from omasgan.text import figures, shortened, table
from omasgan.training.progress import progress

log = logging.getLogger("omasgan")

LOOK_EVERY = 1.0
"""Seconds between two looks at the folders, at least."""

LOOKING = 0.05
"""The share of the time that is spent on looking, at most: a thousand jobs on a slow disk take a while."""

NOTE_LENGTH = 80

ABSENT = {State.DONE: "finished", State.INTERRUPTED: "to resume", State.FAILED: "to retry", State.NEW: "new"}
"""What a job's state means to a sweep that starts."""


@dataclass(frozen=True)
class SweepJob:
    """One job. folder: its run's, None for a task that makes no run; label: the overrides that tell jobs apart.

    baselines: what its run is to be compared to.
    """

    overrides: tuple[str, ...]
    folder: Path | None
    label: str
    baselines: Mapping[str, Any] = field(default_factory=dict)

    def state(self) -> State:
        """How far it is, by its folder; a finished run that lacks a baseline is to be resumed."""
        if self.folder is None:
            return State.NEW
        state = runs.job_state(self.folder)
        if state == State.DONE and any(runs.lacking_baselines(part, self.baselines) for part in runs.find(self.folder)):
            return State.INTERRUPTED
        return state


def parse(context: HydraContext, params: Mapping[str, Any], arguments: Sequence[str]) -> dict[str, Override]:
    """The overrides of a sweep by key: the definition's, then those of the command line, which win."""
    given = [*(f"{key}={value}" for key, value in params.items()), *arguments]
    parser = OverridesParser.create(config_loader=context.config_loader)
    return {override.get_key_element(): override for override in parser.parse_overrides(given)}


def combinations(overrides: Mapping[str, Override]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every combination of values, with a label. Raises UserError for what is no list of values."""
    choices: list[list[str]] = []
    varied = []
    for key, override in overrides.items():
        if override.is_sweep_override():
            if not override.is_discrete_sweep():
                raise UserError(f"{override.input_line} is a range to search: a grid takes values, {key}=1,2,3")
            varied.append(len(choices))
            choices.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        else:
            choices.append([f"{key}={override.get_value_element_as_str()}"])
    for chosen in itertools.product(*choices):
        yield chosen, " ".join(chosen[place] for place in varied) or "the one job"


def listed(context: HydraContext, config: DictConfig, overrides: Mapping[str, Override]) -> list[SweepJob]:
    """The jobs of a grid, each run once. Raises what composing raises: nothing has begun then."""
    found: dict[object, SweepJob] = {}
    for chosen, label in combinations(overrides):
        folder: Path | None = None
        baselines: dict[str, Any] = {}
        cfg = context.config_loader.load_sweep_config(config, list(chosen))
        if cfg.task == "run":
            folder = Path(cfg.hydra.sweep.dir) / cfg.hydra.sweep.subdir
            baselines = cast(dict[str, Any], OmegaConf.to_container(cfg.baselines, resolve=True))
        found.setdefault(folder or chosen, SweepJob(chosen, folder, label, baselines))
    return list(found.values())


def plan(states: Sequence[State]) -> str:
    """'12 jobs: 7 finished, 2 to resume, 1 to retry, 2 new', and those that run elsewhere where there are any."""
    counts = Counter(states)
    parts = [f"{counts[state]} {meaning}" for state, meaning in ABSENT.items()]
    if counts[State.RUNNING]:
        parts.append(f"{counts[State.RUNNING]} running elsewhere")
    return f"{len(states)} jobs: {', '.join(parts)}"


@contextmanager
def watched(jobs: Sequence[SweepJob], enabled: bool | None) -> Iterator[None]:
    """Show how many of the jobs are done, running and failed, and the time left, whatever launches them.

    The folders tell, so that it is the same in one process, in many, and on other machines.
    """
    end = threading.Event()
    folders = [job.folder for job in jobs if job.folder is not None]
    failed_before = {folder for folder in folders if runs.job_state(folder) == State.FAILED}

    def watch() -> None:
        over: dict[Path, State] = {}
        with progress("sweep", len(folders), enabled=enabled, unit="job") as bar:
            pause = LOOK_EVERY
            while True:
                last = end.wait(pause)
                began = time.monotonic()
                now = {folder: over.get(folder) or runs.job_state(folder) for folder in folders}
                over.update({folder: state for folder, state in now.items() if state == State.DONE})
                failed_before.difference_update({f for f, state in now.items() if state == State.RUNNING})
                failed = sum(state == State.FAILED and folder not in failed_before for folder, state in now.items())
                running = sum(state == State.RUNNING for state in now.values())
                bar.update(len(over) + failed, {"done": len(over), "running": running, "failed": failed})
                if last:
                    return
                pause = max(LOOK_EVERY, (time.monotonic() - began) / LOOKING)

    thread = threading.Thread(target=watch, name="sweep progress", daemon=True)
    if folders:
        thread.start()
    try:
        yield
    finally:
        end.set()
        if folders:
            thread.join()


def outcome(job: SweepJob, before: State, result: JobReturn | None) -> tuple[str, str]:
    """(what became of the job, why), once the sweep has ended."""
    if before == State.DONE:
        return "skipped", "finished before"
    if before == State.RUNNING:
        return "elsewhere", _holder(job)
    error = result._return_value if result is not None and result.status == JobStatus.FAILED else None
    if isinstance(error, HeldError):
        return "elsewhere", explain(error)
    after = job.state()
    if job.folder is None:
        after = State.FAILED if error or result is None else State.DONE
    if after == State.DONE:
        return "done", ""
    if after == State.RUNNING:
        return "elsewhere", _holder(job)
    told = explain(error) if isinstance(error, BaseException) else ""
    if after == State.FAILED and job.folder is not None:
        told = told or str(runs.read(job.folder / runs.FAILED).get("error", ""))
    return ("failed" if after == State.FAILED else "interrupted"), told


def report(jobs: Sequence[SweepJob], outcomes: Sequence[tuple[str, str]]) -> str:
    """The table of all jobs, with a line of counts below it."""
    rows = []
    for job, (what, why) in zip(jobs, outcomes, strict=True):
        auroc = runs.main_auroc(job.folder) if job.folder is not None else None
        score = "-" if auroc is None else figures(auroc)
        rows.append([job.label, what, score, shortened(" ".join(why.split()), NOTE_LENGTH)])
    counts = Counter(what for what, _ in outcomes)
    kinds = ["done", "skipped", "failed", "interrupted", *(["elsewhere"] if counts["elsewhere"] else [])]
    words = ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
    return f"{table(rows, ['job', 'state', 'AUROC', 'note'])}\n{len(jobs)} jobs: {words}"


def _holder(job: SweepJob) -> str:
    if job.folder is None:
        return ""
    folders = [job.folder, *runs.find(job.folder)]
    return next((f"process {owner(f)}" for f in folders if (f / OWNER).exists()), "")
