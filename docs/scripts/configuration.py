"""The pages on the configuration: all groups and options, and the name, type, range, default and meaning of settings.

Names, types, ranges and defaults come from signatures, meanings from docstrings, and options from the files of `conf`;
see omasgan.configuration.reference.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from omegaconf import OmegaConf
from plain_docstrings import plain

from omasgan.configuration import schema
from omasgan.configuration.reference import (
    Group,
    Option,
    Setting,
    allowed_text,
    describe,
    first_line,
    groups,
    yaml_text,
)

schema.register()  # without it the classes of the launchers are not found

PURPOSE = {
    "dataset": "Where the samples and their classes come from.",
    "protocol": "Which classes are normal, and which are anomalies in the test.",
    "representation": "What the four tasks work on: samples (`pixels`), or embeddings learned from the normal class.",
    "detector": "The detector that is trained and evaluated.",
    "baselines": "The detectors that are trained and evaluated on the same split, to compare the detector with.",
    "divergence": "The f-divergence of equations (1) to (6). The term `divergence` is a distance by default.",
    "architecture": "The networks of the generators and discriminators.",
    "augmentation": "The random changes of training images.",
    "optimisation": "The optimiser of the networks.",
    "boundary": "Task 2, equations (3) to (5).",
    "retraining": "Task 3, equation (6).",
    "inference": "How J is trained, equation (7), and how the score is computed, equation (8).",
    "budget": "The length of the training of each task and nothing else, so a smaller budget never changes the method.",
    "detector_budget": "Each detector's steps with `budget=equal` and `budget=published`, which choose the file.",
    "logger": "Where a run's record is copied to: W&B, TensorBoard or CSV files; one option, or a list of options.",
    "ablation": "Leaves out one part of the method.",
    "debug": "Helps to find errors. Such runs are stored apart from others and start from the beginning every time.",
    "experiment": "Options and settings that belong together. Values on the command line override an experiment's.",
    "sweep": "Many runs from one command. [Sweeps](../multirun_sweeps/README.md) says what each of them is for.",
    "hydra/launcher": "Where the jobs of a sweep run. `basic` (one after the other) and `ray` have no file here.",
    "hydra/sweeper": "What chooses the jobs of a sweep. `basic`, the default, runs all combinations.",
}
"""What each group decides."""


def pages() -> dict[str, str]:
    """The text of every page by its path."""
    chosen = defaults()
    order = [*chosen, *PURPOSE]
    known = sorted(groups(), key=lambda group: order.index(group.name) if group.name in order else len(order))
    return {
        "configuration/index.md": index(known, chosen),
        **{place(group.name): group_page(group, chosen.get(group.name)) for group in known},
    }


def place(group: str) -> str:
    """The path of a group's page."""
    return f"configuration/{group.replace('/', '_')}.md"


def defaults() -> dict[str, Any]:
    """The default option of each group, in the order of conf/config.yaml."""
    entries = [next(iter(entry.items())) for entry in _top()["defaults"] if isinstance(entry, dict)]
    return {str(group): option for group, option in entries if " " not in str(group)}


def _top() -> dict[str, Any]:
    content: Any = OmegaConf.to_container(OmegaConf.load(schema.FOLDER / "config.yaml"), resolve=False)
    return dict(content)


def index(known: list[Group], chosen: Mapping[str, Any]) -> str:
    """The page with all groups and the settings that belong to no group."""
    lines = [
        "# Configuration",
        "",
        "Choose an option of a group with `group=option`, and change a setting with `group.setting=value`. Values on",
        "the command line override those of an experiment, and an experiment overrides the options of other groups.",
        "`omasgan --cfg job` prints the whole configuration of a command. A wrong name, type or value ends the command",
        "with a one-line message that says what is allowed.",
        "",
        "| group | default | options | meaning |",
        "|---|---|---|---|",
    ]
    for group in known:
        link = f"[`{group.name}`]({place(group.name).removeprefix('configuration/')})"
        default = f"`{option_text(chosen[group.name])}`" if chosen.get(group.name) else ""
        options = ", ".join(f"`{option.name}`" for option in group.options)
        lines.append(f"| {link} | {default} | {options} | {PURPOSE.get(group.name, '')} |")
    names = {group.name for group in known}
    lines += ["", "## Settings that belong to no group", ""]
    top = _top()
    for setting in describe(schema.Config):
        if setting.name in names or setting.name.startswith("abnormal_"):
            continue
        nested = getattr(schema, setting.type, None)
        if isinstance(nested, type):
            lines += [f"### `{setting.name}`", "", plain(first_line(nested)), ""]
            for inner in describe(nested):
                lines += entry(inner, setting.name, level=4)
        else:
            given = yaml_text(top[setting.name]) if setting.name in top else setting.default
            choices = allowed_text(getattr(schema, setting.name.capitalize(), None))  # the types Task and Precision
            known_of = replace(setting, default=given, range=setting.range or choices)
            lines += entry(known_of, "", level=3)
    return "\n".join(lines) + "\n"


def group_page(group: Group, chosen: object) -> str:
    """The page of one group."""
    lines = [f"# {group.name}", "", PURPOSE.get(group.name, ""), ""]
    if all(option.package == "_global_" for option in group.options):
        return "\n".join([*lines, *changes(group)]) + "\n"
    if chosen:
        lines += [f"The default is `{group.name}={option_text(chosen)}`.", ""]
    lines += ["| option | meaning |", "|---|---|"]
    lines += [f"| `{option.name}` | {what(option)} |" for option in group.options]
    targets = {option.target for option in group.options}
    if len(targets) == 1 and len(group.options) > 1:
        option = next((option for option in group.options if option.name == option_text(chosen)), group.options[0])
        lines += ["", "## Settings", "", *settings(option)]
        lines += values(group)
    else:
        for option in group.options:
            if described := settings(option):
                lines += ["", f"## {option.name}", "", *described]
    return "\n".join(lines) + "\n"


