"""Reads the files of run folders: what each run was, how it ended, and what it measured.

This is the one place of the report that reads a run's configuration, choices and metrics: see `read_files`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from omasgan.configuration import old_names
from omasgan.configuration.classes import class_of
from omasgan.errors import UserError
from omasgan.evaluation.objective import Objective
from omasgan.runs import folder as runs
from omasgan.runs import results

State = Literal["done", "failed", "interrupted", "damaged", "running"]

STATES: tuple[State, ...] = get_args(State)
"""In order of precedence: a cell without a value shows the first, after done, that any of its runs is in."""

MARKS = ("run.json", "metrics.json", "failed.json")
"""A folder with one of these files is the folder of a run."""

NOT_ENTERED = frozenset({"checkpoints", "plots", "wandb", "tensorboard", "csv", "debug", "trials"})
"""Folders of a run in which no other run is looked for."""

REQUIRED_METRICS = frozenset({"auroc", "auprc", "auprc_balanced", "fpr95"})


@dataclass(frozen=True)
class Run:
    """One run, as its folder tells it.

    Attributes
    ----------
    folder
        The run's folder, as the user spelled it.
    state
        How the run ended, or 'running'.
    choices
        The chosen option of every configuration group.
    config
        The configuration; empty where it is not known, and then the run is not compared.
    identity
        Eight hexadecimal digits that runs of equal settings share.
    seed
        The run's seed.
    role
        What the class is to the protocol: 'abnormal', 'normal', or empty where the protocol has no class.
    cls
        The protocol's class.
    metrics
        The value of every metric, by term.
    objective
        The samples that the metrics are on; None for a run that is not finished.
    seconds
        The time of each part of the run.
    cost
        What its detector costs.
    support
        Measures of the run's networks, by what they measure.
    error
        Why the run failed, in one line of at most 300 characters.
    made
        The version of omasgan, and the commit, that made the run.
    finished
        When metrics.json was written, in seconds since 1970; 0 where there is none.
    """

    folder: Path
    state: State
    choices: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    identity: str = ""
    seed: int = 0
    role: str = ""
    cls: str = ""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    objective: Objective | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    cost: results.Cost = field(default_factory=results.Cost)
    support: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    error: str = ""
    made: str = ""
    finished: float = 0.0

    @property
    def is_partial(self) -> bool:
        """Whether the run was to score a part of the test samples alone."""
        return self.config.get("test_samples") is not None


@dataclass
class Files:
    """The content of a run's files, each empty where the file is missing or damaged.

    Attributes
    ----------
    record
        run.json: the run's choices, seed, identity and versions.
    failed
        failed.json: the error of a run that failed.
    config
        config.yaml: the run's configuration.
    result
        metrics.json: the run's metrics, times and measures; None where there is no such file, or a damaged one.
    problems
        A line for every damaged file.
    """

    record: Mapping[str, Any]
    failed: Mapping[str, Any]
    config: Mapping[str, Any]
    result: Mapping[str, Any] | None
    problems: list[str]


class DamagedError(Exception):
    """A file does not hold what a run writes to it; the message is one line that names the file."""


def find(places: Sequence[Path]) -> list[Path]:
    """Find every run's folder at or below some places.

    Parameters
    ----------
    places
        Run folders, or folders that hold some at any depth.

    Returns
    -------
    list[Path]
        The run folders, sorted, each once.

    Raises
    ------
    UserError
        Where a place is no folder, or where there is no run at all.
    """
    found: dict[Path, Path] = {}
    for place in places:
        if not place.is_dir():
            raise UserError(f"report.folders: {place} is not a folder; give run folders, or folders that contain some")
        for folder in _walk(place):
            found.setdefault(folder.resolve(), folder)
    if not found:
        raise UserError(f"report.folders: there is no run in {', '.join(map(str, places))}; train one first")
    return sorted(found.values())


def _walk(top: Path) -> Iterator[Path]:
    for folder, inner, files in os.walk(top):
        if any(mark in files for mark in MARKS):
            yield Path(folder)
        inner[:] = sorted(name for name in inner if name not in NOT_ENTERED)


def read(folder: Path) -> tuple[Run, list[str]]:
    """Read a run.

    Parameters
    ----------
    folder
        The run's folder.

    Returns
    -------
    tuple[Run, list[str]]
        The run, and a line for every file of it that is damaged.
    """
    files = read_files(folder)
    measured = _measured(folder, files)
    choices = files.record.get("choices")
    known = isinstance(choices, dict) and isinstance(files.config.get("protocol"), dict)
    record = folder / "run.json"
    if record.exists() and not known and not files.problems:
        files.problems.append(f"{record} names no choices, or there is no config.yaml: the run is not compared")
    role, cls = class_of(files.config["protocol"]) if known else ("", "")
    seed = files.record.get("seed")
    done = folder / "metrics.json"
    run = Run(
        folder=folder,
        state=_state(folder, bool(measured) and known, bool(files.problems)),
        choices={str(k): str(v) for k, v in choices.items()} if isinstance(choices, dict) else {},
        config=files.config if known else {},
        identity=str(files.record.get("identity", "")),
        seed=seed if isinstance(seed, int) else 0,
        role=role,
        cls=cls,
        error=one_line(str(files.failed.get("error", "")))[:300],
        made=_made(files.record),
        finished=done.stat().st_mtime if done.exists() else 0.0,
        **measured,
    )
    return run, files.problems


def read_files(folder: Path) -> Files:
    """Read run.json, failed.json, metrics.json and config.yaml of a run's folder.

    Parameters
    ----------
    folder
        The run's folder.

    Returns
    -------
    Files
        The content of the files, and a line for every one that is damaged.
    """
    problems: list[str] = []
    record = _mapping(folder / "run.json", json.loads, problems)
    failed = _mapping(folder / "failed.json", json.loads, problems)
    result = _mapping(folder / "metrics.json", json.loads, problems)
    config = _mapping(folder / "config.yaml", runs.parse_config, problems)
    if record and isinstance(chosen := record.get("choices"), dict):
        record = {**record, "choices": old_names.renamed_choices(chosen)}
    return Files(record or {}, failed or {}, old_names.renamed_config(config or {}), result, problems)


def _mapping(path: Path, parse: Callable[[str], Any], problems: list[str]) -> Mapping[str, Any] | None:
    """A file's content; None where there is no such file, or a damaged one, which is added to the problems."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        problems.append(one_line(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"))
        return None
    try:
        value = parse(text)
        if not isinstance(value, dict):
            raise DamagedError("it is not a mapping")
    except (ValueError, yaml.YAMLError, DamagedError, RecursionError) as error:
        problems.append(one_line(f"{path} is damaged: {error or 'it is empty'}"))
        return None
    return value


