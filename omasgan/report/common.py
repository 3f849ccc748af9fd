"""What several methods have in common, so that they can be compared by means over the same classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from omasgan.evaluation.objective import Split

Item = TypeVar("Item")
"""A class, or a class and a seed."""

NAMED = 4
"""Classes that a cell names at most; of more, it names one fewer, and the number of the others."""


def shared(have: Iterable[Collection[Item]]) -> set[Item]:
    """The items over which means are taken: means over different items are never compared.

    Parameters
    ----------
    have
        The items that each method has. Those without any are not compared.

    Returns
    -------
    set
        The set with which most values are compared (items times methods that have all of them), among the items that
        all methods have and those of each method. Methods that lack one of its items have no mean.

    Examples
    --------
    >>> sorted(shared([{"cat", "dog", "owl"}, {"cat", "dog", "owl"}, {"cat"}]))
    ['cat', 'dog', 'owl']
    >>> sorted(shared([{"cat", "dog", "owl"}, {"cat"}, {"cat"}, {"cat"}]))
    ['cat']
    """
    counts = Counter(frozenset(items) for items in have if items)
    candidates: list[frozenset[Item]] = [frozenset.intersection(*counts), *counts] if counts else [frozenset()]
    methods = {items: sum(number for other, number in counts.items() if items <= other) for items in candidates}
    best = max(methods, key=lambda items: (len(items) * methods[items], len(items)))
    return set(best)


def lacks(classes: Sequence[str]) -> str:
    """What a cell of the mean says of a method without these classes, such as 'lacks 3, 7'."""
    if len(classes) <= NAMED:
        return f"lacks {', '.join(classes)}"
    return f"lacks {', '.join(classes[: NAMED - 1])} and {len(classes) - NAMED + 1} more"


def what_means_are(averaged: Sequence[str], classes: Sequence[str], kind: str) -> str:
    """Which classes the means of a table are over, in one sentence; empty where there is one column.

    Parameters
    ----------
    averaged
        The classes that the means are over.
    classes
        All columns.
    kind
        What a column is: 'classes' or 'sets of classes'.
    """
    if len(classes) < 2 or not averaged:
        return ""
    names, every = ", ".join(averaged), len(averaged) == len(classes)
    over = f"all {len(classes)} {kind}" if every else f"{names} ({len(averaged)} of {len(classes)} {kind})"
    return f"Means are over {over}; a method without all of them has no mean."


def what_columns_are(split: Split, role: str, together: int) -> str:
    """What the classes that head the columns of a table are to its figures, in one sentence.

    Parameters
    ----------
    split
        The split that the figures are on.
    role
        What a class is to the protocol: 'abnormal', 'normal', or empty where there are no classes.
    together
        The number of classes that are singled out together in each column.
    """
    if not role:
        return "There is one column, since the data have no classes to leave out."
    column = "a class that is" if together == 1 else "a set of classes that are"
    if role == "normal":
        return f"Each column is {column} normal; all others are abnormal."
    if split == "pseudo":
        return f"Each column is {column} neither trained nor tested on; other classes stand in for the anomalies."
    return (
        f"Each column is {column} left out of training and tested as {'the anomaly' if together == 1 else 'anomalies'}."
    )
