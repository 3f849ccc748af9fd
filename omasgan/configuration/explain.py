"""Explains errors of Hydra, OmegaConf and the operating system in one line that a user can act on."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from omasgan.configuration import old_names
from omasgan.configuration.command_line import flags
from omasgan.configuration.schema import FOLDER, Config
from omasgan.configuration.validation import expected
from omasgan.errors import UserError
from omasgan.text import did_you_mean


def is_users(error: BaseException) -> bool:
    """Whether the user can correct the error. Any other error is a bug of the program, and needs its traceback."""
    if isinstance(error, InstantiationException):  # a constructor raised it, and Hydra wrapped it
        return error.__cause__ is not None and is_users(error.__cause__)
    named = isinstance(error, UserError | HydraException | OmegaConfBaseException | OSError | MemoryError)
    return named or bool(OUT_OF_MEMORY.search(str(error))) or _refused_by_hydra(error)


OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory", re.IGNORECASE)
"""Matches PyTorch's messages on a GPU and on a CPU."""


def _refused_by_hydra(error: BaseException) -> bool:
    """Whether Hydra raised one of Python's built-in exceptions, as it does for `dataset=null` and `dataset=[3]`."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith(("hydra.", "omegaconf.", "yaml."))


def explain(error: BaseException) -> str:
    """Explain an error in one line: what was given, what is allowed and how to correct it.

    Parameters
    ----------
    error
        An error for which `is_users` is true, with its chain of causes. An old name on the command line is explained
        first, because it causes errors that do not mention it.
    """
    return " ".join(_explain(error).split())


def _explain(error: BaseException) -> str:
    if renamed := old_names.advice(sys.argv[1:]):
        return renamed
    told = next((cause for cause in _causes(error) if isinstance(cause, UserError)), None)
    if told is not None:  # inside an error of Hydra where a constructor or a resolver raised it
        return str(told)
    for cause in _causes(error):
        match cause:
            case OverrideParseException():
                return (
                    f"'{cause.override}' is not a valid override: write key=value, group=option or +key=value, "
                    "and key='\"value\"' where the value has other characters than letters, digits, / and ."
                )
            case MissingConfigException(missing_cfg_file=str(name)):
                return _missing_option(name, cause.options or [])
            case MissingMandatoryValue(full_key=str(key)):
                return f"{key} is not set: give it as {key}=..."
            case OSError():
                return f"{cause.filename or 'the file system'}: {cause.strerror or cause}; choose another path"
            case ConfigKeyError(full_key=str(key)) | ConfigAttributeError(full_key=str(key)):
                return _missing_key(key)
            case ValidationError(full_key=str(key)):
                return f"{key} is {cause.value!r}: {_expected(key)} is expected"
        for pattern, meaning in MEANINGS.items():
            if found := re.search(pattern, str(cause), re.IGNORECASE):
                return found.expand(meaning)
        if isinstance(cause, OmegaConfBaseException) and cause.full_key:
            return f"{cause.full_key}: {str(cause).splitlines()[0]}"
    return str(error).split("\n")[0]


MEANINGS = {
    r"Missing mandatory value: (\S+)": r"\1 is not set: give it as \1=...",
    r"Could not delete from config. '(.*)'": r"there is no setting '\1' to delete: leave out ~\1",
    r"In '(\S+)': Could not override '([\w/]+)": (
        r"\1.yaml cannot choose an option of '\2': there is no such group, or it comes after \1 in the defaults list; "
        r"give values in its place, as \2: {setting: value}, or choose the option on the command line"
    ),
    r"In '(\S+)': \w+ raised while composing config:\n(.*)": r"\1.yaml: \2",
    r'in "(.*)", line (\d+), column': r"\1 is not valid YAML: correct line \2",
    r"Ambiguous value for argument '(.*)'": r"\1 gives several values: add -m to run a job for each",
    r"Multiple values for (\S+)\.": r"\1 is chosen twice: choose it with \1=... without a +",
    r"Config group override must be|is not iterable": "the value of a group is not an option: write group=option",
    OUT_OF_MEMORY.pattern: "out of memory: make budget.batch, boundary.N, boundary.Q or architecture.width smaller",
}
"""For messages of Hydra, OmegaConf, YAML and PyTorch, as regular expressions: the explanation for the user."""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        # OmegaConf does not chain its error to that of a resolver as its cause.
        raised_by_resolver = isinstance(error, OmegaConfBaseException) and error.__cause__ is None
        error = error.__context__ if raised_by_resolver else error.__cause__


def _expected(key: str) -> str:
    hint: Any = Config
    for part in key.split("."):
        hint = get_type_hints(hint)[part]
    return expected(hint)


EXTRAS = {"hydra/launcher/submitit_slurm": "slurm", "hydra/launcher/ray": "ray"}
"""The options of Hydra's plugins that our launchers build on, and the optional dependency that installs each plugin."""


def _missing_option(name: str, options: Sequence[str]) -> str:
    if name in EXTRAS:
        extra = EXTRAS[name]
        return f"hydra/launcher={extra} needs a plugin that is not installed: pip install 'omasgan[{extra}]'"
    group, _, option = name.rpartition("/")
    options = options or sorted(path.stem for path in (FOLDER / group).glob("*.yaml"))  # Hydra has none for a list
    choices = f": choose one of {', '.join(options)}" if options else ""
    return f"there is no {group or 'configuration'} '{option}'{did_you_mean(option, options)}{choices}"


def _missing_key(key: str) -> str:
    if (renamed := old_names.renamed_key(key)) != key:
        return f"{key} is now {renamed}"
    known = list(_keys(_chosen_options()))
    parent, _, name = key.rpartition(".")
    beside = [other for other in known if other.rpartition(".")[0] == parent]
    elsewhere = [other for other in known if other.rpartition(".")[2] == name]
    elsewhere.sort(key=lambda other: other.count("."))  # the detector holds other groups at a greater depth
    hint = f" (did you mean '{elsewhere[0]}'?)" if elsewhere else did_you_mean(key, beside)
    settings = ", ".join(other.rpartition(".")[2] for other in beside)
    return f"there is no setting '{key}'{hint}: {parent or 'the top level'} has {settings or 'no setting'}"


OPTION = re.compile(r"(\w+)(@[\w.]+)?=(\w+|\[[\w, ]+\])")
"""A group's option on the command line, or a list of them; of several values in a sweep, the first."""


def _chosen_options() -> DictConfig:
    """The configuration with the options that the command line chooses, without its other settings."""
    words = flags(sys.argv[1:])
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        own = [f"hydra.searchpath=['file://{Path(words.config_dir).absolute()}']"] if words.config_dir else []
        groups = [*GlobalHydra.instance().config_loader().list_groups(""), *_groups_in(words.config_dir)]
        options = [found for found in map(OPTION.match, words.overrides) if found]
        chosen = [found[0] for found in options if found[1] in groups]
        try:
            return compose(words.config_name or "config", [*own, *chosen])
        except HydraException:  # an option that cannot be read off the words, such as glob(*)
            return compose("config", own)


def _groups_in(folder: str | None) -> list[str]:
    """The groups that have options in a folder of the user's."""
    return [path.name for path in Path(folder).iterdir() if path.is_dir()] if folder else []


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    for key in sorted(set(node) - {"_target_", "_partial_"}):
        yield f"{prefix}{key}"
        is_value = OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key)
        if not is_value and isinstance(node[key], DictConfig):
            yield from _keys(node[key], f"{prefix}{key}.")
