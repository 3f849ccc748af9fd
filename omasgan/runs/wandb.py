"""Weights & Biases (W&B): one run of it, online where that is possible, else offline."""

from __future__ import annotations

import logging
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

WANDB_ID = "wandb_id"


@dataclass(frozen=True)
class Identity:
    """What W&B lists a run under."""

    name: str
    group: str
    job_type: str
    tags: tuple[str, ...]


@contextmanager
def environment(folder: Path) -> Iterator[None]:
    """Unless the user's environment says otherwise, W&B's files lie by the run: `wandb sync` needs them all.

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


def start(folder: Path, identity: Identity, config: dict[str, Any], logger: LoggerSettings) -> Run | None:
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
    logger: LoggerSettings,
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
    with suppress(Exception, SystemExit):  # it exits with the code of a service that died
        import wandb

        wandb.teardown()


def reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
