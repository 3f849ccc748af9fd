"""AnoGAN: a search for the latent vector whose image is most like the sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import need_steps
from omasgan.detectors.fgan import FGAN
from omasgan.method.divergences import Divergence
from omasgan.networks.base import Architecture, features_and_output
from omasgan.training.augmentation import Augmentation
from omasgan.training.seeding import stream
from omasgan.training.settings import Budget, Count, Fraction, Optimisation, Positive
from omasgan.training.stage import Workspace

TOGETHER = 500
"""Number of samples that are searched for together."""

FALLS = ((0.4, 0.1), (0.6, 0.05))
"""From these fractions of the steps on, the learning rate of the search has been multiplied by these factors."""


class AnoGAN(FGAN):
    """A GAN of the normal data, and for each sample x a search for the z with

        min_z (1 - w) ||x - G(z)||_1 + w ||f(x) - f(G(z))||_1,

    with f the features of the discriminator before its last layer. The terms are search, the minimum found, which is
    the detector's score; and residual and feature, the two norms at this z.

    Parameters
    ----------
    spec, workspace, divergence, architecture, augmentation, optimisation, budget
        See `FGAN`; the published GAN is that of `divergence=gan`.
    search_steps
        Number of Adam's steps for each start.
    restarts
        Number of starts, of which the best end counts.
    lr
        Adam's learning rate in the search; after 40 % of the steps it is a tenth, after 60 % a twentieth.
    feature_weight
        w.

    Attributes
    ----------
    starts
        The z (l,) from which every search starts.

    Raises
    ------
    UserError
        As `FGAN`, and where the budget has no steps for the GAN.

    Notes
    -----
    A reproduction of the score and of the search, with the learning rates of the code of EGBAD. The starts are drawn
    from the run's seed and are the same for every sample, and the loss of a batch is the sum of its samples' losses, so
    that a score does not depend on the other samples: Adam works on each element by itself. Batch norm is in eval mode.
    Scoring takes `search_steps` x `restarts` passes forward and backward through both networks for each sample.

    References
    ----------
    Schlegl et al. 2017, "Unsupervised anomaly detection with generative adversarial networks to guide marker
    discovery", IPMI.
    """

    main_term = "search"
    searches = True

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        divergence: Divergence,
        architecture: Architecture,
        augmentation: Augmentation,
        optimisation: Optimisation,
        budget: Budget,
        search_steps: Count = 500,
        restarts: Count = 1,
        lr: Positive = 1e-2,
        feature_weight: Fraction = 0.1,
    ) -> None:
        super().__init__(spec, workspace, divergence, architecture, augmentation, optimisation, budget)
        self.search_steps, self.lr, self.w = search_steps, lr, feature_weight
        random = stream(workspace.seed, "starts of the search", workspace.device)
        z = torch.randn(restarts, self.latent, generator=random, device=workspace.device)
        self.starts = nn.ParameterList([nn.Parameter(start, requires_grad=False) for start in z])

    def check(self, n: int) -> None:
        """See `Detector`; the GAN needs at least one step of training."""
        super().check(n)
        need_steps("anogan", task1=self.recipe.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        super().fit(train)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        device = self.workspace.device
        # Not `outputs`, which allows no gradient; the search needs those of z.
        parts = [self.search(self.scaling(part.to(device))) for part in torch.split(x, TOGETHER)]
        names = ("search", "residual", "feature")
        return dict(zip(names, torch.cat(parts).to("cpu", torch.float64).unbind(dim=1), strict=True))

    def search(self, x: Tensor) -> Tensor:
        """The three terms of scaled samples (n, ...) at the best z of all starts; (n, 3)."""
        with torch.no_grad():
            f_x = features_and_output(self.D, x)[0]
        ends = torch.stack([self.descended(x, f_x, start) for start in self.starts])
        best = ends[:, :, 0].argmin(dim=0)
        return ends[best, torch.arange(len(x), device=x.device)]

    def descended(self, x: Tensor, f_x: Tensor, start: Tensor) -> Tensor:
        """The three terms of scaled samples at the z that the search from one start (l,) ends at; (n, 3)."""
        z = start.expand(len(x), -1).clone().requires_grad_(True)
        adam = Adam([z], self.lr)
        for step in range(self.search_steps):
            adam.param_groups[0]["lr"] = self.lr * min([1.0] + [f for at, f in FALLS if step >= at * self.search_steps])
            loss = self.distances(x, f_x, z)[:, 0].sum()
            (z.grad,) = torch.autograd.grad(loss, z)
            adam.step()
        with torch.no_grad():
            return self.distances(x, f_x, z)

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, and the starts, by name."""
        return {**super().networks(), "starts": self.starts}

    def distances(self, x: Tensor, f_x: Tensor, z: Tensor) -> Tensor:
        """The weighted sum, the residual and the feature norm for samples and their z; (n, 3)."""
        g = self.G(z)
        return absolute_distances(x, g, f_x, features_and_output(self.D, g)[0], self.w)


def absolute_distances(x: Tensor, g: Tensor, f_x: Tensor, f_g: Tensor, w: float) -> Tensor:
    """How far samples are from their likenesses.

    Parameters
    ----------
    x, g
        Samples and their likenesses, (n, ...).
    f_x, f_g
        Their features, (n, k).
    w
        Weight of the features.

    Returns
    -------
    Tensor
        (n, 3): (1 - w) ||x - g||_1 + w ||f_x - f_g||_1, and the two norms.
    """
    residual = (x - g).abs().flatten(1).sum(dim=1)
    feature = (f_x - f_g).abs().sum(dim=1)
    return torch.stack([(1 - w) * residual + w * feature, residual, feature], dim=1)
