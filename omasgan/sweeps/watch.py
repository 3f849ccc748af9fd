"""The progress of a sweep while its jobs run in other processes, on this machine or another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omasgan.runs import folder as runs
from omasgan.runs.folder import State
from omasgan.sweeps.jobs import SweepJob
from omasgan.training.progress import progress

LOOK_EVERY = 1.0
"""Least time between two reads of the jobs' states, in seconds."""

LOOKING = 0.05
"""Largest fraction of the time that is spent on these reads, which can be slow for a thousand jobs on a slow disk."""


@contextmanager
def watched(jobs: Sequence[SweepJob], enabled: bool | None, local: bool) -> Iterator[None]:
    """Show how many jobs are done, running and failed, and the time left, while the jobs run.

    The states are read from the folders, so that this works for jobs in any process and on other machines.

    Parameters
    ----------
    jobs
        The jobs to watch.
    enabled
        True shows a bar, False writes log lines; None shows a bar where standard error is a terminal.
    local
        Whether the launcher runs the jobs in this process or its children, so that those of another sweep are known.
    """
    end = threading.Event()
    of_folder = {job.folder: job for job in jobs if job.folder is not None}
    failed_before = {folder for folder in of_folder if runs.job_state(folder) == State.FAILED}

    def watch() -> None:
        over: dict[Path, State] = {}
        with progress("sweep", len(of_folder), enabled=enabled, unit="job") as bar:
            pause = LOOK_EVERY
            while True:
                last = end.wait(pause)
                began = time.monotonic()
                now = {folder: over.get(folder) or runs.job_state(folder) for folder in of_folder}
                over.update({folder: state for folder, state in now.items() if state == State.DONE})
                running = [folder for folder, state in now.items() if state == State.RUNNING]
                failed_before.difference_update(running)
                failed = sum(state == State.FAILED and folder not in failed_before for folder, state in now.items())
                elsewhere = sum(not of_folder[folder].here() for folder in running) if local else 0
                counts = {"done": len(over), "running": len(running) - elsewhere, "failed": failed}
                bar.update(len(over) + failed, {**counts, **({"elsewhere": elsewhere} if elsewhere else {})})
                if last:
                    return
                pause = max(LOOK_EVERY, (time.monotonic() - began) / LOOKING)

    thread = threading.Thread(target=watch, name="sweep progress", daemon=True)
    if of_folder:
        thread.start()
    try:
        yield
    finally:
        end.set()
        if of_folder:
            thread.join()
