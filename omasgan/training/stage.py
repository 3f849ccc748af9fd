"""What all training loops share: steps, checkpoints, resuming, recording, and stopping if training diverges.

A stage is one training loop with one checkpoint: `task1`, `critic` and `task2` (both of Task 2), `task3`, `j`, or a
part of the representation. Its checkpoint is the file `checkpoints/<stage>.pt` in the run's folder.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim import Adam

from omasgan.errors import UserError
from omasgan.files import make_folder
from omasgan.training import checkpoint
from omasgan.training.batches import split
from omasgan.training.cost import Cost
from omasgan.training.debugging import Debugger
from omasgan.training.progress import progress
from omasgan.training.record import Record, silent_record
from omasgan.training.seeding import seeded, stream
from omasgan.training.settings import Optimisation


@dataclass(frozen=True)
class Workspace:
    """Where and how a detector trains.

    Parameters
    ----------
    device
        The device of networks and data.
    seed
        The run's seed, from which every random stream is derived.
    folder
        Holds the checkpoints; None writes none.
    record
        Receives the scalars of training.
    dtype
        The type in which convolutions (autocast) and the search in a memory bank compute; None is float32 throughout.
    record_every
        Steps between two records.
    checkpoint_every
        Steps between two checkpoints; the end of a stage always has one.
    debug
        Watches the stages; by default it does nothing.
    cost
        Counts what the stages cost.
    feature_cache
        The folder in which features of frozen networks are kept for other runs; None keeps none.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    seed: int = 0
    folder: Path | None = None
    record: Record = field(default_factory=silent_record)
    dtype: torch.dtype | None = None
    record_every: int = 20
    checkpoint_every: int = 500
    debug: Debugger = field(default_factory=Debugger)
    cost: Cost = field(default_factory=Cost)
    feature_cache: Path | None = None

    def beside(self, name: str) -> Workspace:
        """A workspace for another detector of the run, whose checkpoints have the same names but other content."""
        folder = None if self.folder is None else self.folder / "checkpoints" / name
        if folder is not None:
            make_folder(folder / "checkpoints")
        return replace(self, folder=folder, record=silent_record(), cost=Cost())

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """A context for one forward pass and its loss: autocast, and each spectral norm computed once.

        Open a new one in every step. It caches weights that were cast or normalised, so that a context that stayed open
        across an optimiser's step would train stale copies.
        """
        with parametrize.cached(), torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            yield

    def network(self, name: str, build: Callable[[], nn.Module]) -> nn.Module:
        """A new network on the device; its weights come from the random stream 'weights of <name>'."""
        with seeded(self.seed, f"weights of {name}"):
            network = build()
        # Convolutions run fastest on images whose channels lie next to each other; other layers do not care.
        return network.to(device=self.device).to(memory_format=torch.channels_last)


REMEDY = "lower optimisation.lr_generator and optimisation.lr_discriminator, another divergence, or optimisation.r1=1"
"""What the error of a stage that diverged advises, if the stage gives no other remedy."""


