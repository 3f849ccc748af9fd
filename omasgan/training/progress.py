"""The progress of a stage or a sweep: a progress bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

if TYPE_CHECKING:  # a sweep shows its progress without loading torch
    from torch import Tensor

SHOWN = 4
"""Largest number of values that are shown with the progress."""

SILENCE = 30.0
"""Longest time between two log lines, in seconds."""

MANY = 1024
"""Smallest number of images for which `with_progress` shows the progress."""

log = logging.getLogger(__name__)


class Progress(Protocol):
    """The interface of a progress display."""

    def update(self, step: int, values: Mapping[str, float] | None = None) -> None:
        """Show that `step` steps are done, with the first `SHOWN` of `values` by name; None keeps the last ones."""


@contextmanager
def progress(
    stage: str, total: int, start: int = 0, enabled: bool | None = None, unit: str = "step"
) -> Iterator[Progress]:
    """Show the progress of a stage or a sweep inside a `with` block.

    It is shown as a progress bar above which log lines are printed, or as a log line after every tenth of the steps
    and after `SILENCE` seconds without one.

    Parameters
    ----------
    stage
        The name that is shown.
    total
        The number of steps of the whole stage.
    start
        The number of steps that are done already.
    enabled
        Whether to show a bar; None shows one where standard error is a terminal.
    unit
        What one step is; 'job' for a sweep.

    Yields
    ------
    Progress
        To be called after each step.
    """
    if enabled is None:
        enabled = sys.stderr.isatty()
    if enabled:
        width, height = shutil.get_terminal_size()  # tqdm shows nothing where a terminal reports a size of 0
        bar = tqdm(desc=stage, total=total, initial=start, unit=unit, ncols=width, nrows=height)
        with logging_redirect_tqdm(), bar:
            yield _Bar(bar)
    else:
        yield _Lines(stage, total, start, unit)


def with_progress(parts: Sequence[Tensor], name: str) -> Iterator[Tensor]:
    """Parts of images (n, ...), one after the other; shows how many are done where there are at least `MANY`."""
    # One part alone may be of the graph of an export, whose number of samples must not be asked for.
    if len(parts) == 1 or (total := sum(map(len, parts))) < MANY:
        yield from parts
        return
    done = 0
    with progress(name, total, unit="image") as bar:
        for part in parts:
            yield part
            done += len(part)
            bar.update(done)


class _Bar:
    def __init__(self, bar: tqdm[Any]) -> None:
        self._bar = bar

    def update(self, step: int, values: Mapping[str, float] | None = None) -> None:
        if values is not None:
            self._bar.set_postfix_str(_few(values), refresh=False)
        self._bar.update(step - self._bar.n)


class _Lines:
    def __init__(self, stage: str, total: int, start: int, unit: str) -> None:
        self._stage, self._total, self._start, self._unit = stage, max(total, 1), start, unit
        self._began = self._spoke = time.monotonic()
        self._tenth = 10 * start // self._total
        self._values = ""

    def update(self, step: int, values: Mapping[str, float] | None = None) -> None:
        if values is not None:
            self._values = _few(values)
        now, tenth = time.monotonic(), 10 * step // self._total
        if tenth == self._tenth and now - self._spoke < SILENCE:
            return
        self._spoke, self._tenth = now, tenth
        rate = (step - self._start) / max(now - self._began, 1e-9)
        left = tqdm.format_interval((self._total - step) / rate) if rate else "?"
        pace = f"{rate:.2f} steps/s" if self._unit == "step" else f"{60 * rate:.1f} {self._unit}s/min"
        line = f"{self._stage} {step}/{self._total}, {pace}, {left} left"
        log.info(f"{line}, {self._values}" if self._values else line)


def _few(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in islice(values.items(), SHOWN))


@contextmanager
def log_shown(shown: bool) -> Iterator[None]:
    """Show the log lines of what is trained inside a `with` block, or only its warnings."""
    program = logging.getLogger("omasgan")
    before, handlers = program.level, list(program.handlers)
    if shown and not logging.getLogger().handlers:
        program.addHandler(logging.StreamHandler())
    program.setLevel(logging.INFO if shown else logging.WARNING)
    try:
        yield
    finally:
        program.setLevel(before)
        program.handlers[:] = handlers
