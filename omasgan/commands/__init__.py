"""The commands that `task=...` names (not Tasks 1 to 3 of the method); list and clean share a module.

May import: configuration, data, detectors, evaluation, pipeline, report, runs, sweeps, training. Only `run`,
`score` and `export` load torch, and `report` where it shows test samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from omegaconf import DictConfig

Command = Callable[[DictConfig, Mapping[str, str], Path], float | None]
"""A command: a function of the configuration, the chosen option of each group, and the job's folder."""

COMMANDS = {
    "run": "omasgan.commands.run:run",
    "plan": "omasgan.commands.plan:plan",
    "score": "omasgan.commands.score:score",
    "export": "omasgan.commands.export:export",
    "list": "omasgan.commands.list_and_clean:list_runs",
    "clean": "omasgan.commands.list_and_clean:clean",
    "report": "omasgan.commands.report:report",
    "dashboard": "omasgan.commands.dashboard:dashboard",
}
"""Where the function of each command is, so that only the modules of the chosen command are imported."""