class Stage:
    """The steps of one stage of training. A loop over it resumes from a checkpoint and writes checkpoints.

    After the loop the networks hold the trained, or the restored, weights.

    Parameters
    ----------
    name
        Name of the stage, of its checkpoint and of its random stream.
    steps
        Number of steps.
    workspace
        Where and how it trains.
    networks, optimisers
        All networks, including running averages, and optimisers that the stage changes, by name.
    decay
        Fraction of the steps, at the end, in which the learning rates fall linearly to zero.
    remedy
        What the error advises if the stage diverges.

    Attributes
    ----------
    random
        The stage's random stream, part of the checkpoint; its seed is `stream_seed(workspace.seed, name)`.
    """

    def __init__(
        self,
        name: str,
        steps: int,
        workspace: Workspace,
        networks: dict[str, nn.Module],
        optimisers: dict[str, Adam],
        decay: float = 0.0,
        remedy: str = REMEDY,
    ) -> None:
        self.name = name
        self._remedy = remedy
        self.steps = steps
        self.workspace = workspace
        self.random = stream(workspace.seed, name, workspace.device)
        self._networks, self._optimisers = networks, optimisers
        self._decay = decay
        self._rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in optimisers.items()}
        self._latest: dict[str, float] = {}
        self._step = 0
        self._earlier = self._began = 0.0

    def __iter__(self) -> Iterator[int]:
        """Yield the steps up to `steps` - 1, from the last checkpoint on.

        Raises
        ------
        UserError
            Where a recorded value is not finite, or the checkpoint does not fit the networks.
        """
        # Dropout draws from the device's global generator, which is therefore seeded for the stage, too.
        device = self.workspace.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self.random.initial_seed())
            start = self._resume()
            if self.steps:
                self.workspace.cost.train(self._optimisers.values())
            if start >= self.steps:
                return
            self._began = time.monotonic()
            with progress(self.name, self.steps, start) as bar:
                for step in range(start, self.steps):
                    self._step = step
                    self._set_rates()
                    with self.workspace.debug.step(self.name, step, self.random, self._networks, self.fail):
                        yield step
                    bar.update(step + 1, self._latest)
                    if (step + 1) % self.workspace.checkpoint_every == 0 or step + 1 == self.steps:
                        self._save(step + 1)

    def latents(self, n: int, latent: int) -> Tensor:
        """z ~ N(0, I_l), (n, l)."""
        return torch.randn(n, latent, generator=self.random, device=self.workspace.device)

    @torch.no_grad()
    def sample(self, generator: nn.Module, n: int, latent: int) -> Tensor:
        """Samples (n, *shape) of a generator, without gradients."""
        samples: Tensor = generator(self.latents(n, latent))
        return samples

    def due(self) -> bool:
        """Whether this step is one that is recorded."""
        return self._step % self.workspace.record_every == 0 or self._step == self.steps - 1

    def record(self, values: Mapping[str, Tensor | float]) -> None:
        """Record the scalars of this step, named 'panel/curve'. A step waits for the device only here."""
        self._latest = {name: float(torch.as_tensor(value).detach()) for name, value in values.items()}
        self.workspace.record.scalars(self.name, self._step + 1, self._latest)
        for name, value in self._latest.items():
            if not math.isfinite(value):
                self.fail(f"{name} is {value}")

    def check_collapse(self, samples: Tensor) -> None:
        """Stop where a generator's batch (n, ...) has become one single sample."""
        if float(samples.detach().float().flatten(1).std(dim=0).mean()) < COLLAPSED:
            self.fail("the generator has collapsed to a single sample")

    def fail(self, reason: str) -> None:
        """Stop the run with an error that says where and why training diverged, and what to try."""
        raise UserError(f"{self.name} diverged at step {self._step} of {self.steps}: {reason}; try {self._remedy}")

    def _set_rates(self) -> None:
        left = 1 - self._step / self.steps
        factor = min(1.0, left / self._decay) if self._decay > 0 else 1.0
        for name, optimiser in self._optimisers.items():
            optimiser.param_groups[0]["lr"] = factor * self._rates[name]

    @property
    def _path(self) -> Path | None:
        folder = self.workspace.folder
        return None if folder is None else folder / "checkpoints" / f"{self.name}.pt"

    def _save(self, done: int) -> None:
        if self._path is None:
            return
        for name, network in self._networks.items():
            if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
                self.fail(f"{name} has weights that are not finite")
        networks = {name: network.state_dict() for name, network in self._networks.items()}
        optimisers = {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()}
        random = {"random": self.random.get_state(), "global_random": torch.get_rng_state()}
        told = {"step": done, "seconds": self._earlier + time.monotonic() - self._began}
        checkpoint.save(self._path, self.name, {**told, **random, **networks, **optimisers})

    def _resume(self) -> int:
        if self._path is None or not self._path.exists():
            self.workspace.record.rewind(self.name, 0)
            return 0
        state = checkpoint.load(self._path, self.name, self.workspace.device)
        checkpoint.restore(self._path, {**self._networks, **self._optimisers}, state)
        try:
            self.random.set_state(state["random"].cpu())
        except RuntimeError as error:  # a processor's generator and a graphics card's have states of different sizes
            raise UserError(
                f"checkpoint {self._path} was not made on a {self.workspace.device.type}: continue on the device that "
                f"it was made on, or delete {self._path.parent} to train again on this one"
            ) from error
        torch.set_rng_state(state["global_random"].cpu())
        self.workspace.record.rewind(self.name, state["step"])
        self._earlier = self.workspace.cost.resume(state)
        return int(state["step"])


COLLAPSED = 1e-4
"""Mean deviation of a generator's outputs, in units of the scaled data, below which it has collapsed."""


def adam(network: nn.Module, lr: float, optimisation: Optimisation) -> Adam:
    """Adam for one network: a generator, or its opponent."""
    return Adam(network.parameters(), lr=lr, betas=(optimisation.beta1, optimisation.beta2), fused=True)


def descend(loss: Tensor, optimiser: Adam) -> None:
    """One step of one network down its loss; its gradients can be read until its next step."""
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimiser.step()


def gradient_norm(network: nn.Module) -> Tensor:
    """Euclidean norm of the gradients of the last backward pass; scalar."""
    return torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])


@torch.no_grad()
def average(running: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the running average of a network's weights on by one step; its buffers are copied.

    The decay warms up, so that the average forgets the initial weights however short the schedule is.
    """
    decay = min(decay, (1 + step) / (10 + step))
    for mean, weight in zip(running.parameters(), network.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)
    for mean_buffer, buffer in zip(running.buffers(), network.buffers(), strict=True):
        mean_buffer.copy_(buffer)


SCORING_BATCH = 500


@torch.inference_mode()
def in_batches(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`function` of x (n, ...), a few hundred samples at a time."""
    return torch.cat([function(part) for part in split(x, SCORING_BATCH)])


def frozen(network: nn.Module) -> nn.Module:
    """The network in eval mode with no gradient for its weights; gradients still pass through it to its input."""
    return network.eval().requires_grad_(False)


def trainable(network: nn.Module) -> nn.Module:
    """The network, set to training mode with gradients for its weights."""
    return network.train().requires_grad_(True)
