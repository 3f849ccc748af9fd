"""The command `omasgan`: composes a configuration, carries out what its key `task` names, and reports errors."""

from __future__ import annotations

import logging
import os
import pkgutil
import shlex
import stat
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from omasgan import __version__
from omasgan.commands import COMMANDS, Command
from omasgan.configuration import composition
from omasgan.configuration.checks import check_keys
from omasgan.configuration.command_line import arranged
from omasgan.configuration.explain import explain, is_users
from omasgan.configuration.identity import option_names
from omasgan.configuration.schema import FOLDER, register
from omasgan.errors import UserError
from omasgan.files import relative_to, user_path, write_json
from omasgan.runs import folder as runs
from omasgan.runs.folder import remove_empty
from omasgan.runs.lock import HeldError

log = logging.getLogger("omasgan")

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it: 128 and the number of the signal SIGINT."""


class UnbrokenPipe:
    """A standard stream that falls silent when its reader ends, as in `omasgan task=list | head`.

    A command goes on without its reader, so that the results of a run are kept.

    Parameters
    ----------
    stream
        A stream that writes to a pipe.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @classmethod
    def around(cls, stream: Any) -> Any:
        """The stream, made unbroken where it writes to a pipe."""
        try:
            mode = os.fstat(stream.fileno()).st_mode
        except (AttributeError, OSError, ValueError):  # it is closed, or no file
            return stream
        return cls(stream) if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else stream

    def write(self, text: str) -> int:
        """Write a text, or nothing where there is no reader."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            return self._fall_silent(len(text))

    def flush(self) -> None:
        """Write what is buffered, or nothing where there is no reader."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._fall_silent()

    def _fall_silent(self, written: int = 0) -> int:
        """Send this and all further output, also of the interpreter when it ends, nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def job(cfg: DictConfig) -> float | None:
    """Carry out one job of Hydra.

    Parameters
    ----------
    cfg
        The composed configuration.

    Returns
    -------
    float or None
        The objective of a search: the mean AUROC of `task=run` where there is one.

    Raises
    ------
    SystemExit
        Outside a sweep, for an error that the user can correct; it is printed in one line.
    Exception
        In a sweep, every error, after it has been written to the job's folder; the other jobs of the sweep still run.
    """
    hydra_config = HydraConfig.get()
    choices = option_names(cfg, hydra_config.runtime.choices)
    folder = Path(hydra_config.runtime.output_dir)
    start = Path(hydra_config.runtime.cwd) if hydra_config.job.chdir else None
    try:
        with relative_to(start):
            return do(cfg, choices, folder)
    except Exception as error:
        if hydra_config.mode == RunMode.MULTIRUN:
            note_failure(cfg, folder, error)
            raise
        if traceback_wanted() or not is_users(error):
            raise
        # Hydra makes the folder before any check.
        with relative_to(start):
            remove_empty(folder, user_path(cfg.runs))
        sys.exit(f"omasgan: {explain(error)}")


def do(cfg: DictConfig, choices: dict[str, str], folder: Path) -> float | None:
    """Carry out the command that `task` names; see `job` and `commands.Command`."""
    check_keys(cfg)
    if cfg.task == "run":
        (folder / runs.FAILED).unlink(missing_ok=True)  # of an earlier attempt by a sweep
    # By name, so that only the modules of this task are imported: torch takes seconds.
    command: Command = pkgutil.resolve_name(COMMANDS[cfg.task])
    return command(cfg, choices, folder)


def note_failure(cfg: DictConfig, folder: Path, error: Exception) -> None:
    """Log that a job of a sweep failed, and write its traceback to run.log and failed.json in the job's folder.

    Parameters
    ----------
    cfg
        The composed configuration.
    folder
        The job's folder.
    error
        Why the job failed. A `HeldError` is only logged, because another process is running the job.
    """
    if isinstance(error, HeldError):
        log.warning("not run: %s", explain(error))
        return
    log.error("failed: %s", explain(error) or type(error).__name__)
    if cfg.task == "run":
        text = "".join(traceback.format_exception(error))
        with suppress(OSError, UserError):  # a full disk may be the reason why the job failed
            with (folder / "run.log").open("a", encoding="utf-8") as file:
                file.write(text)
            if not (folder / runs.FAILED).exists():
                write_json(folder / runs.FAILED, {"error": explain(error), "traceback": text})


def traceback_wanted() -> bool:
    """Whether the user asked for tracebacks, by setting HYDRA_FULL_ERROR=1 (see `main`)."""
    return os.environ.get("OMASGAN_TRACEBACK") == "1"


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for help: with `--help` or `-h`, or because it has no argument other than `-m`."""
    return bool({"--help", "-h"} & set(arguments)) or set(arguments) <= {"-m", "--multirun"}


def _how_to_continue(arguments: Sequence[str]) -> str:
    """The command that continues interrupted runs, for the end of a line; empty for a task that makes none."""
    task = next((word.partition("=")[2] for word in reversed(arguments) if word.startswith("task=")), "run")
    return "" if task != "run" else f"; continue with: omasgan {shlex.join(arguments)}"


def _show_help() -> None:
    from omasgan.commands import help  # imported here because it imports rich, which no other command needs

    try:
        help.show(sys.argv[1:])
    except UserError as error:
        sys.exit(f"omasgan: {error}")


def main() -> None:
    """Run the command line.

    Raises
    ------
    SystemExit
        With exit code 1, after an error that the user can correct was printed in one line, or with 130 after Ctrl-C.
    """
    sys.stdout, sys.stderr = map(UnbrokenPipe.around, (sys.stdout, sys.stderr))
    if "--version" in sys.argv[1:]:
        print(f"omasgan {__version__}")
        return
    sys.argv[1:] = arranged(sys.argv[1:])
    if asks_for_help(sys.argv[1:]):
        _show_help()
        return
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        os.environ["OMASGAN_TRACEBACK"] = "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise its errors, so that they can be explained
    logging.raiseExceptions = False  # otherwise a full disk, which also stops run.log, prints a traceback for each line
    register()
    composition.install()
    run = hydra.main(version_base="1.3", config_path=str(FOLDER), config_name="config")(job)
    try:
        run()
    except KeyboardInterrupt:
        print(f"omasgan: interrupted{_how_to_continue(sys.argv[1:])}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if traceback_wanted() or not is_users(error):
            raise
        sys.exit(f"omasgan: {explain(error)}")


if __name__ == "__main__":
    from omasgan.__main__ import main  # under its full name, by which a launcher's processes find `job`

    main()
