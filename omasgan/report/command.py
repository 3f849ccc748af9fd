"""`task=report`: reads run folders, writes the page and the tables, and tells W&B the same figures."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omasgan import config as configuration
from omasgan.errors import UserError
from omasgan.files import make_folder, write_text
from omasgan.report import comparison, folders, mirror, page, tables
from omasgan.report.comparison import Scores
from omasgan.report.methods import Study, study
from omasgan.settings import LoggerSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """Run folders, read: what they compare, what their scores say, and a line for every file that is damaged."""

    study: Study
    scores: Scores
    problems: list[str]


def report(config: Mapping[str, Any]) -> None:
    """Write report.html, tables.csv, tables.md, tables.tex and comparison.csv. UserError where there are no runs."""
    started = time.monotonic()
    settings = config["report"]
    output = Path(settings["output"]).expanduser()
    reading = read(places(config))
    make_folder(output)
    pictures = page.pictures(reading.study.runs, settings["pictures"])
    created = time.strftime("%Y-%m-%d %H:%M")
    content = page.data(reading.study, reading.scores, pictures, reading.problems, created)
    written = {
        "report.html": page.render(content, settings["title"]),
        "tables.csv": tables.to_csv(tables.LONG, tables.long_rows(reading.study, reading.scores)),
        "tables.md": tables.to_markdown(reading.study, reading.scores),
        "tables.tex": tables.to_latex(reading.study, reading.scores),
        "comparison.csv": tables.to_csv(tables.PAIRED, tables.paired_rows(reading.study, reading.scores)),
    }
    for name, text in written.items():
        write_text(output / name, text)
    for problem in content["problems"]:
        log.warning("%s", problem)
    mirror.tell(output / "record", reading.study, reading.scores, _logger(config["logger"]))
    print(f"{counts(reading.study)}, read in {time.monotonic() - started:.1f} s: {output / 'report.html'}")


def places(config: Mapping[str, Any]) -> list[Path]:
    """Where the runs lie: report.folders, one or a list, else the folder `runs`. UserError for anything else."""
    given = config["report"]["folders"]
    if given is None:
        return [Path(config["runs"]).expanduser()]
    several = [given] if isinstance(given, str) else given
    if not isinstance(several, list) or not several or not all(isinstance(place, str) for place in several):
        raise UserError(f"report.folders is {given!r}: give a folder, or some as report.folders=[runs/a,runs/b]")
    return [Path(place).expanduser() for place in several]


def read(where: list[Path]) -> Reading:
    """Read all runs at or below the places."""
    found = [folders.read(folder) for folder in folders.find(where)]
    runs = [run for run, _ in found]
    problems = [problem for _, damaged in found for problem in damaged]
    names: dict[int, list[str]] = {}
    seen: set[tuple[str | None, str | None, str]] = set()
    for number, run in enumerate(runs):  # one run of a kind tells the classes of its data
        kind = run.choices.get("dataset"), run.choices.get("protocol"), str(run.config.get("dataset"))
        if run.state == "done" and run.role and kind not in seen:
            names[number] = comparison.class_names(run.folder / "scores.npz")
            seen.update([kind] if names[number] else [])
    whole = study(runs, {number: classes for number, classes in names.items() if classes})
    scores = comparison.read_scores(whole, workers=min(os.cpu_count() or 1, 8))
    return Reading(whole, scores, [*problems, *whole.problems, *scores.problems])


def counts(found: Study) -> str:
    """12 runs (10 done, 1 failed, 1 interrupted)."""
    states = [run.state for run in found.runs]
    each = ", ".join(f"{states.count(s)} {s}" for s in folders.STATES if s in states)
    return f"{len(states)} run{'s' * (len(states) != 1)} ({each})"


def _logger(node: Mapping[str, Any]) -> LoggerSettings:
    return LoggerSettings(**{key: value for key, value in node.items() if key != "_target_"})


def checked(config: Any) -> dict[str, Any]:
    """The configuration of task=report or task=dashboard, checked; `pictures` must not be negative."""
    plain = configuration.check(config, groups=("logger",))  # the others' would import torch
    if plain["report"]["pictures"] < 0:
        raise UserError(f"report.pictures is {plain['report']['pictures']}: it must be at least 0")
    return plain
