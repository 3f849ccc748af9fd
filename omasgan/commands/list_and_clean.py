"""`task=list` shows existing runs; `task=clean` removes interrupted and failed ones.

This module does not import torch, so that both start quickly.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from omasgan.errors import UserError
from omasgan.files import user_path
from omasgan.report import folders as report_folders
from omasgan.report.configurations import short
from omasgan.report.folders import Run
from omasgan.report.run_table import values_of, varied, write_run_table
from omasgan.report.selection import chosen
from omasgan.runs import folder as runs
from omasgan.runs.folder import State, remove_empty
from omasgan.runs.lock import LOCK, owner
from omasgan.text import duration, figures, shortened, table

NOTE_LENGTH = 60
"""Number of characters of a note, at most."""

SETTINGS_LENGTH = 60
"""Number of characters of the settings that differ, at most."""


def list_runs(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> None:
    """Print the runs below the folder `runs`: state, settings that differ, AUROC, age, and process or error.

    With list.csv=FILE, also write a row for each of them to this file; see `omasgan.report.run_table`.

    Raises
    ------
    UserError
        For a condition or order that cannot be read; see `omasgan.report.selection`.
    """
    top = user_path(cfg.runs)
    every = [report_folders.read(run)[0] for run in runs.find(top)]
    if not every:
        print(f"no runs in {top}")
        return
    if cfg.list.limit is not None and cfg.list.limit < 1:
        raise UserError(f"list.limit is {cfg.list.limit}: give 1 or more, or null for all runs")
    found = chosen(every, cfg.list.where, cfg.list.sort)
    shown = found[: cfg.list.limit]
    differing = varied(every)
    rows = [_row(top, run, differing) for run in shown]
    print(table(rows, ["run", "state", *(["settings"] if differing else []), "figure", "value", "age", "note"]))
    left_out = [
        (f"list.where={cfg.list.where}", len(every) - len(found)),
        (f"list.limit={cfg.list.limit}", len(found) - len(shown)),
    ]
    told = "".join(f"; {reason} left out {number}" for reason, number in left_out if number)
    print(f"{len(rows)} runs in {top}: {counted([runs.state(run.folder) for run in shown])}{told}")
    if cfg.list.csv is not None:
        target = user_path(cfg.list.csv)
        write_run_table(target, shown)
        print(f"a row for each run: {target}")


def clean(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> None:
    """Remove interrupted runs, and with clean.failed=true failed ones, below the folder `runs`, after asking.

    Runs that are finished or running are never removed.

    Raises
    ------
    UserError
        Where nobody can be asked and clean.yes is false, or a run cannot be removed.
    """
    top = user_path(cfg.runs)
    unwanted = {State.INTERRUPTED} | ({State.FAILED} if cfg.clean.failed else set())
    chosen = [folder for folder in runs.find(top) if runs.state(folder) in unwanted]
    if not chosen:
        print(f"nothing to remove in {top}" + ("" if cfg.clean.failed else " (clean.failed=true removes failed runs)"))
        return
    for folder in chosen:
        print(f"{runs.state(folder)}: {folder}")
    if not cfg.clean.yes and not _agreed(f"remove these {len(chosen)} runs for good?"):
        print("nothing was removed")
        return
    removed = sum(_remove(folder, top, unwanted) for folder in chosen)
    print(f"removed {removed} of {len(chosen)} runs" + (": the others were resumed" if removed < len(chosen) else ""))


def counted(states: list[State]) -> str:
    """The number of runs in each state as text, such as '2 done, 1 failed'."""
    counts = Counter(states)
    return ", ".join(f"{counts[state]} {state}" for state in State if counts[state])


def _row(top: Path, run: Run, differing: Sequence[str]) -> list[str]:
    folder, state = run.folder, runs.state(run.folder)
    figure = runs.main_figure(folder)
    notes = {
        State.RUNNING: lambda: f"process {owner(folder)}",
        State.FAILED: lambda: str(runs.read(folder / runs.FAILED).get("error", "")),
    }
    note = " ".join(notes[state]().split()) if state in notes else ""
    values = values_of(run)
    settings = " ".join(f"{short(name, differing)}={values[name]}" for name in differing if name in values)
    return [
        str(folder.relative_to(top)),
        str(state),
        *([shortened(settings, SETTINGS_LENGTH)] if differing else []),
        *(("-", "-") if figure is None else (figure[0], figures(figure[1]))),
        duration(runs.age(folder)),
        shortened(note, NOTE_LENGTH),
    ]


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UserError(
            "task=clean asks before it removes runs, and there is no terminal to answer in: set clean.yes=true"
        )
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _remove(folder: Path, top: Path, unwanted: set[State]) -> bool:
    """Remove a run and the folders above it that are then empty; False where it has been resumed."""
    lock = FileLock(folder / LOCK)
    try:
        if runs.state(folder) not in unwanted:  # it was resumed while the user was asked
            return False
        lock.acquire(timeout=0)  # from here on nobody can resume it
        for entry in folder.iterdir():  # a job's folder also holds the runs of its classes, which are kept
            if not entry.is_dir() or (folder / runs.PROVENANCE).exists() or not any(runs.find(entry)):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    except Timeout:
        return False
    except OSError as error:
        raise UserError(f"cannot remove {error.filename or folder}: {error.strerror}; remove it by hand") from error
    finally:
        lock.release()
    remove_empty(folder, top)
    return True
