"""The command `omasgan`: composes a configuration, does what it says, and reports errors in one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from omasgan import __version__
from omasgan import config as configuration
from omasgan.errors import UserError
from omasgan.explain import explain

EXPLAINED = (UserError, HydraException, OmegaConfBaseException, OSError)


def job(cfg: DictConfig) -> None:
    """One Hydra job. An explained error ends a single run here; a sweep goes on with its other jobs."""
    hydra_config = HydraConfig.get()
    choices = {group: str(choice) for group, choice in hydra_config.runtime.choices.items()}
    try:
        configuration.check(cfg)
        from omasgan import tasks  # torch takes seconds to import, and a wrong configuration needs none of it

        tasks.perform(cfg, choices, Path(hydra_config.runtime.output_dir))
    except EXPLAINED as error:
        if hydra_config.mode == RunMode.MULTIRUN or traceback_wanted():
            raise
        sys.exit(f"omasgan: {explain(error)}")


def traceback_wanted() -> bool:
    """Whether the user asked for tracebacks, in Hydra's own way."""
    return os.environ.get("OMASGAN_TRACEBACK") == "1"


def main() -> None:
    """Run the command line; exits with 1 after an error that was explained in one line."""
    if "--version" in sys.argv[1:]:
        print(f"omasgan {__version__}")
        return
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        os.environ["OMASGAN_TRACEBACK"] = "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors, so that they can be explained
    configuration.register()
    run = hydra.main(version_base="1.3", config_path=str(configuration.FOLDER), config_name="config")(job)
    try:
        run()
    except KeyboardInterrupt:
        sys.exit("omasgan: interrupted; the same command goes on from the last checkpoint")
    except EXPLAINED as error:
        if traceback_wanted():
            raise
        sys.exit(f"omasgan: {explain(error)}")


if __name__ == "__main__":
    main()
