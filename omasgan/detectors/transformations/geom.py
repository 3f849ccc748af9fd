"""GEOM: a classifier of the 72 geometric transformations of normal images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.detectors.transformations import dirichlet
from omasgan.detectors.transformations.transformations import GeometricTransformations, must_have_transformations
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import split
from omasgan.training.settings import Budget, Count, Fraction, Positive, PositiveFraction
from omasgan.training.stage import Stage, Workspace, descend, frozen

TOGETHER = 4
"""Number of images whose transforms pass through the network together in scoring; 288 fit into a processor's cache."""


class GEOM(Detector):
    """Learns to tell by which of M = 72 transformations an image was transformed, and scores how unlike that looks.

    A classifier p(T_t x) in the simplex of M classes is trained on transformed normal images by its cross entropy with
    t. For each t a Dirichlet distribution with parameters alpha_t is then fitted to p(T_t x) of normal training images.
    The terms are

        dirichlet = -1/M sum_t sum_k (alpha_tk - 1) log p_k(T_t x),
        probability = -1/M sum_t p_t(T_t x).

    Parameters
    ----------
    spec, workspace
        See `Detector`. Images must be square, of at least 8 x 8 pixels.
    architecture
        Its encoder is the classifier.
    augmentation
        The random change of each training image before it is transformed; the paper has none.
    budget
        The classifier trains for `task1` steps; `batch` counts the transformed images of a step, each of them a normal
        image drawn at random with a transformation drawn at random.
    lr
        Adam's learning rate.
    decay
        Fraction of the steps, at the end, in which the learning rate falls linearly to 0; in the paper it is constant.
    floor
        Probabilities below this number count as this number, so that no logarithm dominates the score; all are then
        divided by their sum.
    dirichlet_samples
        Number of normal training images, drawn at random, to whose transforms the Dirichlet distributions are fitted;
        all of them where there are fewer.

    Attributes
    ----------
    transformations
        The transformations T_t.
    classifier
        The network from images to the M logits.
    alpha
        (M, M), float64: the parameters alpha_t of a Dirichlet distribution in each row; ones before `fit`.

    Raises
    ------
    UserError
        For rows, for images that are not square or too small, and for a budget without steps.

    Notes
    -----
    A reproduction, but for these decisions. The paper's network is WRN-10-4; the size of ours is set by `architecture`.
    The paper pads images of 28 pixels to 32 and shifts by 8 pixels; here the shift is a quarter of the side, so that no
    pixel is added. The paper goes through all M transforms of all images, epoch by epoch; here (image, transformation)
    pairs are drawn with replacement. It fits the Dirichlet distributions to all training images. The floor of the
    probabilities and the decay of the learning rate are ours.

    References
    ----------
    Golan & El-Yaniv 2018, "Deep anomaly detection using geometric transformations", NeurIPS.
    """

    main_term = "dirichlet"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        lr: Positive = 1e-3,
        decay: Fraction = 0.5,
        floor: PositiveFraction = 1e-6,
        dirichlet_samples: Count = 1000,
    ) -> None:
        super().__init__(spec, workspace)
        must_have_transformations(spec, "geom")
        self.augmentation, self.budget = augmentation, budget
        self.lr, self.decay, self.floor, self.dirichlet_samples = lr, decay, floor, dirichlet_samples
        self.transformations = GeometricTransformations(spec.shape[1], workspace.device)
        M = len(self.transformations)
        self.classifier = self.make("classifier", lambda shape: architecture.encoder(shape, M))
        self.alpha = torch.ones(M, M, dtype=torch.float64)

    def check(self, n: int) -> None:
        """See `Detector`; the classifier needs at least one step of training."""
        super().check(n)
        need_steps("geom", task1=self.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        self.train_classifier(train)
        self.alpha = dirichlet.fit(self.outputs(self.log_p, self.some(train, self.dirichlet_samples, "dirichlet")))

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the terms are listed in the class's docstring."""
        alpha = self.alpha.to(self.workspace.device)

        def both(part: Tensor) -> Tensor:
            log_p = self.log_p(part)
            probability = log_p.diagonal(dim1=1, dim2=2).exp().mean(dim=1)
            return torch.stack([dirichlet_score(alpha, log_p), -probability], dim=1)

        scores = self.outputs(both, x)
        return {"dirichlet": scores[:, 0], "probability": scores[:, 1]}

    def log_p(self, x: Tensor) -> Tensor:
        """log p_k(T_t x), with the floor, for scaled images x (n, C, H, H); (n, t, k), float64."""
        logits = [self.v(self.classifier, self.transformations.every(few)) for few in split(x, TOGETHER)]
        log_p = log_softmax(torch.cat(logits), dim=1).clamp_min(math.log(self.floor))
        M = len(self.transformations)
        # With a sum above 1, no Dirichlet distribution would be of greatest likelihood.
        return log_softmax(log_p, dim=1).view(x.shape[0], M, M)

    def train_classifier(self, train: Tensor) -> None:
        """Train the classifier, which is frozen afterwards."""
        batches, n, M = self.batches(train, self.augmentation), self.budget.batch, len(self.transformations)
        adam = Adam(self.classifier.parameters(), self.lr, fused=True)
        networks: dict[str, nn.Module] = {"classifier": self.classifier}
        remedy = lower_rate(self.lr)
        stage = Stage("classifier", self.budget.task1, self.workspace, networks, {"adam": adam}, self.decay, remedy)
        for _ in stage:
            x = batches.draw(n, stage.random)
            t = torch.randint(M, (n,), generator=stage.random, device=x.device)
            with self.workspace.autocast():
                logits = self.classifier(self.transformations(x, t)).float()
            loss = cross_entropy(logits, t)
            descend(loss, adam)
            if stage.due():
                right = (logits.argmax(dim=1) == t).float().mean()
                stage.record({"loss/classifier": loss, "accuracy/classifier": right})
        frozen(self.classifier)

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"classifier": self.classifier}

    def state_dict(self) -> dict[str, Any]:
        """See `Detector`."""
        return {**super().state_dict(), "alpha": self.alpha}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Detector`."""
        super().load_state_dict(state)
        self.alpha = state["alpha"].cpu()


def dirichlet_score(alpha: Tensor, log_p: Tensor) -> Tensor:
    """-1/M sum_t sum_k (alpha_tk - 1) log p_k(T_t x) for alpha (M, M) and log p (n, M, M); (n,).

    Up to constants, the mean over t of minus the log density of the Dirichlet distribution alpha_t at p(T_t x).
    """
    return -((alpha - 1) * log_p).sum(dim=2).mean(dim=1)
