"""`task=dashboard`: save a W&B workspace and a W&B report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from omasgan.commands.report import checked, places
from omasgan.errors import UserError
from omasgan.files import make_folder, user_path, write_json
from omasgan.report.dashboard import filters, report, scope_of, specification, workspace
from omasgan.runs.logger import loggers
from omasgan.runs.wandb import WandbLogger


def dashboard(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> None:
    """Run task=dashboard."""
    save(checked(cfg))


def save(config: Mapping[str, Any]) -> None:
    """Save the workspace and the report to W&B; without a W&B key, write them to dashboard.json.

    Raises
    ------
    UserError
        Where wandb-workspaces is not installed, W&B does not save them, or the file cannot be written.
    """
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
    scope = scope_of(places(config), logger.group)
    # A runset with a project makes W&B look it up, which needs a key; without one, the report's project is used.
    where = {"entity": entity, "project": logger.project} if key else {}
    runset = reports.Runset(**where, filters=filters(workspaces, scope))
    saved = {
        "workspace": workspace(workspaces, reports, entity, logger.project, scope),
        "report": report(reports, entity, logger.project, runset, scope),
    }
    print(f"the panels show {f'the sweep {scope.group}' if scope.group else 'all runs'} (logger.wandb.group chooses)")
    if key:
        for name, view in saved.items():
            try:
                view.save()
            except Exception as error:  # whatever W&B, its server or the network raises
                reason = " ".join(str(error).split()) or type(error).__name__
                raise UserError(f"W&B did not save the {name} in {entity}/{logger.project}: {reason}") from error
            print(f"{name}: {view.url}")
        return
    output = user_path(config["report"]["output"])
    make_folder(output)
    target = output / "dashboard.json"
    write_json(target, {name: specification(view) for name, view in saved.items()})
    print(f"no W&B key, so nothing was saved there (run `wandb login`, then this command again): {target}")


def has_key() -> bool:
    """Whether W&B has a key, from the environment or from `wandb login`; does not ask for one."""
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
            f"W&B does not say to whom the key belongs ({reason}): give logger.wandb.entity=<your user or team>"
        ) from error
