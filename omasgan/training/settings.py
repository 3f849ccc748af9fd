"""How every network is trained: its schedule and its optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Interval

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Interval(ge=0, le=1)]
PositiveFraction = Annotated[float, Interval(gt=0, le=1)]
Decay = Annotated[float, Interval(ge=0, lt=1)]
Count = Annotated[int, Ge(1)]
Steps = Annotated[int, Ge(0)]


@dataclass  # not frozen, or the configuration that is typed by it could not be overridden
class Debug:
    """What is done to a run that is being debugged; all off, it is a run like any other.

    Attributes
    ----------
    overfit
        Every step of a stage draws the same random numbers, and so the same batch, latents and augmentation: what is
        trained must learn it by heart, and its loss fall. It changes the results.
    profile
        The training is profiled, into `profile/trace.json` in the run's folder. For runs of a few steps: every
        operation of the whole training is kept in memory until its end.
    anomaly
        Training stops where a gradient, a weight or a buffer is not finite, at the step at which it happens. A NaN in
        a backward pass is traced to the operation that made it (`torch.autograd.set_detect_anomaly`).
    """

    overfit: bool = False
    profile: bool = False
    anomaly: bool = False


@dataclass(frozen=True)
class Budget:
    """How long to train, and nothing else: a smaller budget never changes the method.

    Parameters
    ----------
    representation
        Steps of each part of the representation that is trained by gradients.
    task1, task2, task3
        Steps of the generator of that task.
    j
        Steps of the discriminator J.
    critic
        Steps of the noise-contrastive critic of Task 2, which is trained before B.
    batch
        Samples in a step, drawn with replacement.
    representation_batch
        Samples in a step of a representation; never more than there are training normals, because a contrastive
        loss tells the images of a batch apart.
    """

    representation: Steps = 1200
    task1: Steps = 3000
    critic: Steps = 500
    task2: Steps = 600
    task3: Steps = 1500
    j: Steps = 600
    batch: Annotated[int, Ge(2)] = 128
    representation_batch: Annotated[int, Ge(2)] = 256


@dataclass(frozen=True)
class Optimisation:
    """How the networks of every task are trained.

    Parameters
    ----------
    lr_generator, lr_discriminator
        Adam's step size.
    beta1, beta2
        Adam's decay rates.
    decay
        Fraction of a stage's steps, at its end, over which the step sizes fall linearly to zero; 0 keeps them constant.
    critic_steps
        Steps of the discriminator for each step of the generator.
    r1
        Weight gamma of the gradient penalty gamma/2 ||grad V||^2 on either side's samples (Mescheder et al. 2018);
        0 for none.
    ema
        Decay of the running average of a generator's weights, which is the generator that a task hands on.
    """

    lr_generator: Positive = 2e-3
    lr_discriminator: Positive = 2e-3
    beta1: Decay = 0.0
    beta2: Decay = 0.99
    decay: Fraction = 0.5
    critic_steps: Count = 1
    r1: NonNegative = 3.0
    ema: Decay = 0.995
