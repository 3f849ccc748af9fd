"""What `omasgan`, `omasgan --help` and `omasgan --help <group>` print."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from omasgan.configuration.command_line import flags
from omasgan.configuration.reference import Setting, describe, files, first_line, group, yaml_text
from omasgan.errors import UserError
from omasgan.text import did_you_mean

FIRST = """\
omasgan: anomaly detection with a GAN that is driven to the boundary of its data

What to type first
  omasgan experiment=quickstart                            all classes of scikit-learn's digits, in three minutes
  omasgan experiment=mnist_loo protocol.abnormal_class=1   MNIST with the ones left out of training
  omasgan experiment=image_folder dataset.root=my_photos   your own normal images
  omasgan task=score score.run=<the run's folder> score.input=new_photos     scores of new images

Many runs
  omasgan -m experiment=quickstart boundary.mu=0.01,0.02   several values make a sweep
  omasgan sweep=mu_nu_beta hydra/launcher=pool             a ready-made sweep, several jobs at a time
  omasgan -m task=plan seed=0,1,2                          what a sweep would do, and the time it takes
  omasgan task=list                                        all runs, their state and AUROC
  omasgan task=clean                                       remove interrupted runs
  omasgan task=report                                      tables, and a page that opens from disk
  omasgan task=dashboard                                   a saved W&B workspace and report

Help
  omasgan --help                   all groups with their options, and the settings of the method
  omasgan --help boundary          one group: its options, and each setting's range, default and meaning
  omasgan --help detector=omasgan  one option of it
  omasgan --cfg job <overrides>    the whole configuration that a command stands for
  omasgan --version                the version
  omasgan --hydra-help             the flags of Hydra, which composes the configuration
  eval "$(omasgan -sc install=bash)"  completes groups, options and settings with the Tab key (also zsh, fish)"""

FOLLOWING = ("detector_budget",)
"""Groups whose option follows from those of other groups, which the general help leaves out."""

DETAILED = ("boundary", "retraining", "inference", "optimisation", "budget")
"""Groups whose settings the general help shows: the settings of the method, which can be described without torch."""


def show(arguments: Sequence[str]) -> None:
    """Print the help that a command line asks for.

    Parameters
    ----------
    arguments
        The command line. Each word that belongs to no flag is a group, or one option of it as `group=option`.

    Raises
    ------
    UserError
        Where there is no such group or option.
    """
    console = Console(highlight=False)
    given = flags(arguments)
    own = Path(given.config_dir) if given.config_dir else None
    if given.overrides:
        for word in given.overrides:
            _show_group(console, own, *word.partition("=")[::2])
        return
    print(FIRST)
    if not {"--help", "-h"} & set(arguments):
        return
    console.print("\nGroups: choose an option as group=option")
    for name, options in files(own).items():
        names = ", ".join(option.stem for option in options)
        if name not in FOLLOWING:
            console.print(Padding(Text(f"{name}: {names}"), (0, 0, 0, 2)))
    console.print("\nSettings of the method: set one as group.setting=value")
    for name in DETAILED:
        option = group(name).options[0]
        _show_settings(console, option.package, option.settings)


def _show_group(console: Console, own: Path | None, name: str, choice: str) -> None:
    known = files(own)
    if name not in known:
        raise UserError(f"there is no group '{name}'{did_you_mean(name, known)}: choose one of {', '.join(known)}")
    options = {option.name: option for option in group(name, own).options}
    if choice and choice not in options:
        raise UserError(
            f"there is no {name} '{choice}'{did_you_mean(choice, options)}: choose one of {', '.join(options)}"
        )
    chosen = [options[choice]] if choice else list(options.values())
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for option in chosen:
        summary = option.summary or (first_line(_resolved(option.target)) if option.target else "")
        table.add_row(Text(f"{name}={option.name}", style="bold"), Text(summary))
    console.print(table)
    for option in {option.target: option for option in reversed(chosen) if option.target}.values():
        _show_settings(console, option.package, option.settings)


def _show_settings(console: Console, place: str, node: Mapping[str, Any]) -> None:
    """Each setting's name, default and allowed values in a line, and its meaning below; then those of nodes inside."""
    settings = describe(_resolved(node["_target_"]))
    if not settings:
        return
    rows = [[setting.name, *_values(setting, node.get(setting.name, MISSING))] for setting in settings]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    console.print()
    console.print(Text(f"{place}.<setting> ({node['_target_'].rpartition('.')[2]})", style="bold"))
    for setting, (name, default, allowed) in zip(settings, rows, strict=True):
        console.print(Text(f"  {name:<{widths[0]}}  {default:<{widths[1]}}  {allowed}".rstrip()), soft_wrap=True)
        if setting.meaning:
            console.print(Padding(Text(setting.meaning, style="dim"), (0, 0, 0, 6)))
    for name, inner in node.items():
        if isinstance(inner, Mapping) and "_target_" in inner:
            _show_settings(console, f"{place}.{name}", inner)


def _resolved(target: str) -> Callable[..., object]:
    try:
        return cast(Callable[..., object], pkgutil.resolve_name(target))
    except (ImportError, AttributeError, ValueError):  # of a user's own option
        raise UserError(f"there is no '{target}': set PYTHONPATH to the folder that its module is in") from None


MISSING = object()


def _values(setting: Setting, held: object) -> tuple[str, str]:
    """The default of a setting and what it may be; `held` is what the option's file says of it."""
    if isinstance(held, str) and held.startswith("${"):
        return "", f"the group {held[2:-1]}"
    if isinstance(held, Mapping):
        return "", "see below"
    default = setting.default if held is MISSING else yaml_text(held)
    return default, setting.range or setting.type
