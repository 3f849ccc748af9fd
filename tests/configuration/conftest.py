"""Runs, good data, and damaged data of every kind."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from omasgan.commands.run import run
from omasgan.configuration.identity import option_names
from omasgan.files import make_folder
from omasgan.pipeline import outputs
from tests.configuration.mistakes import TOY


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Good data and damaged data of every kind."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows = {"x_train": rng.normal(size=(64, 3)), "x_test": rng.normal(size=(20, 3))}
    np.savez(folder / "rows.npz", **rows, y_test=np.arange(20) % 2)
    np.savez(folder / "few.npz", x_train=rows["x_train"][:10], x_test=rows["x_test"])
    np.save(folder / "more.npy", rng.normal(size=(5, 3)))
    np.save(folder / "wide.npy", rng.normal(size=(5, 4)))
    np.save(folder / "two.npy", rng.normal(size=(5, 2)))
    np.savez(folder / "gap.npz", **rows, y_train=np.zeros(64, int), y_test=np.arange(20) % 3)
    np.save(folder / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (folder / "cut.npz").write_bytes((folder / "rows.npz").read_bytes()[:300])
    (folder / "empty.npz").touch()
    for name in ("images", "damaged"):
        (folder / name).mkdir()
        for i in range(20):
            Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / name / f"{i:02}.png")
    for name in ("07", "08", "09"):  # so many of twenty that they are not left out
        damaged = folder / "damaged" / f"{name}.png"
        damaged.write_bytes(damaged.read_bytes()[:40])
    (folder / "nothing").mkdir()
    (folder / "mnist" / "raw").mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / "mnist" / "raw" / f"{name}-ubyte").write_bytes(b"\0\0\x08\x03\0\0")
    return folder


@pytest.fixture(scope="session")
def process():
    """Runs a command line in a process of its own; `watch` is given each line of standard error as it comes."""

    def run(*arguments, watch=lambda process, line: None):
        command = [sys.executable, "-m", "omasgan", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HYDRA_FULL_ERROR": "0"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as child:
            errors = []
            for line in child.stderr:
                errors.append(line)
                watch(child, line)
            output = child.stdout.read()
        return child.returncode, output, "".join(errors)

    return run


@pytest.fixture(scope="session")
def finished(composed, tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    cfg = composed(*TOY, f"hydra.run.dir={folder}", hydra=True)
    choices = option_names(cfg, cfg.hydra.runtime.choices)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outputs, "draw", lambda job, *_: make_folder(job.folder / "plots"))
        run(composed(*TOY), choices, folder)
    return folder


@pytest.fixture
def copy(finished, runs):
    return shutil.copytree(finished, runs)
