"""The settings of Task 2, of Task 3, and of J and the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from omasgan.errors import UserError
from omasgan.training.settings import Count, Fraction, NonNegative, Positive, PositiveFraction


@dataclass(frozen=True)
class Boundary:
    """Task 2, eq. (3) to (5): how B is driven out of the support of G, and what keeps it near.

    Parameters
    ----------
    trained
        Whether Task 2 is run; `false` skips it, so that B = G (an ablation).
    critic
        The function T of m(B, G): `cotrained` with B (as in the paper), `frozen` as Task 1 left it, or
        `noise_contrastive`: trained to tell reference samples from reference samples with Gaussian noise, then
        frozen. Any T gives a lower bound of D_f(G || B), so all three agree with eq. (1).
    critic_start
        What the critic starts from: Task 1's `discriminator` or a `fresh` network.
    noise_scale
        Length of the noise of the noise-contrastive critic, in the unit of distance.
    reference
        What B moves away from, in m and in d: `generated` samples G(z) or `real` ones.
    unit
        The unit of distance.
        `raw`: 1, so that distances are in the units of the samples.
        `sqrt_k`: the square root of the number of values in a sample, so that one mu serves every image size.
        `quantile`: a quantile of the distances from training samples to the reference samples; what is farther away
        than 1 lies outside.
        Except with `raw`, distances between latents z are divided by sqrt(2 l), their typical length.
    quantile
        Which quantile of the data's distances is the unit, where `unit` is `quantile`.
    norm
        p of the l_p norm.
    squared
        Whether d enters squared, so that its gradient grows with the distance.
    neighbours
        The dispersion is the mean over this many nearest samples; null for all.
    epsilon
        Softens the distances of the dispersion near zero, in the unit of distance; see `losses.dispersion`.
    mu
        Weight of the distance d in eq. (3).
    nu
        Weight of the dispersion s in eq. (3) after the warm-up; until then it moves there from `nu_start`.
    nu_start
        Weight of the dispersion at the start of Task 2; null for `nu` throughout.
    warmup
        Fraction of the steps during which the weight of m rises from 0 to 1 and that of s goes from `nu_start` to
        `nu`, so that B spreads before it leaves the data.
    N
        Samples of B in a step.
    Q
        Length of the queue of reference samples that d is measured to; N of them are replaced in each critic step.
    """

    trained: bool = True
    critic: Literal["cotrained", "frozen", "noise_contrastive"] = "noise_contrastive"
    critic_start: Literal["discriminator", "fresh"] = "fresh"
    noise_scale: Positive = 2.8
    reference: Literal["generated", "real"] = "real"
    unit: Literal["raw", "sqrt_k", "quantile"] = "quantile"
    quantile: PositiveFraction = 0.99
    norm: Annotated[float, Ge(1)] = 2.0
    squared: bool = True
    neighbours: Count | None = 16
    epsilon: NonNegative = 0.2
    mu: NonNegative = 0.02
    nu: NonNegative = 0.1
    nu_start: NonNegative | None = 0.5
    warmup: Fraction = 0.6
    N: Annotated[int, Ge(2)] = 512
    Q: Count = 1024


@dataclass(frozen=True)
class Retraining:
    """Task 3, eq. (6): the weights of the three kinds of samples that G' is compared with.

    Parameters
    ----------
    trained
        Whether Task 3 is run; `false` skips it, so that G' = G and C = D (an ablation).
    alpha
        Weight of the data.
    beta
        Weight of the boundary samples B(z).
    gamma
        Weight of the samples G(z) of Task 1.
    """

    trained: bool = True
    alpha: NonNegative = 0.3
    beta: NonNegative = 0.7
    gamma: NonNegative = 0.4


@dataclass(frozen=True)
class Inference:
    """The discriminator J, eq. (7), and the anomaly score, eq. (8).

    Parameters
    ----------
    delta
        Weight of the data among the samples that J learns as normal; the samples of G' have the weight 1 - delta.
    lambda_
        Weight of the divergence term in the score.
    auxiliary_weight
        Weight of the auxiliary score, a third part that the paper does not have: the sum of those columns of an
        embedding that are anomaly scores by themselves, such as those of `representation=rotation_prediction`.
    divergence_term
        How f_D(G', delta_x) is computed: `variational` is -T_C(x), `conjugate` is -f*(T_C(x)), `distance` is the
        mean distance to the nearest `neighbours` samples of a memory bank of normal samples, divided by the local
        density scale to the power `density_exponent`; with 1 and 0, it is the distance of eq. (4).
    j_scale
        Whether J enters the score as a `probability`, as in the paper, or as its `logit`, which does not saturate.
    j_features
        What J is given: the `sample` alone, or `neighbours`: the sample and its log distances to the memory bank
        (rows and embeddings only).
    mixing_min
        Smallest share t of B in the points (1 - t) normal + t B that J learns as boundary samples.
    mixing_max
        Largest share t. With both at 1 the points are the samples of B themselves, as in eq. (7).
    memory_bank
        Whether the memory bank holds `real` training samples or samples `generated` by G'.
    memory_bank_size
        Largest number of samples in the memory bank.
    neighbours
        The distance is the mean over this many nearest samples of the memory bank.
    density_exponent
        The distance is divided by the local density scale to this power: 0 leaves the plain distance, 1 gives the
        distance in units of that scale.
    """

    delta: Fraction = 0.8
    lambda_: NonNegative = 1.0
    auxiliary_weight: NonNegative = 0.0
    divergence_term: Literal["variational", "conjugate", "distance"] = "distance"
    j_scale: Literal["probability", "logit"] = "logit"
    j_features: Literal["sample", "neighbours"] = "neighbours"
    mixing_min: Fraction = 0.3
    mixing_max: Fraction = 0.7
    memory_bank: Literal["real", "generated"] = "real"
    memory_bank_size: Count = 60_000
    neighbours: Annotated[int, Interval(ge=1, le=10)] = 3
    density_exponent: Fraction = 0.5

    def __post_init__(self) -> None:
        if self.mixing_min > self.mixing_max:
            raise UserError(
                f"inference.mixing_min is {self.mixing_min} and inference.mixing_max {self.mixing_max}: "
                "mixing_min must be at most mixing_max"
            )
