"""Builds the W&B workspace and report of `task=dashboard`, which saves them, or writes them as JSON without a key.

`ws` and `wr` are the modules wandb_workspaces.workspaces and wandb_workspaces.reports.v2, which may not be installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omasgan.configuration.identity import split_of
from omasgan.configuration.sweep_names import APART
from omasgan.evaluation.objective import ON, SPLITS, Split, metric_key
from omasgan.runs import folder as runs
from omasgan.runs.wandb_exporter import key

PICTURES = ("samples", "plane", "maps", "hardest_samples_pictures")
"""The keys of pictures that the dashboard shows."""

ABLATION = ("task1", "task3", "j", "full")
"""The terms of the ablation."""

SCORES = (*reversed(ABLATION), "nearest_neighbour", "pca", "mahalanobis", "isolation_forest")
"""Terms and baselines whose metrics are in a run's summary."""

WEIGHTS = ("boundary.mu", "boundary.nu", "retraining.beta")
"""The settings that the parallel coordinates always show; they also show what the sweep varies."""

LOGARITHMIC = frozenset({"boundary.mu", "boundary.nu"})
"""Settings whose axes are logarithmic."""

LOSSES = {
    "Task 1": ("task1/loss/G", "task1/loss/D", "task1/divergence/m"),
    "Task 2": ("task2/loss/B", "task2/boundary/d", "task2/boundary/s", "task2/divergence/m"),
    "Task 3": ("task3/loss/G'", "task3/loss/C"),
    "J": ("j/loss/J",),
}
"""The learning curves of each section, by the names under which the stages record them."""


@dataclass(frozen=True)
class Scope:
    """What the panels show.

    Parameters
    ----------
    group
        The name of the sweep whose runs are shown; None for all runs.
    splits
        The splits that figures are shown of.
    settings
        The settings that figures are shown over.
    """

    group: str | None = None
    splits: tuple[Split, ...] = SPLITS
    settings: tuple[str, ...] = WEIGHTS

    @property
    def title(self) -> str:
        """The title of the workspace and of the report."""
        return f"omasgan: {self.group or 'methods, ablation and sweeps'}"


def scope_of(places: Iterable[Path], group: str | None) -> Scope:
    """What the panels of a sweep show.

    Parameters
    ----------
    places
        The folders of the runs.
    group
        The name of the sweep; None for that of the newest run of a sweep.

    Returns
    -------
    Scope
        All runs if there is no sweep. If the folders have no run of the sweep, its split and settings are not known.
    """
    records = [(path, runs.read(path)) for place in places for path in _records(place)]
    wanted = [(path, record) for path, record in records if record.get("group") and group in (None, record["group"])]
    for path, record in sorted(wanted, key=lambda each: each[0].stat().st_mtime, reverse=True):
        varied = (runs.config_of(path.parent).get("sweep") or {}).get("varied") or []
        if varied or group is not None:
            split = split_of(record.get("choices", {}).get("protocol", ""))
            others = [_config_key(name) for name in varied if name not in {*APART, *WEIGHTS}]
            return Scope(record["group"], (split,), (*WEIGHTS, *others))
    return Scope(group)


def _records(place: Path) -> list[Path]:
    return [path for folder in runs.find(place) if (path := folder / runs.PROVENANCE).exists()]


def _config_key(override: str) -> str:
    """The key in W&B's configuration of what an override sets, a value or the option of a group."""
    return override if "." in override or override == "seed" else f"choices.{override}"


def specification(view: Any) -> dict[str, Any]:
    """Return what W&B would be sent for a workspace or a report, as JSON types."""
    made: dict[str, Any] = json.loads(view._to_model().model_dump_json(by_alias=True, exclude_none=True))
    return made


def workspace(ws: Any, wr: Any, entity: str, project: str, scope: Scope) -> Any:
    """Build the workspace: results, ablation, sweep and learning curves of the runs in the scope.

    Parameters
    ----------
    ws, wr
        The two modules of wandb-workspaces.
    entity, project
        Where the workspace belongs.
    scope
        What is shown.

    Returns
    -------
    Workspace
        The workspace, not saved. All runs are grouped by sweep and job type; those of one sweep are not grouped.
    """
    sections = [
        ws.Section(name="Results", panels=results_panels(wr, scope), is_open=True),
        ws.Section(name="Ablation", panels=ablation_panels(wr, scope), is_open=True),
        ws.Section(name="Sweep", panels=sweep_panels(wr, scope), is_open=True),
        ws.Section(
            name="Pictures",
            panels=[wr.MediaBrowser(media_keys=list(PICTURES), num_columns=2)],
        ),
        *(ws.Section(name=f"Learning: {name}", panels=curve_panels(wr, names)) for name, names in LOSSES.items()),
    ]
    chosen = ws.RunsetSettings(
        filters=filters(ws, scope), groupby=[] if scope.group else [ws.Metric("Group"), ws.Metric("JobType")]
    )
    return ws.Workspace(entity=entity, project=project, name=scope.title, sections=sections, runset_settings=chosen)


