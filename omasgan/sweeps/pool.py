"""The launcher `pool`: one process for each job, a limited number at a time; a job that crashes does not affect others.

The processes are forked from a server that has already imported torch, so that a job starts quickly. They write to
run.log in their job's folder instead of the terminal, share cores and GPUs, and end whenever the sweep ends.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, cast

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, filter_overrides, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from omasgan.configuration.explain import explain
from omasgan.errors import UserError
from omasgan.runs.lock import HeldError

log = logging.getLogger("omasgan")

PRELOADED = ["omasgan.commands.run", "wandb", "matplotlib.backends.backend_agg"]
"""Modules that every job needs and that take seconds to import; none starts a thread, which would be lost in a fork."""

MOST_JOBS = 8
"""Default for the largest number of jobs at a time; each takes about a gigabyte of memory."""

GRACE = 5.0
"""Seconds between asking a job to end and killing it."""


@dataclass(frozen=True)
class Settings:
    """The resources of a pool.

    Parameters
    ----------
    jobs
        Number of jobs at a time.
    threads
        Number of threads of each job.
    gpus
        Number of GPUs to share between jobs whose device is 'auto' or 'cuda'.
    """

    jobs: int
    threads: int
    gpus: int = 0


@dataclass
class _Running:
    place: int
    process: ForkServerProcess
    results: Connection
    slot: int


def settings(jobs: int | None, threads: int | None) -> Settings:
    """The configured numbers of jobs and threads; for None, numbers that suit this machine.

    Raises
    ------
    UserError
        For a number below 1.
    """
    for name, value in (("jobs", jobs), ("threads", threads)):
        if value is not None and value < 1:
            raise UserError(f"hydra.launcher.{name} is {value}: it must be at least 1, or null to suit this machine")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    without_gpus = jobs or min(cores, MOST_JOBS)
    gpus = _count_gpus(threads or max(1, cores // without_gpus))
    jobs = jobs or gpus or without_gpus
    return Settings(jobs, threads or max(1, cores // jobs), gpus)


def launch(
    settings: Settings,
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
) -> list[JobReturn]:
    """Run the jobs; however this function ends, no process of a job is left running.

    Parameters
    ----------
    settings
        The resources.
    context, task_function, config
        See Hydra's `Launcher.setup`.
    job_overrides
        The overrides of each job.
    first
        Number of the first job.

    Returns
    -------
    list of JobReturn
        How each job ended, in the order of the jobs.
    """
    log.info("%d jobs, %d at a time, %d threads each", len(job_overrides), settings.jobs, settings.threads)
    server = _server(settings.threads)
    waiting = deque(range(len(job_overrides)))
    free = deque(range(settings.jobs))
    running: dict[int, _Running] = {}
    returns: dict[int, JobReturn] = {}
    shared = set.intersection(*map(set, job_overrides)) if len(job_overrides) > 1 else set()
    try:
        while waiting or running:
            while waiting and free:
                place, slot = waiting.popleft(), free.popleft()
                cfg = context.config_loader.load_sweep_config(config, list(job_overrides[place]))
                with open_dict(cfg):
                    cfg.hydra.job.id = cfg.hydra.job.num = first + place
                job = _start(server, settings, slot, place, task_function, cfg)
                running[job.process.sentinel] = job
            for sentinel in wait(list(running)):
                job = running.pop(cast(int, sentinel))
                returns[job.place] = _result(job, list(job_overrides[job.place]), shared)
                free.append(job.slot)
    finally:
        for job in running.values():
            job.process.terminate()
        for job in running.values():
            job.process.join(GRACE)
            job.process.kill()
    return [returns[place] for place in range(len(job_overrides))]


def gpu_of(slot: int, gpus: int, visible: str | None) -> str | None:
    """The GPU of the jobs in a slot, for CUDA_VISIBLE_DEVICES; None where there are fewer than two GPUs to share.

    Parameters
    ----------
    slot
        Number of the slot, from 0; as many slots as jobs at a time.
    gpus
        Number of GPUs.
    visible
        CUDA_VISIBLE_DEVICES of the sweep, if set.
    """
    if gpus < 2:
        return None
    names = visible.split(",") if visible else [str(number) for number in range(gpus)]
    return names[slot % gpus].strip()


def _server(threads: int) -> ForkServerContext:
    """The fork server, which starts with the first process and has imported torch; later calls change nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    # Libraries read this when they are imported, which the server does once for all jobs.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    return context


