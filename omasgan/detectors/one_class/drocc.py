"""DROCC: a classifier of normal samples against adversarial points on a shell around them."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam

from omasgan.data.dataset import Spec
from omasgan.detectors.base import Detector, lower_rate, need_steps
from omasgan.networks.base import Architecture
from omasgan.training.augmentation import Augmentation
from omasgan.training.batches import Batches
from omasgan.training.settings import Budget, Count, Fraction, NonNegative, Positive
from omasgan.training.stage import SCORING_BATCH, Stage, Workspace, descend, frozen


class DROCC(Detector):
    """Deep robust one-class classification.

    The classifier f, the logit of being abnormal, minimises

        mean log(1 + exp f(x)) + mu mean log(1 + exp -f(x + h)),

    in which h starts as a random direction of length r, and is then moved for a few steps up the second term, so that f
    takes x + h for normal. After each step h is projected on the shell r <= ||h|| <= gamma r. The one term is
    logit = f.

    Parameters
    ----------
    spec, workspace
        See `Detector`.
    architecture
        Its discriminator is f.
    augmentation
        The random change of each training sample.
    budget
        Trains for `task1` steps of `batch` samples. Each step takes `ascent_steps` + 2 passes through f.
    radius
        r, in units of the root mean square distance of the normal training samples to their mean. The paper advises
        sqrt(d) / 2 for d standardised values, which is 0.5 in these units.
    gamma
        The outer radius of the shell, as a multiple of the inner one.
    mu
        Weight of the adversarial points.
    ascent_steps
        Number of steps of h up the loss.
    ascent_step
        Length of such a step, as a fraction of r.
    warmup
        Fraction of the steps, at the start, in which the adversarial points have no weight.
    lr
        Adam's learning rate, which falls linearly to 0.

    Attributes
    ----------
    f
        The classifier, frozen after `fit`.
    r
        The inner radius of the shell, in the units of scaled samples; 0 before `fit`.

    Raises
    ------
    UserError
        Where the augmentation does not suit the samples, or the budget has no steps.

    Notes
    -----
    A reproduction of the loss and of the search, with one rule for r. The published results have a radius, an optimiser
    and mu of their own for each class, and the epoch with the best AUROC on the test set; here all classes share one
    setting, and the last step counts. The published search takes 50 steps of length 0.001, which hardly move a start of
    length sqrt(d); ours takes few steps of a tenth of r. If f has batch norm, its statistics are those of normal and of
    adversarial points, as in the published code; the default networks have none.

    References
    ----------
    Goyal et al. 2020, "DROCC: deep robust one-class classification", ICML.
    """

    main_term = "logit"

    def __init__(
        self,
        spec: Spec,
        workspace: Workspace,
        architecture: Architecture,
        augmentation: Augmentation,
        budget: Budget,
        radius: Positive = 0.5,
        gamma: Annotated[float, Ge(1)] = 1.0,
        mu: NonNegative = 1.0,
        ascent_steps: Count = 5,
        ascent_step: Positive = 0.1,
        warmup: Fraction = 0.1,
        lr: Positive = 1e-3,
    ) -> None:
        super().__init__(spec, workspace)
        self.augmentation, self.budget = self.suitable(augmentation), budget
        self.radius, self.gamma, self.mu, self.lr = radius, gamma, mu, lr
        self.ascent_steps, self.ascent_step, self.warmup = ascent_steps, ascent_step, warmup
        self.f = self.make("f", architecture.discriminator)
        self.r = 0.0

    def check(self, n: int) -> None:
        """See `Detector`; f needs at least one step of training."""
        super().check(n)
        need_steps("drocc", task1=self.budget.task1)

    def fit(self, train: Tensor) -> None:
        """See `Detector`."""
        self.check(len(train))
        batches, steps = self.batches(train, self.augmentation), self.budget.task1
        self.r = self.radius * spread(batches)
        adam = Adam(self.f.parameters(), self.lr, fused=True)
        remedy = lower_rate(self.lr)
        stage = Stage("drocc", steps, self.workspace, {"f": self.f}, {"adam": adam}, 1.0, remedy)
        for step in stage:
            x = batches.draw(self.budget.batch, stage.random)
            adversarial = x + self.search(x, torch.randn(x.shape, generator=stage.random, device=x.device))
            with self.workspace.autocast():
                f_x, f_adversarial = self.f(x), self.f(adversarial)
            normal, abnormal = softplus(f_x).mean(), softplus(-f_adversarial).mean()
            loss = normal + (self.mu if step >= self.warmup * steps else 0) * abnormal
            descend(loss, adam)
            if stage.due():
                stage.record({"loss/f": loss, "logit/normal": f_x.mean(), "logit/adversarial": f_adversarial.mean()})
        frozen(self.f)

    def search(self, x: Tensor, start: Tensor) -> Tensor:
        """Find adversarial offsets.

        Parameters
        ----------
        x
            Scaled normal samples, (n, ...).
        start
            Offsets to start from, of the same shape; of any length.

        Returns
        -------
        Tensor
            The offsets h, on the shell, without a gradient.
        """
        self.f.requires_grad_(False)
        h = self.projected(start)
        for _ in range(self.ascent_steps):
            h.requires_grad_(True)
            with self.workspace.autocast():
                taken_for_abnormal = softplus(-self.f(x + h)).sum()
            (gradient,) = torch.autograd.grad(taken_for_abnormal, h)
            with torch.no_grad():
                h = self.projected(h + self.ascent_step * self.r * unit(gradient))
        self.f.requires_grad_(True)
        return h.detach()

    def projected(self, h: Tensor) -> Tensor:
        """Offsets (n, ...), each moved along itself to the nearest length between r and gamma r."""
        length = lengths(h)
        return h * (length.clamp(self.r, self.gamma * self.r) / length)

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """See `Detector`; the term is in the class's docstring."""
        return {"logit": self.outputs(lambda part: self.v(self.f, part), x)}

    def networks(self) -> dict[str, nn.Module]:
        """The networks of the detector's state, by name."""
        return {"f": self.f}


def spread(batches: Batches) -> float:
    """The root mean square distance of the scaled training samples to their mean."""
    n = len(batches.x)
    # Scaled twice, so that the training set is never held in float64 as a whole.
    totals = [part.double().flatten(1).sum(dim=0) for part in batches.parts(SCORING_BATCH)]
    mean = torch.stack(totals).sum(dim=0) / n
    squares = [(part.double().flatten(1) - mean).square().sum() for part in batches.parts(SCORING_BATCH)]
    return math.sqrt(float(torch.stack(squares).sum() / n))


def lengths(h: Tensor) -> Tensor:
    """The Euclidean lengths of offsets (n, ...), in a shape that broadcasts against them; never 0."""
    flat: Tensor = h.flatten(1).norm(dim=1).clamp_min(1e-12)
    return flat.view(-1, *[1] * (h.dim() - 1))


def unit(h: Tensor) -> Tensor:
    """Offsets (n, ...) divided by their lengths."""
    return h / lengths(h)
