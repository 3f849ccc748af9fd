"""A ranking of settings as text: the table, which settings noise cannot tell from the best, and what parameters do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from statistics import fmean
from typing import Any

from omasgan.configuration.sweep_names import short_names
from omasgan.report.common import lacks
from omasgan.report.configurations import baselines_of
from omasgan.report.parameter_effects import is_grid, main_effects
from omasgan.report.significance import LEVEL, fewest_pairs
from omasgan.report.sweep_analysis import Ranking, best_baseline, p_against, varied
from omasgan.runs.folder import main_term
from omasgan.text import figures, heading, shortened, table

ROWS = 30
"""Settings that a table shows at most."""

NAMED = 6
"""Settings that a sentence names at most."""

VALUE_LENGTH = 24
"""Characters of a value that is shown, at most."""

NUMBER_LENGTH = 8
"""Characters of a number that is shown with all its digits, at most."""

TEST = "Wilcoxon's signed-rank test with Holm's correction"
"""The test of two settings; see `p_against`."""


def ranking_table(ranking: Ranking) -> str:
    """The table of the settings, the best first.

    Its columns are the parameters, the mean of what it is ranked by, the deviation over seeds, the means of the other
    terms and of the best baseline, and the p-value of no difference from the best where there are pairs enough.
    """
    keys = varied([row.variant for row in ranking.rows])
    names = short_names(keys)
    first = next(iter(ranking.rows[0].variant.runs.values()))
    main = ranking.term or main_term(dict(first.metrics)) or ""
    alike = all(main in row.parts for row in ranking.rows)
    terms = _other_terms(ranking, main if alike else None)
    baseline = best_baseline(ranking)
    tested = can_be_told_apart(ranking)
    seeds = any(not math.isnan(row.deviation) for row in ranking.rows)
    header = [
        *(names[key] for key in keys),
        heading(main) if alike else "score",
        *(["±"] if seeds else []),
        *map(heading, terms),
        *([heading(baseline)] if baseline else []),
        *(["p"] if tested else []),
    ]
    p = p_against(ranking) if tested else []
    rows = []
    for place, row in enumerate(ranking.rows[:ROWS]):
        values = [shown(row.variant.values.get(key, "-")) for key in keys]
        others = [figures(row.parts.get(term, math.nan)) for term in [*terms, *([baseline] if baseline else [])]]
        spread = [figures(row.deviation)] if seeds else []
        rows.append([*values, figures(row.mean), *spread, *others, *([p_text(p[place], place)] if tested else [])])
    return table(rows, header)


def p_text(p: float, place: int) -> str:
    """A p-value in the table; that of the best is none."""
    if place == 0:
        return "-"
    return "<.001" if p < 0.001 else figures(p)


def _other_terms(ranking: Ranking, shown: str | None) -> list[str]:
    """The terms of the detectors that the table shows beside the one that it is ranked by."""
    terms: dict[str, None] = {}
    for row in ranking.rows:
        baselines = baselines_of(next(iter(row.variant.runs.values())))
        terms.update(dict.fromkeys(term for term in row.parts if term not in baselines and term != shown))
    return list(terms)


def caption(ranking: Ranking) -> str:
    """What the rows of the table are means over, and what its columns are."""
    parts = [f"mean over {cells_text(ranking)}"]
    if len({seed for _, seed in ranking.cells}) > 1:
        parts.append("± is the standard deviation over seeds")
    if baseline := best_baseline(ranking):
        parts.append(f"the best baseline is {heading(baseline)}")
    if len(ranking.rows) > ROWS:
        parts.append(f"{len(ranking.rows) - ROWS} more settings are in runs.csv")
    return "; ".join(parts)


def cells_text(ranking: Ranking) -> str:
    """The runs of each setting: '20 runs (10 classes, 2 seeds)'."""
    classes, seeds = (len({cell[place] for cell in ranking.cells}) for place in (0, 1))
    each = ((len(ranking.cells), "run", "s"), (classes, "class", "es"), (seeds, "seed", "s"))
    runs, *over = (f"{count} {word}{ending * (count != 1)}" for count, word, ending in each)
    return f"{runs} ({', '.join(over)})"


def can_be_told_apart(ranking: Ranking) -> bool:
    """Whether there are several settings, and pairs enough to find a difference between them."""
    return len(ranking.rows) > 1 and fewest_pairs(len(ranking.rows) - 1) <= len(ranking.cells)


def noise_text(ranking: Ranking) -> str:
    """Which settings are within the noise of the best."""
    others = len(ranking.rows) - 1
    pairs = len(ranking.cells)
    if not can_be_told_apart(ranking):
        return (
            f"no setting is known to be worse than the best: {pairs} pair{'s' * (pairs != 1)} of runs are too few to "
            f"tell {others + 1} settings apart ({TEST} needs {fewest_pairs(others)}); give more seeds or classes"
        )
    p = p_against(ranking)
    keys = varied([row.variant for row in ranking.rows])
    within = [label(row.variant.values, keys) for row, value in zip(ranking.rows, p, strict=True) if value >= LEVEL][1:]
    how = f"p >= {LEVEL:g} by {TEST}, paired over the same {cells_text(ranking)}"
    which = f"{len(within)} of {others} other settings, {listed(within)}"
    if len(within) in (0, others):
        which = "all others" if within else "no other setting"
    return f"within the noise of the best: {which} ({how})"


def effects_text(ranking: Ranking) -> str:
    """The main effect of each parameter: how far the means of its values are apart."""
    effects = main_effects(ranking.rows)
    names = short_names([effect.parameter for effect in effects])
    several = len(effects) > 1
    rows = []
    for effect in effects:
        means = [f"{shown(value)}: {figures(mean)}" for value, mean in effect.means.items()]
        share = [f"{100 * effect.share:.0f} %"] if several else []
        rows.append([names[effect.parameter], figures(effect.span), *share, ", ".join(means)])
    header = ["main effect of", "range", *(["of variance"] if several else []), "mean by value"]
    text = table(rows, header)
    if several and not is_grid(ranking.rows):
        text += "\nnot all combinations of these values were ranked, so that the effects may be mixed"
    spread = [row.deviation for row in ranking.rows if not math.isnan(row.deviation)]
    return f"{text}\nseeds alone: ±{figures(fmean(spread))} (mean of the deviations over seeds)" if spread else text


def importances_text(importances: Mapping[str, float], trials: int) -> str:
    """The importance of each parameter of a search; empty where there is none."""
    if not importances:
        return ""
    names = short_names(importances)
    each = ", ".join(f"{names[key]} {100 * value:.0f} %" for key, value in importances.items())
    return f"importance (functional ANOVA over {trials} complete trials): {each}"


def left_out_text(ranking: Ranking) -> str:
    """The settings that are not ranked, with the classes and seeds that they lack."""
    keys = varied([*(row.variant for row in ranking.rows), *(variant for variant, _ in ranking.left_out)])
    lines = []
    for variant, cells in ranking.left_out:
        lacking = lacks([f"{cls} seed {seed}" for cls, seed in cells])
        lines.append(f"not ranked: {label(variant.values, keys) or 'the one setting'} {lacking}")
    more = len(lines) - NAMED
    return "\n".join([*lines[:NAMED], *([f"and {more} more settings that lack runs"] if more > 0 else [])])


def listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"


def label(values: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The values of some parameters in a sentence: 'mu=0.1 nu=0.3'."""
    names = short_names(keys)
    return " ".join(f"{names[key]}={shown(values[key])}" for key in keys if key in values)


def shown(value: object) -> str:
    """A value of a parameter, a long number with four digits and a long text cut."""
    word = str(value)
    if len(word) > NUMBER_LENGTH:
        with suppress(ValueError):
            return f"{float(word):.4g}"
    return shortened(word, VALUE_LENGTH)
