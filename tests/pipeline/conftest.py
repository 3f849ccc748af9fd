import pkgutil
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from omasgan.commands import COMMANDS
from omasgan.configuration.identity import option_names
from omasgan.configuration.schema import FOLDER, register

TINY = (
    *("experiment=pixels", "budget=smoke", "architecture.width=8", "logger=none", "baselines=none"),
    *("precision=float32", "device=cpu"),
)


@pytest.fixture
def start(tmp_path):
    """Does in this process what a command line stands for; the run's folder."""
    register()

    def do(*overrides):
        overrides = [*TINY, f"runs={tmp_path}/runs", *map(str, overrides)]
        with initialize_config_dir(str(FOLDER), version_base="1.3"):
            cfg = compose("config", overrides=overrides)
            hydra = compose("config", overrides=overrides, return_hydra_config=True).hydra
        folder = Path(hydra.run.dir)
        pkgutil.resolve_name(COMMANDS[cfg.task])(cfg, option_names(hydra.runtime.choices), folder)
        return folder

    return do
