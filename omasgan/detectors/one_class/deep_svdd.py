"""Deep SVDD, whose score is the distance of an embedding to a fixed centre."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.detectors.one_class.contrast import ContrastNormalisation
from omasgan.networks.base import Architecture, without_biases
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.settings import Budget, Fraction, NonNegative, Positive
from omasgan.training.stage import SCORING_BATCH, Stage, Workspace, descend, frozen

LEAST = 0.1
"""No coordinate of the centre is closer to zero: a network without biases could reach zero with weights of zero."""


class Sphere(nn.Module):
    """The centre c and the radius R; a module, so that checkpoints hold them.

    Parameters
    ----------
    size
        Length of an embedding.
    """

    c: Tensor
    R: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("c", torch.zeros(size))
        self.register_buffer("R", torch.zeros(()))

    def squared_distance(self, embeddings: Tensor) -> Tensor:
        """||phi(x) - c||^2 of embeddings (n, k); (n,)."""
        return (embeddings - self.c).square().sum(dim=1)


class DeepSVDD(Detector):
    """Deep support vector data description: a network maps normal samples near a centre.

    An autoencoder is trained first. Its encoder phi is then trained with

        one_class:      mean ||phi(x) - c||^2,
        soft_boundary:  R^2 + 1/nu mean max(0, ||phi(x) - c||^2 - R^2),

    where c is the mean of phi over the training samples after the first training (see `centre_of`), and R^2 is the
    1 - nu quantile of the squared distances in a batch. The one term is distance = ||phi(x) - c||^2, minus R^2 with the
    soft boundary.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    architecture
        Its encoder is phi and its generator the decoder of the first training, without any bias or affine part: with
        biases, a network that ignores its input would map all samples to c. Its latent size is that of an embedding.
    augmentation
        The random change of each training sample.
    budget
        The autoencoder trains for `representation` steps of `representation_batch` samples, at most all of them, and
        phi for `task1` steps of `batch` samples. Without steps for the autoencoder, c is that of an untrained network.
    objective
        `one_class` or `soft_boundary`.
    nu
        Fraction of the training samples that may lie outside the sphere; used with the soft boundary.
    warmup
        Fraction of the steps in which R stays 0; used with the soft boundary.
    contrast
        Whether images are normalised in contrast; see `ContrastNormalisation`.
    lr_autoencoder, lr
        Adam's learning rates for the two trainings, which fall linearly to 0.
    weight_decay_autoencoder, weight_decay
        The weight decay (as an L2 penalty) of the two trainings.

    Attributes
    ----------
    phi, decoder
        The networks, frozen after `fit`.
    sphere
        The centre c and the radius R.

    Raises
    ------
    UserError
        Where the augmentation does not suit the samples, or the budget has no steps for phi.

    Notes
    -----
    A reproduction of the losses, the centre, the contrast normalisation, the weight decay and the pretraining. The
    published networks are LeNets with max-pooling; ours are those of `architecture`, and the numbers of steps and
    learning rates are ours. The published code has constants of the contrast for each class, computed on that class;
    here they are computed from the normal training images of the run.

    References
    ----------
    Ruff et al. 2018, "Deep one-class classification", ICML.
    """

    main_term = "distance"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        objective: Literal["one_class", "soft_boundary"] = "one_class",
        nu: Annotated[float, Interval(gt=0, lt=1)] = 0.1,
        warmup: Fraction = 0.07,
        contrast: bool = True,
        lr_autoencoder: Positive = 1e-3,
        lr: Positive = 1e-4,
        weight_decay_autoencoder: NonNegative = 5e-4,
        weight_decay: NonNegative = 5e-7,
    ) -> None:
        super().__init__(spec, workspace)
        self.augmentation, self.budget = self.suitable(augmentation), budget
        self.soft, self.nu, self.warmup = objective == "soft_boundary", nu, warmup
        self.lr_autoencoder, self.lr = lr_autoencoder, lr
        self.weight_decay_autoencoder, self.weight_decay = weight_decay_autoencoder, weight_decay
        latent = architecture.latent
        self.phi = self.make("phi", lambda shape: without_biases(architecture.encoder(shape, latent)))
        self.decoder = self.make("decoder", lambda shape: without_biases(architecture.generator(shape)))
        self.sphere = Sphere(latent).to(workspace.device)
        self.contrast = ContrastNormalisation().to(workspace.device) if contrast and spec.is_image else None

    def check(self, n: int) -> None:
        """See `Detector`; phi needs at least one step of training."""
        super().check(n)
        need_steps("deep_svdd", task1=self.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches = self.batches(train, self.augmentation)
        if self.contrast is not None:
            self.contrast.fit(batches.parts(SCORING_BATCH))
        self.train_autoencoder(batches)
        self.sphere.c.copy_(self.centre(batches))
        self.train_phi(batches)
        for network in self.networks().values():
            frozen(network)

    def train_autoencoder(self, batches: Batches) -> None:
        """Train phi and the decoder to reconstruct the samples."""
        networks = {"phi": self.phi, "decoder": self.decoder}
        weights = [weight for network in networks.values() for weight in network.parameters()]
        adam = Adam(weights, self.lr_autoencoder, weight_decay=self.weight_decay_autoencoder, fused=True)
        n = min(self.budget.representation_batch, len(batches.x))
        remedy = lower_rate(self.lr_autoencoder, "lr_autoencoder")
        steps = self.budget.representation
        stage = Stage("pretraining", steps, self.workspace, networks, {"adam": adam}, 1.0, remedy)
        for _ in stage:
            x = self.seen(batches.draw(n, stage.random))
            with self.workspace.autocast():
                decoded = self.decoder(self.phi(x)).float()
            loss = (decoded - x).square().mean()
            descend(loss, adam)
            if stage.due():
                stage.record({"loss/autoencoder": loss})

    @torch.no_grad()
    def centre(self, batches: Batches) -> Tensor:
        """The centre c from the embeddings of all training samples, in eval mode."""
        self.phi.eval()
        embeddings = torch.cat([self.embed(part) for part in batches.parts(SCORING_BATCH)])
        self.phi.train()
        return centre_of(embeddings)

    def train_phi(self, batches: Batches) -> None:
        """Train phi to map the samples near the centre."""
        networks = {"phi": self.phi, "sphere": self.sphere}
        adam = Adam(self.phi.parameters(), self.lr, weight_decay=self.weight_decay, fused=True)
        remedy = lower_rate(self.lr)
        steps = self.budget.task1
        stage = Stage("deep_svdd", steps, self.workspace, networks, {"adam": adam}, 1.0, remedy)
        for step in stage:
            squared = self.sphere.squared_distance(self.embed(batches.draw(self.budget.batch, stage.random)))
            loss = soft_boundary(squared, self.sphere.R, self.nu) if self.soft else squared.mean()
            descend(loss, adam)
            if self.soft and step >= self.warmup * steps:
                self.sphere.R.copy_(squared.detach().quantile(1 - self.nu).sqrt())
            if stage.due():
                stage.record({"loss/phi": loss, "distance/mean": squared.mean(), "radius/R": self.sphere.R})

    def seen(self, x: Tensor) -> Tensor:
        """Scaled samples as phi is given them."""
        return x if self.contrast is None else self.contrast(x)

    def embed(self, x: Tensor) -> Tensor:
        """phi of scaled samples; (n, k), float32."""
        with self.workspace.autocast():
            embeddings: Tensor = self.phi(self.seen(x))
        return embeddings.float()

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the term is in the class's docstring."""
        squared = self.outputs(lambda part: self.sphere.squared_distance(self.embed(part).double()), x)
        return {"distance": squared - float(self.sphere.R) ** 2}

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        networks = {"phi": self.phi, "decoder": self.decoder, "sphere": self.sphere}
        return networks if self.contrast is None else {**networks, "contrast": self.contrast}


def centre_of(embeddings: Tensor) -> Tensor:
    """The mean of embeddings (n, k), with each coordinate that is nearer to 0 than `LEAST` moved to +-`LEAST`; (k,)."""
    c = embeddings.mean(dim=0)
    return torch.where(c.abs() < LEAST, torch.where(c < 0, -LEAST, LEAST), c)


def soft_boundary(squared: Tensor, R: Tensor, nu: float) -> Tensor:
    """R^2 + 1/nu mean max(0, squared distance - R^2) for squared distances (n,); scalar."""
    return R.square() + (squared - R.square()).clamp_min(0).mean() / nu
