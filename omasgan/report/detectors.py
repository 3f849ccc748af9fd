"""Every detector beside OMASGAN: difference on the same test samples, cost, and the published figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from statistics import fmean

from omasgan.report.comparison import Comparison, comparisons
from omasgan.report.published import STYLE, Figure, figure_of
from omasgan.report.rows import MEAN, ROWS, headline
from omasgan.report.scores import Scores
from omasgan.report.significance import LEVEL, holm
from omasgan.report.study import BASELINES_NAME, Cell, Study
from omasgan.runs.results import Cost
from omasgan.text import figures, markdown_line, p_text

REFERENCE = "omasgan"
"""The detector that the others are compared with; where it is missing, the best of the others takes its place."""

COSTS = ("training_seconds", "scoring_seconds", "parameters")
"""The fields of `Cost`."""

DETECTORS = [
    *("setting", "method", "detector", "reference", "class", "auroc", "difference", "low", "high", "p", "p_holm"),
    *(*COSTS, "published", "published_source", "published_protocol", "kind"),
]
"""The columns of `detector_rows`."""

HEAD = [
    *("method", "mean AUROC", "difference", "p, Holm", "better", "worse"),
    *("training, s", "scoring, s", "parameters", "published", "kind"),
]
"""The titles of the printed table."""


@dataclass(frozen=True)
class Row:
    """A detector's own score, or a baseline.

    Attributes
    ----------
    method
        The method, by its place in the study.
    detector
        The detector's option.
    mean
        The mean AUROC.
    differences
        Its AUROC minus that of the reference, by class and under `MEAN` for the mean, each with the p-value that is
        corrected by Holm's method: on a class for all classes of the row, and of the mean for all rows.
    cost
        Means over the runs; a field is None where no run has recorded it.
    published
        The published figure.
    kind
        'reproduction', '-style', or empty for OMASGAN and the baselines.
    """

    method: int
    detector: str
    mean: Cell
    differences: dict[str, tuple[Comparison, float]] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    published: Figure | None = None
    kind: str = ""

    @property
    def worse(self) -> list[str]:
        """The classes on which it is worse than the reference by the corrected p-value."""
        return [cls for cls, one in self._distinct() if one.difference < 0]

    @property
    def better(self) -> list[str]:
        """The classes on which it is better than the reference by the corrected p-value."""
        return [cls for cls, one in self._distinct() if one.difference > 0]

    def _distinct(self) -> Iterator[tuple[str, Comparison]]:
        return ((cls, one) for cls, (one, p) in self.differences.items() if cls != MEAN and p < LEVEL)


@dataclass(frozen=True)
class Detectors:
    """The detectors of a setting, the best mean AUROC first; `reference` is the method that they are compared with."""

    setting: int
    reference: int
    rows: list[Row]


def detectors(study: Study, scores: Scores, setting: int) -> Detectors | None:
    """Compare the best of the detectors' own scores and the baselines of a setting with OMASGAN.

    Parameters
    ----------
    study
        The methods and their values.
    scores
        The deviations of the differences.
    setting
        The setting, by its place in the study.

    Returns
    -------
    Detectors or None
        At most `ROWS` rows; None where fewer than two detectors have a mean.
    """
    chosen = [n for n in headline(study, setting, ROWS) if study.mean(study.methods[n], "auroc").state == "done"]
    if len({detector_of(study, number) for number in chosen}) < 2:
        return None
    own = [n for n in chosen if detector_of(study, n) == REFERENCE and study.methods[n].ablation == "none"]
    reference = next(iter(own), chosen[0])
    rows = [_row(study, scores, number, reference) for number in chosen]
    tested = [place for place, row in enumerate(rows) if MEAN in row.differences]
    corrected = holm([rows[place].differences[MEAN][0].p for place in tested])
    for place, p in zip(tested, corrected, strict=True):
        rows[place].differences[MEAN] = rows[place].differences[MEAN][0], p
    return Detectors(setting, reference, rows)


def detector_of(study: Study, number: int) -> str:
    """Return the option of a method's detector; of a baseline that another detector's run reports, its own name."""
    method = study.methods[number]
    if method.name == BASELINES_NAME or not method.finished:
        return method.term
    return study.runs[method.finished[0]].choices.get("detector", method.term)


def _row(study: Study, scores: Scores, number: int, reference: int) -> Row:
    method, detector = study.methods[number], detector_of(study, number)
    row = Row(
        number,
        detector,
        study.mean(method, "auroc"),
        cost=_cost(study, number, detector),
        published=figure_of(study.settings[method.setting], detector, method.term),
        kind="" if method.baseline or detector == REFERENCE else "-style" if detector in STYLE else "reproduction",
    )
    if number == reference:
        return row
    found = list(comparisons(study, scores.pairs[method.setting], number, reference))
    classes = [one for one in found if one.cls]
    corrected = holm([one.p for one in classes])
    differences = {one.cls: (one, p) for one, p in zip(classes, corrected, strict=True)}
    return replace(row, differences=differences | {one.cls or MEAN: (one, one.p) for one in found if not one.cls})


def _cost(study: Study, number: int, detector: str) -> Cost:
    """The means over the runs whose own detector it is: another detector's run has the cost of that one alone."""
    runs = [study.runs[run] for run in study.methods[number].finished]
    costs = [run.cost for run in runs if run.choices.get("detector") == detector]

    def mean(value: Callable[[Cost], float | None]) -> float | None:
        known = [one for one in map(value, costs) if one is not None]
        return fmean(known) if known else None

    parameters = mean(lambda cost: cost.parameters)
    return Cost(
        training_seconds=mean(lambda cost: cost.training_seconds),
        scoring_seconds=mean(lambda cost: cost.scoring_seconds),
        parameters=None if parameters is None else round(parameters),
    )


