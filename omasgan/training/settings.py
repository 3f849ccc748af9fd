"""How the networks are trained (budget and optimiser), and what `debug` changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Interval

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Interval(ge=0, le=1)]  # from 0 to 1, both allowed
PositiveFraction = Annotated[float, Interval(gt=0, le=1)]
Decay = Annotated[float, Interval(ge=0, lt=1)]  # the decay rate of a running average
Count = Annotated[int, Ge(1)]
Steps = Annotated[int, Ge(0)]


@dataclass  # not frozen, or the configuration that is typed by it could not be overridden
class Debug:
    """What helps to find errors in a run; with all settings off, a run is like any other.

    Attributes
    ----------
    overfit
        Whether all steps of a stage draw the same random numbers, and thus the same batch, latents and augmentation.
        The network must then overfit this batch: its loss must fall. This changes the results.
    profile
        Whether the training is profiled, into `profile/trace.json` in the run's folder. Use it for runs of a few
        steps, because all operations are kept in memory until the training ends.
    anomaly
        Whether training stops at the first step at which a gradient, a weight or a buffer is not finite. A NaN in a
        backward pass is traced to the operation that made it (`torch.autograd.set_detect_anomaly`). This is PyTorch's
        word; it has nothing to do with anomalies in the data.
    """

    overfit: bool = False
    profile: bool = False
    anomaly: bool = False


@dataclass(frozen=True)
class Budget:
    """The numbers of training steps and the batch sizes, and nothing else: a smaller budget never changes the method.

    Parameters
    ----------
    representation
        Number of steps of each part of the representation that is trained by gradients.
    task1, task2, task3
        Number of steps of the generator of that task.
    j
        Number of steps of the discriminator J, and of the encoder for `inference.divergence_term=likelihood`.
    critic
        Number of steps of the noise-contrastive critic of Task 2, which is trained before B; not used with another
        `boundary.critic`.
    batch
        Number of samples in a step, drawn with replacement. In Task 2, B has `boundary.N` samples instead.
    representation_batch
        Number of samples in a step of a representation; at most the number of normal training samples, because a
        contrastive loss distinguishes the images of a batch.
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
    lr_generator
        Adam's learning rate for generators.
    lr_discriminator
        Adam's learning rate for discriminators, critics and J.
    beta1
        Adam's decay rate of the mean of gradients.
    beta2
        Adam's decay rate of the mean of squared gradients.
    decay
        Fraction of a stage's steps, at its end, in which the learning rates fall linearly to zero; 0 keeps them
        constant.
    critic_steps
        Number of steps of the discriminator (D in Task 1, a cotrained critic in Task 2, C in Task 3) for each step of
        the generator.
    r1
        Weight gamma of the gradient penalty gamma/2 ||grad V||^2 on real and on generated samples (Mescheder et al.
        2018); 0 for none.
    ema
        Decay of the running average of a generator's weights. The averaged generator is the result of a task.
    """

    lr_generator: Positive = 2e-3
    lr_discriminator: Positive = 2e-3
    beta1: Decay = 0.0
    beta2: Decay = 0.99
    decay: Fraction = 0.5
    critic_steps: Count = 1
    r1: NonNegative = 3.0
    ema: Decay = 0.995
