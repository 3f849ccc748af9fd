"""Run folders: the names of a run's files, and the state of a run, which follows from the files that exist."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from omasgan.configuration.identity import split_of
from omasgan.configuration.old_names import renamed_choices, renamed_config
from omasgan.errors import UserError
from omasgan.evaluation.objective import metric_key, parse_key
from omasgan.runs import results
from omasgan.runs.lock import LOCK, OWNER, held

METRICS = "metrics.json"
"""The metrics of a run; it is written last, so a run that has it is finished."""

FINISHED_BY = "finished_by"
"""The key in metrics.json of the process that finished the run or started the one that did; see `lock.starter`."""

FAILED = "failed.json"
"""The error and the traceback of a run that failed."""

PROVENANCE = "run.json"
"""Where a run comes from: versions, commit, command, data. It is written before the first step."""

SUMMARY = "summary.json"
"""The results of a job that has a run for each class. The file is in the folder that holds the folders of its runs."""

CONFIG = "config.yaml"
"""The resolved configuration of a run."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader where PyYAML has it: it is ten times as fast, and a report reads a thousand configurations."""

LONE_SURROGATE = re.compile(r"(?<!\\)((?:\\\\)*)\\u[Dd][Cc]([89A-Fa-f][0-9A-Fa-f])")
"""Matches \\udc80 to \\udcff where the backslash itself is not escaped."""


class State(StrEnum):
    """The state of a run or a job: finished, running in some process, failed, interrupted, or not begun."""

    DONE = "done"
    RUNNING = "running"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NEW = "new"


def state(folder: Path) -> State:
    """The state of the run in a folder."""
    if (folder / METRICS).exists():
        return State.DONE
    if held(folder):
        return State.RUNNING
    if (folder / FAILED).exists():
        return State.FAILED
    return State.INTERRUPTED if (folder / PROVENANCE).exists() else State.NEW


def job_state(folder: Path) -> State:
    """The state of the job in a folder: of its one run, or of its runs for each class, whose folders are inside it."""
    if (folder / PROVENANCE).exists():
        return state(folder)
    parts = [state(part) for part in find(folder) if part != folder]
    if State.RUNNING in parts:
        return State.RUNNING
    if (folder / FAILED).exists() or State.FAILED in parts:
        return State.FAILED
    if not parts:
        return State.NEW
    classes = read(folder / SUMMARY).get("runs", ())
    return State.DONE if classes and parts.count(State.DONE) >= len(classes) else State.INTERRUPTED


def find(top: Path) -> Iterator[Path]:
    """Find the runs below a folder.

    Parameters
    ----------
    top
        The folder; it need not exist.

    Yields
    ------
    Path
        The folder of each run, sorted by name; also of each job that failed before its first run.
    """
    try:
        entries = sorted(os.scandir(top), key=lambda entry: entry.name)
    except OSError:  # it does not exist, or was removed in the meantime
        return
    names = {entry.name for entry in entries}
    if names & {PROVENANCE, FAILED}:
        yield top
    if PROVENANCE in names:
        return  # the folders inside belong to this run
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from find(Path(entry.path))


def finished_by(folder: Path) -> str | None:
    """The process, as 'process@host', that finished a run or started the one that did; None where it is not known."""
    noted = read(folder / METRICS).get(FINISHED_BY)
    return None if noted is None else str(noted)


