"""The command `omasgan`: composes a configuration, does what it says, and reports errors in one line."""

from __future__ import annotations

import logging
import os
import pkgutil
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from omasgan import __version__
from omasgan.commands import COMMANDS, Command
from omasgan.configuration.checks import check_keys
from omasgan.configuration.explain import explain, is_users
from omasgan.configuration.identity import option_names
from omasgan.configuration.schema import FOLDER, register
from omasgan.errors import UserError
from omasgan.files import write_json
from omasgan.runs import folder as runs
from omasgan.runs.folder import remove_empty
from omasgan.runs.lock import HeldError

log = logging.getLogger("omasgan")


def job(cfg: DictConfig) -> float | None:
    """One Hydra job. An error that the user can mend ends a single run here; a sweep goes on with its other jobs."""
    hydra_config = HydraConfig.get()
    choices = option_names(cfg, hydra_config.runtime.choices)
    folder = Path(hydra_config.runtime.output_dir)
    try:
        return do(cfg, choices, folder)
    except Exception as error:
        if hydra_config.mode == RunMode.MULTIRUN:
            note_failure(cfg, folder, error)
            raise
        if traceback_wanted() or not is_users(error):
            raise
        # Hydra makes the folder before any check.
        remove_empty(folder, Path(cfg.runs).expanduser())
        sys.exit(f"omasgan: {explain(error)}")


def do(cfg: DictConfig, choices: dict[str, str], folder: Path) -> float | None:
    """Do the configuration's task."""
    check_keys(cfg)
    if cfg.task == "run":
        (folder / runs.FAILED).unlink(missing_ok=True)  # of the last attempt, by a sweep
    command: Command = pkgutil.resolve_name(
        COMMANDS[cfg.task]
    )  # only what the task needs: torch takes seconds to import
    return command(cfg, choices, folder)


def note_failure(cfg: DictConfig, folder: Path, error: Exception) -> None:
    """Leave a sweep's job its traceback, in its own log and in failed.json, and say on the terminal that it failed."""
    if isinstance(error, HeldError):
        log.warning("not run: %s", explain(error))
        return
    log.error("failed: %s", explain(error) or type(error).__name__)
    if cfg.task == "run":
        text = "".join(traceback.format_exception(error))
        with suppress(OSError, UserError):  # a full disk is what it may have failed of
            with (folder / "run.log").open("a", encoding="utf-8") as file:
                file.write(text)
            if not (folder / runs.FAILED).exists():
                write_json(folder / runs.FAILED, {"error": explain(error), "traceback": text})


def traceback_wanted() -> bool:
    """Whether the user asked for tracebacks, in Hydra's own way."""
    return os.environ.get("OMASGAN_TRACEBACK") == "1"


def main() -> None:
    """Run the command line; exits with 1 after an error that was explained in one line."""
    # `omasgan seed=1 -m boundary.mu=0,1`: Hydra's parser takes overrides in one stretch only.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda argument: argument not in ("-m", "--multirun"))
    if "--version" in sys.argv[1:]:
        print(f"omasgan {__version__}")
        return
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        os.environ["OMASGAN_TRACEBACK"] = "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors, so that they can be explained
    logging.raiseExceptions = False  # or else a full disk, which also stops run.log, prints a traceback for every line
    register()
    run = hydra.main(version_base="1.3", config_path=str(FOLDER), config_name="config")(job)
    try:
        run()
    except KeyboardInterrupt:
        sys.exit("omasgan: interrupted; the same command goes on from the last checkpoint")
    except Exception as error:
        if traceback_wanted() or not is_users(error):
            raise
        sys.exit(f"omasgan: {explain(error)}")


if __name__ == "__main__":
    from omasgan.__main__ import main  # by its own name, under which a launcher's processes find `job`

    main()
