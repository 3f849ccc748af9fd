"""The report's tables as text: CSV and Markdown; those in LaTeX are in `omasgan.report.latex`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from omasgan.report.ablation_table import ablation_markdown
from omasgan.report.analyses import ranks_markdown
from omasgan.report.detectors import detectors_markdown
from omasgan.report.published import published
from omasgan.report.rows import LONG, MEAN, PAIRED, cells, columns, long_rows, paired_rows, ranked
from omasgan.report.scores import Scores
from omasgan.report.study import METRICS, Cell, Study
from omasgan.text import figures, markdown_line, p_text

__all__ = ["LONG", "PAIRED", "long_rows", "paired_rows", "to_markdown"]

NOTE = (
    "Mean over seeds; ± is the standard deviation over seeds (ddof 1) where there are several; the 95 % interval of "
    "the mean is over test samples (DeLong). The last column is the mean over classes of the mean over seeds. "
    "† marks a value that lacks seeds."
)
"""What the printed tables say of their values."""


def to_markdown(study: Study, scores: Scores) -> str:
    """Write all tables as Markdown.

    Parameters
    ----------
    study
        The methods and their values.
    scores
        The deviations over test samples.

    Returns
    -------
    str
        A section for every setting, with a table for every metric, one of the paired comparisons and one of mean ranks.
    """
    lines = ["# Results", "", NOTE, ""]
    for setting, where in enumerate(study.settings):
        lines += [f"## {where.heading}", "", where.note, ""]
        rows = ranked(study, setting)
        for metric, title in METRICS.items():
            head = ["method", *columns(study, setting), *(["interval of the mean"] if metric == "auroc" else []), "n"]
            body = [_markdown_row(study, scores, number, metric) for number in rows]
            if metric == "auroc" and (known := published(where)):
                blank = [""] * len(where.classes)
                body.append(["*OMASGAN, published*", *blank, figures(known.full), "", ""])
            lines += [f"### {title}", "", markdown_line(head), markdown_line(["---"] + ["---:"] * (len(head) - 1))]
            lines += [*map(markdown_line, body), ""]
        lines += _left_out(study, setting, rows)
        chosen = [row for row in paired_rows(study, scores) if row[0] == where.label and row[3] == MEAN]
        if chosen:
            lines += ["### Paired comparison of the mean AUROC, on the same test samples (DeLong)", ""]
            lines += [markdown_line(["first", "second", "difference", "95 % interval", "p"])]
            lines += [markdown_line(["---", "---", "---:", "---:", "---:"])]
            lines += [markdown_line(_paired_text(row)) for row in chosen] + [""]
        lines += detectors_markdown(study, scores, setting)
        lines += ablation_markdown(study, scores, setting)
        lines += ranks_markdown(study, setting)
    return "\n".join(lines)


def _markdown_row(study: Study, scores: Scores, number: int, metric: str) -> list[str]:
    row = cells(study, scores, number, metric)
    low, high = row[-1].low, row[-1].high
    bounds = [] if metric != "auroc" else ["" if math.isnan(low) else f"{figures(low)} to {figures(high)}"]
    return [study.methods[number].label, *(_cell_text(cell, " ± ", "†") for cell in row), *bounds, str(row[-1].n or "")]


def _cell_text(cell: Cell, plus_minus: str, mark: str) -> str:
    """A cell as it is printed: .934 ± .012, with a mark where classes or seeds are missing; or why there is none."""
    if cell.state != "done":
        return cell.state
    spread = "" if math.isnan(cell.deviation) else f"{plus_minus}{figures(cell.deviation)}"
    return f"{figures(cell.mean)}{spread}{'' if cell.complete else mark}"


def _paired_text(row: Sequence[object]) -> list[str]:
    _, first, second, _, difference, low, high, p = row
    return [str(first), str(second), f"{difference:+.3f}", f"{low:+.3f} to {high:+.3f}", p_text(float(str(p)))]


def _left_out(study: Study, setting: int, rows: Sequence[int]) -> list[str]:
    number = len(study.of(setting)) - len(rows)
    return [f"{number} more methods, of a lower mean AUROC, are in tables.csv.", ""] if number else []
