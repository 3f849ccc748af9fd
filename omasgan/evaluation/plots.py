"""Figures of scores, samples and training; each function returns a figure and shows nothing on a screen.

They use matplotlib's objects without pyplot, which has global state: parallel jobs cannot mix their figures.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve
from torch import Tensor
from torchvision.utils import make_grid

from omasgan.evaluation.colours import COLOURS, SERIES
from omasgan.evaluation.metrics import auprc, auroc
from omasgan.evaluation.scores import ScoreTable
from omasgan.files import write_atomically

Array = NDArray[Any]
Curve = tuple[Sequence[int], Sequence[float]]  # steps and the values at them

_DASHES = ("-", "-", "--", "-.")
_MARKERS = "oDs^vPX"
_GREY = "#888888"
# From white to a grey that still contrasts with the colours of normal and abnormal samples.
_SCORE_MAP = LinearSegmentedColormap.from_list("score", ["#ffffff", "#b0b0b0"])
_TEXT = 9
_SMALL = 8
_GRID_SIDE = 6
_FIELD_SIDE = 150
_FIELD_SHARES = np.linspace(0, 0.7, 13) ** 2


def save(figure: Figure, path: Path) -> None:
    """Write a PNG file atomically; raises UserError where it cannot be written."""
    # Cropping draws a figure twice; one without a layout engine has margins that fit already.
    crop = "tight" if figure.get_layout_engine() else None
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=120, bbox_inches=crop))


def score_histograms(table: ScoreTable) -> Figure:
    """The densities of normal and abnormal scores, one panel for each term; the outer 1 % of each class is cut off."""
    figure, axes = _figure(math.ceil(len(table.terms) / 3), min(len(table.terms), 3), (3.4, 2.5), spaced=True)
    for ax in axes.flat[len(table.terms) :]:
        ax.remove()
    for ax, (name, scores) in zip(axes.flat, table.terms.items(), strict=False):
        classes = {"normal": scores[~table.label], "abnormal": scores[table.label]}
        bins = np.linspace(*_inner_range(*classes.values()), 41)
        for kind, members in classes.items():
            ax.hist(members, bins, density=True, alpha=0.55, color=COLOURS[kind], label=kind)
        ax.set_title(f"{name}\nAUROC {auroc(table.label, scores):.3f}", fontsize=_TEXT, y=1)
        ax.set_yticks([])
    figure.supxlabel("anomaly score", fontsize=_TEXT)
    figure.supylabel("density", fontsize=_TEXT)
    handles, names = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="upper center", ncols=2, frameon=False, fontsize=_TEXT)
    return figure


def roc_curves(table: ScoreTable) -> Figure:
    """The ROC curves of all terms in one plot, with the diagonal of random scores."""
    figure, ax = _unit_square("false-positive rate", "true-positive rate")
    for (name, scores), style in zip(table.terms.items(), _line_styles(), strict=False):
        flagged_normal, flagged_abnormal, _ = roc_curve(table.label, scores)
        ax.plot(flagged_normal, flagged_abnormal, label=f"{auroc(table.label, scores):.3f}  {name}", **style)
    ax.plot([0, 1], [0, 1], "--", color=_GREY, linewidth=1, label="0.500  random scores")
    _legend_beside(ax, "AUROC")
    return figure


def pr_curves(table: ScoreTable) -> Figure:
    """The precision-recall curves of all terms in one plot, with the prevalence, which random scores get."""
    figure, ax = _unit_square("recall", "precision")
    for (name, scores), style in zip(table.terms.items(), _line_styles(), strict=False):
        precision, recall, _ = precision_recall_curve(table.label, scores)
        label = f"{auprc(table.label, scores):.3f}  {name}"
        ax.plot(recall, precision, drawstyle="steps-post", label=label, **style)
    prevalence = float(table.label.mean())
    ax.axhline(prevalence, linestyle="--", color=_GREY, linewidth=1, label=f"{prevalence:.3f}  prevalence")
    _legend_beside(ax, "average precision")
    return figure


def sample_grid(images: Mapping[str, Tensor]) -> Figure:
    """The first 36 images of each source, (n, 1 or 3, H, W) in 0..255, one panel for each source."""
    figure, axes = _figure(1, len(images), (3.2, 3.5))
    for ax, (name, x) in zip(axes.flat, images.items(), strict=True):
        shown = x[: _GRID_SIDE**2].float().cpu()
        tiled = make_grid(shown, _GRID_SIDE, padding=1, normalize=True, value_range=(0, 255), pad_value=1)
        ax.imshow(tiled.permute(1, 2, 0).numpy(), interpolation="nearest")
        ax.set_title(name, fontsize=_TEXT + 2)
        ax.set_axis_off()
    return figure


def loss_curves(history: Mapping[str, Mapping[str, Curve]]) -> Figure:
    """The curves of training, one row of panels for each stage.

    A long curve is drawn pale with its running mean on top. Positive values over more than two decades have a
    logarithmic scale.

    Parameters
    ----------
    history
        The curves by stage and name; curves named 'panel/name' share that panel.
    """
    stages = {stage: _by_panel(curves) for stage, curves in history.items()}
    figure, axes = _figure(len(stages), max(map(len, stages.values())), (3.6, 2.3), spaced=True)
    for row, (stage, panels) in zip(axes, stages.items(), strict=True):
        for ax in row[len(panels) :]:
            ax.remove()
        for ax, (panel, curves) in zip(row, panels.items(), strict=False):
            for (name, (steps, values)), colour in zip(curves.items(), cycle(SERIES), strict=False):
                _plot_smoothed(ax, steps, values, name, COLOURS.get(name, colour))
            if _spans_decades(np.concatenate([values for _, values in curves.values()])):
                ax.set_yscale("log")
            ax.set_title(f"{stage}: {panel}", fontsize=_TEXT, y=1)
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            if list(curves) != [panel]:
                _legend(ax, fontsize=_SMALL)
    figure.supxlabel("step", fontsize=_TEXT)
    return figure


def plane(
    data: Tensor,
    samples: Mapping[str, Tensor],
    score_field: Callable[[Tensor], Tensor | Array],
    anomalies: Tensor | None = None,
) -> Figure:
    """The method on two-dimensional data: samples of the generators (left) and the score as a field (right).

    The steps of the colour scale are smallest where the score is low, so that the edge of the data is visible although
    the score is much higher far from it.

    Parameters
    ----------
    data
        The normal samples, (n, 2), on the CPU, as all samples here.
    samples
        Samples (m, 2) of each generator, by name.
    score_field
        Gives the scores (p,) of points (p, 2).
    anomalies
        Abnormal samples, (k, 2).
    """
    generators = {"normal": data, **samples}
    known = {"normal": data} if anomalies is None else {"normal": data, "abnormal": anomalies}
    columns = zip(*(x.T for x in [*generators.values(), *known.values()]), strict=True)
    xs, ys = (torch.linspace(*_inner_range(*column, margin=0.15), _FIELD_SIDE) for column in columns)
    scores = np.asarray(score_field(torch.cartesian_prod(xs, ys)), dtype=float).reshape(len(xs), len(ys)).T

    figure, ((left, right),) = _figure(1, 2, (4.6, 4.2))
    levels = sorted({float(level) for level in np.quantile(scores, _FIELD_SHARES)})
    if len(levels) < len(_FIELD_SHARES):  # the field is constant somewhere
        levels = list(MaxNLocator(len(_FIELD_SHARES)).tick_values(*_inner_range(scores)))
    shades = BoundaryNorm(levels, _SCORE_MAP.N, extend="both")
    field = right.contourf(xs, ys, scores, levels, cmap=_SCORE_MAP, norm=shades, extend="both")
    figure.colorbar(field, ax=right, shrink=0.75, format="%.3g").ax.tick_params(labelsize=_SMALL)
    for ax, shown, title in (
        (left, generators, "normal data and generators"),
        (right, known, "anomaly score"),
    ):
        for name, x in shown.items():
            ax.scatter(*x.T, s=9, alpha=0.8, linewidths=0, color=COLOURS[name], label=name)
        ax.set(aspect="equal", xlim=(float(xs[0]), float(xs[-1])), ylim=(float(ys[0]), float(ys[-1])))
        ax.set_title(title, fontsize=_TEXT)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.06), "ncols": len(shown)}
        _legend(ax, markerscale=3, handletextpad=0, **below)
    return figure


def bar_comparison(
    rows: Mapping[str, Mapping[str, float]], baselines: Collection[str] = (), metric: str = "AUROC"
) -> Figure:
    """A metric of each method (a column) on each class (a row) as dots, with the means over the rows in the legend.

    Parameters
    ----------
    rows
        The metric by row and column.
    baselines
        Columns that are drawn small, hollow and grey.
    metric
        Name of the metric.
    """
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    figure, ((ax,),) = _figure(1, 1, (8.5, 0.8 + max(0.42 * len(rows), 0.2 * len(columns))))
    offsets = np.linspace(-0.3, 0.3, len(columns) + 2)[1:-1]
    colours = cycle(SERIES)
    for column, offset, marker in zip(columns, offsets, cycle(_MARKERS), strict=False):
        found = [(row[column], place + offset) for place, row in enumerate(rows.values()) if column in row]
        label = f"{np.mean([value for value, _ in found]):.3f}  {column}"
        if len(found) < len(rows):
            label += f" ({len(found)} of {len(rows)})"
        if column in baselines:
            style = {"s": 16, "facecolor": "none", "edgecolor": _GREY, "linewidth": 0.8}
        else:
            style = {"s": 30, "color": next(colours)}
        ax.scatter(*zip(*found, strict=True), marker=marker, label=label, zorder=3, **style)
    for place in range(0, len(rows), 2):
        ax.axhspan(place - 0.5, place + 0.5, color="#f4f4f4", linewidth=0)
    ax.set_yticks(range(len(rows)), labels=[_wrapped(name) for name in rows], parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel(metric)
    ax.grid(visible=False, axis="y")
    _legend_beside(ax, "mean")
    return figure


def _figure(rows: int, columns: int, panel: tuple[float, float], spaced: bool = False) -> tuple[Figure, Any]:
    """A figure in the common style, with an array (rows, columns) of axes; `panel` is the size of one in inches.

    The constrained layout measures every label several times, which takes a second for twenty panels; with `spaced`
    the panels have fixed distances, enough for a title of two lines (with a given y, or it is measured as well).
    """
    width, height = columns * panel[0], rows * panel[1]
    figure = Figure(figsize=(width, height), layout=None if spaced else "constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    if spaced:
        figure.subplots_adjust(
            left=0.5 / width, right=1 - 0.1 / width, bottom=0.5 / height, top=1 - 0.7 / height, wspace=0.3, hspace=0.45
        )
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(_GREY)
        ax.tick_params(which="both", labelsize=_SMALL, color=_GREY)
        ax.grid(color="#e6e6e6", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.xaxis.label.set_size(_TEXT)
        ax.yaxis.label.set_size(_TEXT)
    return figure, axes


def _unit_square(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure, ((ax,),) = _figure(1, 1, (7.2, 3.8))
    ax.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal", xlabel=x_label, ylabel=y_label)
    return figure, ax


def _legend(ax: Axes, **options: Any) -> None:
    ax.legend(**{"frameon": False, "fontsize": _TEXT, "title_fontsize": _TEXT, **options})


def _legend_beside(ax: Axes, title: str) -> None:
    _legend(ax, title=title, loc="upper left", bbox_to_anchor=(1.02, 1.03), alignment="left")


def _line_styles() -> Iterator[dict[str, Any]]:
    """Endless line styles; dashes distinguish lines of similar colours."""
    for colour, dash in zip(cycle(SERIES), cycle(_DASHES), strict=False):
        yield {"color": colour, "linestyle": dash, "linewidth": 1.5}


def _inner_range(*groups: Any, margin: float = 0.0) -> tuple[float, float]:
    """The range of 99 % of every group, widened at both ends by `margin` times its width; never empty."""
    ends = np.array([np.quantile(group, [0.005, 0.995]) for group in groups])
    low, high = ends[:, 0].min(), ends[:, 1].max()
    # A saturated score differs in its last digits only, too small a range for forty bins.
    widening = margin * (high - low) + (1e-9 * max(abs(low), abs(high)) or 1.0)
    return float(low - widening), float(high + widening)


def _by_panel(curves: Mapping[str, Curve]) -> dict[str, dict[str, tuple[Array, Array]]]:
    panels: dict[str, dict[str, tuple[Array, Array]]] = {}
    for full_name, (steps, values) in curves.items():
        panel, _, name = full_name.rpartition("/")
        panels.setdefault(panel or name, {})[name] = np.asarray(steps), np.asarray(values, dtype=float)
    return panels


def _plot_smoothed(ax: Axes, steps: Array, values: Array, name: str, colour: str) -> None:
    window = len(values) // 50
    if window < 4:
        ax.plot(steps, values, color=colour, linewidth=1.2, label=name)
        return
    mean = np.convolve(values, np.full(window, 1 / window), mode="valid")
    ax.plot(steps, values, color=colour, linewidth=0.5, alpha=0.25)
    ax.plot(steps[window - 1 :], mean, color=colour, linewidth=1.2, label=name)


def _spans_decades(values: Array) -> bool:
    finite = values[np.isfinite(values)]
    return len(finite) > 0 and finite.min() > 0 and finite.max() > 100 * finite.min()


def _wrapped(name: str) -> str:
    return "\n".join(textwrap.wrap(name, 26, max_lines=3, placeholder=" …"))
