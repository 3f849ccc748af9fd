"""Reads the records of run folders: what each run was, how it ended, and what it measured."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from omasgan.configuration.identity import class_of
from omasgan.errors import UserError
from omasgan.runs import folder as runs

State = Literal["done", "failed", "interrupted", "damaged", "running"]

STATES: tuple[State, ...] = get_args(State)
"""In the order in which they are told: of several runs behind a cell without a figure, the first after done."""

MARKS = ("run.json", "metrics.json", "failed.json")
"""A folder that holds one of these is a run's."""

NOT_ENTERED = frozenset({"checkpoints", "plots", "wandb", "tensorboard", "csv", "debug"})


@dataclass(frozen=True)
class Run:
    """One run's record. `folder` is as the user named it; `cls` is the protocol's class and `role` what it is there."""

    folder: Path
    state: State
    choices: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    identity: str = ""
    seed: int = 0
    role: str = ""
    cls: str = ""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    support: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    error: str = ""
    made: str = ""
    finished: float = 0.0


class DamagedError(Exception):
    """A file that says something else than a run writes; its message is one line that names the file."""


def find(places: Sequence[Path]) -> list[Path]:
    """Every run's folder at or below the places, sorted, each once. UserError where there is none at all."""
    found: dict[Path, Path] = {}
    for place in places:
        if not place.is_dir():
            raise UserError(f"report.folders: {place} is no folder; give run folders, or folders that hold some")
        for folder in _walk(place):
            found.setdefault(folder.resolve(), folder)
    if not found:
        raise UserError(f"report.folders: no run lies in {', '.join(map(str, places))}; train one first")
    return sorted(found.values())


def _walk(top: Path) -> Iterator[Path]:
    for folder, inner, files in os.walk(top):
        if any(mark in files for mark in MARKS):
            yield Path(folder)
        inner[:] = sorted(name for name in inner if name not in NOT_ENTERED)


def read(folder: Path) -> tuple[Run, list[str]]:
    """A run's record, and a line for every file of it that is damaged."""
    problems: list[str] = []

    def loaded(name: str, parse: Any) -> Any:
        path = folder / name
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            problems.append(_one_line(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"))
            return None
        try:
            value = parse(text)
            if not isinstance(value, dict):
                raise DamagedError("it holds no mapping")
        except (ValueError, yaml.YAMLError, DamagedError, RecursionError) as error:
            problems.append(_one_line(f"{path} is damaged: {error or 'it is empty'}"))
            return None
        return value

    record = loaded("run.json", json.loads) or {}
    failed = loaded("failed.json", json.loads) or {}
    result = loaded("metrics.json", json.loads)
    config = loaded("config.yaml", lambda text: yaml.load(text, Loader=runs.LOADER)) or {}

    try:
        seconds, metrics, support = _result(result or {})
    except DamagedError as error:
        problems.append(f"{folder / 'metrics.json'} is damaged: {error}")
        result, seconds, metrics, support = None, {}, {}, {}
    choices = record.get("choices")
    known = isinstance(choices, dict) and isinstance(config.get("protocol"), dict)
    if (folder / "run.json").exists() and not known and not problems:
        problems.append(f"{folder / 'run.json'} names no choices, or there is no config.yaml: the run is not compared")
    state: State = "interrupted"
    if result is not None and known:
        state = "done"
    elif (folder / "failed.json").exists():
        state = "failed"
    elif problems:
        state = "damaged"
    elif runs.state(folder) == runs.State.RUNNING:
        state = "running"
    role, cls = class_of(config["protocol"]) if known else ("", "")
    commit = record.get("commit")
    done = folder / "metrics.json"
    seed = record.get("seed")
    run = Run(
        folder=folder,
        state=state,
        choices={str(k): str(v) for k, v in choices.items()} if isinstance(choices, dict) else {},
        config=config if known else {},
        identity=str(record.get("identity", "")),
        seed=seed if isinstance(seed, int) else 0,
        role=role,
        cls=cls,
        metrics=metrics,
        seconds=seconds,
        support=support,
        error=_one_line(str(failed.get("error", "")))[:300],
        made=f"omasgan {record.get('omasgan', '?')}"
        + (f", commit {str(commit)[:10]}{' and changes' if record.get('dirty') else ''}" if commit else ""),
        finished=done.stat().st_mtime if done.exists() else 0.0,
    )
    return run, problems


def _result(result: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, dict[str, float]], dict[str, Any]]:
    """Seconds, metrics and support of a metrics.json. DamagedError where a metric is no number."""
    try:
        metrics = {
            str(term): {str(name): float("nan") if value is None else float(value) for name, value in values.items()}
            for term, values in result.get("metrics", {}).items()
        }
        seconds = {str(name): float(value) for name, value in result.get("seconds", {}).items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise DamagedError(_one_line(str(error))) from None
    for term, values in metrics.items():
        if missing := {"auroc", "auprc", "auprc_balanced", "fpr95"} - values.keys():
            raise DamagedError(f"{term} has no {', '.join(sorted(missing))}")
    support = result.get("support", {})
    return seconds, metrics, support if isinstance(support, dict) else {}


def curves(folder: Path) -> dict[str, dict[str, tuple[list[int], list[float | None]]]]:
    """A run's learning curves: stage -> name -> (steps, values). DamagedError names a bad line.

    A last line without its end is one that a kill cut short, and left out.
    """
    path = folder / "metrics.jsonl"
    try:
        *lines, _ = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(_one_line(f"{path} cannot be read: {error}")) from None
    found: dict[str, dict[str, tuple[list[int], list[float | None]]]] = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            stage, step, _ = row.pop("stage"), int(row.pop("step")), row.pop("time")
            for name, value in row.items():
                steps, values = found.setdefault(stage, {}).setdefault(name, ([], []))
                steps.append(step)
                values.append(None if value is None else float(value))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DamagedError(f"{path} is damaged: remove line {number}") from None
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
