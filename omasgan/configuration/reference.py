"""What can be configured: the settings of a `_target_`, and the options of every configuration group.

The command's help and the documentation site both read it, so a name, a range or a meaning is written once: in the
signature and the docstring of what a `_target_` names, and in the files of `conf`.
"""

from __future__ import annotations

import inspect
import itertools
import re
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from omegaconf import OmegaConf

from omasgan.configuration.schema import FOLDER, SWEEPS
from omasgan.configuration.validation import expected, parameters, range_text

HYDRAS = ("hydra/launcher", "hydra/sweeper")
"""Groups of Hydra itself that a user chooses from."""

DOCUMENTED = ("Parameters", "Other Parameters", "Attributes")
"""Sections of a NumPy docstring that say what a setting means."""


@dataclass(frozen=True)
class Setting:
    """One setting of a `_target_`, in words.

    Attributes
    ----------
    name : str
        The key in the configuration.
    type : str
        What a value is, such as 'a number or null'.
    range : str
        What a value may be, such as 'above 0' or 'one of raw, sqrt_k'; empty where every value of the type will do.
    default : str
        The signature's default as YAML; empty where a value must be given.
    meaning : str
        The docstring's description, paragraphs apart by an empty line; empty where there is none.
    """

    name: str
    type: str
    range: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Option:
    """One option of a group: a file.

    Attributes
    ----------
    name : str
        What follows the = in group=option.
    file : Path
        Where it is written.
    summary : str
        The comment at the file's head; empty where there is none.
    package : str
        Where in the configuration the file's content goes: 'boundary', or '_global_' for one that changes other groups.
    settings : Mapping
        Its content, with that of the options of its own group that it builds on; `_target_` among it.
    parts : Mapping
        Options of other groups that it holds: the place in its settings to 'group=option'.
    """

    name: str
    file: Path
    summary: str
    package: str
    settings: Mapping[str, Any]
    parts: Mapping[str, str]

    @property
    def target(self) -> str | None:
        """The full name of what the option builds; None where it builds nothing."""
        return self.settings.get("_target_")


@dataclass(frozen=True)
class Group:
    """A configuration group.

    Attributes
    ----------
    name : str
        What stands before the = in group=option.
    options : tuple of Option
        Sorted by name.
    """

    name: str
    options: tuple[Option, ...]


def describe(target: Callable[..., object]) -> list[Setting]:
    """Describe the settings that a configuration gives to a class or function, in the order of its signature.

    Parameters
    ----------
    target : callable
        What a `_target_` names. What it lets its base classes document is found there.

    Returns
    -------
    list of Setting
        Those that a configuration sets: without what the program supplies.
    """
    known: dict[str, str] = {}
    for owner in reversed(inspect.getmro(target) if inspect.isclass(target) else (target,)):
        known |= meanings(owner.__doc__ or "")
    return [
        Setting(name, type_text(hint.annotation), allowed_text(hint.annotation), _default(hint), known.get(name, ""))
        for name, hint in parameters(target).items()
    ]


def first_line(target: object) -> str:
    """Give what a docstring says first: its text up to the first empty line; empty without a docstring."""
    return " ".join((inspect.getdoc(target) or "").partition("\n\n")[0].split())


def meanings(docstring: str) -> dict[str, str]:
    """Read the descriptions of parameters and attributes in a NumPy docstring, by name.

    Parameters
    ----------
    docstring : str
        With or without the indentation that it has in the source.

    Returns
    -------
    dict
        Name to description. 'mu, nu : float' gives both the same one. A paragraph is one line.
    """
    found: dict[str, str] = {}
    for title, lines in _sections(inspect.cleandoc(docstring).splitlines()):
        names: list[str] = []
        for line in lines if title in DOCUMENTED else ():
            if line[:1].strip():
                names = [name.strip(" *`") for name in line.partition(" :")[0].split(",")]
                found |= dict.fromkeys(names, "")
                continue
            for name in names:
                found[name] += f" {line.strip()}" if line.strip() else "\n\n"
    return {name: re.sub(r" *\n\n\s*", "\n\n", text.strip()) for name, text in found.items()}


