import importlib.util
import os
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import settings

settings.register_profile("omasgan", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("omasgan")

torch.set_num_threads(1)

# A shell that starts the tests in the background has Ctrl-C ignored, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


EXPERIMENTS = Path(__file__).parents[1] / "experiments"


@pytest.fixture(scope="session")
def script():
    """A module of `experiments`, by its path there."""

    def load(path):
        spec = importlib.util.spec_from_file_location(Path(path).stem, EXPERIMENTS / path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def fake(script):
    """The writer of run folders that the benchmark uses, too."""
    return script("speed/fake_runs.py")


@pytest.fixture(autouse=True, scope="session")
def wandb_elsewhere(tmp_path_factory):
    """No W&B setting of the caller reaches a test, and nothing is staged in the caller's home."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("WANDB_"):
                patch.delenv(name)
        for what in ("DATA", "CACHE", "CONFIG"):
            patch.setenv(f"WANDB_{what}_DIR", str(tmp_path_factory.mktemp(f"wandb_{what.lower()}")))
        yield
