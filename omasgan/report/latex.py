"""The report's tables in LaTeX, each as wide as the text of a page with one column."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from omasgan.report.detectors import HEAD, detectors, note, texts
from omasgan.report.published import published
from omasgan.report.rows import MEAN, cells, ranked
from omasgan.report.scores import Scores
from omasgan.report.study import METRICS, Cell, Setting, Study
from omasgan.report.sweep_analysis import LOWER_IS_BETTER
from omasgan.text import figures

NOTE = (
    "A value is the mean over seeds; the last column is the mean over the classes, with the standard deviation over "
    "seeds where there are several. The best value of a column, and each that equals it when rounded, is bold."
)
"""What a caption says of its table."""

INCOMPLETE = "† lacks classes or seeds"

CLASSES = 10
"""Classes of one table at most; more do not fit the width, and are in further tables."""

WRAPPED = r">{\raggedright\arraybackslash}X"
"""The kind of a column whose text is wrapped."""

END = (r"\bottomrule", r"\end{tabularx}", r"\end{table}", "")
"""The lines after the rows of a table."""

LONG_NAME = 4
"""Characters from which on a title of a column is set upright."""


def to_latex(study: Study, scores: Scores) -> str:
    r"""Write all tables as LaTeX, for \usepackage{booktabs,graphicx,tabularx}.

    Parameters
    ----------
    study
        The methods and their values.
    scores
        The deviations over test samples.

    Returns
    -------
    str
        A table for every setting and metric, with a label, a caption, and the baselines below the other methods.
        Classes that no method has been run on have no column.
    """
    lines = [r"% \usepackage{booktabs,graphicx,tabularx}", ""]
    for setting, where in enumerate(study.settings):
        rows = ranked(study, setting)
        for metric in METRICS:
            table = {number: cells(study, scores, number, metric) for number in rows}
            lines += _tables(study, where, metric, table)
        lines += _detectors(study, scores, setting)
    return "\n".join(lines)


def _tables(study: Study, where: Setting, metric: str, table: dict[int, list[Cell]]) -> Iterator[str]:
    """The tables of a setting and metric: one for every ten classes, each with the column of the mean."""
    run = [n for n in range(len(where.classes)) if any(row[n].state != "missing" for row in table.values())]
    chosen = [run[start : start + CLASSES] for start in range(0, len(run), CLASSES)] or [[]]
    for part, places in enumerate(chosen):
        shown = {number: [*(row[n] for n in places), row[-1]] for number, row in table.items()}
        caption = _caption(where, metric, shown, f" Part {part + 1}." if len(chosen) > 1 else "")
        label = f"{where.label} {metric}" + (f" {part + 1}" if part else "")
        yield from _begin(caption, label, rf"{WRAPPED}*{{{len(places) + 1}}}{{r}}")
        yield _line(["method", *(_title(where.classes[n]) for n in places), MEAN])
        yield r"\midrule"
        yield from _body(study, metric, shown)
        if metric == "auroc" and (known := published(where)):
            yield r"\midrule"
            yield _line(["OMASGAN, published", *[""] * len(places), figures(known.full)])
        yield from END


def _begin(caption: str, label: str, columns: str) -> Iterator[str]:
    """The lines before the rows of a table; the caption is LaTeX, the label any text."""
    yield r"\begin{table}"
    yield r"\centering"
    yield rf"\caption{{{caption}}}"
    yield rf"\label{{tab:{re.sub(r'[^a-z0-9]+', '-', label.lower())}}}"
    yield r"\scriptsize\setlength{\tabcolsep}{2pt}"
    yield rf"\begin{{tabularx}}{{\linewidth}}{{@{{}}{columns}@{{}}}}"
    yield r"\toprule"


def _detectors(study: Study, scores: Scores, setting: int) -> Iterator[str]:
    """The table of detectors beside OMASGAN; none where there are not several."""
    found = detectors(study, scores, setting)
    if found is None:
        return
    where, reference = study.settings[setting], study.methods[found.reference].label
    none = "Where there is a dash, none was recorded, or none is known."
    caption = latex(f"Detectors, {where.heading}. {note(reference)} {none}")
    columns = rf"{WRAPPED}*{{{len(HEAD) - 3}}}{{r}}*{{2}}{{{WRAPPED}}}"
    yield from _begin(caption, f"{where.label} detectors", columns)
    yield _line([HEAD[0], *map(_title, HEAD[1:])])
    yield r"\midrule"
    for row in found.rows:
        shown = ["--" if text in ("not recorded", "none known", "–") else latex(text) for text in texts(row)]
        yield _line([latex(study.methods[row.method].label), *shown])
    yield from END


def _caption(where: Setting, metric: str, shown: dict[int, list[Cell]], part: str) -> str:
    every = [cell for row in shown.values() for cell in row]
    states = sorted({_state(cell) for cell in every if cell.state != "done"})
    signs = [f"{state[0]} {state}" for state in states]
    signs += [INCOMPLETE] if any(cell.state == "done" and not cell.complete for cell in every) else []
    meaning = f" {'; '.join(signs)}." if signs else ""
    text = f"{METRICS[metric]}, {where.heading}. {where.note} {NOTE}{meaning}{part}"
    return latex(text)


def _body(study: Study, metric: str, shown: dict[int, list[Cell]]) -> Iterator[str]:
    best = [_best(metric, [row[n] for row in shown.values()]) for n in range(len(next(iter(shown.values()), [])))]
    baselines = [number for number in shown if study.methods[number].baseline]
    others = [number for number in shown if number not in baselines]
    for number in [*others, *baselines]:
        if others and baselines[:1] == [number]:
            yield r"\midrule"
        *of_classes, mean = (_cell(cell, top) for cell, top in zip(shown[number], best, strict=True))
        deviation = shown[number][-1].deviation
        spread = "" if math.isnan(deviation) else rf"\,$\pm$\,{figures(deviation)}"
        yield _line([latex(study.methods[number].label), *of_classes, mean + spread])


def _best(metric: str, column: Sequence[Cell]) -> str | None:
    """The best value of a column as it is printed; None where it has none."""
    values = [cell.mean for cell in column if cell.state == "done"]
    choose = min if metric in LOWER_IS_BETTER else max
    return figures(choose(values)) if values else None


def _cell(cell: Cell, best: str | None) -> str:
    """A value, bold where it is the best of its column; or the first letter of why there is none."""
    if cell.state != "done":
        return rf"\textit{{{_state(cell)[0]}}}"
    value = figures(cell.mean)
    return (rf"\textbf{{{value}}}" if value == best else value) + ("" if cell.complete else r"$^\dagger$")


def _state(cell: Cell) -> str:
    """Why a cell has no value; of a mean that lacks classes, their names are left out."""
    return "lacks classes" if cell.state.startswith("lacks") else str(cell.state)


def _title(name: str) -> str:
    return latex(name) if len(name) < LONG_NAME else rf"\rotatebox{{90}}{{{latex(name)}}}"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def latex(text: str) -> str:
    """Escape what LaTeX would read as a command."""
    special = {
        **{character: rf"\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "·": r"$\cdot$",
        "±": r"$\pm$",
        "†": r"$^\dagger$",
    }
    return "".join(special.get(character, character) for character in text)
