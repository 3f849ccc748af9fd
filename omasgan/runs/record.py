"""The run's record. Its folder is the truth and needs no network; Weights & Biases (W&B) mirrors it.

`metrics.jsonl` holds a JSON object a line: stage, step, time (seconds since 1970) and the values, null
for one that is not finite. No error of W&B's ends a run, holds it up past the time-outs or costs a record.
"""

from __future__ import annotations
from omasgan.runs.wandb import Identity, environment, reason, start, stop
import json
import logging
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from omasgan.errors import UserError
from omasgan.files import make_folder, write_text
from omasgan.runs.logger import LoggerSettings
if TYPE_CHECKING:
    from wandb import Run  # imported where it is used: half a second that `disabled` need not wait for


log = logging.getLogger(__name__)

METRICS = "metrics.jsonl"


class RunRecord:
    """The record in a run's folder, continued where there is one. `run`: W&B's, if it takes part."""

    def __init__(self, folder: Path) -> None:
        self.run: Run | None = None
        self._path = folder / METRICS
        self._stages: set[str] = set()
        self._warned = False
        # Without a line that a kill cut short, or else the next one would continue it.
        self._rewrite(_rows(self._path))

    def scalars(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Append a line. UserError where the disk is full, TypeError for a value named as a key."""
        finite = {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
        line = _line(dict(stage=stage, step=step, time=round(time.time(), 3), **finite))
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {error.strerror}; make room there") from error

        axis = f"{stage}/step"  # of its own: W&B's one global step never goes back, the stages all start at 0
        if stage not in self._stages:
            self._stages.add(stage)
            self._mirror(lambda run, _: run.define_metric(axis))
            self._mirror(lambda run, _: run.define_metric(f"{stage}/*", step_metric=axis))
        named = {f"{stage}/{name}": float(value) for name, value in values.items()}
        self._mirror(lambda run, _: run.log({axis: step, **named}))

    def rewind(self, stage: str, step: int) -> None:
        """Drop the stage's lines after `step`. W&B keeps its points and draws the repeated ones over them."""
        self._rewrite([row for row in _rows(self._path) if row["stage"] != stage or row["step"] <= step])

    def picture(self, name: str, path: Path) -> None:
        """Show a picture in W&B."""
        self._mirror(lambda run, wandb: run.log({name: wandb.Image(str(path))}))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Show a table in W&B."""
        data = [list(row) for row in rows]
        self._mirror(lambda run, wandb: run.log({name: wandb.Table(columns=list(columns), data=data)}))

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        """Show bars in W&B."""
        rows = [[key, number] for key, number in values.items()]

        def tell(run: Run, wandb: Any) -> None:
            table = wandb.Table(columns=[label, value], data=rows)
            run.log({name: wandb.plot.bar(table, label, value, title=name)})

        self._mirror(tell)

    def summary(self, values: Mapping[str, float | str]) -> None:
        """Show results in W&B."""
        self._mirror(lambda run, _: run.summary.update(dict(values)))

    def finish(self, exit_code: int) -> None:
        """End W&B's run, which shows as crashed unless the exit code is 0."""
        self._mirror(lambda run, _: run.finish(exit_code))
        if self._warned:
            stop()  # a run that did not end would take the next one of this process with it

    def _mirror(self, tell: Callable[[Run, Any], object]) -> None:
        """Tell W&B's run, given its module. The first error is a warning, the later ones are nothing new."""
        if self.run is None:
            return
        import wandb

        try:
            tell(self.run, wandb)
        except Exception as error:
            if not self._warned:
                log.warning("W&B's copy of %s is not complete: %s", self._path.parent, reason(error))
            self._warned = True

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        write_text(self._path, "".join(map(_line, rows)))


@contextmanager
def open_record(
    folder: Path, identity: Identity, config: dict[str, Any], logger: LoggerSettings
) -> Iterator[RunRecord]:
    """The record of the run in `folder`, new or resumed. An exception inside shows as a crash in W&B.

    UserError where the folder cannot be written, or holds a record that is damaged.
    """
    make_folder(folder)
    record = RunRecord(folder)
    with environment(folder):
        if logger.mode != "disabled":
            record.run = start(folder, identity, config, logger)
        exit_code = 1
        try:  # not `with run`, which prints the traceback of an exception on its way out
            yield record
            exit_code = 0
        finally:
            record.finish(exit_code)


def history(folder: Path) -> dict[str, dict[str, tuple[list[int], list[float]]]]:
    """Read the record in a folder back: stage -> name -> (steps, values). UserError where it is damaged."""
    curves: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for row in _rows(folder / METRICS):
        stage, step, _ = row.pop("stage"), row.pop("step"), row.pop("time")
        for name, value in row.items():
            steps, values = curves.setdefault(stage, {}).setdefault(name, ([], []))
            steps.append(step)
            values.append(math.nan if value is None else value)
    return curves


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    *lines, _cut_short = path.read_text(encoding="utf-8").split("\n")
    try:
        return [json.loads(line) for line in lines]
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is damaged: remove the line {error.doc[:80]!r}") from error
