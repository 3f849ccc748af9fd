"""Run folders -> tables, one self-contained HTML page, and W&B's dashboard. Nothing here imports torch."""

from __future__ import annotations

from omegaconf import DictConfig


def perform(cfg: DictConfig) -> None:
    """Do task=report or task=dashboard, as the configuration says."""
    from omasgan.report import command, dashboard

    tasks = {"report": command.report, "dashboard": dashboard.dashboard}
    tasks[cfg.task](command.checked(cfg))
