"""What the group `debug` does to training: the same batch at every step, a profile, or a stop at the first NaN."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function

from omasgan.files import make_folder
from omasgan.training.settings import Debug

log = logging.getLogger(__name__)

TRACE = Path("profile", "trace.json")
"""The profile of a run, relative to its folder."""

Fail = Callable[[str], None]
"""Stops a stage for a reason, with a UserError that names the stage and the step."""


class Debugger:
    """Watches the training of one run; with all settings off it does nothing and changes nothing.

    Parameters
    ----------
    settings
        What it does; None for nothing.
    """

    def __init__(self, settings: Debug | None = None) -> None:
        self.settings = settings or Debug()
        self._fail: Fail | None = None

    @contextmanager
    def watch(self, folder: Path) -> Iterator[None]:
        """Watch all training of a run, and write its profile once it has ended.

        Parameters
        ----------
        folder
            The run's folder.

        Raises
        ------
        UserError
            Where `anomaly` is set and a backward pass makes a NaN: the stage, the step and the operation.
        """
        profiled = _profiled(folder / TRACE) if self.settings.profile else nullcontext()
        anomaly = torch.autograd.set_detect_anomaly(True) if self.settings.anomaly else nullcontext()
        with profiled, anomaly:
            try:
                yield
            except RuntimeError as error:
                if self.settings.anomaly and self._fail is not None and "returned nan values" in str(error):
                    self._fail(f"{str(error).rstrip('.')} (where it was called stands above)")
                raise

    @contextmanager
    def step(
        self, stage: str, step: int, random: Generator, networks: Mapping[str, nn.Module], fail: Fail
    ) -> Iterator[None]:
        """Watch one step of a stage.

        Parameters
        ----------
        stage, step
            The stage's name, and how many steps it has done before.
        random
            The stage's random stream. `overfit` sets it and the global stream back to their beginning.
        networks
            Every network that the stage changes, by name.
        fail
            What stops the stage.
        """
        self._fail = fail
        if self.settings.overfit:
            random.manual_seed(random.initial_seed())
            torch.manual_seed(random.initial_seed())
        with record_function(f"{stage}, step {step}") if self.settings.profile else nullcontext():
            yield
        if self.settings.anomaly:
            for name, network in networks.items():
                for what in _not_finite(name, network):
                    fail(what)


def _not_finite(name: str, network: nn.Module) -> Iterator[str]:
    """What is not finite in a network, gradients first: they are what spoils the weights."""
    for key, weight in network.named_parameters():
        if weight.grad is not None and not _finite(weight.grad):
            yield f"the gradient of {name}.{key} is not finite"
    for key, tensor in (*network.named_parameters(), *network.named_buffers()):
        if not _finite(tensor):
            yield f"{name}.{key} is not finite"


def _finite(tensor: Tensor) -> bool:
    return bool(tensor.detach().isfinite().all())


@contextmanager
def _profiled(path: Path) -> Iterator[None]:
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        yield
    make_folder(path.parent)
    profiler.export_chrome_trace(str(path))
    log.info("profile for https://ui.perfetto.dev or chrome://tracing: %s", path)
