"""`task=dashboard`: the saved W&B workspace and report, as code. Saved where there is a key, else written as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from omasgan.errors import UserError
from omasgan.files import make_folder, write_json
from omasgan.settings import LoggerSettings

NAME = "omasgan: methods, ablation and sweeps"

SCORES = ("full", "j", "task3", "task1", "nearest_neighbour", "pca", "mahalanobis", "isolation_forest")
"""Terms and floors whose figures a run's summary has."""

WEIGHTS = ("boundary.mu", "boundary.nu", "retraining.beta", "inference.lambda_")
"""The settings of a sweep that parallel coordinates show."""

LOSSES = {
    "Task 1": ("task1/loss/G", "task1/loss/D", "task1/divergence/m"),
    "Task 2": ("task2/loss/B", "task2/boundary/d", "task2/boundary/s", "task2/divergence/m"),
    "Task 3": ("task3/loss/G'", "task3/loss/C"),
    "J": ("j/loss/J",),
}
"""Learning curves by section, as stages record them."""


def dashboard(config: Mapping[str, Any]) -> None:
    """Save workspace and report to W&B, or write dashboard.json. UserError where wandb-workspaces is missing."""
    try:
        reports: Any = import_module("wandb_workspaces.reports.v2")
        workspaces: Any = import_module("wandb_workspaces.workspaces")
    except ImportError:
        raise UserError(
            "task=dashboard needs wandb-workspaces, which is not installed: pip install 'omasgan[dashboard]'"
        ) from None
    logger = LoggerSettings(**{key: value for key, value in config["logger"].items() if key != "_target_"})
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
    folder = Path(config["report"]["output"]).expanduser()
    make_folder(folder)
    target = folder / "dashboard.json"
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
            f"W&B does not say whose the key is ({reason}): give logger.entity=<your user or team>"
        ) from error


def specification(view: Any) -> dict[str, Any]:
    """What W&B would be sent for a workspace or a report."""
    made: dict[str, Any] = json.loads(view._to_model().model_dump_json(by_alias=True, exclude_none=True))
    return made


def workspace(ws: Any, wr: Any, entity: str, project: str) -> Any:
    """The workspace: results, ablation, sweep and learning curves of all runs, grouped by sweep and job type."""
    sections = [
        ws.Section(name="Results", panels=results_panels(wr), is_open=True),
        ws.Section(name="Ablation", panels=ablation_panels(wr), is_open=True),
        ws.Section(name="Sweep", panels=sweep_panels(wr), is_open=True),
        ws.Section(name="Pictures", panels=[wr.MediaBrowser(media_keys=["samples", "plane"], num_columns=2)]),
        *(ws.Section(name=f"Learning: {name}", panels=curve_panels(wr, keys)) for name, keys in LOSSES.items()),
    ]
    grouped = ws.RunsetSettings(groupby=[ws.Metric("Group"), ws.Metric("JobType")])
    return ws.Workspace(entity=entity, project=project, name=NAME, sections=sections, runset_settings=grouped)


def report(wr: Any, entity: str, project: str, runset: Any) -> Any:
    """The report: the same panels, with what they show."""

    def grid(panels: list[Any]) -> Any:
        return wr.PanelGrid(runsets=[runset], panels=panels)

    blocks = [
        wr.P("Every figure is AUROC on the official test split, higher is better; the floors are on the same split."),
        wr.H2("Methods and floors"),
        grid(results_panels(wr)),
        wr.H2("Ablation: Task 1, Task 3, J, full"),
        grid(ablation_panels(wr)),
        wr.H2("Sweep over mu, nu, beta and lambda"),
        grid(sweep_panels(wr)),
        wr.H2("Learning curves"),
        *(grid(curve_panels(wr, keys)) for keys in LOSSES.values()),
    ]
    return wr.Report(project=project, entity=entity, title=NAME, blocks=blocks, width="fluid")


def results_panels(wr: Any) -> list[Any]:
    """AUROC and AUPRC of every method, the tables of the summary and report runs."""
    return [
        wr.BarPlot(title="AUROC, mean over runs", metrics=[f"{term}/auroc" for term in SCORES]),
        wr.BarPlot(title="AUPRC, mean over runs", metrics=[f"{term}/auprc" for term in SCORES]),
        *(wr.WeavePanelSummaryTable(table_name=name) for name in ("per_class", "results", "comparison")),
    ]


def ablation_panels(wr: Any) -> list[Any]:
    """AUROC by term, a bar a group of runs."""
    terms = ("task1", "task3", "j", "full")
    bars = [wr.BarPlot(title=f"AUROC of {term}", metrics=[f"{term}/auroc"]) for term in terms]
    return [*bars, wr.WeavePanelSummaryTable(table_name="ablation")]


def sweep_panels(wr: Any) -> list[Any]:
    """AUROC over the paper's weights: parallel coordinates, and a scatter plot a weight."""
    columns = [wr.ParallelCoordinatesPlotColumn(metric=wr.Config(key)) for key in WEIGHTS]
    return [
        wr.ParallelCoordinatesPlot(
            columns=[*columns, wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric("full/auroc"))]
        ),
        *(
            wr.ScatterPlot(title=f"AUROC over {key}", x=wr.Config(key), y=wr.SummaryMetric("full/auroc"))
            for key in WEIGHTS
        ),
    ]


def curve_panels(wr: Any, keys: tuple[str, ...]) -> list[Any]:
    """A line plot a value, over its stage's own steps."""
    return [wr.LinePlot(title=key, x=f"{key.split('/')[0]}/step", y=[key]) for key in keys]
