"""Reads the words of a command line as Hydra does: its flags with their values, and the overrides."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser


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
    return [*(word for word in arguments if word not in overrides), *overrides]