def _sections(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The sections of a NumPy docstring: a title, and the lines below its rule."""
    rules = [i for i, line in enumerate(lines) if i and re.fullmatch(r"-{3,}\s*", line) and lines[i - 1].strip()]
    for rule, following in zip(rules, [*rules[1:], len(lines) + 1], strict=False):
        yield lines[rule - 1].strip(), lines[rule + 1 : following - 1]


def type_text(hint: Any) -> str:
    """Say what a value of an annotated type is: 'a number', 'a word or null'."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(type_text, get_args(hint))))
    if origin is Annotated:
        return type_text(get_args(hint)[0])
    if origin is Literal:
        return " or ".join(dict.fromkeys(expected(type(choice)) for choice in get_args(hint)))
    if origin is list:
        return "a list"
    if origin is Callable:
        return type_text(get_args(hint)[-1])  # a constructor is described by what it builds
    return "any value" if hint is Any else expected(hint)


def allowed_text(hint: Any) -> str:
    """Say which values of an annotated type are allowed: 'above 0', 'one of a, b'; empty for all."""
    choices = [str(choice) for choice in _choices(hint)]
    return f"one of {', '.join(choices)}" if choices else range_text(hint)


def _choices(hint: Any) -> Iterator[object]:
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    elif get_origin(hint) in (Union, types.UnionType, Annotated):
        for part in get_args(hint):
            yield from _choices(part)


def _default(parameter: inspect.Parameter) -> str:
    return "" if parameter.default is inspect.Parameter.empty else yaml_text(parameter.default)


def yaml_text(value: object) -> str:
    """Write a value as one would on the command line: null, true, 0.1, [1, 2]."""
    plain = list(value) if isinstance(value, tuple) else value
    if isinstance(plain, dict | list | str | int | float | bool | None):
        return yaml.safe_dump(plain, default_flow_style=True, width=10**6).removesuffix("\n...\n").strip()
    return repr(value)


def groups() -> list[Group]:
    """Read every configuration group, sorted by name: the folders of `conf`, the sweeps, and Hydra's that one chooses.

    Returns
    -------
    list of Group
        Nothing is composed or imported. Options that are registered in code alone (the launchers 'basic' and 'ray') are
        not among them.
    """
    names = [path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "hydra"]
    folders = {name: FOLDER / name for name in (*names, *HYDRAS)} | {"sweep": SWEEPS / "sweep"}
    return [
        Group(name, tuple(_option(name, file) for file in sorted(folder.glob("*.yaml"))))
        for name, folder in sorted(folders.items())
    ]


def _option(group: str, file: Path) -> Option:
    content: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    settings: dict[str, Any] = {}
    parts: dict[str, str] = {}
    for entry in content.pop("defaults", []):
        if isinstance(entry, dict):
            ((where, choice),) = entry.items()
            name, _, place = str(where).removeprefix("override ").strip("/").partition("@")
            parts[place or name] = f"{name}={yaml_text(choice).replace(', ', ',')}"
        elif (base := file.with_name(f"{entry}.yaml")).exists():  # or else '_self_', or one that Hydra's plugins have
            inherited = _option(group, base)
            settings, parts = _merged(settings, inherited.settings), {**parts, **inherited.parts}
    summary, package = _head(file)
    return Option(file.stem, file, summary, package or group.replace("/", "."), _merged(settings, content), parts)


def _head(file: Path) -> tuple[str, str | None]:
    """The comment at a file's head in one line, and the package that it names, if any."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), file.read_text(encoding="utf-8").splitlines())
    comment, package = [], None
    for line in (line.removeprefix("#").strip() for line in lines):
        if found := re.fullmatch(r"@package\s+(\S+)", line):
            package = found[1]
        else:
            comment.append(line)
    return " ".join(comment), package


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Two nodes as Hydra merges them: what is in the second wins, all the way down."""
    merged = dict(low)
    for key, value in high.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
