"""The settings of the method: equations (3) to (8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from omasgan.training.settings import Count, Fraction, NonNegative, Positive, Share


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
    neighbours: Annotated[int, Interval(ge=1, le=10)] = 3
    locality: Fraction = 0.5
