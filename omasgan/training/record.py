"""What a training loop tells of itself, and the record that keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Record(Protocol):
    """What a stage tells of itself."""

    def scalars(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Record values after `step` steps of a stage."""

    def rewind(self, stage: str, step: int) -> None:
        """Forget what a stage recorded after `step`: it resumes from there."""

    def picture(self, name: str, path: Path) -> None:
        """Show a picture that lies in the run's folder."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Show a table that lies in the run's folder."""

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        """Show values by name as bars; label and value are what the two axes are called."""

    def summary(self, values: Mapping[str, float | str]) -> None:
        """Show results of the whole run."""


def silent_record() -> Record:
    """A record that keeps nothing, for use as a library."""
    return _Silent()


class _Silent:
    def scalars(self, stage: str, step: int, values: Mapping[str, float]) -> None: ...

    def rewind(self, stage: str, step: int) -> None: ...

    def picture(self, name: str, path: Path) -> None: ...

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None: ...

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None: ...

    def summary(self, values: Mapping[str, float | str]) -> None: ...
