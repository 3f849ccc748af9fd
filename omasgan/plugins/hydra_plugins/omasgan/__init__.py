"""The Hydra plugins of omasgan.

Every Hydra program imports all installed plugins, so these only refer to the code in `omasgan.sweeps`, which is
imported when one of them is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Pool(Launcher):
    """A launcher that runs each job in a process of its own; see `omasgan.sweeps.pool`.

    Parameters
    ----------
    jobs
        Number of jobs at a time; None for one per GPU or, without GPUs, per core up to a limit.
    threads
        Number of threads of each job; None divides the cores between the jobs.
    """

    def __init__(self, jobs: int | None = None, threads: int | None = None) -> None:
        self.jobs = jobs
        self.threads = threads

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See Hydra."""
        self._given = hydra_context, task_function, config

    def parallel(self) -> int:
        """The number of jobs at a time."""
        from omasgan.sweeps import pool

        return pool.settings(self.jobs, self.threads).jobs

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """See Hydra."""
        from omasgan.sweeps import pool

        settings = pool.settings(self.jobs, self.threads)
        return pool.launch(settings, *self._given, job_overrides, initial_job_idx)


class Grid(Sweeper):
    """A sweeper that runs every combination of values; see `omasgan.sweeps.grid`.

    Parameters
    ----------
    max_batch_size
        Number of jobs that are passed to the launcher at a time; None passes all at once.
    params
        Overrides of the sweep's definition.
    """

    def __init__(self, max_batch_size: int | None = None, params: Mapping[str, Any] | None = None) -> None:
        self._batch = max_batch_size
        self._params = dict(params or {})

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See Hydra."""
        self._given = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """See Hydra."""
        from omasgan.sweeps import grid

        return [grid.sweep(*self._given, self._params, arguments, self._batch)]


class Search(Sweeper):
    """A sweeper for Bayesian search with pruning; see `omasgan.sweeps.search`.

    Parameters
    ----------
    trials, seed, parallel, startup_trials
        See `omasgan.sweeps.study.Options`.
    params
        Overrides of the sweep's definition.
    """

    def __init__(
        self, trials: int, seed: int, parallel: int | None, startup_trials: int, params: Mapping[str, Any] | None = None
    ) -> None:
        self._options = trials, seed, parallel, startup_trials
        self._params = dict(params or {})

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See Hydra."""
        self._given = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """See Hydra."""
        from omasgan.sweeps import search
        from omasgan.sweeps.study import Options

        return [search.sweep(*self._given, Options(*self._options), self._params, arguments)]
