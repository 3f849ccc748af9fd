"""TensorBoard: event files in the run's folder, in one folder for each stage."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omasgan.errors import UserError
from omasgan.runs.logger import Identity, Row, without_pictures

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter  # imported where it is used: this package loads no torch

RESULTS = "results"
"""The name of the folder for everything that belongs to the whole run; the other folders are named after stages."""


@dataclass(frozen=True)
class TensorBoardLogger:
    """`logger=tensorboard`: the folder `tensorboard` in the run's folder, for `tensorboard --logdir`.

    Raises
    ------
    UserError
        Where the package `tensorboard` is not installed.
    """

    def __post_init__(self) -> None:
        if find_spec("tensorboard") is None:
            raise UserError(
                "logger=tensorboard needs tensorboard, which is not installed: pip install 'omasgan[tensorboard]', "
                "or choose logger=csv"
            )

    def open(self, folder: Path, identity: Identity, config: dict[str, Any]) -> TensorBoardExporter:
        """See `Logger`."""
        return TensorBoardExporter(folder / "tensorboard")


class TensorBoardExporter:
    """Writes a folder for each stage, and `results` for the whole run; TensorBoard shows each folder as a run.

    When a stage resumes, its folder is written again from the run's record, so that no point of the interrupted attempt
    is left after the step from which the stage resumes.

    Parameters
    ----------
    folder
        The folder of these folders; it is made with the first one.
    """

    title = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, SummaryWriter] = {}

    def scalars(self, row: Row) -> None:
        """See `Exporter`. The tag of a value is its name, and its wall time is the time in the record."""
        values = dict(row)
        stage, step, when = values.pop("stage"), values.pop("step"), values.pop("time")
        writer = self._writer(stage)
        for name, value in values.items():
            writer.add_scalar(name, value, step, walltime=when)

    def rewind(self, stage: str, rows: Sequence[Row]) -> None:
        """See `Exporter`."""
        self._clear(stage)
        for row in rows:
            self.scalars(row)

    def picture(self, name: str, path: Path) -> None:
        """See `Exporter`."""
        import numpy as np
        from PIL import Image

        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        self._writer(RESULTS).add_image(name, pixels, dataformats="HWC")

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """See `Exporter`. TensorBoard shows the table among its texts, without columns of pictures."""
        shown, body = without_pictures(columns, rows)
        lines: list[list[object]] = [[*shown], ["---"] * len(shown), *body]
        text = "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
        self._writer(RESULTS).add_text(name, text)

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        """See `Exporter`. TensorBoard has no bar charts, so a table is written."""
        self.table(name, [label, value], list(values.items()))

    def summary(self, values: Mapping[str, float | str]) -> None:
        """See `Exporter`. A number is written as a curve with a single point."""
        writer = self._writer(RESULTS)
        for name, value in values.items():
            if isinstance(value, str):
                writer.add_text(name, value)
            else:
                writer.add_scalar(name, value, 0)

    def finish(self, exit_code: int) -> None:
        """See `Exporter`."""
        for writer in self._writers.values():
            writer.close()

    def _writer(self, name: str) -> SummaryWriter:
        """The writer of a folder, which is empty when it is opened."""
        if name not in self._writers:
            from torch.utils.tensorboard import SummaryWriter

            self._clear(name)
            # From step 0, so that a TensorBoard that has already read the removed files drops their points, too.
            self._writers[name] = SummaryWriter(str(self._folder / name), purge_step=0)
        return self._writers[name]

    def _clear(self, name: str) -> None:
        if name in self._writers:
            self._writers.pop(name).close()
        shutil.rmtree(self._folder / name, ignore_errors=True)
