"""The numbers of the method, a class for each configuration group; what a value may be is said in its type alone.

`omasgan.config` checks these annotations (and those of every other `_target_`) before anything is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from omasgan.validation import Range

Positive = Annotated[float, Range(above=0)]
NonNegative = Annotated[float, Range(low=0)]
Fraction = Annotated[float, Range(low=0, high=1)]
Share = Annotated[float, Range(above=0, high=1)]
Decay = Annotated[float, Range(low=0, below=1)]
Count = Annotated[int, Range(low=1)]
Steps = Annotated[int, Range(low=0)]


@dataclass(frozen=True)
class Budget:
    """How long to train, and nothing else: a smaller budget never changes the method.

    representation: steps of a learned representation. task1, task2, task3, j: of a stage's generator (of J in the
    last). critic: steps that the critic of Task 2 trains alone, where boundary.critic is 'halo'. batch: samples a step,
    drawn with replacement; representation_batch: of the representation, never more than the training normals, for one
    may tell the images of a batch apart.
    """

    representation: Steps = 1200
    task1: Steps = 3000
    critic: Steps = 500
    task2: Steps = 600
    task3: Steps = 1500
    j: Steps = 600
    batch: Annotated[int, Range(low=2)] = 128
    representation_batch: Annotated[int, Range(low=2)] = 256


@dataclass(frozen=True)
class Optimisation:
    """How the networks of every stage are trained.

    lr_generator, lr_discriminator: Adam's step size. beta1, beta2: Adam's decay rates. decay: the share of a stage's
    steps, at its end, over which the step sizes fall to zero in a straight line; 0 keeps them constant. critic_steps:
    steps of the critic a step of the generator. r1: weight gamma of the critic's gradient penalty
    gamma/2 ||grad V||^2 on either side's samples (Mescheder et al. 2018), 0 for none. ema: decay of the running average
    of a generator's weights, which is the generator that a stage hands on.
    """

    lr_generator: Positive = 2e-3
    lr_discriminator: Positive = 2e-3
    beta1: Decay = 0.0
    beta2: Decay = 0.99
    decay: Fraction = 0.5
    critic_steps: Count = 1
    r1: NonNegative = 3.0
    ema: Decay = 0.995


@dataclass(frozen=True)
class Boundary:
    """Eq. (3)-(5): how B is driven out of the support of G, and what holds it there.

    trained: false leaves B where it starts, at G (an ablation).
    critic: T in m(B, G) is 'cotrained' with B (the paper's), 'frozen' as Task 1 left it, or a 'halo' critic: trained
    between the reference and the reference blurred by Gaussian noise about `halo` units long, then frozen. Any T gives
    a lower bound of D_f(G || B), so all three stay within eq. (1). critic_start: Task 1's 'discriminator', or 'fresh'.
    reference: what B leaves, in m and in d alike: 'generated' samples G(z), or 'real' ones.
    unit: what distances are measured in: 'raw' (as they are), 'sqrt_k' (over the root of the number of values of a
    sample, so that one mu serves every image size) or 'spacing' (over the `quantile` of the data's own distance to G:
    what is farther than that lies outside; z is then measured in its own spread, too). norm: p of the l_p norm.
    squared: whether d enters squared, so that its pull on a sample grows with the sample's distance.
    neighbours: the dispersion is summed over so many nearest samples alone, null for all. epsilon: softens its
    distances, in the unit. mu, nu: weights of distance and dispersion. warmup: the share of the steps during which the
    weight of m rises from 0 to 1 and that of s goes from nu_start to nu, so that B spreads before it leaves.
    N, Q: samples of B, and of the reference, a step.
    """

    trained: bool = True
    critic: Literal["cotrained", "frozen", "halo"] = "halo"
    critic_start: Literal["discriminator", "fresh"] = "fresh"
    halo: Positive = 2.8
    reference: Literal["generated", "real"] = "real"
    unit: Literal["raw", "sqrt_k", "spacing"] = "spacing"
    quantile: Share = 0.99
    norm: Annotated[float, Range(low=1)] = 2.0
    squared: bool = True
    neighbours: Count | None = 16
    epsilon: NonNegative = 0.2
    mu: NonNegative = 0.02
    nu: NonNegative = 0.1
    nu_start: NonNegative | None = 0.5
    warmup: Fraction = 0.6
    N: Annotated[int, Range(low=2)] = 512
    Q: Count = 1024


@dataclass(frozen=True)
class Retraining:
    """Eq. (6): the weights of the data (alpha), of the boundary (beta) and of G's samples (gamma).

    trained: false leaves G' and C where they start, at G and D (an ablation).
    """

    trained: bool = True
    alpha: NonNegative = 0.3
    beta: NonNegative = 0.7
    gamma: NonNegative = 0.4


@dataclass(frozen=True)
class Inference:
    """Eq. (7) and (8).

    delta: share of the data among what J learns as normal, the rest is G'. lambda_: weight of the divergence term.
    divergence_term: the reading of f_D(G', delta_x): 'variational' is -T_C(x), 'conjugate' is -f*(T_C(x)), 'distance'
    is the distance of eq. (4) to a bank of normal samples. j_scale: J enters the sum as the 'probability' of eq. (8),
    or as its 'logit', which does not saturate. j_sees: the 'sample', or its 'distances' to the bank, too (rows and
    codes alone). reach_min, reach_max: J's boundary samples lie on the straight way from a training normal (0) to a
    sample of B (1), at a share drawn from there; 1 and 1: they are B's own, as in eq. (7). bank: up to `bank_size`
    samples that are 'real' or 'generated' by G'. neighbours: the distance is a mean over so many nearest of the bank,
    at most 10. locality: it is divided by the bank's spacing there to this power; 0: not at all, 1: it counts in units
    of that spacing (Breunig et al. 2000). doubt: weight of a third part, which the paper has not: the doubts about a
    sample that the representation's codes hold, see `omasgan.data.dataset.Spec`.
    """

    delta: Fraction = 0.8
    lambda_: NonNegative = 1.0
    doubt: NonNegative = 0.0
    divergence_term: Literal["variational", "conjugate", "distance"] = "distance"
    j_scale: Literal["probability", "logit"] = "logit"
    j_sees: Literal["sample", "distances"] = "distances"
    reach_min: Fraction = 0.3
    reach_max: Fraction = 0.7
    bank: Literal["real", "generated"] = "real"
    bank_size: Count = 60_000
    neighbours: Annotated[int, Range(low=1, high=10)] = 3
    locality: Fraction = 0.5


@dataclass(frozen=True)
class LoggerSettings:
    """Weights & Biases: its mode, where a run goes, and how long its server is waited for.

    log_every: steps from one record to the next, in the run folder too. init_timeout, finish_timeout: seconds.
    """

    mode: Literal["offline", "online", "disabled"] = "offline"
    project: str = "omasgan"
    entity: str | None = None
    log_every: Count = 20
    init_timeout: Positive = 20.0
    finish_timeout: Positive = 30.0
