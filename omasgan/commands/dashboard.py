"""`task=dashboard`: the saved W&B workspace and report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from omasgan.commands.report import checked
from omasgan.errors import UserError
from omasgan.files import make_folder, write_json
from omasgan.report.dashboard import report, specification, workspace
from omasgan.runs.logger import loggers
from omasgan.runs.wandb import WandbLogger


def dashboard(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> None:
    """Do task=dashboard."""
    save(checked(cfg))


def save(config: Mapping[str, Any]) -> None:
    """Save workspace and report to W&B, or write dashboard.json. UserError where wandb-workspaces is missing."""
    try:
        reports: Any = import_module("wandb_workspaces.reports.v2")
        workspaces: Any = import_module("wandb_workspaces.workspaces")
    except ImportError:
        raise UserError(
            "task=dashboard needs wandb-workspaces, which is not installed: pip install 'omasgan[dashboard]'"
        ) from None
    logger = next((each for each in loggers(config["logger"]) if isinstance(each, WandbLogger)), WandbLogger())
    key = has_key()
    entity = logger.entity or (_default_entity() if key else "entity")
    # W&B is asked for the project of a runset that names one; without a key, the report's own project stands for it.
    runset = reports.Runset(entity=entity, project=logger.project) if key else reports.Runset()
    saved = {
        "workspace": workspace(workspaces, reports, entity, logger.project),
        "report": report(reports, entity, logger.project, runset),
    }
    if key:
        for name, view in saved.items():
            try:
                view.save()
            except Exception as error:  # whatever W&B, its server or the network raises
                reason = " ".join(str(error).split()) or type(error).__name__
                raise UserError(f"W&B did not save the {name} in {entity}/{logger.project}: {reason}") from error
            print(f"{name}: {view.url}")
        return
    output = Path(config["report"]["output"]).expanduser()
    make_folder(output)
    target = output / "dashboard.json"
    write_json(target, {name: specification(view) for name, view in saved.items()})
    print(f"no W&B key, so nothing is saved there (`wandb login`, then again): {target}")


def has_key() -> bool:
    """Whether W&B has a key, in the environment or from `wandb login`; asks for none."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    import wandb

    return bool(wandb.setup(wandb.Settings(silent=True)).settings.api_key or wandb.api.api_key)


def _default_entity() -> str:
    import wandb

    try:
        return str(wandb.Api().default_entity)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"W&B does not say whose the key is ({reason}): give logger.wandb.entity=<your user or team>"
        ) from error
