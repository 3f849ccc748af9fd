"""The settings of Task 2, of Task 3, and of J and the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from omasgan.errors import UserError
from omasgan.training.settings import Count, Fraction, NonNegative, Positive, PositiveFraction


@dataclass(frozen=True)
class Boundary:
    """Task 2, eq. (3) to (5): how B is driven out of the support of the data, and what keeps it near the data.

    Parameters
    ----------
    trained
        Whether Task 2 is run; `false` skips it, so that B = G (an ablation).
    generator
        What of B is trained. `weights`: all its weights, which start from those of G. `latent_map`: B(z) = G(z')
        with G frozen and z' = z + h(z) scaled to the length of z, so that every sample of B is one of G.
    critic
        How the critic, which gives the function T of m in eq. (3), is trained. `cotrained`: in turns with B, as in the
        paper. `noise_contrastive`: before B, to distinguish reference samples from reference samples with Gaussian
        noise; then it is frozen. `frozen`: not at all, it stays what it starts from. Any function T gives a lower bound
        of the divergence from the reference samples to those of B, so all three agree with eq. (1).
    critic_start
        What the critic starts from: the `discriminator` D of Task 1, or a `fresh` network.
    blur
        Standard deviation, in pixels, of the blur through which the critic sees images, so that B cannot leave the data
        by fine texture; 0 for none.
    noise_scale
        Length of the noise of the noise-contrastive critic, in the unit of distance.
    reference
        The samples that m and d compare B with: `real` training samples, or `generated` samples G(z) as in the paper.
    space
        What d and s are measured between: the `samples`, as in the paper, or their `features`, which are the input of
        the last layer of D of Task 1. The unit of distance is then one of features; the noise of the critic keeps the
        unit of samples.
    unit
        The unit of distance.
        `raw`: 1, so that distances are in the units of the samples.
        `sqrt_k`: the square root of the number of values in a sample, so that the same mu suits every image size.
        `quantile`: a quantile of the distances from training samples to the nearest reference sample; a sample of B
        that is farther than 1 from all of them counts as outside the data.
        Except with `raw`, distances between latents z are divided by sqrt(2 l), their typical length.
    quantile
        Which quantile of these distances is the unit; used only if `unit` is `quantile`.
    norm
        p of the l_p norm in d.
    squared
        Whether the loss has the square of d, whose gradient grows with the distance, instead of d.
    neighbours
        Number of nearest samples of B that the dispersion of a sample is the mean over; null for all, as in the paper.
    epsilon
        Keeps two samples of B that meet from dominating the dispersion, in the unit of distance; see
        `losses.dispersion`.
    mu
        Weight of the distance d in eq. (3).
    nu
        Weight of the dispersion s in eq. (3) after the warm-up. During the warm-up, the weight goes from `nu_start` to
        `nu`; to leave the dispersion out, set `nu` to 0 and `nu_start` to null.
    nu_start
        Weight of the dispersion at the start of Task 2; null for `nu` throughout.
    warmup
        Fraction of the steps, from the first one on, in which the weight of m rises from 0 to 1 and the weight of s
        goes from `nu_start` to `nu`, so that B spreads before it leaves the data.
    N
        Samples of B in a step.
    Q
        Number of reference samples in the queue that d is measured to. Each of the `optimisation.critic_steps` before a
        step of B replaces N of them.
    """

    trained: bool = True
    generator: Literal["weights", "latent_map"] = "weights"
    critic: Literal["cotrained", "frozen", "noise_contrastive"] = "noise_contrastive"
    critic_start: Literal["discriminator", "fresh"] = "fresh"
    blur: NonNegative = 0.0
    noise_scale: Positive = 2.8
    reference: Literal["generated", "real"] = "real"
    space: Literal["samples", "features"] = "samples"
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
    """Task 3, eq. (6): the weights of three kinds of samples in the training of C; samples of G' have the weight 1.

    Parameters
    ----------
    trained
        Whether Task 3 is run; `false` skips it, so that G' = G and C = D (an ablation).
    alpha
        Weight of the data, which C learns as normal.
    beta
        Weight of the boundary samples B(z), which C learns as not normal, like those of G'.
    gamma
        Weight of the samples G(z) of Task 1, which C learns as normal.
    """

    trained: bool = True
    alpha: NonNegative = 0.3
    beta: NonNegative = 0.7
    gamma: NonNegative = 0.4


@dataclass(frozen=True)
class Inference:
    """How J is trained, eq. (7), and how the anomaly score is computed, eq. (8).

    `delta`, `negatives`, `j_features`, `r1`, `blur`, `mixing_min`, `mixing_max`, `memory_bank` and `memory_bank_size`
    are used when J is trained. The other settings can be changed without training it again.

    Parameters
    ----------
    delta
        Weight of the data among the samples that J learns as normal; the samples of G' have the weight 1 - delta.
    lambda_
        Weight lambda of the divergence term in the score; the weight of J is 1.
    auxiliary_weight
        Weight of the auxiliary score, a third part that the paper does not have: the sum of those columns of an
        embedding that are anomaly scores by themselves, such as the columns of `representation=rotation_prediction`.
    divergence_term
        How the second part of the score, f_D(G', delta_x) in eq. (8), is computed. `variational` is -T_C(x), as in the
        paper, and `conjugate` is -f*(T_C(x)). `likelihood` is -log p(x) under G' with noise, the KL divergence up to a
        constant; it is estimated with an encoder that is trained for `budget.j` steps. `distance` is no divergence: it
        is the mean distance to the nearest `neighbours` samples of a memory bank, divided by the local density scale to
        the power `density_exponent`. With `neighbours` 1 and `density_exponent` 0, it is the distance of eq. (4), from
        x to the memory bank.
    j_scale
        Whether J enters the score as a `probability`, as in the paper, or as its `logit`, which does not saturate.
    j_features
        The input of J: `sample` is the sample alone, as in the paper; `neighbours` is the sample and the logarithms of
        its distances to the memory bank; `distances_and_density` is these logarithms and that of the local density
        scale, without the sample. The last two are for rows and embeddings.
    r1
        Weight of the gradient penalty R1 in the training of J; null for `optimisation.r1`.
    blur
        Standard deviation, in pixels, of the blur through which J sees images; 0 for none.
    negatives
        What J learns as anomalies. `boundary`: samples of B, as in the paper. `noise`: Gaussian noise with the mean and
        deviation that each value has among the normal samples. `mixup`: other normal samples, so that only the points
        between two of them count as anomalies; it needs `mixing_max` below 1. `cut_paste`: normal images in which a
        rectangle is replaced by one from another (pixels only). With the last three, J is trained without B; Task 3
        still uses it.
    mixing_min
        J learns points x + t (b - x) as anomalies, with x a normal sample, b one of the `negatives`, and t drawn at
        random from `mixing_min` to `mixing_max`. This is the smallest t.
    mixing_max
        The largest t. If both are 1, the points are the negatives themselves, as in eq. (7).
    memory_bank
        Whether the memory bank holds `real` training samples or samples `generated` by G'.
    memory_bank_size
        Largest number of samples in the memory bank; also of the normal samples that J is trained on.
    neighbours
        Number of nearest samples of the memory bank that the distance is the mean over.
    density_exponent
        The distance is divided by the local density scale to this power: 0 leaves the plain distance, 1 gives the
        distance in units of that scale. The scale is how far apart the normal samples near x lie, so it is large where
        the density is low.
    """

    delta: Fraction = 0.8
    lambda_: NonNegative = 1.0
    auxiliary_weight: NonNegative = 0.0
    divergence_term: Literal["variational", "conjugate", "likelihood", "distance"] = "distance"
    j_scale: Literal["probability", "logit"] = "logit"
    j_features: Literal["sample", "neighbours", "distances_and_density"] = "neighbours"
    r1: NonNegative | None = None
    blur: NonNegative = 0.0
    negatives: Literal["boundary", "noise", "mixup", "cut_paste"] = "boundary"
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
        if self.mixing_max == 0 or (self.negatives == "mixup" and self.mixing_max == 1):
            raise UserError(
                f"inference.negatives is {self.negatives} and inference.mixing_max {self.mixing_max:g}: J would learn "
                "normal samples as anomalies; set inference.mixing_min=0.3 inference.mixing_max=0.7, for example"
            )
        if self.negatives == "cut_paste" and self.mixing_min < 1:
            raise UserError(
                f"inference.negatives is cut_paste and inference.mixing_min {self.mixing_min:g}, which would fade the "
                "rectangles: set inference.mixing_min=1 inference.mixing_max=1"
            )
