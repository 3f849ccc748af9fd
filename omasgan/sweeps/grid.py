"""The grid sweep: run every combination of values; skip finished jobs, resume interrupted ones, retry failed ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from omasgan.configuration.explain import explain
from omasgan.errors import UserError
from omasgan.runs.folder import State
from omasgan.sweeps import jobs as books
from omasgan.sweeps.conclusion import conclude
from omasgan.sweeps.final_command import final_command
from omasgan.sweeps.plan import PLAN, job_table, time_line, work_of
from omasgan.sweeps.watch import watched

log = logging.getLogger("omasgan")


def sweep(
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    params: Mapping[str, Any],
    arguments: Sequence[str],
    batch: int | None = None,
) -> list[JobReturn]:
    """Run the jobs that are not finished, then print how each job ended.

    Jobs that another process is running are left to it and reported; they do not count as failures.

    Parameters
    ----------
    context, task_function, config
        See Hydra's `Sweeper.setup`.
    params
        Overrides of the sweep's definition.
    arguments
        Overrides of the command line, which take precedence.
    batch
        Number of jobs that are passed to the launcher at a time; None passes all at once.

    Raises
    ------
    UserError
        Where a job failed or was interrupted, or the overrides are wrong.
    KeyboardInterrupt
        After Ctrl-C, once the table is printed.
    """
    overrides = books.parse(context, params, arguments)
    if config.task == PLAN:
        del overrides["task"]
    jobs = books.listed(context, config, overrides)
    before = [job.state() for job in jobs]
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task_function, config=config
    )
    if config.task == PLAN:
        print(_plan(context, config, jobs, before, launcher))
        return []
    if config.task == "run":
        log.info("%s", books.plan(before))
    chosen = [place for place, state in enumerate(before) if state not in (State.DONE, State.RUNNING)]
    left = [jobs[place] for place in chosen]
    _refuse_common_fault(context, config, left)
    returns, stopped = _launched(launcher, config, left, batch)
    results = dict(zip(chosen, returns, strict=False))
    outcomes = [books.outcome(job, before[place], results.get(place)) for place, job in enumerate(jobs)]
    print(books.report(jobs, outcomes))
    command = partial(final_command, context, config, overrides)
    if text := conclude(jobs, Path(config.hydra.sweep.dir), config.sweep.objective, command):
        print(f"\n{text}")
    _raise_if_unfinished([what for what, _ in outcomes], stopped)
    return returns


def _raise_if_unfinished(endings: Sequence[str], stopped: BaseException | None) -> None:
    """Raise the Ctrl-C that stopped the launcher, or the error that some jobs did not finish."""
    if isinstance(stopped, KeyboardInterrupt):
        raise stopped
    wrong = [what for what in endings if what in ("failed", "interrupted", "not begun")]
    if wrong or stopped:
        where = " (run.log and failed.json of each say why)" if "failed" in wrong else ""
        raise UserError(
            f"{len(wrong)} of {len(endings)} jobs did not finish{where}: run the same command again to continue them"
        )


def _refuse_common_fault(context: HydraContext, config: DictConfig, jobs: Sequence[books.SweepJob]) -> None:
    """Raise the fault that the configurations of all jobs have, which is in a setting that does not vary.

    The first and the last job differ in every setting that varies.
    """
    faults = [books.fault(context, config, job.overrides) for job in (jobs[0], jobs[-1])] if jobs else []
    if faults and faults[0] and str(faults[0]) == str(faults[1]):
        raise faults[0]


def _plan(
    context: HydraContext, config: DictConfig, jobs: Sequence[books.SweepJob], states: Sequence[State], launcher: Any
) -> str:
    """What the sweep would do, and how long that would take."""
    left = [job for job, state in zip(jobs, states, strict=True) if state not in (State.DONE, State.RUNNING)]
    works = [work_of(job, context.config_loader.load_sweep_config(config, list(job.overrides))) for job in left]
    parallel = getattr(launcher, "parallel", lambda: 1)()
    return f"{job_table(jobs, states)}\n{time_line(works, Path(config.hydra.sweep.dir), parallel)}"


def _launched(
    launcher: Any, config: DictConfig, jobs: Sequence[books.SweepJob], batch: int | None
) -> tuple[list[JobReturn], BaseException | None]:
    """Run the jobs; how each ended, and what stopped the launcher before the last one did, if anything."""
    choice = config.hydra.runtime.choices["hydra/launcher"]
    returns: list[JobReturn] = []
    # Jobs of the basic launcher draw progress bars of their own in this terminal.
    bar = None if choice == "pool" else False
    try:
        with watched(jobs, bar, local=choice in ("basic", "pool")):
            for start in range(0, len(jobs), batch or len(jobs) or 1):
                part = jobs[start : start + (batch or len(jobs))]
                returns += launcher.launch([list(job.overrides) for job in part], initial_job_idx=start)
    except KeyboardInterrupt as error:
        return returns, error
    except Exception as error:  # slurm's launcher raises where a job was killed; the folders show how each ended
        log.error("the launcher stopped: %s", explain(error))
        return returns, error
    return returns, None
