"""What the command line can do, one module a task.

May import: configuration, data, pipeline, report, runs, sweeps, training. Only `run` and `score` load torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from omegaconf import DictConfig

Command = Callable[[DictConfig, Mapping[str, str], Path], float | None]
"""A task: does what the configuration says, given the chosen option of each group and the run's folder."""

COMMANDS = {
    "run": "omasgan.commands.run:run",
    "score": "omasgan.commands.score:score",
    "list": "omasgan.commands.list_and_clean:list_runs",
    "clean": "omasgan.commands.list_and_clean:clean",
    "report": "omasgan.commands.report:report",
    "dashboard": "omasgan.commands.dashboard:dashboard",
}
"""Where each task's function is found, so that a task imports no more than it needs."""
