"""`task=report`: read run folders, write a page and tables, and hand the same results to the loggers."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from omasgan.configuration.checks import check
from omasgan.errors import UserError
from omasgan.files import make_folder, user_path, write_text
from omasgan.report import ablation_table, analyses, detectors, page, tables, wandb_export
from omasgan.report.folders import Run, one_line
from omasgan.report.latex import to_latex
from omasgan.report.reading import counts, read
from omasgan.runs.logger import loggers
from omasgan.text import to_csv

log = logging.getLogger(__name__)


def report(cfg: DictConfig, choices: Mapping[str, str], folder: Path) -> None:
    """Run task=report."""
    write(checked(cfg))


def write(config: Mapping[str, Any]) -> None:
    """Write report.html, the tables as Markdown, LaTeX and CSV, and the CSV of each analysis; export them to W&B.

    Raises
    ------
    UserError
        Where there are no runs, or a file cannot be written.
    """
    started = time.monotonic()
    settings = config["report"]
    output = user_path(settings["output"])
    chosen = loggers(config["logger"])
    reading = read(places(config))
    make_folder(output)
    pictures = page.pictures(reading.study.runs, settings["pictures"])
    created = time.strftime("%Y-%m-%d %H:%M")
    if settings["pictures"]:
        pictures.sheets = page.sheets(reading.study, reading.scores.compared, images)
    content = page.data(reading.study, reading.scores, pictures, reading.problems, created)
    written = {
        "report.html": page.render(content, settings["title"]),
        "tables.csv": to_csv(tables.LONG, tables.long_rows(reading.study, reading.scores)),
        "tables.md": tables.to_markdown(reading.study, reading.scores),
        "tables.tex": to_latex(reading.study, reading.scores),
        "comparison.csv": to_csv(tables.PAIRED, tables.paired_rows(reading.study, reading.scores)),
        "ablation.csv": to_csv(ablation_table.ABLATED, ablation_table.ablated_rows(reading.study, reading.scores)),
        "detectors.csv": to_csv(detectors.DETECTORS, detectors.detector_rows(reading.study, reading.scores)),
        "ranks.csv": to_csv(analyses.RANKED, analyses.ranked_rows(reading.study)),
    }
    for name, text in written.items():
        write_text(output / name, text)
    for problem in content["problems"]:
        log.warning("%s", problem)
    wandb_export.tell(output / "record", reading.study, reading.scores, chosen)
    print(f"{counts(reading.study)}, read in {time.monotonic() - started:.1f} s: {output / 'report.html'}")


def images(run: Run) -> page.Images:
    """Load the official split that a run was tested on, from the files on this machine; nothing is downloaded.

    Raises
    ------
    UserError
        Where the data are not here or not images, or where loading them would run code from outside the package.
    """
    targets = [str(run.config[group]["_target_"]) for group in ("dataset", "abnormal_dataset") if run.config.get(group)]
    if strange := [target for target in targets if not target.startswith("omasgan.data.")]:
        raise UserError(f"a report does not run code from outside the package: {strange[0]}")
    # Here, so that a report that shows no test samples does not wait for torch.
    from omasgan.data.benchmarks import downloads
    from omasgan.pipeline import build

    try:
        with downloads(False):
            dataset = build.dataset({"abnormal_dataset": None, **run.config})
    except Exception as error:  # Hydra wraps what a data set raises
        raise UserError(one_line(f"the data cannot be loaded: {error.__cause__ or error}")) from None
    if not dataset.spec.is_image:
        raise UserError("the samples are no images")
    tested = dataset.train if run.objective and run.objective.split == "pseudo" else dataset.test
    return tested.x.numpy(), tested.y.numpy()


def places(config: Mapping[str, Any]) -> list[Path]:
    """The folders to read runs from: report.folders, a folder or a list of folders; None stands for the folder `runs`.

    Raises
    ------
    UserError
        For any other value.
    """
    given = config["report"]["folders"]
    if given is None:
        return [user_path(config["runs"])]
    several = [given] if isinstance(given, str) else given
    if not isinstance(several, list) or not several or not all(isinstance(place, str) for place in several):
        raise UserError(f"report.folders is {given!r}: give a folder, or several as report.folders=[runs/a,runs/b]")
    return [user_path(place) for place in several]


def checked(cfg: DictConfig) -> dict[str, Any]:
    """The checked configuration of task=report or task=dashboard; raises UserError for a wrong setting."""
    plain = check(cfg, groups=("logger",))  # checking the other groups would import torch
    if plain["report"]["pictures"] < 0:
        raise UserError(f"report.pictures is {plain['report']['pictures']}: it must be at least 0")
    return plain
