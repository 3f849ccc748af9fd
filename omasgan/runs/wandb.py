"""Weights & Biases (W&B): copies a run to a W&B run, which is online where that is possible, else offline.

If W&B fails or does not answer, the run waits no longer than the time-outs in the settings.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Gt

from omasgan.errors import UserError
from omasgan.files import write_text
from omasgan.runs.logger import Identity, reason
from omasgan.runs.wandb_exporter import WandbExporter, stop

if TYPE_CHECKING:
    from wandb import Run  # imported where it is used: half a second that other loggers need not wait for

log = logging.getLogger(__name__)

WANDB_ID = "wandb_id"

VARIABLES = {
    "mode": "WANDB_MODE",
    "project": "WANDB_PROJECT",
    "entity": "WANDB_ENTITY",
    "name": "WANDB_NAME",
    "group": "WANDB_RUN_GROUP",
    "tags": "WANDB_TAGS",
    "notes": "WANDB_NOTES",
}
"""The environment variable of W&B's that conf/logger/wandb.yaml reads as the default of a setting."""

NAME_LENGTH = 128
"""Largest number of characters of a name or a group that W&B accepts."""

TAG_LENGTH = 64
"""Largest number of characters of a tag that W&B accepts."""


@dataclass(frozen=True)
class WandbLogger:
    """`logger=wandb` and `logger=wandb_online`: a W&B run, whose id is in the file `wandb_id` of the run's folder.

    Parameters
    ----------
    mode
        `offline` writes files that `wandb sync` uploads; `online` does the same if it does not reach the server;
        `disabled` does not log to W&B.
    project, entity
        The W&B project and the user or team that the run belongs to; null for the default entity of the account.
    name
        The run's name; null for one that says what differs from the other runs of a sweep. The run of one class of
        several has its class added.
    group
        The runs that W&B shows together; null for the sweep, or outside of sweeps for the runs that differ only in seed
        and class.
    tags
        Words to filter by, in addition to those that follow from the settings: a list, or a text with commas.
    notes
        A text that W&B shows with the run; null for the command.
    init_timeout, finish_timeout
        Longest time to wait for the server at the start and at the end of the run, in seconds.

    Raises
    ------
    UserError
        For a tag that is empty or longer than W&B accepts.
    """

    mode: Literal["offline", "online", "disabled"] = "offline"
    project: str = "omasgan"
    entity: str | None = None
    name: str | None = None
    group: str | None = None
    tags: str | list[str] | None = None
    notes: str | None = None
    init_timeout: Annotated[float, Gt(0)] = 20.0
    finish_timeout: Annotated[float, Gt(0)] = 30.0

    def __post_init__(self) -> None:
        for tag in self._own_tags():
            if not 1 <= len(tag) <= TAG_LENGTH:
                raise UserError(f"logger.wandb.tags has {tag!r}: give tags of 1 to {TAG_LENGTH} characters")

    def open(self, folder: Path, identity: Identity, config: dict[str, Any]) -> WandbExporter | None:
        """See `Logger`. If a run is resumed offline, a second offline run is written; `wandb sync` appends it."""
        if self.mode == "disabled":
            return None
        id_path = folder / WANDB_ID
        is_new = not id_path.exists()
        if is_new:
            write_text(id_path, secrets.token_hex(4))
        return self.begin(folder, self.listed(identity, id_path.read_text(encoding="utf-8"), config), is_new)

    def begin(
        self, folder: Path, listed: Mapping[str, Any], is_new: bool, sweep_id: str | None = None
    ) -> WandbExporter | None:
        """Begin or resume a W&B run; None where W&B refuses it, after a warning.

        Parameters
        ----------
        folder
            The folder for W&B's files.
        listed
            See `listed`.
        is_new
            Whether W&B has no points of the run yet.
        sweep_id
            The id of the W&B sweep that the run is a trial of.
        """
        with ExitStack() as stack:
            stack.enter_context(environment(folder))
            run = _start(folder, listed, self, sweep_id)
            return None if run is None else WandbExporter(run, stack.pop_all(), is_new)

    def listed(self, identity: Identity, run_id: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `wandb.init` that say what the run is, from the settings where they say something."""
        name = identity.name if self.name is None else f"{self.name} {identity.part}".strip()
        return {
            "id": run_id,
            "project": self.project,
            "entity": self.entity,
            "name": name[:NAME_LENGTH],
            "group": (self.group or identity.group)[:NAME_LENGTH],
            "job_type": identity.job_type,
            "tags": tuple(dict.fromkeys(tag[:TAG_LENGTH] for tag in (*identity.tags, *self._own_tags()))),
            "notes": identity.notes if self.notes is None else self.notes,
            "config": {**flat(config), "wandb_variables": ", ".join(self.variables())},
        }

    def variables(self) -> list[str]:
        """The environment variables that gave a setting its value; others were overruled or are not set."""
        return [
            name
            for setting, name in VARIABLES.items()
            if name in os.environ and getattr(self, setting) == os.environ[name]
        ]

    def _own_tags(self) -> list[str]:
        tags = self.tags.split(",") if self.tags and isinstance(self.tags, str) else self.tags or []
        return [tag.strip() for tag in tags]


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as W&B can filter by it.

    W&B shows the value at `{"boundary": {"mu": 0.1}}` as `boundary.mu`, and filters by numbers and texts, so lists
    become texts, and empty nodes are left out. So are copies of a group inside other nodes, which equal the group: a
    detector holds those that it is built from.
    """

    def inside(node: Mapping[str, Any]) -> dict[str, Any]:
        return {str(key): value(child) for key, child in node.items() if child != {} and not is_copy(key, child)}

    def is_copy(key: str, child: Any) -> bool:
        return isinstance(child, Mapping) and child == config.get(key)

    def value(child: Any) -> Any:
        if isinstance(child, Mapping):
            return inside(child)
        return ", ".join(map(str, child)) if isinstance(child, list | tuple) else child

    return {str(key): value(child) for key, child in config.items() if child != {}}


AGENTS = ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH")
"""Variables of `wandb agent`. W&B must not see them, because it would give their id to every run of this process."""


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
    hidden = {name: os.environ.pop(name) for name in AGENTS if name in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
        os.environ.update(hidden)


def _start(folder: Path, listed: Mapping[str, Any], logger: WandbLogger, sweep_id: str | None) -> Run | None:
    """Start W&B's run: online where that is wanted and possible, else offline; None where that fails too."""
    if logger.mode == "online":
        try:
            run = _init("online", folder, listed, logger, sweep_id)
            log.info("W&B shows this run at %s", run.url)
            return run
        except Exception as error:
            log.warning("W&B is not online, `wandb sync` can upload this run later: %s", reason(error))
            stop()  # it holds the run's id, which the offline run needs
    try:
        return _init("offline", folder, listed, logger, sweep_id)
    except Exception as error:
        log.warning("W&B does not record this run, its folder does: %s", reason(error))
        stop()
    return None


def _init(
    mode: Literal["online", "offline"],
    folder: Path,
    listed: Mapping[str, Any],
    logger: WandbLogger,
    sweep_id: str | None,
) -> Run:
    import wandb

    wandb.setup(wandb.Settings(silent=True))  # before `init`, or a missing key is asked for on the terminal
    settings = wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        init_timeout=logger.init_timeout,
        finish_timeout=logger.finish_timeout,
        finish_timeout_raises=True,
    )
    settings.sweep_id = sweep_id
    return wandb.init(
        **listed,
        mode=mode,
        dir=folder,
        # Offline too: `wandb sync` then appends the parts of a resumed run. The server itself begins a sweep's run.
        resume=None if sweep_id else "allow",
        reinit="finish_previous",
        settings=settings,
    )
