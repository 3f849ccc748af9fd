"""The report's tables as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from omasgan.report.comparison import comparisons, headline_pairs
from omasgan.report.published import PUBLISHED
from omasgan.report.scores import Scores
from omasgan.report.study import METRICS, Cell, Study
from omasgan.text import figures

MEAN = "mean"
"""The column, and in the CSV the class, of the mean over classes."""

ROWS = 40
"""Rows of a table that is made to be read or printed; the CSV has all."""

COMPARED = 12
"""Methods whose pairs are listed; the page compares any two."""

WORDS = {state: state for state in ("failed", "interrupted", "damaged", "running", "missing")}


def cells(study: Study, scores: Scores, number: int, metric: str) -> list[Cell]:
    """A method's row: a cell a class, then the mean. Only the AUROC has an interval."""
    method = study.methods[number]
    deviation = scores.deviation if metric == "auroc" else {}
    row = [
        study.cell(method, cls, metric, deviation.get((number, cls), math.nan))
        for cls in study.settings[method.setting].classes
    ]
    return [*row, study.mean(method, metric, deviation.get((number, ""), math.nan))]


def columns(study: Study, setting: int) -> list[str]:
    """What the cells of a setting's rows are headed by."""
    return [*study.settings[setting].classes, MEAN]


LONG = [
    *("setting", "method", "detector", "ablation", "term", "baseline", "class", "metric"),
    *("mean", "deviation", "n", "low", "high", "state", "complete", "runs"),
]


def long_rows(study: Study, scores: Scores, printed: bool = False) -> list[list[object]]:
    """Every cell of every table, or of the printed ones alone, a row each, by the columns of `LONG`.

    None stands where there is no number.
    """
    rows: list[list[object]] = []
    every = range(len(study.methods))
    chosen = [n for setting in range(len(study.settings)) for n in ranked(study, setting)] if printed else every
    for number in chosen:
        method = study.methods[number]
        who = [method.label, method.name, method.ablation, method.term, method.baseline]
        label = study.settings[method.setting].label
        for metric in METRICS:
            row = cells(study, scores, number, metric)
            for name, cell in zip(columns(study, method.setting), row, strict=True):
                values = [_or_none(v) for v in (cell.mean, cell.deviation)]
                bounds = [_or_none(v) for v in (cell.low, cell.high)]
                runs = ";".join(str(study.runs[run].folder) for run in cell.runs)
                rows.append([label, *who, name, metric, *values, cell.n, *bounds, cell.state, cell.complete, runs])
    return rows


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def to_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A CSV; None is an empty field."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue()


PAIRED = ["setting", "first", "second", "class", "difference", "low", "high", "p"]


def paired_rows(study: Study, scores: Scores) -> list[list[object]]:
    """The paired comparisons of the best methods of every setting, by the columns of `PAIRED`."""
    rows: list[list[object]] = []
    for pairs in scores.pairs:
        for first, second in headline_pairs(study, pairs, COMPARED):
            for found in comparisons(study, pairs, first, second):
                label = study.settings[study.methods[first].setting].label
                names = [study.methods[number].label for number in (first, second)]
                rows.append([label, *names, found.cls or MEAN, found.difference, found.low, found.high, found.p])
    return rows


def ranked(study: Study, setting: int) -> list[int]:
    """The rows of a printed table: the best in the mean AUROC, at most `ROWS`, with all baselines."""

    def place(number: int) -> float:
        mean = study.mean(study.methods[number], "auroc").mean
        return math.inf if math.isnan(mean) else -mean

    of = sorted(study.of(setting), key=place)
    baselines = [number for number in of if study.methods[number].baseline]
    kept = {*baselines, *[number for number in of if number not in baselines][: max(ROWS - len(baselines), 1)]}
    return [number for number in of if number in kept]


def text_of(cell: Cell, plus_minus: str, mark: str) -> str:
    """A cell as it is printed: .934 ± .012, with a mark where classes or seeds are missing; or why there is none."""
    if cell.state != "done":
        return WORDS.get(cell.state, cell.state)
    spread = "" if math.isnan(cell.deviation) else f"{plus_minus}{figures(cell.deviation)}"
    return f"{figures(cell.mean)}{spread}{'' if cell.complete else mark}"


