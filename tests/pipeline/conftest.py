import pkgutil
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from omasgan.commands import COMMANDS
from omasgan.configuration.identity import option_names
from omasgan.configuration.schema import FOLDER, register
from omasgan.training.stage import Stage

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
        pkgutil.resolve_name(COMMANDS[cfg.task])(cfg, option_names(cfg, hydra.runtime.choices), folder)
        return folder

    return do


@pytest.fixture
def steps(monkeypatch):
    """The steps that were done, by stage."""
    done = {}
    plain = Stage.__iter__

    def counted(self):
        for step in plain(self):
            done.setdefault(self.name, []).append(step)
            yield step

    monkeypatch.setattr(Stage, "__iter__", counted)
    return done


@pytest.fixture
def zoo(tmp_path):
    """Three classes of rows, two of which have names that make one folder name."""
    rng = np.random.default_rng(0)
    y = np.array(["a b", "a_b", "äöü"]).repeat(30)
    x = rng.normal(size=(90, 2)) + np.arange(3).repeat(30)[:, None]
    np.savez(tmp_path / "zoo.npz", x_train=x, y_train=y, x_test=x + 0.1, y_test=y)
    return "dataset=arrays", f"dataset.path={tmp_path}/zoo.npz", "architecture=mlp"
