"""The interface of all detectors, and what the detectors that train networks share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.method.settings import Boundary
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches, Scaling
from omasgan.training.seeding import stream
from omasgan.training.stage import Workspace, frozen, in_batches


class Detector(ABC):
    """An anomaly detector: it learns from normal samples alone, and scores each sample independently of all others.

    A higher score is more anomalous. Scores are raw numbers, neither scaled to a range nor compared within a batch.

    Parameters
    ----------
    spec
        The shape of a sample.
    workspace
        Device, seed, and where checkpoints and records go.

    Attributes
    ----------
    main_term
        The name of the term, among those of `terms`, that is the detector's score.
    searches
        Whether it trains something for every sample that it scores; its scores are then no graph that can be exported.
    scaling
        The scaling of samples for the networks; `batches` sets it.
    latent
        l, the length of the z of the generators; set by a detector that has any.

    Notes
    -----
    A detector that trains networks makes them with `make`, draws batches from `batches`, and names them in `networks`;
    `state_dict` then holds all that was learned. A detector that learns more than its networks extends `state_dict` and
    `load_state_dict`.

    Examples
    --------
    >>> import torch
    >>> from omasgan.detectors.baselines import NearestNeighbour
    >>> detector = NearestNeighbour(Spec((2,)), Workspace())
    >>> detector.fit(torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]]))
    >>> normal, abnormal = detector.score(torch.tensor([[0.0, 1.0], [9.0, 9.0]]))
    >>> bool(normal < abnormal)
    True
    """

    main_term: str = "score"
    searches: bool = False
    scaling: Scaling
    latent: int

    def __init__(self, spec: Spec, workspace: Workspace) -> None:
        self.spec = spec
        self.workspace = workspace

    def check(self, n: int) -> None:
        """Check, before training, that n training samples are enough.

        Raises
        ------
        UserError
            Where they are too few.
        """
        if n < 1:
            raise UserError("there are no normal samples to train on: check the data set, or choose another class")

    @abstractmethod
    def fit(self, train: Tensor) -> None:
        """Learn from samples of the normal class; no label and no test sample reaches this method.

        Parameters
        ----------
        train
            Images (n, C, H, W), uint8, or rows (n, k), float32.

        Raises
        ------
        UserError
            Where there are too few samples, or training diverges.
        """

    @abstractmethod
    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """The named raw scores of samples, none of which depends on the rest of the batch.

        Parameters
        ----------
        x
            (n, ...), in the type and units of the training samples.

        Returns
        -------
        dict of str to Tensor
            Each (n,), float64, on the CPU; `main_term` is among the names.
        """

    def score(self, x: Tensor) -> Tensor:
        """The anomaly score of samples x (n, ...), higher is more anomalous; (n,), float64."""
        return self.terms(x)[self.main_term]

    def maps(self, x: Tensor) -> Tensor | None:
        """The anomaly map of each image, (n, H, W), higher is more anomalous; None for a detector that has none."""
        return None

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {}

    def generators(self) -> dict[str, nn.Module]:
        """The networks from z ~ N(0, I) to samples, by the paper's names."""
        return {}

    def samples(self, n: int) -> dict[str, Tensor]:
        """Samples of the trained generators; the same at every call.

        Returns
        -------
        dict of str to Tensor
            n samples of each generator, (n, *spec.shape) in the units of the data, by the paper's name for it (G, B,
            G'); empty for a detector without generators.
        """
        made = {name: self.drawn(generator.eval(), n, "samples") for name, generator in self.generators().items()}
        return {name: self.scaling.invert(x).cpu() for name, x in made.items()}

    def state_dict(self) -> dict[str, Any]:
        """Everything that `fit` learned, as tensors and plain types; by default the scaling and the networks."""
        return {
            "scaling": self.scaling.state_dict(),
            "networks": {name: network.state_dict() for name, network in self.networks().items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave; the detector must have been built with the same settings.

        Raises
        ------
        RuntimeError, KeyError
            Where `state` does not fit this detector.
        """
        self.scaling = Scaling.from_state_dict(state["scaling"]).to(self.workspace.device)
        for name, network in self.networks().items():
            network.load_state_dict(state["networks"][name])
            frozen(network)

    def make(self, name: str, build: Callable[[tuple[int, ...]], nn.Module]) -> nn.Module:
        """A new network for the shape of a sample, with weights drawn from the random stream of its name."""
        return self.workspace.network(name, lambda: build(self.spec.shape))

    def suitable(self, augmentation: Augmentation) -> Augmentation:
        """The augmentation, if it suits the samples.

        Raises
        ------
        UserError
            Where it is for images and the samples are rows.
        """
        if augmentation.images_only and not self.spec.is_image:
            raise UserError(
                f"augmentation {type(augmentation).__name__} is for images, the data are rows: use augmentation=none"
            )
        return augmentation

    def batches(self, train: Tensor, augmentation: Augmentation | None = None) -> Batches:
        """Set the scaling from the training samples, and move them to the device."""
        self.scaling = Scaling(train).to(self.workspace.device)
        return Batches(train, self.scaling, self.workspace.device, augmentation)

    def some(self, train: Tensor, n: int, name: str) -> Tensor:
        """n of the samples, or all where there are fewer, in an order drawn from the random stream `name`."""
        order = torch.randperm(len(train), generator=stream(self.workspace.seed, name, torch.device("cpu")))
        return train[order[:n]]

    def outputs(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """The values of a function of scaled samples, for x in the units of the data; (n, ...), float64, on the CPU."""
        device = self.workspace.device
        return in_batches(lambda part: function(self.scaling(part.to(device))).to("cpu", torch.float64), x)

    def v(self, network: nn.Module, x: Tensor) -> Tensor:
        """The output of a network for scaled samples, in the precision of training; (n, ...), float64."""
        with self.workspace.autocast():
            v: Tensor = network(x)
        return v.double()

    def drawn(self, generator: nn.Module, n: int, name: str) -> Tensor:
        """Draw n samples of a generator from the random stream `name`; (n, *shape), scaled as for the networks."""
        random = stream(self.workspace.seed, name, self.workspace.device)
        return in_batches(generator, torch.randn(n, self.latent, generator=random, device=self.workspace.device))


def lower_rate(value: float, setting: str = "lr") -> str:
    """What the error of a stage that diverged advises: to lower a detector's own learning rate."""
    return f"detector.detector.{setting} lower than {value:g}"


def need_frozen_critic(detector: str, boundary: Boundary, critic: str) -> None:
    """Raise UserError where Task 2 would train or blur the critic, which is a part of the detector: its flow, say."""
    if boundary.critic != "frozen":
        raise UserError(
            f"boundary.critic is {boundary.critic}, but the critic of {detector} is its {critic}: set "
            "boundary.critic=frozen"
        )
    for name, needed in (("generator", "weights"), ("blur", 0), ("space", "samples")):
        if (given := getattr(boundary, name)) != needed:
            raise UserError(f"boundary.{name} is {given}: {detector} takes boundary.{name}={needed} alone")


def need_steps(detector: str, **steps: int) -> None:
    """Raise UserError where a stage that a detector cannot do without has no steps; `steps` are those of the budget."""
    for stage, number in steps.items():
        if number < 1:
            raise UserError(f"budget.{stage} is {number}: {detector} trains for that many steps, at least 1")