NOTE = (
    "Mean over seeds; ± its deviation over seeds (ddof 1) where there are several; 95 % interval of the mean over test "
    "samples (DeLong). The last column is the mean over classes of the mean over seeds. † seeds or classes are missing."
)


def to_markdown(study: Study, scores: Scores) -> str:
    """All tables, a section a setting."""
    lines = ["# Results", "", NOTE, ""]
    for setting, where in enumerate(study.settings):
        lines += [f"## {where.label}", ""]
        rows = ranked(study, setting)
        for metric, title in METRICS.items():
            head = ["method", *columns(study, setting), *(["interval of the mean"] if metric == "auroc" else []), "n"]
            body = [_markdown_row(study, scores, number, metric) for number in rows]
            if metric == "auroc" and (known := PUBLISHED.get((where.dataset, where.protocol))):
                blank = [""] * len(where.classes)
                body.append(["*OMASGAN, published*", *blank, figures(known.full), "", ""])
            lines += [f"### {title}", "", _markdown_line(head), _markdown_line(["---"] + ["---:"] * (len(head) - 1))]
            lines += [*map(_markdown_line, body), ""]
        lines += _left_out(study, setting, rows)
        chosen = [row for row in paired_rows(study, scores) if row[0] == where.label and row[3] == MEAN]
        if chosen:
            lines += ["### Paired comparison of the mean AUROC, on the same test samples (DeLong)", ""]
            lines += [_markdown_line(["first", "second", "difference", "95 % interval", "p"])]
            lines += [_markdown_line(["---", "---", "---:", "---:", "---:"])]
            lines += [_markdown_line(_paired_text(row)) for row in chosen] + [""]
    return "\n".join(lines)


def _markdown_row(study: Study, scores: Scores, number: int, metric: str) -> list[str]:
    row = cells(study, scores, number, metric)
    low, high = row[-1].low, row[-1].high
    bounds = [] if metric != "auroc" else ["" if math.isnan(low) else f"{figures(low)} to {figures(high)}"]
    return [study.methods[number].label, *(text_of(cell, " ± ", "†") for cell in row), *bounds, str(row[-1].n or "")]


def _paired_text(row: Sequence[object]) -> list[str]:
    _, first, second, _, difference, low, high, p = row
    return [str(first), str(second), f"{difference:+.3f}", f"{low:+.3f} to {high:+.3f}", p_text(float(str(p)))]


def p_text(p: float) -> str:
    """A p-value: .034, or < .001."""
    return "< .001" if p < 0.001 else figures(p)


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _left_out(study: Study, setting: int, rows: Sequence[int]) -> list[str]:
    number = len(study.of(setting)) - len(rows)
    return [f"{number} more methods, of a lower mean AUROC, are in tables.csv.", ""] if number else []


def to_latex(study: Study, scores: Scores) -> str:
    r"""All tables for \usepackage{booktabs}, one a setting and metric."""
    lines = [r"% \usepackage{booktabs}", f"% {NOTE.replace('%', 'per cent')}", ""]
    for setting, where in enumerate(study.settings):
        rows = ranked(study, setting)
        head = columns(study, setting)
        for metric, title in METRICS.items():
            lines += [r"\begin{table}", r"\centering", rf"\caption{{{latex(title)}, {latex(where.label)}.}}"]
            lines += [r"\small", rf"\begin{{tabular}}{{l{'r' * len(head)}}}", r"\toprule"]
            lines += [_latex_line(["method", *map(latex, head)]), r"\midrule"]
            baselines = [number for number in rows if study.methods[number].baseline]
            own = [number for number in rows if number not in baselines]
            for group in (own, baselines):
                if group is baselines and own and baselines:
                    lines += [r"\midrule"]
                for number in group:
                    row = cells(study, scores, number, metric)
                    texts = [text_of(cell, r"\,$\pm$\,", r"$^\dagger$") for cell in row]
                    lines += [_latex_line([latex(study.methods[number].label), *texts])]
            if metric == "auroc" and (known := PUBLISHED.get((where.dataset, where.protocol))):
                lines += [
                    r"\midrule",
                    _latex_line(["OMASGAN, published", *[""] * len(where.classes), figures(known.full)]),
                ]
            lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def latex(text: str) -> str:
    """Text with what LaTeX reads as commands escaped."""
    special = {
        **{character: rf"\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "·": r"$\cdot$",
    }
    return "".join(special.get(character, character) for character in text)
