"""The settings of the loggers."""

from __future__ import annotations
from annotated_types import Ge, Gt
from dataclasses import dataclass
from typing import Annotated, Literal


@dataclass(frozen=True)
class LoggerSettings:
    """Weights & Biases: its mode, where a run goes, and how long its server is waited for.

    log_every: steps from one record to the next, in the run folder too. init_timeout, finish_timeout: seconds.
    """

    mode: Literal["offline", "online", "disabled"] = "offline"
    project: str = "omasgan"
    entity: str | None = None
    log_every: Annotated[int, Ge(1)] = 20
    init_timeout: Annotated[float, Gt(0)] = 20.0
    finish_timeout: Annotated[float, Gt(0)] = 30.0
