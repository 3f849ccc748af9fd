"""The command `omasgan`: composes a configuration, does what it says, and reports errors in one line."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from omasgan import __version__
from omasgan import config as configuration
from omasgan.explain import explain, is_users

log = logging.getLogger("omasgan")


def job(cfg: DictConfig) -> None:
    """One Hydra job. An error that the user can mend ends a single run here; a sweep goes on with its other jobs."""
    hydra_config = HydraConfig.get()
    choices = {group: str(choice) for group, choice in hydra_config.runtime.choices.items()}
    folder = Path(hydra_config.runtime.output_dir)
    try:
        if cfg.task in ("report", "dashboard"):
            from omasgan import report  # needs no torch, and checks what it reads itself

            report.perform(cfg)
            return
        configuration.check(cfg)
        from omasgan import tasks  # torch takes seconds to import, and a wrong configuration needs none of it

        tasks.perform(cfg, choices, folder)
    except Exception as error:
        if traceback_wanted() or not is_users(error):
            raise
        if hydra_config.mode == RunMode.MULTIRUN:
            log.error("failed: %s", explain(error))  # of several failures, Hydra tells the first one alone
            raise
        remove_empty(folder, Path(cfg.runs).expanduser())
        sys.exit(f"omasgan: {explain(error)}")


def remove_empty(folder: Path, top: Path) -> None:
    """Remove a run's folder, and its parents below `top`, while they are empty: Hydra makes it before any check."""
    for place in (folder, *folder.parents):
        if top.absolute() not in place.parents or any(place.iterdir()):
            return
        place.rmdir()


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
    configuration.register()
    run = hydra.main(version_base="1.3", config_path=str(configuration.FOLDER), config_name="config")(job)
    try:
        run()
    except KeyboardInterrupt:
        sys.exit("omasgan: interrupted; the same command goes on from the last checkpoint")
    except Exception as error:
        if traceback_wanted() or not is_users(error):
            raise
        sys.exit(f"omasgan: {explain(error)}")


if __name__ == "__main__":
    main()
