"""The jobs of a sweep: their overrides, folders and states, and the table of how they ended."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from omasgan.configuration.checks import check
from omasgan.configuration.explain import explain, is_users
from omasgan.configuration.identity import chosen_only
from omasgan.errors import UserError
from omasgan.runs import folder as runs
from omasgan.runs.folder import State
from omasgan.runs.lock import OWNER, HeldError, owner, started_here, starter
from omasgan.sweeps.criterion import criterion
from omasgan.text import figures, shortened, table

SHOWN = 20
"""Largest number of jobs of which all are listed at the end."""

NOTE_LENGTH = 80
"""Number of characters of a note, at most."""

ABSENT = {State.DONE: "finished", State.INTERRUPTED: "to resume", State.FAILED: "to retry", State.NEW: "new"}
"""The words for the states of jobs in the plan of a sweep that starts; jobs that are running are counted apart."""

ENDINGS = ("done", "skipped", "failed", "interrupted", "not begun", "elsewhere")
"""How a job can end for a sweep; 'elsewhere' is a job that another process took."""

ALWAYS_TOLD = ("done", "skipped", "failed", "interrupted")
"""The endings that are counted even where there is none."""


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep.

    Parameters
    ----------
    overrides
        All overrides of the job.
    folder
        The job's folder; None for a task that makes no run.
    values
        The values of the keys that differ between jobs.
    baselines
        The configured baselines of its runs.
    """

    overrides: tuple[str, ...]
    folder: Path | None
    values: Mapping[str, str]
    baselines: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The overrides that differ between jobs."""
        return " ".join(f"{key}={value}" for key, value in self.values.items()) or "the one job"

    def here(self) -> bool:
        """Whether this process, or one that it started, is running a part of the job."""
        return self.folder is not None and any(map(started_here, [self.folder, *runs.find(self.folder)]))

    def finished_here(self) -> bool:
        """Whether this process, or one that it started, finished a part of the job; true if no process is noted."""
        parts = [] if self.folder is None else runs.find(self.folder)
        return not parts or any(runs.finished_by(part) in (None, starter()) for part in parts)

    def state(self) -> State:
        """The state of the job's folder; a finished run that lacks a baseline counts as interrupted."""
        if self.folder is None:
            return State.NEW
        state = runs.job_state(self.folder)
        if state == State.DONE and any(runs.lacking_baselines(part, self.baselines) for part in runs.find(self.folder)):
            return State.INTERRUPTED
        return state


def parse(context: HydraContext, params: Mapping[str, Any], arguments: Sequence[str]) -> dict[str, Override]:
    """The overrides of a sweep by key; those of the command line take precedence over those of its definition."""
    given = [*(f"{key}={value}" for key, value in params.items()), *arguments]
    parser = OverridesParser.create(config_loader=context.config_loader)
    return {override.get_key_element(): override for override in parser.parse_overrides(given)}


def combinations(overrides: Mapping[str, Override]) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Every combination of values.

    Yields
    ------
    tuple of tuple of str and dict of str to str
        The overrides of a job, and its values of the keys with several values.

    Raises
    ------
    UserError
        For a range to search, which has no list of values.
    """
    choices: list[list[tuple[str, str]]] = []
    for key, override in overrides.items():
        if override.is_sweep_override():
            if not override.is_discrete_sweep():
                raise UserError(
                    f"{override.input_line} is a range to search, but a grid needs values: give them as {key}=1,2,3"
                )
            choices.append([(key, value) for value in override.sweep_string_iterator()])
        else:
            choices.append([(key, override.get_value_element_as_str())])
    for chosen in itertools.product(*choices):
        several = {key: value for key, value in chosen if overrides[key].is_sweep_override()}
        yield tuple(f"{key}={value}" for key, value in chosen), several


NUMBER = re.compile(r"\$\{hydra[.:]job\.num\}")
"""The number of a job in an override."""


def job_of(
    context: HydraContext, config: DictConfig, overrides: Sequence[str], values: Mapping[str, str], number: int
) -> SweepJob:
    """The job with these overrides, which are composed; its objective is checked.

    A launcher that continues a sweep numbers its jobs from 0 again. The overrides of the job hold the number that it
    has in the whole sweep instead, and the folder that follows from it.
    """
    numbered = [NUMBER.sub(str(number), override) for override in overrides]
    cfg = context.config_loader.load_sweep_config(config, numbered)
    if cfg.task != "run":
        return SweepJob(tuple(numbered), None, values)
    criterion(cfg.sweep.objective, str(cfg.hydra.runtime.choices.protocol))
    subdir = _subdir(cfg, number)
    baselines = chosen_only(OmegaConf.to_container(cfg.baselines, resolve=True))
    folder = Path(cfg.hydra.sweep.dir).absolute() / subdir
    return SweepJob((*numbered, f"hydra.sweep.subdir={quoted(subdir)}"), folder, values, baselines)


def fault(context: HydraContext, config: DictConfig, overrides: Sequence[str]) -> Exception | None:
    """The user's error in the configuration that these overrides make; None where there is none."""
    try:
        cfg = context.config_loader.load_sweep_config(config, list(overrides))
        with _as_job(cfg, 0), open_dict(cfg):
            del cfg["hydra"]  # a job's configuration does not have it
            check(cfg)
    except Exception as error:
        if is_users(error):
            return error
        raise
    return None


