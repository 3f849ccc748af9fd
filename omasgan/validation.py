"""Checks a value against a type annotation, and a configuration node against the signature of its `_target_`."""

from __future__ import annotations

import difflib
import inspect
import math
import pkgutil
import sys
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from omasgan.errors import UserError

INJECTED = frozenset({"spec", "workspace"})
"""Parameters that the program supplies: never in a configuration."""


@dataclass(frozen=True)
class Range:
    """The numbers that an annotated parameter takes; all bounds are optional."""

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high and (self.above < value < self.below or self._unbounded())

    def _unbounded(self) -> bool:
        return self.above == -math.inf and self.below == math.inf

    def __str__(self) -> str:
        bounds = [
            (self.low, -math.inf, "at least"),
            (self.above, -math.inf, "above"),
            (self.high, math.inf, "at most"),
            (self.below, math.inf, "below"),
        ]
        return " and ".join(f"{word} {bound:g}" for bound, none, word in bounds if bound != none)


def did_you_mean(word: str, allowed: Collection[str]) -> str:
    """' (did you mean ...?)' when something close is allowed, else nothing."""
    close = difflib.get_close_matches(word, list(allowed), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def check_value(key: str, value: object, hint: Any) -> None:
    """Raise UserError unless `value` is of the annotated type and in its range; the message names the key."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        check_value(key, value, arguments[0])
        for bound in arguments[1:]:
            if isinstance(bound, Range) and isinstance(value, int | float) and value not in bound:
                raise UserError(f"{key} is {value}: it must be {bound}")
    elif origin is Literal:
        if value not in arguments:
            choices = ", ".join(str(choice) for choice in arguments)
            hint_text = did_you_mean(str(value), [str(choice) for choice in arguments])
            raise UserError(f"{key} is '{value}': choose one of {choices}{hint_text}")
    elif origin in (Union, types.UnionType):
        _check_union(key, value, arguments)
    elif origin is list:
        if not isinstance(value, list):
            raise UserError(f"{key} is {value!r}: a list is expected, such as [1,2]")
        for index, item in enumerate(value):
            check_value(f"{key}[{index}]", item, arguments[0])
    elif not _is_plain(value, hint):
        raise UserError(f"{key} is {value!r}: {expected(hint)} is expected")


def _check_union(key: str, value: object, arguments: tuple[Any, ...]) -> None:
    failures = []
    for argument in arguments:
        try:
            return check_value(key, value, argument)
        except UserError as error:
            failures.append(error)
    # Where one alternative fits the type, its complaint (the range) is the one that helps.
    for failure, argument in zip(failures, arguments, strict=True):
        if get_origin(argument) is Annotated and _is_plain(value, get_args(argument)[0]):
            raise failure
    raise UserError(f"{key} is {value!r}: {' or '.join(map(expected, arguments))} is expected")


def _is_plain(value: object, hint: Any) -> bool:
    if hint is Any:
        return True
    if hint is None or hint is types.NoneType:
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return not isinstance(hint, type) or hint in type(value).__mro__  # a Protocol refuses isinstance


NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    types.NoneType: "null",
}


def expected(hint: Any) -> str:
    """What a person calls the values of an annotated type."""
    if get_origin(hint) is Annotated:
        return expected(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(map(expected, get_args(hint)))
    return NAMES.get(hint, str(getattr(hint, "__name__", hint)))


def parameters(target: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """The parameters of a `_target_` that a configuration sets, with their annotations as types."""
    signature = inspect.signature(target, eval_str=True)
    return {name: parameter for name, parameter in signature.parameters.items() if name not in INJECTED}


def check_node(key: str, node: Any) -> None:
    """Raise UserError unless the node has a `_target_` and fits that one's signature, all the way down.

    key: the node's place in the configuration, for the message. node: resolved, plain containers.
    """
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise UserError(f"{key} is {node!r}: settings with a _target_ are expected, as the options of its group hold")
    try:
        target = pkgutil.resolve_name(str(node["_target_"]))
    except (ImportError, ValueError, AttributeError):
        raise UserError(f"{key}._target_ is '{node['_target_']}': there is no such class or function") from None
    if not callable(target):
        raise UserError(f"{key}._target_ is '{node['_target_']}': a class or function is expected")
    allowed = parameters(target)
    for name, value in node.items():
        if name == "_target_" or (name == "_partial_" and INJECTED & inspect.signature(target).parameters.keys()):
            continue  # a constructor that the program completes
        if name not in allowed:
            options = f"it takes {', '.join(allowed)}" if allowed else "it takes no setting"
            raise UserError(f"there is no setting '{key}.{name}'{did_you_mean(name, allowed)}: {options}")
        if isinstance(value, Mapping) and "_target_" in value:
            check_node(f"{key}.{name}", value)
        else:
            check_value(f"{key}.{name}", value, allowed[name].annotation)
    for name, parameter in allowed.items():
        if parameter.default is inspect.Parameter.empty and name not in node:
            raise UserError(f"{key}.{name} is not set: give it as {key}.{name}=...")
