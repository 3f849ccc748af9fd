"""Every combination of values: what is finished is skipped, the interrupted goes on, the failed is tried again."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from omasgan.configuration.explain import explain
from omasgan.errors import UserError
from omasgan.runs.folder import State
from omasgan.sweeps import jobs as books

log = logging.getLogger("omasgan")


def sweep(
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    params: Mapping[str, Any],
    arguments: Sequence[str],
    batch: int | None = None,
) -> list[JobReturn]:
    """Run the jobs that are not finished, `batch` at once (None: all of them), then print what became of each.

    Raises UserError where one failed or was interrupted. Jobs that another process runs meanwhile are its own: they are
    told, and are no failure of this sweep.
    """
    jobs = books.listed(context, config, books.parse(context, params, arguments))
    before = [job.state() for job in jobs]
    if config.task == "run":
        log.info("%s", books.plan(before))
    chosen = [place for place, state in enumerate(before) if state not in (State.DONE, State.RUNNING)]
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task_function, config=config
    )
    returns: list[JobReturn] = []
    broken = ""
    # Jobs of the basic launcher draw bars of their own, one below the other.
    bar = None if config.hydra.runtime.choices["hydra/launcher"] == "pool" else False
    with books.watched([jobs[place] for place in chosen], bar):
        try:
            for start in range(0, len(chosen), batch or len(chosen) or 1):
                part = chosen[start : start + (batch or len(chosen))]
                returns += launcher.launch([list(jobs[place].overrides) for place in part], initial_job_idx=start)
        except Exception as error:  # slurm's launcher raises where a job of it was killed; the folders tell the rest
            log.error("the launcher stopped: %s", explain(error))
            broken = explain(error)

    results = dict(zip(chosen, returns, strict=False))
    outcomes = [books.outcome(job, before[place], results.get(place)) for place, job in enumerate(jobs)]
    print(books.report(jobs, outcomes))
    wrong = [what for what, _ in outcomes if what in ("failed", "interrupted")]
    if wrong or broken:
        where = " (run.log and failed.json of each say why)" if "failed" in wrong else ""
        raise UserError(f"{len(wrong)} of {len(jobs)} jobs did not end well{where}: the same command goes on with them")
    return returns