def _subdir(cfg: DictConfig, number: int) -> str:
    """`hydra.sweep.subdir` of a job with its number."""
    with _as_job(cfg, number):
        return str(cfg.hydra.sweep.subdir)


@contextmanager
def _as_job(cfg: DictConfig, number: int) -> Iterator[None]:
    """Give a job's configuration the number of the job, and let it refer to Hydra's settings as ${hydra:...}."""
    with open_dict(cfg):
        cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(cfg)
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before


def listed(context: HydraContext, config: DictConfig, overrides: Mapping[str, Override]) -> list[SweepJob]:
    """The jobs of a grid without duplicates; all are composed here, so that a wrong one raises before any begins."""
    found: dict[object, SweepJob] = {}
    for chosen, values in combinations(overrides):
        job = job_of(context, config, (*chosen, varying(overrides)), values, len(found))
        found.setdefault(job.folder or chosen, job)
    return list(found.values())


def varying(overrides: Mapping[str, Override]) -> str:
    """The override that tells a job which keys differ between the jobs of its sweep."""
    keys = [key.lstrip("+~") for key, override in overrides.items() if override.is_sweep_override()]
    return f"sweep.varied=[{','.join(map(quoted, keys))}]"


def quoted(text: str) -> str:
    """A text, quoted as the value of an override."""
    return QuotedString(text, Quote.double).with_quotes()


def plan(states: Sequence[State]) -> str:
    """What a sweep is going to do, such as '12 jobs: 7 finished, 2 to resume, 1 to retry, 2 new'."""
    counts = Counter(states)
    parts = [f"{counts[state]} {meaning}" for state, meaning in ABSENT.items()]
    if counts[State.RUNNING]:
        parts.append(f"{counts[State.RUNNING]} running elsewhere")
    return f"{len(states)} jobs: {', '.join(parts)}"


def outcome(job: SweepJob, before: State, result: JobReturn | None) -> tuple[str, str]:
    """How a job ended, and why, once the sweep has ended.

    Parameters
    ----------
    job
        The job.
    before
        Its state when the sweep started.
    result
        What the launcher returned for it; None where the launcher returned nothing.

    Returns
    -------
    tuple of str
        One of `ENDINGS`, and the reason or ''.
    """
    if before == State.DONE:
        return "skipped", "already finished"
    error = result._return_value if result is not None and result.status == JobStatus.FAILED else None
    after = job.state()
    if job.folder is None:
        after = State.FAILED if error or result is None else State.DONE
    if before == State.RUNNING or isinstance(error, HeldError) or after == State.RUNNING:
        return "elsewhere", "finished there" if after == State.DONE else _holder(job)
    if after == State.DONE:
        return ("done", "") if job.finished_here() else ("skipped", "finished by another process")
    told = explain(error) if isinstance(error, BaseException) else ""
    if after == State.FAILED and job.folder is not None:
        told = told or str(runs.read(job.folder / runs.FAILED).get("error", ""))
    return {State.FAILED: "failed", State.NEW: "not begun"}.get(after, "interrupted"), told


def report(jobs: Sequence[SweepJob], outcomes: Sequence[tuple[str, str]]) -> str:
    """The table of the jobs and their outcomes, with a line of counts below it.

    Of more than `SHOWN` jobs, those that are finished are left out; what they found is in the table of the settings.
    """
    rows = []
    for job, (what, why) in zip(jobs, outcomes, strict=True):
        if len(jobs) <= SHOWN or what not in ("done", "skipped"):
            figure = runs.main_figure(job.folder) if job.folder else None
            name, value = (figure[0], figures(figure[1])) if figure else ("-", "-")
            rows.append([job.label, what, name, value, shortened(" ".join(why.split()), NOTE_LENGTH)])
    counts = Counter(what for what, _ in outcomes)
    words = ", ".join(f"{counts[kind]} {kind}" for kind in ENDINGS if counts[kind] or kind in ALWAYS_TOLD)
    lines = [table(rows, ["job", "state", "figure", "value", "note"])] if rows else []
    return "\n".join([*lines, f"{len(jobs)} jobs: {words}"])


def _holder(job: SweepJob) -> str:
    if job.folder is None:
        return ""
    folders = [job.folder, *runs.find(job.folder)]
    return next((f"process {owner(f)}" for f in folders if (f / OWNER).exists()), "")
