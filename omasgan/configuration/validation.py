"""Checks a value against a type annotation, and a configuration node against the signature of its `_target_`.

pydantic checks the values; this module turns its errors into one line that names the key.
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
    from pydantic import TypeAdapter  # imported where it is used, because `omasgan --help` and task=list do not need it

INJECTED = frozenset({"spec", "workspace"})
"""Parameters that the program supplies; they are never in a configuration."""

BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
"""The words for each kind of bound in annotated-types, in the order in which they are printed."""


def check_value(key: str, value: object, hint: Any) -> None:
    """Check that a value is of an annotated type and in its range.

    Parameters
    ----------
    key
        The value's full key in the configuration, for the message.
    value
        The value in plain containers.
    hint
        The annotation, such as `Annotated[float, Ge(0)] | None`. Types are strict: 1 is not a bool, '1' not a number.

    Raises
    ------
    UserError
        Where it is not.
    """
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
    """The annotation, with each class that is no plain type replaced by a check that the value is an instance of it."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return Union[tuple(map(_checkable, get_args(hint)))]  # noqa: UP007
    if origin in (Annotated, Literal, list) or hint in (None, Any, *NAMES):
        return hint
    if not isinstance(hint, type):
        return Any  # a callable, which a node builds
    from pydantic import PlainValidator

    def is_instance(value: object) -> object:
        if hint not in type(value).__mro__:  # a Protocol refuses isinstance
            raise ValueError(hint.__name__)
        return value

    return Annotated[Any, PlainValidator(is_instance)]


def _refusal(key: str, value: object, hint: Any, errors: list[Any]) -> str:
    """The message for a wrong value."""
    # Where the value has the type of one alternative of a union, only the error about its range helps the user.
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
    """The key of a wrong item of a list, such as 'key[1]', and its annotation."""
    for part in location:
        if isinstance(part, int):
            key, hint = f"{key}[{part}]", get_args(hint)[0]
    return key, hint


def bounds(hint: Any) -> Iterator[tuple[str, float]]:
    """The bounds of an annotated number.

    Parameters
    ----------
    hint
        The annotation, which may be a union.

    Yields
    ------
    tuple of str and float
        The kind of a bound, a key of `BOUNDS`, and its value.
    """
    if get_origin(hint) in (Union, types.UnionType):
        for alternative in get_args(hint):
            yield from bounds(alternative)
    for mark in getattr(hint, "__metadata__", ()):
        for name in BOUNDS:
            if getattr(mark, name, None) is not None:
                yield name, getattr(mark, name)


def range_text(hint: Any) -> str:
    """The range of an annotated number in words, such as 'at least 0 and below 1'; empty without bounds."""
    found = dict(bounds(hint))
    return " and ".join(f"{word} {found[name]:g}" for name, word in BOUNDS.items() if name in found)


NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    types.NoneType: "null",
}
"""The words for each plain type."""


def expected(hint: Any) -> str:
    """An annotated type in words, such as 'a number or null'."""
    if get_origin(hint) is Annotated:
        return expected(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(map(expected, get_args(hint)))
    if get_origin(hint) is list:
        return "a list"
    return NAMES.get(hint, str(getattr(hint, "__name__", hint)))


def parameters(target: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """The parameters of a `_target_` that a configuration sets, by name, with their annotations as types."""
    return {name: parameter for name, parameter in _signature(target).items() if name not in INJECTED}


@cache
def _signature(target: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(target, eval_str=True).parameters


def check_node(key: str, node: Any) -> None:
    """Check that a node has a `_target_` and fits its signature, and so do the nodes inside it.

    The constructor of a dataclass is called as well, because it checks conditions on several settings.

    Parameters
    ----------
    key
        The node's full key in the configuration, for the message.
    node
        The node, resolved, in plain containers.

    Raises
    ------
    UserError
        Where a setting is unknown, missing or wrong.
    """
    target = _target(key, node)
    injected = INJECTED & _signature(target).keys()
    allowed = parameters(target)
    plain = {}
    for name, value in node.items():
        if name == "_target_" or (name == "_partial_" and injected):
            continue  # a partial, which the program calls with the injected parameters
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
        target(**plain)


def check_nodes(key: str, node: Any) -> None:
    """Check one node, or each node of a mapping by name; see `check_node`."""
    if isinstance(node, Mapping) and "_target_" not in node and node:
        for name, child in node.items():
            check_node(f"{key}.{name}", child)
    elif node != {}:
        check_node(key, node)


def _target(key: str, node: Any) -> Callable[..., object]:
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise UserError(f"{key} is {node!r}: settings with a _target_ are expected, like those of its group's options")
    try:
        target = pkgutil.resolve_name(str(node["_target_"]))
    except (ImportError, ValueError, AttributeError):
        raise UserError(f"{key}._target_ is '{node['_target_']}': there is no such class or function") from None
    if not callable(target):
        raise UserError(f"{key}._target_ is '{node['_target_']}': a class or function is expected")
    return cast(Callable[..., object], target)
