"""Passes the record of a run to a W&B run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omasgan.runs.logger import Picture, Row

if TYPE_CHECKING:
    from wandb import Run


class WandbExporter:
    """Passes values to a W&B run. If one of its calls failed, W&B's process is ended together with the run.

    Parameters
    ----------
    run
        The W&B run.
    left
        Closed after the run has ended.
    is_new
        Whether W&B has no points of this run yet; it then gets those that the record already has.
    """

    title = "W&B"

    def __init__(self, run: Run, left: ExitStack, is_new: bool) -> None:
        self.run = run
        self._left = left
        self._is_new = is_new
        self._stages: set[str] = set()
        self._broken = False

    def scalars(self, row: Row) -> None:
        """See `Exporter`."""
        values = dict(row)
        stage, step, _ = key(values.pop("stage")), values.pop("step"), values.pop("time")
        axis = f"{stage}/step"  # one for each stage, because each starts at 0 and W&B's global step never goes back
        if stage not in self._stages:
            self._stages.add(stage)
            self._tell(lambda run, _: run.define_metric(axis))
            self._tell(lambda run, _: run.define_metric(f"{stage}/*", step_metric=axis))
        named = {f"{stage}/{key(name)}": value for name, value in values.items()}
        self._tell(lambda run, _: run.log({axis: step, **named}))

    def rewind(self, stage: str, rows: Sequence[Row]) -> None:
        """See `Exporter`.

        If the W&B run is new, it gets the rows, such as those of a stage that another run has trained. W&B cannot
        remove points; it draws those of the repeated steps over the old ones.
        """
        if self._is_new and key(stage) not in self._stages:
            for row in rows:
                self.scalars(row)

    def picture(self, name: str, path: Path) -> None:
        """See `Exporter`; W&B gets a copy of the file."""
        self._tell(lambda run, wandb: run.log({key(name): wandb.Image(str(path))}))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """See `Exporter`. Pictures are in the table, which W&B uploads apart from the run, and in a gallery."""

        def tell(run: Run, wandb: Any) -> None:
            data = [[wandb.Image(cell.pixels) if isinstance(cell, Picture) else cell for cell in row] for row in rows]
            pictures = [
                wandb.Image(cell.pixels, caption=_caption(columns, row))
                for row in rows
                for cell in row
                if isinstance(cell, Picture)
            ]
            gallery = {f"{key(name)}_pictures": pictures} if pictures else {}
            run.log({key(name): wandb.Table(columns=list(columns), data=data), **gallery})

        self._tell(tell)

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        """See `Exporter`."""
        rows = [[bar, number] for bar, number in values.items()]

        def tell(run: Run, wandb: Any) -> None:
            table = wandb.Table(columns=[label, value], data=rows)
            run.log({key(name): wandb.plot.bar(table, label, value, title=name)})

        self._tell(tell)

    def summary(self, values: Mapping[str, float | str]) -> None:
        """See `Exporter`."""
        self._tell(lambda run, _: run.summary.update({key(name): value for name, value in values.items()}))

    def finish(self, exit_code: int) -> None:
        """See `Exporter`. W&B shows the run as crashed unless the exit code is 0."""
        try:
            self._tell(lambda run, _: run.finish(exit_code))
        finally:
            if self._broken:
                stop()  # otherwise the next run of this process would fail because of this one
            self._left.close()

    def _tell(self, tell: Callable[[Run, Any], object]) -> None:
        """Call a function with the W&B run and the module `wandb`, and remember whether it failed."""
        import wandb

        try:
            tell(self.run, wandb)
        except Exception:
            self._broken = True
            raise


def _caption(columns: Sequence[str], row: Sequence[object]) -> str:
    """The other cells of a picture's row, such as 'sample 7, class 3'."""
    cells = [(name, cell) for name, cell in zip(columns, row, strict=True) if not isinstance(cell, Picture)]
    return ", ".join(f"{name} {cell:.3g}" if isinstance(cell, float) else f"{name} {cell}" for name, cell in cells)


def key(name: str) -> str:
    """A name as a key of W&B, whose queries and panels fail with blanks and quotes: G' becomes G_prime."""
    return re.sub(r"[^\w./=+-]+", "_", name.replace("'", "_prime")).strip("_")


def stop() -> None:
    """End W&B's process in whatever state it is."""
    with suppress(Exception, SystemExit):  # it exits with the code of a service that died
        import wandb

        wandb.teardown()