def filters(ws: Any, scope: Scope) -> list[Any]:
    """The filters of the runs in the scope."""
    return [ws.Metric("Group") == scope.group] if scope.group else []


def report(wr: Any, entity: str, project: str, runset: Any, scope: Scope) -> Any:
    """Build the report: the panels of the workspace under headings that say what they show.

    Parameters
    ----------
    wr
        wandb_workspaces.reports.v2.
    entity, project
        Where the report belongs.
    runset
        The runs that the panels show.
    scope
        What is shown.

    Returns
    -------
    Report
        The report, not saved.
    """

    def grid(panels: list[Any]) -> Any:
        return wr.PanelGrid(runsets=[runset], panels=panels)

    runs_shown = f"The runs of the sweep {scope.group}." if scope.group else "All runs of the project."
    blocks = [
        wr.P(f"{runs_shown} Each panel says which samples its values are on. The baselines are on the same ones."),
        wr.H2("Methods and baselines"),
        grid(results_panels(wr, scope)),
        wr.H2("Ablation: Task 1, Task 3, J, full"),
        grid(ablation_panels(wr, scope)),
        wr.H2(f"Sweep over {', '.join(scope.settings)}"),
        grid(sweep_panels(wr, scope)),
        wr.H2("Learning curves"),
        *(grid(curve_panels(wr, names)) for names in LOSSES.values()),
    ]
    return wr.Report(project=project, entity=entity, title=scope.title, blocks=blocks, width="fluid")


def results_panels(wr: Any, scope: Scope) -> list[Any]:
    """Build bar plots of AUROC and AUPRC, and the tables of runs over all classes and of reports."""
    return [
        *(
            wr.BarPlot(
                title=f"{metric.upper()} {ON[split]}, mean over runs",
                metrics=[metric_key(split, metric, term) for term in SCORES],
                **_mean_by(wr, "JobType"),
            )
            for split in scope.splits
            for metric in ("auroc", "auprc")
        ),
        *(wr.WeavePanelSummaryTable(table_name=name) for name in ("per_class", "results", "comparison")),
    ]


def ablation_panels(wr: Any, scope: Scope) -> list[Any]:
    """Build the ablation's table, and a bar plot of AUROC for each term, with a bar for each option of `ablation`."""
    bars = [
        wr.BarPlot(
            title=f"AUROC of {term}, {ON[split]}, by ablation",
            metrics=[metric_key(split, "auroc", term)],
            **_mean_by(wr, "choices.ablation"),
        )
        for split in scope.splits
        for term in ABLATION
    ]
    return [*bars, wr.WeavePanelSummaryTable(table_name="ablation")]


def _mean_by(wr: Any, by: str) -> dict[str, Any]:
    """The settings of a bar plot that shows means with deviations, by job type or by a key of the configuration."""
    return {
        "groupby": wr.Config(by) if "." in by else wr.Metric(by),
        "groupby_aggfunc": "mean",
        "groupby_rangefunc": "stddev",
    }


def sweep_panels(wr: Any, scope: Scope) -> list[Any]:
    """Build plots of AUROC over the settings: parallel coordinates, and a scatter plot for each setting."""
    panels = []
    for split in scope.splits:
        auroc = wr.SummaryMetric(metric_key(split, "auroc", "full"))
        axes = [
            wr.ParallelCoordinatesPlotColumn(metric=wr.Config(name), log=name in LOGARITHMIC) for name in scope.settings
        ]
        shown = [*axes, wr.ParallelCoordinatesPlotColumn(metric=auroc, display_name="AUROC")]
        panels.append(wr.ParallelCoordinatesPlot(title=f"AUROC {ON[split]}", columns=shown))
        panels += [
            wr.ScatterPlot(title=f"AUROC over {name}, {ON[split]}", x=wr.Config(name), y=auroc)
            for name in scope.settings
        ]
    return panels


def curve_panels(wr: Any, names: Sequence[str]) -> list[Any]:
    """Build a line plot for every learning curve, over the steps of its stage."""
    return [wr.LinePlot(title=name, x=f"{name.split('/')[0]}/step", y=[key(name)]) for name in names]
