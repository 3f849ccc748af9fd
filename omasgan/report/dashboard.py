"""`task=dashboard`: the saved W&B workspace and report, as code. Saved where there is a key, else written as JSON."""

from __future__ import annotations

import json
from typing import Any

NAME = "omasgan: methods, ablation and sweeps"

SCORES = ("full", "j", "task3", "task1", "nearest_neighbour", "pca", "mahalanobis", "isolation_forest")
"""Terms and baselines whose figures a run's summary has."""

WEIGHTS = ("boundary.mu", "boundary.nu", "retraining.beta", "inference.lambda_")
"""The settings of a sweep that parallel coordinates show."""

LOSSES = {
    "Task 1": ("task1/loss/G", "task1/loss/D", "task1/divergence/m"),
    "Task 2": ("task2/loss/B", "task2/boundary/d", "task2/boundary/s", "task2/divergence/m"),
    "Task 3": ("task3/loss/G'", "task3/loss/C"),
    "J": ("j/loss/J",),
}
"""Learning curves by section, as stages record them."""


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
        wr.P("All values are AUROC on the official test split, higher is better; the baselines are on the same split."),
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
