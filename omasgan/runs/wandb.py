"""Weights & Biases (W&B): one run of it, online where that is possible, else offline.

No error of W&B's holds a run up past the time-outs.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Gt

from omasgan.files import write_text
from omasgan.runs.logger import Identity, Row, reason

if TYPE_CHECKING:
    from wandb import Run  # imported where it is used: half a second that other loggers need not wait for

log = logging.getLogger(__name__)

WANDB_ID = "wandb_id"


@dataclass(frozen=True)
class WandbLogger:
    """`logger=wandb` and `logger=wandb_online`: a W&B run, whose id lies in the run's folder.

    Parameters
    ----------
    mode
        `offline` writes files that `wandb sync` uploads; `online` falls back to that where there is no server.
    project, entity
        Where W&B lists the run; without an entity, the account's own.
    init_timeout, finish_timeout
        How long its server is waited for, in seconds.
    """

    mode: Literal["offline", "online"] = "offline"
    project: str = "omasgan"
    entity: str | None = None
    init_timeout: Annotated[float, Gt(0)] = 20.0
    finish_timeout: Annotated[float, Gt(0)] = 30.0

    def open(self, folder: Path, identity: Identity, config: dict[str, Any]) -> WandbExporter | None:
        """See `Logger`; the offline run of a resumed one is a part that `wandb sync` appends."""
        with ExitStack() as stack:
            stack.enter_context(environment(folder))
            run = start(folder, identity, config, self)
            return None if run is None else WandbExporter(run, stack.pop_all())


class WandbExporter:
    """Tells a W&B run, and ends W&B's process with it where that broke. `left`: what is closed at the end."""

    title = "W&B"

    def __init__(self, run: Run, left: ExitStack) -> None:
        self.run = run
        self._left = left
        self._stages: set[str] = set()
        self._broken = False

    def scalars(self, row: Row) -> None:
        """See `Exporter`."""
        values = dict(row)
        stage, step, _ = values.pop("stage"), values.pop("step"), values.pop("time")
        axis = f"{stage}/step"  # of its own: W&B's one global step never goes back, the stages all start at 0
        if stage not in self._stages:
            self._stages.add(stage)
            self._tell(lambda run, _: run.define_metric(axis))
            self._tell(lambda run, _: run.define_metric(f"{stage}/*", step_metric=axis))
        named = {f"{stage}/{name}": value for name, value in values.items()}
        self._tell(lambda run, _: run.log({axis: step, **named}))

    def rewind(self, stage: str, rows: Sequence[Row]) -> None:
        """See `Exporter`. W&B keeps its points and draws the repeated ones over them."""

    def picture(self, name: str, path: Path) -> None:
        """See `Exporter`."""
        self._tell(lambda run, wandb: run.log({name: wandb.Image(str(path))}))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """See `Exporter`."""
        data = [list(row) for row in rows]
        self._tell(lambda run, wandb: run.log({name: wandb.Table(columns=list(columns), data=data)}))

    def bars(self, name: str, label: str, value: str, values: Mapping[str, float]) -> None:
        """See `Exporter`."""
        rows = [[key, number] for key, number in values.items()]

        def tell(run: Run, wandb: Any) -> None:
            table = wandb.Table(columns=[label, value], data=rows)
            run.log({name: wandb.plot.bar(table, label, value, title=name)})

        self._tell(tell)

    def summary(self, values: Mapping[str, float | str]) -> None:
        """See `Exporter`."""
        self._tell(lambda run, _: run.summary.update(dict(values)))

    def finish(self, exit_code: int) -> None:
        """See `Exporter`. The run shows as crashed unless the exit code is 0."""
        try:
            self._tell(lambda run, _: run.finish(exit_code))
        finally:
            if self._broken:
                stop()  # a run that did not end would take the next one of this process with it
            self._left.close()

    def _tell(self, tell: Callable[[Run, Any], object]) -> None:
        """Tell the run, given W&B's module, and remember whether that failed."""
        import wandb

        try:
            tell(self.run, wandb)
        except Exception:
            self._broken = True
            raise


@contextmanager
def environment(folder: Path) -> Iterator[None]:
    """Keep W&B's files by the run, unless the user's environment says otherwise: `wandb sync` needs them all.

    Its error reports are off: they hold up the end of the program by ten seconds where the server is silent.
    """
    ours = {
        "WANDB_DATA_DIR": str(folder.resolve() / "wandb" / "data"),
        "WANDB_CACHE_DIR": str(folder.resolve() / "wandb" / "cache"),
        "WANDB_ERROR_REPORTING": "false",
    }
    ours = {name: value for name, value in ours.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def start(folder: Path, identity: Identity, config: dict[str, Any], logger: WandbLogger) -> Run | None:
    """Start W&B's run: online where that is wanted and possible, else offline; None where that fails too."""
    id_path = folder / WANDB_ID
    if not id_path.exists():
        write_text(id_path, secrets.token_hex(4))
    if logger.mode == "online":
        try:
            run = _init("online", folder, identity, config, logger)
            log.info("W&B shows this run at %s", run.url)
            return run
        except Exception as error:
            log.warning("W&B is not online, `wandb sync` can upload this run later: %s", reason(error))
            stop()  # it holds the run's id, which the offline run needs
    try:
        return _init("offline", folder, identity, config, logger)
    except Exception as error:
        log.warning("W&B does not record this run, its folder does: %s", reason(error))
        stop()
    return None


def _init(
    mode: Literal["online", "offline"],
    folder: Path,
    identity: Identity,
    config: dict[str, Any],
    logger: WandbLogger,
) -> Run:
    import wandb

    wandb.setup(wandb.Settings(silent=True))  # before `init`, or a missing key is asked for on the terminal
    return wandb.init(
        mode=mode,
        dir=folder,
        id=(folder / WANDB_ID).read_text(encoding="utf-8"),
        resume="allow",  # offline too: `wandb sync` then appends the parts of a resumed run
        reinit="finish_previous",
        project=logger.project,
        entity=logger.entity,
        name=identity.name,
        group=identity.group,
        job_type=identity.job_type,
        tags=identity.tags,
        config=config,
        settings=wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            init_timeout=logger.init_timeout,
            finish_timeout=logger.finish_timeout,
            finish_timeout_raises=True,
        ),
    )


def stop() -> None:
    """End W&B's process, whatever state it is in."""
    with suppress(Exception, SystemExit):  # it exits with the code of a service that died
        import wandb

        wandb.teardown()
