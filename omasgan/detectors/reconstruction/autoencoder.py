"""An autoencoder, whose score is the reconstruction error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.detectors.reconstruction.hidden_layers import HiddenLayers, hidden_layers
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.settings import Budget, Count, NonNegative, Positive
from omasgan.training.stage import Stage, Workspace, descend, frozen


class Autoencoder(Detector):
    """An autoencoder with the mean squared error as its loss.

    Its terms are reconstruction, the mean squared error of a sample, which is the detector's score; and sap and nap,
    which compare the hidden layers of the encoder for the sample and for its reconstruction (see `HiddenLayers`).

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    architecture
        Its encoder is the encoder, its generator the decoder, and its latent size the length of the code.
    augmentation
        The random change of each training sample.
    budget
        Trains for `task1` steps of `batch` samples.
    lr
        Adam's learning rate, which falls linearly to 0.
    noise
        Standard deviation of the Gaussian noise on the inputs, in units of the scaled data; above 0 the network is a
        denoising autoencoder. There is no noise in scoring.
    gap_samples
        Largest number of normal training samples, drawn at random, by which nap knows the usual gaps.

    Attributes
    ----------
    encoder, decoder
        The networks, frozen after `fit`.
    layers
        The scores of the hidden layers.
    stage
        The name of the training stage.
    own_terms
        The terms beside sap and nap.
    outputs_per_latent
        Outputs of the encoder for each latent variable.

    Raises
    ------
    UserError
        Where the augmentation does not suit the samples, or the budget has no steps.

    Notes
    -----
    It stands for the detector "AED" to which the paper compares; its text does not define it, so this is a
    reconstruction in its manner. Of RaPP's autoencoder, the loss and the hidden-layer scores are as published; its
    networks have ten fully connected layers. The feature maps of convolutions, which RaPP does not have, are averaged
    over small regions.

    References
    ----------
    Vincent et al. 2008, "Extracting and composing robust features with denoising autoencoders", ICML; Kim et al. 2020,
    "RaPP: novelty detection with reconstruction along projection pathway", ICLR.
    """

    main_term = "reconstruction"
    stage: ClassVar[str] = "reconstruction"
    own_terms: ClassVar[tuple[str, ...]] = ("reconstruction",)
    outputs_per_latent: ClassVar[int] = 1

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        lr: Positive = 1e-3,
        noise: NonNegative = 0.0,
        gap_samples: Count = 20_000,
    ) -> None:
        super().__init__(spec, workspace)
        self.augmentation = self.suitable(augmentation)
        self.latent, self.budget, self.lr, self.noise = architecture.latent, budget, lr, noise
        self.gap_samples = gap_samples
        outputs = self.outputs_per_latent * self.latent
        self.encoder = self.make("encoder", lambda shape: architecture.encoder(shape, outputs))
        self.decoder = self.make("decoder", architecture.generator)
        self.layers = HiddenLayers()

    def check(self, n: int) -> None:
        """See `Detector`; the networks need at least one step of training."""
        super().check(n)
        need_steps(self.stage, task1=self.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        self.train_networks(self.batches(train, self.augmentation))
        compared = self.outputs(self.compare, self.some(train, self.gap_samples, "gaps"))
        self.layers.fit(compared[:, len(self.own_terms) :])

    def train_networks(self, batches: Batches) -> None:
        """Train the encoder and the decoder, which are frozen afterwards."""
        networks = self.networks()
        adam = Adam([weight for network in networks.values() for weight in network.parameters()], self.lr, fused=True)
        remedy = lower_rate(self.lr)
        stage = Stage(self.stage, self.budget.task1, self.workspace, networks, {"adam": adam}, 1.0, remedy)
        for _ in stage:
            losses = self.losses(batches.draw(self.budget.batch, stage.random), stage)
            descend(losses["loss"], adam)
            if stage.due():
                stage.record({f"loss/{name}": value for name, value in losses.items()})
        for network in networks.values():
            frozen(network)

    def losses(self, x: Tensor, stage: Stage) -> dict[str, Tensor]:
        """The loss of a batch of scaled samples (n, ...), named loss, and other scalars to record."""
        noisy = x + self.noise * torch.randn(x.shape, generator=stage.random, device=x.device) if self.noise else x
        with self.workspace.autocast():
            decoded = self.decoder(self.encoder(noisy)).float()
        return {"loss": (decoded - x).square().mean()}

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        compared = self.outputs(self.compare, x)
        own = dict(zip(self.own_terms, compared.unbind(dim=1), strict=False))
        return {**own, **self.layers.scores(compared[:, len(own) :])}

    def compare(self, x: Tensor) -> Tensor:
        """The `own_terms` of scaled samples, then the gaps to the layers of their reconstructions; (n, t + k)."""
        with self.workspace.autocast():
            layers, code = hidden_layers(self.encoder, x)
            decoded = self.decode(code)
        own = self.own_scores(x, code.float(), decoded)
        return torch.cat([own, self.gaps(x, layers, code, decoded).double()], dim=1)

    def decode(self, code: Tensor) -> Tensor:
        """The reconstruction, float32 (n, ...), of the encoder's outputs."""
        decoded: Tensor = self.decoder(code[:, : self.latent]).float()
        return decoded

    def own_scores(self, x: Tensor, code: Tensor, decoded: Tensor) -> Tensor:
        """The `own_terms` of scaled samples, from the encoder's outputs and their reconstruction; (n, t)."""
        return (decoded - x).double().square().flatten(1).mean(dim=1, keepdim=True)

    def gaps(self, x: Tensor, layers: list[Tensor], code: Tensor, decoded: Tensor) -> Tensor:
        """The gaps in the input, in all hidden layers and in the code; (n, k), float32."""
        with self.workspace.autocast():
            again, code_again = hidden_layers(self.encoder, decoded)
        pairs = [(x.flatten(1), decoded.flatten(1)), *zip(layers, again, strict=True)]
        pairs.append((code[:, : self.latent], code_again[:, : self.latent]))
        return torch.cat([here.float() - there.float() for here, there in pairs], dim=1)

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        return {**super().state_dict(), "layers": self.layers.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        super().load_state_dict(state)
        self.layers.load_state_dict(state["layers"])