def all_detectors(study: Study, scores: Scores) -> list[Detectors]:
    """Return the detectors of every setting that has several."""
    found = (detectors(study, scores, setting) for setting in range(len(study.settings)))
    return [one for one in found if one is not None]


def detector_rows(study: Study, scores: Scores) -> list[list[object]]:
    """Return every detector on every class and in the mean, with the columns of `DETECTORS`; None for no number."""
    rows: list[list[object]] = []
    for found in all_detectors(study, scores):
        where, reference = study.settings[found.setting], study.methods[found.reference].label
        for row in found.rows:
            method = study.methods[row.method]
            known = row.published
            source = [known.value, known.source, known.differs] if known else [None, None, None]
            for cls in [*where.classes, MEAN]:
                value = row.mean.mean if cls == MEAN else study.cell(method, cls, "auroc").mean
                one, p = row.differences.get(cls, (None, None))
                compared = [one.difference, one.low, one.high, one.p, p] if one else [None] * 5
                own = [where.label, method.label, row.detector, reference, cls, None if math.isnan(value) else value]
                costs = [getattr(row.cost, name) for name in COSTS] if cls == MEAN else [None] * len(COSTS)
                rows.append([*own, *compared, *costs, *(source if cls == MEAN else [None] * 3), row.kind])
    return rows


def detectors_markdown(study: Study, scores: Scores, setting: int) -> list[str]:
    """Write the detectors of a setting as lines of Markdown; none where there are not several."""
    found = detectors(study, scores, setting)
    if found is None:
        return []
    reference = study.methods[found.reference].label
    lines = [f"### Detectors beside {reference}: difference on the same test samples (DeLong), and cost", ""]
    lines += [markdown_line(HEAD), markdown_line(["---", *["---:"] * 8, "---", "---"])]
    lines += [markdown_line([study.methods[row.method].label, *texts(row)]) for row in found.rows]
    return [*lines, "", note(reference), *_left_out(study, found), ""]


def texts(row: Row) -> list[str]:
    """A row as text: mean, difference with half its interval, p, classes better and worse, costs, published, kind."""
    one, p = row.differences.get(MEAN, (None, math.nan))
    spread = figures(one.high - one.difference) if one else ""
    compared = [f"{one.difference:+.3f} ± {spread}", p_text(p)] if one else ["–"] * 2
    counts = [str(len(row.better)), str(len(row.worse))] if row.differences else ["–", "–"]
    cost = row.cost
    costs = [_seconds(cost.training_seconds), _seconds(cost.scoring_seconds)]
    costs.append("not recorded" if cost.parameters is None else f"{cost.parameters:,}")
    known = row.published
    published = (
        "none known" if known is None else f"{figures(known.value)} ({known.source}{'*' if known.differs else ''})"
    )
    return [figures(row.mean.mean), *compared, *counts, *costs, published, row.kind or "–"]


def _seconds(value: float | None) -> str:
    return "not recorded" if value is None else f"{value:.3g}"


def note(reference: str) -> str:
    """What the columns of the table are, in sentences."""
    return (
        f"The difference is to {reference}, on the same test samples; ± is half its 95 % interval. The p-values of the "
        "means are corrected by Holm for all rows; better and worse count the classes with a p-value below .05, "
        "corrected by Holm for all classes of the row. Seconds of training are for one class, those of scoring for "
        "1,000 samples, on the machines of the runs. Published figures are means over the ten classes; * marks those "
        "that are not on the official split, and detectors.csv says how theirs differs. A detector is '-style' where "
        "its paper leaves too much open for a reproduction."
    )


def _left_out(study: Study, found: Detectors) -> list[str]:
    """The detectors without a mean, each with the reason."""
    shown = {row.method for row in found.rows}
    lines = []
    for number in study.of(found.setting):
        method = study.methods[number]
        if method.main and number not in shown and (state := study.mean(method, "auroc").state) != "done":
            lines.append(f"{method.label}: {state}")
    return ["", f"Without a mean: {'; '.join(lines)}."] if lines else []
