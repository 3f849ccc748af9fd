"""What can be configured: the settings of a `_target_`, and the options of every configuration group.

The command's help and the documentation site are made from it. Names, types, ranges and defaults come from signatures,
meanings from docstrings, and options from the files of `conf`.
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
"""Hydra's own groups that have options in `conf`."""

GLOBAL = "_global_"
"""The package of an option that changes other groups."""

DOCUMENTED = ("Parameters", "Other Parameters", "Attributes")
"""Sections of a NumPy docstring that describe settings."""


@dataclass(frozen=True)
class Setting:
    """One setting of a `_target_`, described in words.

    Parameters
    ----------
    name
        The key in the configuration.
    type
        The type of a value, such as 'a number or null'.
    range
        The allowed values, such as 'above 0' or 'one of raw, sqrt_k'; empty where every value of the type is allowed.
    default
        The default of the signature as YAML; empty where a value must be given.
    meaning
        The description in the docstring, with an empty line between paragraphs; empty where there is none.
    """

    name: str
    type: str
    range: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Option:
    """One option of a group, which is a YAML file.

    Parameters
    ----------
    name
        The name after the = in group=option.
    file
        The YAML file.
    summary
        The comment at the start of the file; empty where there is none.
    package
        The key of the configuration that the content belongs to, such as 'boundary'; '_global_' for an option that
        changes other groups.
    settings
        The content, with `_target_`, merged over the options of its own group that it builds on.
    parts
        The options of other groups that it holds: for each key in `settings`, 'group=option'.
    """

    name: str
    file: Path
    summary: str
    package: str
    settings: Mapping[str, Any]
    parts: Mapping[str, str]

    @property
    def target(self) -> str | None:
        """The full name of the class or function that the option builds; None where it builds nothing."""
        return self.settings.get("_target_")


@dataclass(frozen=True)
class Group:
    """A configuration group.

    Parameters
    ----------
    name
        The name before the = in group=option.
    options
        The options, sorted by name.
    """

    name: str
    options: tuple[Option, ...]


def describe(target: Callable[..., object]) -> list[Setting]:
    """Describe the settings that a configuration gives to a class or function, in the order of its signature.

    Parameters
    ----------
    target
        The class or function that a `_target_` names. Parameters that a class does not document itself are looked up
        in its base classes.

    Returns
    -------
    list of Setting
        The settings, without the parameters that the program supplies (`validation.INJECTED`).
    """
    known: dict[str, str] = {}
    for owner in reversed(inspect.getmro(target) if inspect.isclass(target) else (target,)):
        known |= meanings(owner.__doc__ or "")
    return [
        Setting(name, type_text(hint.annotation), allowed_text(hint.annotation), _default(hint), known.get(name, ""))
        for name, hint in parameters(target).items()
    ]


def first_line(target: object) -> str:
    """The first paragraph of a docstring in one line; empty without a docstring."""
    return " ".join((inspect.getdoc(target) or "").partition("\n\n")[0].split())


def meanings(docstring: str) -> dict[str, str]:
    """Read the descriptions of parameters and attributes in a NumPy docstring, by name.

    Parameters
    ----------
    docstring
        The docstring, with or without its indentation in the source.

    Returns
    -------
    dict of str to str
        The description of each name, a paragraph in one line. Names that share an entry ('mu, nu') share its
        description.
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
    """The sections of a NumPy docstring: the title and the lines of each."""
    rules = [i for i, line in enumerate(lines) if i and re.fullmatch(r"-{3,}\s*", line) and lines[i - 1].strip()]
    for rule, following in zip(rules, [*rules[1:], len(lines) + 1], strict=False):
        yield lines[rule - 1].strip(), lines[rule + 1 : following - 1]


def type_text(hint: Any) -> str:
    """An annotated type in words, such as 'a number' or 'text or null'."""
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
        return type_text(get_args(hint)[-1])  # a constructor is described by the type that it builds
    return "any value" if hint is Any else expected(hint)


def allowed_text(hint: Any) -> str:
    """The allowed values of an annotated type in words, such as 'above 0' or 'one of a, b'; empty where all are."""
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
    """A value as it is written on the command line: null, true, 0.1, [1, 2]."""
    plain = list(value) if isinstance(value, tuple) else value
    if isinstance(plain, dict | list | str | int | float | bool | None):
        return yaml.safe_dump(plain, default_flow_style=True, width=10**6).removesuffix("\n...\n").strip()
    return repr(value)


def files(own: Path | None = None) -> dict[str, list[Path]]:
    """The files of every configuration group by the group's name, with the sweeps and Hydra's own groups.

    Options that are registered in code only (the launchers 'basic' and 'ray') have no file.

    Parameters
    ----------
    own
        A folder with more options of these groups, as given with --config-dir.
    """
    names = [path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "hydra"]
    folders = {name: [FOLDER / name] for name in (*names, *HYDRAS)} | {"sweep": [SWEEPS / "sweep"]}
    if own is not None:
        folders = {name: [*shipped, own / name] for name, shipped in folders.items()}
    found = {name: [file for place in places for file in place.glob("*.yaml")] for name, places in folders.items()}
    return {name: sorted(found[name], key=lambda file: file.stem) for name in sorted(found)}


def group(name: str, own: Path | None = None) -> Group:
    """Read one configuration group, without composing or importing anything.

    Parameters
    ----------
    name
        The name of the group.
    own
        A folder with more options; see `files`.

    Raises
    ------
    KeyError
        Where there is no group of that name.
    """
    return Group(name, tuple(_option(name, file) for file in files(own)[name]))


def groups() -> list[Group]:
    """Read all configuration groups, sorted by name."""
    return [group(name) for name in files()]


def _option(group: str, file: Path) -> Option:
    content: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    settings: dict[str, Any] = {}
    parts: dict[str, str] = {}
    for entry in content.pop("defaults", []):
        if isinstance(entry, dict):
            ((where, choice),) = entry.items()
            name, _, place = str(where).removeprefix("override ").strip("/").partition("@")
            parts[place or name] = f"{name}={yaml_text(choice).replace(', ', ',')}"
        elif str(entry).startswith("/"):  # the content of an option of another group, without choosing it
            path, _, place = str(entry).partition("@")
            name, _, choice = path.strip("/").rpartition("/")
            parts[place.removeprefix("_global_.") or name] = f"{name}={choice}"
        else:
            name = f"{str(entry).removesuffix('@_here_')}.yaml"
            base = file.with_name(name) if file.with_name(name).exists() else FOLDER / group / name
            if base.exists():  # not '_self_', and not an option of a Hydra plugin
                inherited = _option(group, base)
                settings, parts = _merged(settings, inherited.settings), {**parts, **inherited.parts}
    summary, package = _head(file)
    settings = _merged(settings, content)
    if package == GLOBAL and "_target_" in (settings.get(group) or {}):  # a detector that also chooses its networks
        settings, package = settings[group], group
    return Option(file.stem, file, summary, package or group.replace("/", "."), settings, parts)


def _head(file: Path) -> tuple[str, str | None]:
    """The comment at the start of a file in one line, and the package that it names, if any."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), file.read_text(encoding="utf-8").splitlines())
    comment, package = [], None
    for line in (line.removeprefix("#").strip() for line in lines):
        if found := re.fullmatch(r"@package\s+(\S+)", line):
            package = found[1]
        else:
            comment.append(line)
    return " ".join(comment), package


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two nodes as Hydra does: values of `high` replace those of `low` at every depth."""
    merged = dict(low)
    for key, value in high.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
