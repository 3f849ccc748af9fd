"""Reads the words of a command line as Hydra does: its flags with their values, and the overrides."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Quote, QuotedString

CONDITION = "list.where"
"""The setting whose value needs no quotes of its own within those of the shell."""


def flags(arguments: Sequence[str]) -> Namespace:
    """The flags of a command line, such as `config_dir`, and its `overrides`, in any order.

    An unknown flag is left to Hydra, which reports it.
    """
    return get_args_parser().parse_known_intermixed_args(list(arguments))[0]


def arranged(arguments: Sequence[str]) -> list[str]:
    """The same command line with its flags first.

    Hydra accepts no flag between overrides, as in `omasgan seed=1 -m boundary.mu=0,1`.
    """
    overrides = flags(arguments).overrides
    return [*(word for word in arguments if word not in overrides), *map(quoted_condition, overrides)]


def quoted_condition(override: str) -> str:
    """The override `list.where=mu>1` with its value in quotes, without which Hydra reads no > and no comma.

    Examples
    --------
    >>> quoted_condition("list.where=mu>1")
    "list.where='mu>1'"
    """
    key, _, value = override.partition("=")
    if key != CONDITION or not value or value[0] in "\"'" or value == "null":
        return override
    return f"{key}={QuotedString(value, Quote.single).with_quotes()}"
