"""Checks a value against a type annotation, and a configuration node against the signature of its `_target_`.

pydantic decides; this module says its verdict in one line that names the key.
"""

from __future__ import annotations

import dataclasses
import inspect
import pkgutil
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, cast, get_args, get_origin

from omasgan.errors import UserError
from omasgan.text import did_you_mean

if TYPE_CHECKING:
    from pydantic import TypeAdapter  # imported where it is used: `omasgan --help` and task=list need none of it

INJECTED = frozenset({"spec", "workspace"})
"""Parameters that the program supplies: never in a configuration."""

BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
"""Bounds by their names in annotated-types, in the order in which they are said."""


def check_value(key: str, value: object, hint: Any) -> None:
    """Raise UserError unless `value` is of the annotated type and in its range; the message names the key."""
    from pydantic import ValidationError

    try:
        _adapter(hint).validate_python(value)
    except ValidationError as error:
        raise UserError(_refusal(key, value, hint, error.errors(include_url=False))) from None


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(_checkable(hint), config=ConfigDict(strict=True, allow_inf_nan=False))


def _checkable(hint: Any) -> Any:
    """The annotation, with every class that a configuration cannot give as a plain value replaced by a check of it."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return Union[tuple(map(_checkable, get_args(hint)))]  # noqa: UP007
    if origin in (Annotated, Literal, list) or hint in (None, Any, *NAMES):
        return hint
    if not isinstance(hint, type):
        return Any  # a callable: what a node builds
    from pydantic import PlainValidator

    def is_instance(value: object) -> object:
        if hint not in type(value).__mro__:  # a Protocol refuses isinstance
            raise ValueError(hint.__name__)
        return value

    return Annotated[Any, PlainValidator(is_instance)]


def _refusal(key: str, value: object, hint: Any, errors: list[Any]) -> str:
    """What is wrong with a value, in one line."""
    # Where one alternative of a union fits the type, its complaint (the range) is the one that helps.
    out_of_range = [error for error in errors if BOUNDS.keys() & error.get("ctx", {})]
    error = (out_of_range or errors)[0]
    place, hint = _place(key, error["loc"], hint)
    given = error["input"]
    if out_of_range:
        return f"{place} is {given}: it must be {range_text(hint)}"
    if get_origin(hint) is Literal:
        choices = [str(choice) for choice in get_args(hint)]
        return f"{place} is '{given}': choose one of {', '.join(choices)}{did_you_mean(str(given), choices)}"
    if get_origin(hint) is list:
        return f"{place} is {given!r}: a list is expected, such as [1,2]"
    return f"{place} is {given!r}: {expected(hint)} is expected"


def _place(key: str, location: tuple[Any, ...], hint: Any) -> tuple[str, Any]:
    """The key of a wrong item, 'key[1]', and its annotation."""
    for part in location:
        if isinstance(part, int):
            key, hint = f"{key}[{part}]", get_args(hint)[0]
    return key, hint


def bounds(hint: Any) -> Iterator[tuple[str, float]]:
    """The bounds of an annotated number, by their names in annotated-types."""
    if get_origin(hint) in (Union, types.UnionType):
        for alternative in get_args(hint):
            yield from bounds(alternative)
    for mark in getattr(hint, "__metadata__", ()):
        for name in BOUNDS:
            if getattr(mark, name, None) is not None:
                yield name, getattr(mark, name)


def range_text(hint: Any) -> str:
    """What an annotated number must be, as 'at least 0 and below 1'; empty without bounds."""
    found = dict(bounds(hint))
    return " and ".join(f"{word} {found[name]:g}" for name, word in BOUNDS.items() if name in found)


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

    Parameters
    ----------
    key
        The node's place in the configuration, for the message.
    node
        Resolved, in plain containers.
    """
    target = _target(key, node)
    injected = INJECTED & inspect.signature(target).parameters.keys()
    allowed = parameters(target)
    plain = {}
    for name, value in node.items():
        if name == "_target_" or (name == "_partial_" and injected):
            continue  # a constructor that the program completes
        if name not in allowed:
            options = f"it takes {', '.join(allowed)}" if allowed else "it takes no setting"
            raise UserError(f"there is no setting '{key}.{name}'{did_you_mean(name, allowed)}: {options}")
        hint = allowed[name].annotation
        if isinstance(value, Mapping) and ("_target_" in value or get_origin(hint) is Mapping):
            check_nodes(f"{key}.{name}", value)
        else:
            check_value(f"{key}.{name}", value, hint)
            plain[name] = value
    for name, parameter in allowed.items():
        if parameter.default is inspect.Parameter.empty and name not in node:
            raise UserError(f"{key}.{name} is not set: give it as {key}.{name}=...")
    if dataclasses.is_dataclass(target) and len(plain) == len(node) - 1:
        target(**plain)  # which checks what no single setting says


def check_nodes(key: str, node: Any) -> None:
    """As `check_node`, of one node, or of a mapping of names to nodes."""
    if isinstance(node, Mapping) and "_target_" not in node and node:
        for name, child in node.items():
            check_node(f"{key}.{name}", child)
    elif node != {}:
        check_node(key, node)


def _target(key: str, node: Any) -> Callable[..., object]:
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise UserError(f"{key} is {node!r}: settings with a _target_ are expected, as the options of its group hold")
    try:
        target = pkgutil.resolve_name(str(node["_target_"]))
    except (ImportError, ValueError, AttributeError):
        raise UserError(f"{key}._target_ is '{node['_target_']}': there is no such class or function") from None
    if not callable(target):
        raise UserError(f"{key}._target_ is '{node['_target_']}': a class or function is expected")
    return cast(Callable[..., object], target)
