"""The scores of RaPP: a sample and its reconstruction are compared in the hidden layers of the encoder, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

NONLINEAR = (nn.ReLU, nn.LeakyReLU)
"""The modules whose outputs are a network's hidden layers."""

SIDE = 4
"""Largest side of a hidden feature map; larger ones are averaged to it, so that the covariance stays small."""

LEAST_VARIANCE = 1e-6
"""Directions whose share of the largest variance is below this one are left out of `nap`: they are rounding errors."""


def hidden_layers(network: nn.Module, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """The activations of a network's hidden layers, and its output.

    Parameters
    ----------
    network
        The network; its hidden layers are the outputs of its nonlinearities.
    x
        Samples, (n, ...).

    Returns
    -------
    list of Tensor
        The activations, each (n, k), float32; feature maps are averaged to at most `SIDE` x `SIDE`.
    Tensor
        The output of the network.
    """
    found: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append(output)

    handles = [module.register_forward_hook(keep) for module in network.modules() if isinstance(module, NONLINEAR)]
    try:
        output = network(x)
    finally:
        for handle in handles:
            handle.remove()
    return [_flat(activation) for activation in found], output


def _flat(activation: Tensor) -> Tensor:
    activation = activation.float()
    if activation.dim() == 4 and max(activation.shape[2:]) > SIDE:
        activation = adaptive_avg_pool2d(activation, SIDE)
    return activation.flatten(1)


class HiddenLayers:
    """The scores `sap` and `nap` from the gaps between the hidden layers of samples and of their reconstructions.

    With d(x) the gaps of all layers, the input among them, one after the other,

        sap(x) = ||d(x)||^2,
        nap(x) = (d(x) - mean)^T covariance^-1 (d(x) - mean),

    where mean and covariance are those of d over normal training samples.

    Attributes
    ----------
    mean
        (k,), float32; empty before `fit`.
    whitening
        (k, r), float32: projects a gap onto the r directions of the training gaps, each divided by its deviation.

    Examples
    --------
    >>> gaps = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> layers = HiddenLayers()
    >>> layers.fit(gaps)
    >>> layers.scores(torch.tensor([[2.0, 0.0], [0.0, 2.0]]))["nap"].round()
    tensor([2., 8.], dtype=torch.float64)

    References
    ----------
    Kim et al. 2020, "RaPP: novelty detection with reconstruction along projection pathway", ICLR.
    """

    def __init__(self) -> None:
        self.mean, self.whitening = torch.empty(0), torch.empty(0, 0)

    def fit(self, gaps: Tensor) -> None:
        """Learn the mean and the covariance of the gaps (n, k) of normal training samples."""
        gaps = gaps.float()
        self.mean = gaps.mean(dim=0)
        centred = gaps - self.mean
        variances, directions = torch.linalg.eigh((centred.T @ centred / len(gaps)).double())
        kept = variances > LEAST_VARIANCE * variances.max()
        self.whitening = (directions[:, kept] / variances[kept].sqrt()).float()

    def scores(self, gaps: Tensor) -> dict[str, Tensor]:
        """`sap` and `nap` of gaps (n, k), each (n,), float64."""
        gaps = gaps.float()
        whitened = (gaps - self.mean) @ self.whitening
        return {"sap": gaps.double().square().sum(dim=1), "nap": whitened.double().square().sum(dim=1)}

    def state_dict(self) -> dict[str, Tensor]:
        """What `fit` learned."""
        return {"mean": self.mean, "whitening": self.whitening}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.mean, self.whitening = state["mean"].cpu(), state["whitening"].cpu()