def read(path: Path) -> dict[str, Any]:
    """The content of a run's JSON file; empty where it is missing or damaged, so that other runs can still be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def parse_config(text: str) -> Any:
    """The content of a run's configuration file.

    A byte of a path that is no UTF-8, such as ff, is written as the escape code of a lone surrogate, which YAML does
    not allow; it is read as the four characters \\xff.

    Raises
    ------
    yaml.YAMLError
        Where the text is no YAML.
    """
    try:
        content = yaml.load(text, Loader=LOADER)
    except yaml.YAMLError:
        if LONE_SURROGATE.search(text) is None:
            raise
        content = yaml.load(LONE_SURROGATE.sub(lambda found: rf"{found[1]}\\x{found[2].lower()}", text), Loader=LOADER)
    return content


def config_of(folder: Path) -> dict[str, Any]:
    """The resolved configuration of a run; empty where its file is missing or damaged."""
    try:
        content = parse_config((folder / CONFIG).read_text(encoding="utf-8"))
    except Exception:  # a damaged file may raise anything
        return {}
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def baselines_of(folder: Path) -> dict[str, Any]:
    """The settings of the baselines of a run, by name."""
    return config_of(folder).get("baselines") or {}


def lacking_baselines(folder: Path, wanted: Mapping[str, Any]) -> list[str]:
    """The baselines that a run does not have with the wanted settings.

    Parameters
    ----------
    folder
        The run's folder.
    wanted
        The settings of the baselines by name.

    Returns
    -------
    list of str
        Names of baselines that the run does not have, or has with other settings.
    """
    there = baselines_of(folder)
    return [name for name, node in wanted.items() if there.get(name) != node]


def main_term(terms: dict[str, Any]) -> str | None:
    """The term that is the detector's score: `full` where there is one, else the first; None without terms."""
    return "full" if "full" in terms else next(iter(terms), None)


def main_figure(folder: Path) -> tuple[str, float] | None:
    """The AUROC of the detector's score by its name, such as ('test/auroc/full', 0.98).

    Parameters
    ----------
    folder
        The folder of a run or of a job over several classes.

    Returns
    -------
    tuple of str and float, or None
        The AUROC of the run, or the mean over the job's runs; None where there are no metrics, or they are damaged.
    """
    try:
        if run := read(folder / METRICS):
            aurocs = {term: metrics["auroc"] for term, metrics in results.figures(run).items()}
            split = run["objective"]["split"] if "objective" in run else split_of(_protocol(folder))
        else:
            means = read(folder / SUMMARY).get("mean", {})
            parsed = {key: parse_key(key) for key in means if "/" in key}
            aurocs = {parsed[key][2] if parsed else key: float(value) for key, value in means.items()}
            of_runs = {split for split, _, _ in parsed.values()} or {split_of(_protocol(p)) for p in find(folder)}
            split = next(iter(of_runs), "test")
        term = main_term(aurocs)
        return None if term is None else (metric_key(split, "auroc", term), aurocs[term])
    except (AttributeError, KeyError, TypeError, ValueError, UserError):
        return None


def _protocol(folder: Path) -> str:
    """The option of the group `protocol` that a run was made with."""
    return str(renamed_choices(read(folder / PROVENANCE).get("choices", {})).get("protocol", ""))


def result(folder: Path) -> results.Result | None:
    """The figures and the objective of a finished run of any version; None where there are none, or they are damaged.

    Parameters
    ----------
    folder
        The run's folder.
    """
    content = read(folder / METRICS)
    try:
        if "objective" in content:
            return results.parsed(content, "", {})
        protocol = renamed_config(config_of(folder)).get("protocol", {})
        return results.parsed(content, _protocol(folder), protocol)
    except (AttributeError, KeyError, TypeError, ValueError, UserError):
        return None


def age(folder: Path) -> float:
    """The time in seconds since the run last wrote one of its files."""
    times = [0.0]
    for name in (METRICS, FAILED, "metrics.jsonl", PROVENANCE):
        with suppress(OSError):
            times.append((folder / name).stat().st_mtime)
    return max(0.0, time.time() - max(times))


def clear(folder: Path) -> None:
    """Remove the files of a run except its log and its lock. The caller must hold the lock."""
    for entry in folder.iterdir():
        if entry.name not in (LOCK, OWNER, "run.log"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def remove_empty(folder: Path, top: Path) -> None:
    """Remove an empty folder, and each of its parents below `top` that is then empty."""
    for place in (folder.absolute(), *folder.absolute().parents):
        if top.absolute() not in place.parents:
            return
        try:
            place.rmdir()
        except OSError:  # it is not empty
            return
