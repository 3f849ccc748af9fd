"""Run folders: the names of a run's files, and the state that follows from which of them are there."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from omasgan.runs.lock import LOCK, OWNER, held

METRICS = "metrics.json"

FAILED = "failed.json"

RECORD = "run.json"

SUMMARY = "summary.json"

CONFIG = "config.yaml"

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader where PyYAML has it: ten times as fast, and a sweep reads a thousand configurations."""


class State(StrEnum):
    """The state of a run."""

    DONE = "done"
    RUNNING = "running"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NEW = "new"


def state(folder: Path) -> State:
    """The state of one run."""
    if (folder / METRICS).exists():
        return State.DONE
    if held(folder):
        return State.RUNNING
    if (folder / FAILED).exists():
        return State.FAILED
    return State.INTERRUPTED if (folder / RECORD).exists() else State.NEW


def job_state(folder: Path) -> State:
    """The state of a job: of one run, or of a run for each class in folders of their own."""
    if (folder / RECORD).exists():
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
    """The folders of all runs below a folder, in order of their names; also of jobs that failed before they ran."""
    try:
        entries = sorted(os.scandir(top), key=lambda entry: entry.name)
    except OSError:  # it is not there, or was removed meanwhile
        return
    names = {entry.name for entry in entries}
    if names & {RECORD, FAILED}:
        yield top
    if RECORD in names:
        return  # the folders inside are the run's own
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from find(Path(entry.path))


def read(path: Path) -> dict[str, Any]:
    """A run's JSON file; empty where it is missing or damaged, which a list of runs can show and survive."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def config_of(folder: Path) -> dict[str, Any]:
    """The configuration of a run; empty where its file is missing or damaged."""
    try:
        content = yaml.load((folder / CONFIG).read_text(encoding="utf-8"), Loader=LOADER)
    except Exception:  # a damaged file may raise anything
        return {}
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def baselines_of(folder: Path) -> dict[str, Any]:
    """The baselines that a run was compared to, with their settings."""
    return config_of(folder).get("baselines") or {}


def lacking_baselines(folder: Path, wanted: Mapping[str, Any]) -> list[str]:
    """The baselines, of those wanted, that a run was not compared to, or to one of other settings."""
    there = baselines_of(folder)
    return [name for name, node in wanted.items() if there.get(name) != node]


def main_term(terms: dict[str, Any]) -> str | None:
    """The term that is the detector's score: `full` of OMASGAN, the first of any other."""
    return "full" if "full" in terms else next(iter(terms), None)


def main_auroc(folder: Path) -> float | None:
    """AUROC of the detector's score: of the run, or the mean of a job's runs; None where there is none."""
    run, job = read(folder / METRICS), read(folder / SUMMARY)
    metrics = run.get("metrics") or job.get("mean") or {}
    term = main_term(metrics)
    if term is None:
        return None
    return float(metrics[term]["auroc"] if run else metrics[term])


def age(folder: Path) -> float:
    """Seconds since the run last wrote one of its files."""
    times = [0.0]
    for name in (METRICS, FAILED, "metrics.jsonl", RECORD):
        with suppress(OSError):
            times.append((folder / name).stat().st_mtime)
    return max(0.0, time.time() - max(times))


def clear(folder: Path) -> None:
    """Remove what a run left in its folder, but for its lock, which the caller holds, and its log."""
    for entry in folder.iterdir():
        if entry.name not in (LOCK, OWNER, "run.log"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder, and its parents below `top`, while they are empty."""
    for place in (folder.absolute(), *folder.absolute().parents):
        if top.absolute() not in place.parents:
            return
        try:
            place.rmdir()
        except OSError:  # something is in it
            return