def _measured(folder: Path, files: Files) -> dict[str, Any]:
    """The attributes of `Run` in metrics.json; empty where there is none, or a damaged one, which becomes a problem."""
    if files.result is None:
        return {}
    try:
        return _parsed(files, files.result)
    except DamagedError as error:
        files.problems.append(f"{folder / 'metrics.json'} is damaged: {error}")
        return {}


def _parsed(files: Files, result: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a metrics.json. DamagedError where a metric is no number or missing."""
    choices = files.record.get("choices") or {}
    try:
        found = results.parsed(result, choices.get("protocol", ""), files.config.get("protocol") or {})
        seconds = {str(name): float(value) for name, value in result.get("seconds", {}).items()}
        cost = results.cost(result)
    except KeyError as error:
        raise DamagedError(f"it has no {error}") from None
    except (AttributeError, TypeError, ValueError, UserError) as error:
        raise DamagedError(one_line(str(error))) from None
    for term, values in found.metrics.items():
        if missing := REQUIRED_METRICS - values.keys():
            raise DamagedError(f"{term} has no {', '.join(sorted(missing))}")
    measures = {"metrics": found.metrics, "objective": found.objective, "seconds": seconds, "cost": cost}
    support = result.get("support", {})
    return {**measures, "support": support if isinstance(support, dict) else {}}


def _state(folder: Path, done: bool, damaged: bool) -> State:
    if done:
        return "done"
    if (folder / "failed.json").exists():
        return "failed"
    if damaged:
        return "damaged"
    return "running" if runs.state(folder) == runs.State.RUNNING else "interrupted"


def _made(record: Mapping[str, Any]) -> str:
    """'omasgan 0.1.0, commit 0c87857aaa and changes'."""
    commit = record.get("commit")
    changes = " and changes" if record.get("dirty") else ""
    return f"omasgan {record.get('omasgan', '?')}" + (f", commit {str(commit)[:10]}{changes}" if commit else "")


def one_line(text: str) -> str:
    """Join the words of a text by single spaces."""
    return " ".join(text.split())
