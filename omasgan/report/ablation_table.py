"""The numbers of an ablation's table: differences to the whole detector on the same test samples, and their tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from omasgan.report.ablation import Ablation, Row
from omasgan.report.rows import MEAN
from omasgan.report.scores import Scores
from omasgan.report.significance import LEVEL, holm
from omasgan.report.statistics import Z95, two_sided
from omasgan.report.study import Study
from omasgan.text import figures, markdown_line, p_text

ABLATED = [
    *("setting", "detector", "row", "class", "auroc", "difference", "low", "high", "p", "p_holm"),
    *("deviation_over_seeds", "reason"),
]
"""The columns of `ablated_rows`."""


@dataclass(frozen=True)
class Difference:
    """A cell of the table: an AUROC, and how it differs from that of the whole detector.

    Attributes
    ----------
    cls
        The class; `MEAN` for the mean over classes.
    value
        The AUROC; NaN where there is none.
    difference, low, high
        The AUROC minus that of the whole detector, and the 95 % interval over test samples (DeLong).
    p
        The two-sided p-value of no difference.
    p_holm
        The p-value, corrected by Holm's method: on a class for all classes of the row, and of the mean for all rows.
    deviation
        The deviation over seeds of the difference of the mean, paired by seed; NaN for fewer than two seeds.
    reason
        Why a number is missing; empty where none is.
    """

    cls: str
    value: float = math.nan
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    deviation: float = math.nan
    reason: str = ""


def table(study: Study, scores: Scores, ablation: Ablation) -> list[list[Difference]]:
    """Compare every row of an ablation with the whole detector.

    Parameters
    ----------
    study
        The methods and their values.
    scores
        The deviations of the differences.
    ablation
        The detector and the rows.

    Returns
    -------
    list[list[Difference]]
        For every row, a cell for every class of the setting and one for the mean.
    """
    classes = study.settings[study.methods[ablation.full].setting].classes
    rows = []
    for row in ablation.rows:
        cells = [_cell(study, scores, ablation.full, row, cls) for cls in classes]
        rows.append([*_corrected(cells), _cell(study, scores, ablation.full, row, "")])
    means = _corrected([cells[-1] for cells in rows])
    return [[*cells[:-1], mean] for cells, mean in zip(rows, means, strict=True)]


def _cell(study: Study, scores: Scores, full: int, row: Row, cls: str) -> Difference:
    """The cell of a class, or, for an empty one, of the mean."""
    name = cls or MEAN
    if row.method is None:
        return Difference(name, reason="not run")
    whole, method = study.methods[full], study.methods[row.method]
    one, other = (study.cell(m, cls, "auroc") if cls else study.mean(m, "auroc") for m in (method, whole))
    if one.state != "done":
        return Difference(name, reason=_reason(one.state))
    if other.state != "done":
        return Difference(name, one.mean, reason=f"full: {_reason(other.state)}")
    difference = one.mean - other.mean
    deviation = scores.ablated.get((row.method, full, cls))
    spread = _over_seeds(study, row.method, full) if not cls else math.nan
    if deviation is None:
        return Difference(name, one.mean, difference, deviation=spread, reason="not on the same test samples")
    width, p = Z95 * deviation, two_sided(difference, deviation)
    return Difference(name, one.mean, difference, difference - width, difference + width, p, deviation=spread)


def _reason(state: str) -> str:
    return "not run" if state == "missing" else str(state)


def _over_seeds(study: Study, number: int, full: int) -> float:
    """The deviation over seeds of the difference of two means, paired by seed."""
    methods = study.methods[number], study.methods[full]
    averaged = study.settings[methods[0].setting].averaged
    values = [[study.by_seed(method, cls, "auroc") for cls in averaged] for method in methods]
    seeds = set.intersection(*(set(of) for by_class in values for of in by_class))
    differences = [fmean(a[s] - b[s] for a, b in zip(*values, strict=True)) for s in sorted(seeds)]
    return stdev(differences) if len(differences) > 1 else math.nan


def _corrected(cells: Sequence[Difference]) -> list[Difference]:
    tested = [place for place, cell in enumerate(cells) if not math.isnan(cell.p)]
    corrected = dict(zip(tested, holm([cells[place].p for place in tested]), strict=True))
    return [replace(cell, p_holm=corrected.get(place, math.nan)) for place, cell in enumerate(cells)]


def ablated_rows(study: Study, scores: Scores) -> list[list[object]]:
    """Return every cell of every ablation, with the columns of `ABLATED`, and None where there is no number."""
    rows: list[list[object]] = []
    for ablation in scores.ablations:
        full = study.methods[ablation.full]
        where = study.settings[full.setting].label
        for row, cells in zip(ablation.rows, table(study, scores, ablation), strict=True):
            for cell in cells:
                numbers = cell.value, cell.difference, cell.low, cell.high, cell.p, cell.p_holm, cell.deviation
                shown = [None if math.isnan(number) else number for number in numbers]
                rows.append([where, full.name, row.title, cell.cls, *shown, cell.reason])
    return rows


def ablation_markdown(study: Study, scores: Scores, setting: int) -> list[str]:
    """Write the first ablation of a setting as lines of Markdown; none where nothing is ablated."""
    found = [one for one in scores.ablations if study.methods[one.full].setting == setting]
    if not found:
        return []
    full = study.methods[found[0].full]
    own = figures(study.mean(full, "auroc").mean)
    lines = [f"### Ablation of {full.name}: differences of AUROC to its own score ({own})"]
    lines += [
        "",
        "| score | mean | difference | 95 % interval | p, Holm | classes |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row, cells in zip(found[0].rows, table(study, scores, found[0]), strict=True):
        title = f"{row.title}: {row.meaning}" if row.meaning else row.title
        lines.append(markdown_line([title, *_texts(cells[-1]), _classes(cells[:-1])]))
    note = "The p-values of a row's classes are corrected for all classes, those of the means for all rows (Holm)."
    return [*lines, "", note, ""]


def _texts(mean: Difference) -> list[str]:
    if math.isnan(mean.value):
        return [mean.reason, "", "", ""]
    if math.isnan(mean.p):
        return [figures(mean.value), mean.reason, "", ""]
    spread = "" if math.isnan(mean.deviation) else f" ± {figures(mean.deviation)}"
    bounds = f"{mean.low:+.3f} to {mean.high:+.3f}"
    return [figures(mean.value), f"{mean.difference:+.3f}{spread}", bounds, p_text(mean.p_holm)]


def _classes(cells: Sequence[Difference]) -> str:
    """On how many classes the row is below and above, with a corrected p-value below `LEVEL`."""
    tested = [cell for cell in cells if not math.isnan(cell.p_holm)]
    clear = [cell.difference for cell in tested if cell.p_holm < LEVEL]
    below, above = sum(one < 0 for one in clear), sum(one > 0 for one in clear)
    return f"{below} of {len(tested)} lower, {above} higher" if tested else ""