def _start(
    server: ForkServerContext,
    settings: Settings,
    slot: int,
    place: int,
    task_function: TaskFunction,
    cfg: DictConfig,
) -> _Running:
    results, sender = server.Pipe(duplex=False)
    arguments = (sender, settings, slot, str(version.getbase()), task_function, cfg)
    process = server.Process(target=_work, args=arguments, name=f"job {place}", daemon=False)
    process.start()
    sender.close()
    return _Running(place, process, results, slot)


def _result(job: _Running, overrides: list[str], shared: set[str]) -> JobReturn:
    """The result of an ended job, from its own message or else its exit code; `shared` are overrides of all jobs."""
    job.process.join()
    result = JobReturn()
    result.overrides = overrides
    result.status = JobStatus.FAILED
    kind, value = "crash", None
    with suppress(EOFError, OSError):
        if job.results.poll():
            kind, value = job.results.recv()
    job.results.close()
    if kind == "value":
        result.status, result.return_value = JobStatus.COMPLETED, value
        return result
    if kind == "crash":
        value = f"its process ended with {_cause(job.process.exitcode)}"
    error = (HeldError if kind == "held" else UserError)(str(value))
    label = " ".join(override for override in filter_overrides(overrides) if override not in shared)
    log.error("%s: %s: %s", {"held": "not run", "crash": "died"}.get(kind, "failed"), label, error)
    result.return_value = error
    return result


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _work(
    results: Connection, settings: Settings, slot: int, base: str, task_function: TaskFunction, cfg: DictConfig
) -> None:
    """Run a job in its process; `base` is Hydra's version base, which the main program chose."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes, but the sweep ends its jobs itself
    setup_globals()
    version.setbase(base)
    folder = Path(str(cfg.hydra.sweep.dir)) / str(cfg.hydra.sweep.subdir)
    _write_to(folder / "run.log")
    logging_config = cfg.hydra.job_logging
    if logging_config is not None and "file" in (OmegaConf.select(logging_config, "root.handlers") or ()):
        with open_dict(cfg):
            logging_config.root.handlers = ["file"]  # the console has been redirected to the same file
    _share(settings, slot, str(cfg.device))
    Singleton.instance(JobRuntime).set("name", cfg.hydra.job.name)
    context = HydraContext(config_loader=cast(Any, None), callbacks=Callbacks(cfg))  # the configuration is composed
    done = run_job(
        task_function=task_function,
        config=cfg,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
        hydra_context=context,
    )
    if done.status == JobStatus.COMPLETED:
        results.send(("value", done.return_value))
    else:
        error = cast(Exception, done._return_value)
        results.send(("held" if isinstance(error, HeldError) else "error", explain(error) or type(error).__name__))
    results.close()


def _write_to(path: Path) -> None:
    """Redirect standard output and error, also for libraries that write to their file descriptors, to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _share(settings: Settings, slot: int, device: str) -> None:
    """Set the threads of this job and, unless it names a GPU by number, its GPU."""
    gpu = gpu_of(slot, settings.gpus, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if gpu is not None and device in ("auto", "cuda"):
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    import torch

    torch.set_num_threads(settings.threads)


def _die_with_parent() -> None:
    """End this process at once when the sweep's process has ended, as nobody would learn how the job ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)


def _count_gpus(threads: int) -> int:
    """The number of GPUs that torch sees, counted in a forked process so that this one need not import torch."""
    context = _server(threads)
    results, sender = context.Pipe(duplex=False)
    process = context.Process(target=_tell_gpus, args=(sender,))
    process.start()
    sender.close()
    try:
        return int(results.recv())
    except EOFError:
        return 0
    finally:
        process.join()


def _tell_gpus(results: Connection) -> None:
    import torch

    results.send(torch.cuda.device_count())