def option_text(choice: object) -> str:
    """A choice as it is written after the =; a list is in brackets."""
    return yaml_text(choice).replace(", ", ",")


def what(option: Option) -> str:
    """An option in one line: the comment of its file, or else the docstring of its class, with a link to that class."""
    inner = option.settings.get(option.package)  # of a detector on a representation, the detector is described
    built = inner.get("_target_") if isinstance(inner, Mapping) else option.target
    summary = (
        option.summary
        or first_line(resolved(built))
        or ("Nothing." if not option.settings and not option.parts else "")
    )
    holds = ", ".join(f"`{name}`" for name in option.parts) if option.target is None else ""
    link = reference(built)
    return " ".join(filter(None, [cell(summary), f"({link})" if link else "", f"Holds {holds}." if holds else ""]))


def resolved(target: str | None) -> Any:
    """The class or function of that name; None where it cannot be imported, as with a missing optional dependency."""
    try:
        return None if target is None else pkgutil.resolve_name(target)
    except (ImportError, AttributeError):
        return None


def reference(target: str | None) -> str:
    """A link to the class or function on the pages of the API."""
    if target is None or not target.startswith("omasgan."):
        return ""
    return f"[`{target.rpartition('.')[2]}`][{target}]"


def changes(group: Group) -> Iterator[str]:
    """The table of a group whose options change other groups."""
    yield from ["| option | meaning | options and settings |", "|---|---|---|"]
    for option in group.options:
        chosen = [f"`{choice}`" for choice in option.parts.values()]
        chosen += [f"`{key}={option_text(value)}`" for key, value in leaves(option.settings) if key != "hydra.mode"]
        yield f"| `{option.name}` | {cell(option.summary)} | {', '.join(chosen)} |"


def leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a node by their full keys; the parameters of a sweep have their own keys."""
    for key, value in node.items():
        if prefix == "hydra.sweeper.params.":
            yield str(key), value
        elif isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def settings(option: Option) -> list[str]:
    """The entries of an option's settings, and of the nodes inside it."""
    target = resolved(option.target)
    if target is None:
        return [
            line
            for key, value in option.settings.items()
            for line in entry(Setting(key, "", "", yaml_text(value), ""), option.package, level=3)
        ]
    return list(node_settings(option, option.settings, target, option.package))


def node_settings(option: Option, node: Mapping[str, Any], target: Any, prefix: str) -> Iterator[str]:
    """The entries of one node, whose full key is `prefix`."""
    for setting in describe(target):
        value = node.get(setting.name)
        if isinstance(value, Mapping) and "_target_" in value:
            inside = resolved(value["_target_"])
            yield from entry(setting, prefix, level=3, value=f"{reference(value['_target_'])}, as follows")
            yield from node_settings(option, value, inside, f"{prefix}.{setting.name}")
        elif held := [part for part in option.parts if part.split(".")[0] == setting.name]:
            texts = [part_text(option.parts[part], value if part == setting.name else None) for part in held]
            yield from entry(setting, prefix, level=3, value=" and ".join(texts))
        else:
            yield from entry(setting, prefix, level=3, value=value_text(node, setting))


def value_text(node: Mapping[str, Any], setting: Setting) -> str:
    """The default of a setting in Markdown; empty where it must be given."""
    value = node.get(setting.name, setting.default)
    if value in ("", "???"):
        return ""
    text = str(value)
    if text.startswith("${") and text.endswith("}") and ":" not in text:
        group = text[2:-1]
        return f"the option of the group [`{group}`]({place(group).removeprefix('configuration/')})"
    return f"`{yaml_text(value) if setting.name in node else value}`"


def part_text(choice: str, changed: object) -> str:
    """A setting whose value is an option of another group, with the settings that are changed in it."""
    group, _, name = choice.partition("=")
    text = f"`{name}` of [`{group}`]({place(group).removeprefix('configuration/')})"
    if isinstance(changed, Mapping):
        text += " with " + ", ".join(f"`{key}={option_text(value)}`" for key, value in leaves(changed))
    return text


def entry(setting: Setting, prefix: str, level: int, value: str | None = None) -> list[str]:
    """The entry of a setting: a heading, a line with type, range and default, and the meaning."""
    key = f"{prefix}.{setting.name}".lstrip(".")
    if value is None:
        value = "" if setting.default in ("", "'???'") else f"`{setting.default}`"
    kind = ", ".join(filter(None, [setting.type, setting.range]))
    facts = [kind, f"default: {value}" if value else "must be given"]
    line = "; ".join(filter(None, facts))
    return ["#" * level + f" `{key}`", "", line, "{ .facts }", "", plain(setting.meaning), ""]


def values(group: Group) -> list[str]:
    """The table of the settings in which the options differ, with a column for each option; empty without any."""
    keys = [key for key, _ in leaves(group.options[0].settings) if key != "_target_"]
    rows = {key: [yaml_text(option.settings.get(key)) for option in group.options] for key in keys}
    rows = {key: row for key, row in rows.items() if len(set(row)) > 1}
    if not rows:
        return []
    header = " | ".join(option.name for option in group.options)
    lines = ["", "## Values by option", "", f"| setting | {header} |", "|---|" + "---|" * len(group.options)]
    return lines + [f"| `{key}` | {' | '.join(row)} |" for key, row in rows.items()]


def cell(text: str) -> str:
    """Plain text for a cell of a table."""
    return plain(text).replace("|", "\\|")
