"""Weights & Biases (W&B): copies a run to a W&B run, which is online where that is possible, else offline.

If W&B fails or does not answer, the run waits no longer than the time-outs in the settings.
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
    """`logger=wandb` and `logger=wandb_online`: a W&B run, whose id is in the file `wandb_id` of the run's folder.

    Parameters
    ----------
    mode
        `offline` writes files that `wandb sync` uploads; `online` does the same if it does not reach the server.
    project, entity
        The W&B project and the user or team that the run belongs to; null for the default entity of the account.
    init_timeout, finish_timeout
        Longest time to wait for the server at the start and at the end of the run, in seconds.
    """

    mode: Literal["offline", "online"] = "offline"
    project: str = "omasgan"
    entity: str | None = None
    init_timeout: Annotated[float, Gt(0)] = 20.0
    finish_timeout: Annotated[float, Gt(0)] = 30.0

    def open(self, folder: Path, identity: Identity, config: dict[str, Any]) -> WandbExporter | None:
        """See `Logger`. If a run is resumed offline, a second offline run is written; `wandb sync` appends it."""
        with ExitStack() as stack:
            stack.enter_context(environment(folder))
            run = start(folder, identity, config, self)
            return None if run is None else WandbExporter(run, stack.pop_all())


class WandbExporter:
    """Passes values to a W&B run. If one of its calls failed, W&B's process is ended together with the run.

    Parameters
    ----------
    run
        The W&B run.
    left
        Closed after the run has ended.
    """

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
        axis = f"{stage}/step"  # one for each stage, because each starts at 0 and W&B's global step never goes back
        if stage not in self._stages:
            self._stages.add(stage)
            self._tell(lambda run, _: run.define_metric(axis))
            self._tell(lambda run, _: run.define_metric(f"{stage}/*", step_metric=axis))
        named = {f"{stage}/{name}": value for name, value in values.items()}
        self._tell(lambda run, _: run.log({axis: step, **named}))

    def rewind(self, stage: str, rows: Sequence[Row]) -> None:
        """See `Exporter`. W&B cannot remove points; it draws those of the repeated steps over the old ones."""

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


@contextmanager
def environment(folder: Path) -> Iterator[None]:
    """Keep all files of W&B in the run's folder, because `wandb sync` needs them; the user's own variables win.

    W&B's error reports are switched off, because they delay the end of the program by ten seconds without a server.
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
    """End W&B's process in whatever state it is."""
    with suppress(Exception, SystemExit):  # it exits with the code of a service that died
        import wandb

        wandb.teardown()
