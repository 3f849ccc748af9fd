"""The analyses of many methods as rows and as Markdown: their ranks class by class."""

from __future__ import annotations

import math
from collections.abc import Sequence

from omasgan.report.ranking import Ranking, indistinguishable, rank
from omasgan.report.rows import headline
from omasgan.report.significance import LEVEL
from omasgan.report.study import METRICS, Study
from omasgan.text import figures, p_text

RANKED = [
    *("setting", "metric", "method", "mean_rank", "mean", "class", "rank", "value"),
    *("friedman_p", "critical_difference"),
]
"""The columns of `ranked_rows`."""

COMPARED = 12
"""Methods that are ranked at most; the page ranks any that are ticked."""


def rankings(study: Study, metric: str) -> list[tuple[int, Ranking]]:
    """Rank the best of the detectors' own scores and the baselines of every setting, where there are several."""
    found = [
        (setting, rank(study, headline(study, setting, COMPARED), metric)) for setting in range(len(study.settings))
    ]
    return [(setting, ranking) for setting, ranking in found if ranking is not None]


def ranked_rows(study: Study) -> list[list[object]]:
    """Return the rank of every ranked method on every class.

    Parameters
    ----------
    study
        The methods and their values.

    Returns
    -------
    list[list[object]]
        Rows with the columns of `RANKED`, with None where there is no number.
    """
    rows: list[list[object]] = []
    for metric in METRICS:
        for setting, found in rankings(study, metric):
            where = study.settings[setting].label
            tests = [None if math.isnan(found.friedman) else found.friedman, found.critical]
            for place, number in enumerate(found.methods):
                ranks, values = found.ranks[place], found.values[place]
                own = [where, metric, study.methods[number].label, float(ranks.mean()), float(values.mean())]
                each = zip(found.classes, ranks.tolist(), values.tolist(), strict=True)
                rows += [[*own, cls, rank_of, value, *tests] for cls, rank_of, value in each]
    return rows


def ranks_markdown(study: Study, setting: int, metric: str = "auroc") -> list[str]:
    """Write the mean ranks of a setting's methods as lines of Markdown; none where nothing can be ranked."""
    found = rank(study, headline(study, setting, COMPARED), metric)
    if found is None:
        return []
    labels = [study.methods[number].label for number in found.methods]
    lines = [f"### Mean rank by {METRICS[metric]} on {len(found.classes)} classes", ""]
    lines += ["| method | mean rank | mean |", "| --- | ---: | ---: |"]
    lines += [
        f"| {label} | {mean:.2f} | {figures(float(values.mean()))} |"
        for label, mean, values in zip(labels, found.mean_ranks, found.values, strict=True)
    ]
    return [*lines, "", _tests(found, labels), *_left_out(study, found), ""]


def _tests(found: Ranking, labels: Sequence[str]) -> str:
    """What the tests say of the ranks, in sentences."""
    friedman = "" if math.isnan(found.friedman) else f"Friedman's test of equal ranks: p {_equals(found.friedman)}. "
    apart = abs(found.mean_ranks[:, None] - found.mean_ranks)
    by_nemenyi = [_group(labels, *group) for group in indistinguishable(apart >= found.critical)]
    by_wilcoxon = [_group(labels, *group) for group in indistinguishable(found.wilcoxon < LEVEL)]
    return (
        f"{friedman}Not distinguished by Nemenyi's test at {LEVEL:.0%}, whose critical difference is "
        f"{found.critical:.2f}: {'; '.join(by_nemenyi) or 'none'}. Not distinguished by Wilcoxon's signed-rank test "
        f"with Holm's correction: {'; '.join(by_wilcoxon) or 'none'}."
    )


def _equals(p: float) -> str:
    return p_text(p) if p < 0.001 else f"= {p_text(p)}"


def _group(labels: Sequence[str], first: int, last: int) -> str:
    return ", ".join(labels[first : last + 1])


def _left_out(study: Study, found: Ranking) -> list[str]:
    each = [f"{study.methods[number].label} lacks {', '.join(classes)}" for number, classes in found.lacking.items()]
    return ["", f"Not ranked: {'; '.join(each)}."] if each else []
