"""Builds the W&B workspace and report of `task=dashboard`, which saves them, or writes them as JSON without a key.

`ws` and `wr` are the modules wandb_workspaces.workspaces and wandb_workspaces.reports.v2, which may not be installed.
"""

from __future__ import annotations

import json
from typing import Any

from omasgan.evaluation.objective import ON, SPLITS, metric_key

NAME = "omasgan: methods, ablation and sweeps"

SCORES = ("full", "j", "task3", "task1", "nearest_neighbour", "pca", "mahalanobis", "isolation_forest")
"""Terms and baselines whose metrics are in a run's summary."""

WEIGHTS = ("boundary.mu", "boundary.nu", "retraining.beta", "inference.lambda_")
"""The settings of a sweep that the parallel coordinates show."""

LOSSES = {
    "Task 1": ("task1/loss/G", "task1/loss/D", "task1/divergence/m"),
    "Task 2": ("task2/loss/B", "task2/boundary/d", "task2/boundary/s", "task2/divergence/m"),
    "Task 3": ("task3/loss/G'", "task3/loss/C"),
    "J": ("j/loss/J",),
}
"""The learning curves of each section, by the names under which the stages record them."""


def specification(view: Any) -> dict[str, Any]:
    """Return what W&B would be sent for a workspace or a report, as JSON types."""
    made: dict[str, Any] = json.loads(view._to_model().model_dump_json(by_alias=True, exclude_none=True))
    return made


def workspace(ws: Any, wr: Any, entity: str, project: str) -> Any:
    """Build the workspace: results, ablation, sweep and learning curves of all runs, grouped by sweep and job type.

    Parameters
    ----------
    ws, wr
        The two modules of wandb-workspaces.
    entity, project
        Where the workspace belongs.

    Returns
    -------
    Workspace
        The workspace, not saved.
    """
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
    """Build the report: the panels of the workspace under headings that say what they show.

    Parameters
    ----------
    wr
        wandb_workspaces.reports.v2.
    entity, project
        Where the report belongs.
    runset
        The runs that the panels show.

    Returns
    -------
    Report
        The report, not saved.
    """

    def grid(panels: list[Any]) -> Any:
        return wr.PanelGrid(runsets=[runset], panels=panels)

    blocks = [
        wr.P("Each panel says which samples its values are on. The baselines are on those of the detectors."),
        wr.H2("Methods and baselines"),
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
    """Build bar plots of AUROC and AUPRC, and the tables of runs over all classes and of reports."""
    return [
        *(
            wr.BarPlot(
                title=f"{metric.upper()} {ON[split]}, mean over runs",
                metrics=[metric_key(split, metric, term) for term in SCORES],
            )
            for split in SPLITS
            for metric in ("auroc", "auprc")
        ),
        *(wr.WeavePanelSummaryTable(table_name=name) for name in ("per_class", "results", "comparison")),
    ]


def ablation_panels(wr: Any) -> list[Any]:
    """Build a bar plot of AUROC for every term of the ablation, with a bar a group of runs, and its table."""
    terms = ("task1", "task3", "j", "full")
    bars = [
        wr.BarPlot(title=f"AUROC of {term}, {ON[split]}", metrics=[metric_key(split, "auroc", term)])
        for split in SPLITS
        for term in terms
    ]
    return [*bars, wr.WeavePanelSummaryTable(table_name="ablation")]


def sweep_panels(wr: Any) -> list[Any]:
    """Build plots of AUROC against the weights, for each split: parallel coordinates, and a scatter plot a weight."""
    panels = []
    for split in SPLITS:
        auroc = wr.SummaryMetric(metric_key(split, "auroc", "full"))
        axes = [wr.ParallelCoordinatesPlotColumn(metric=metric) for metric in (*map(wr.Config, WEIGHTS), auroc)]
        panels.append(wr.ParallelCoordinatesPlot(columns=axes))
        panels += [wr.ScatterPlot(title=f"AUROC over {key}, {ON[split]}", x=wr.Config(key), y=auroc) for key in WEIGHTS]
    return panels


def curve_panels(wr: Any, keys: tuple[str, ...]) -> list[Any]:
    """Build a line plot for every learning curve, over the steps of its stage."""
    return [wr.LinePlot(title=key, x=f"{key.split('/')[0]}/step", y=[key]) for key in keys]
