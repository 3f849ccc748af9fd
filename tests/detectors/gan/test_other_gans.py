"""RumiGAN, and the detectors in the style of MinLGAN and TailGAN."""

import copy
import math

import pytest
import torch

from omasgan.data.dataset import Spec
from omasgan.detectors.gan.density import KernelDensity, entropy
from omasgan.detectors.gan.minlgan import MinLGAN
from omasgan.detectors.gan.rumi_gan import EarlyNegatives, LeastSquares, RumiGAN
from omasgan.detectors.gan.tail_gan import TailGAN
from omasgan.errors import UserError
from omasgan.method.divergences import GAN
from omasgan.method.settings import Boundary
from omasgan.networks.mlp import MLP
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget, Optimisation
from omasgan.training.stage import Workspace
from tests.detectors.gan.common import gaussian, integral, made, rows

FROZEN = Boundary(critic="frozen", N=64, Q=128)


def of_divergence(kind, budget=None, folder=None, boundary=None, **settings):
    budget = budget or Budget(task1=60, task2=40, batch=64)
    optimisation = Optimisation(lr_generator=1e-3, lr_discriminator=1e-3, r1=0.0, decay=0.0)
    more = () if boundary is None else (boundary,)
    workspace = Workspace(folder=folder, checkpoint_every=7)
    training = (GAN(), MLP(latent=4, width=32, depth=2), NoAugmentation(), optimisation, budget)
    return kind(Spec((2,)), workspace, *training, *more, **settings)


def test_rumi_gans_discriminator_is_least_at_its_closed_form():
    p, n, g = gaussian(0, 1), gaussian(3, 1), gaussian(1, 2)
    losses, minus = LeastSquares(2.5, 0.5), 0.5

    def loss(v):
        return integral(p * losses.positive(v) + minus * n * (v + 1).square() + g * losses.negative(v))

    best = (2.5 * p - minus * n - g) / (2.5 * p + minus * n + g)
    assert loss(best) < min(loss(best + 0.01), loss(best - 0.01), loss(best * 0.99))


def test_rumi_gans_generator_is_at_its_optimum_where_p_g_is_the_difference():
    """With alpha+ - alpha- = 1, no sample of p_g = alpha+ p+ - alpha- p- can lower its loss: D = c there."""
    plus, minus = gaussian(0, 2), gaussian(0, 1)
    p_g = 1.2 * plus - 0.2 * minus
    assert p_g.min() >= 0
    assert integral(p_g) == pytest.approx(1, abs=1e-6)
    losses = LeastSquares(1.2, 0.2)
    D = (1.2 * plus - 0.2 * minus - p_g) / (1.2 * plus + 0.2 * minus + p_g)
    torch.testing.assert_close(D, torch.full_like(D, losses.c), atol=1e-9, rtol=0)


def test_the_least_squares_losses_are_a_divergence():
    losses, u = LeastSquares(2.5, 0.5), torch.linspace(0.05, 5, 50, dtype=torch.float64)
    v = torch.linspace(-1, 1, 20001, dtype=torch.float64)
    t = losses.activation(v)
    torch.testing.assert_close(losses.conjugate(t), losses.conjugate_of_activation(v))
    best = (u[:, None] * t - losses.conjugate(t)).amax(dim=1)
    torch.testing.assert_close(best, losses.f(u), atol=1e-6, rtol=1e-5)


def test_rumi_gans_negatives_are_of_the_early_generator_and_survive_a_stop(tmp_path, monkeypatch):
    (tmp_path / "checkpoints").mkdir()
    whole = made(RumiGAN, early=0.5)
    whole.fit(rows(100))
    plain = EarlyNegatives.after_step

    def killed(self, G, D, step):
        plain(self, G, D, step)
        if step == 45:
            raise KeyboardInterrupt

    stopped = made(RumiGAN, Workspace(folder=tmp_path, checkpoint_every=40), early=0.5)
    with monkeypatch.context() as patch:
        patch.setattr(EarlyNegatives, "after_step", killed)
        with pytest.raises(KeyboardInterrupt):
            stopped.fit(rows(100))
    resumed = made(RumiGAN, Workspace(folder=tmp_path, checkpoint_every=40), early=0.5)
    resumed.fit(rows(100))
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)
    without = made(RumiGAN, early=0.5, alpha_minus=0.0)
    without.fit(rows(100))
    assert not torch.equal(without.score(rows(20, 1)), whole.score(rows(20, 1))), "the negatives have an effect"


def test_an_ensemble_of_one_is_the_last_discriminator():
    """The trap of this method: the ensemble is its gain, so that one member shows what is left without it."""
    one, ten = of_divergence(MinLGAN, members=1), of_divergence(MinLGAN, members=10)
    for detector in (one, ten):
        detector.fit(rows(200))
    x = rows(20, seed=1)
    assert torch.equal(one.terms(x)["ensemble"], one.terms(x)["discriminator"])
    torch.testing.assert_close(ten.terms(x)["discriminator"], one.terms(x)["discriminator"])
    assert not torch.allclose(ten.terms(x)["ensemble"], ten.terms(x)["discriminator"])
    for last, weight in zip(ten.members[-1].parameters(), ten.D.parameters(), strict=True):
        assert torch.equal(last, weight)


def test_the_members_are_spread_over_the_end_of_the_training():
    detector = of_divergence(MinLGAN, Budget(task1=100), members=5, window=0.5)
    assert detector.saved_at() == [60, 70, 80, 90, 100]


def test_generated_samples_are_less_likely_with_the_penalty():
    """It makes the generator avoid the dense regions of the data."""
    likelihoods = []
    for weight in (0.0, 30.0):
        detector = of_divergence(MinLGAN, Budget(task1=300, batch=64), likelihood=weight, members=1)
        detector.fit(rows(300))
        density = detector.density(rows(300))
        likelihoods.append(float(density(detector.drawn(detector.G, 500, "test")).mean()))
    assert likelihoods[1] < likelihoods[0]


def test_the_density_is_that_of_the_kernels_at_their_likeliest_width():
    random = torch.Generator().manual_seed(0)
    means, x = torch.randn(400, 2, generator=random), torch.randn(400, 2, generator=random)
    density = KernelDensity(400, 2)
    density.fit(means, x)
    sigma = density.log_sigma.exp()
    parts = torch.distributions.Normal(means.double(), sigma).log_prob(x.double()[:, None]).sum(dim=2)
    torch.testing.assert_close(density.log_p(x.double()), parts.logsumexp(dim=1) - math.log(400), atol=1e-6, rtol=1e-6)
    at_best = density.log_p(x.double()).mean()
    for factor in (0.9, 1.1):
        density.log_sigma.copy_((factor * sigma).log())
        assert density.log_p(x.double()).mean() < at_best


def test_the_entropy_of_a_gaussian():
    g = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)) * 3
    exact = 0.5 * math.log(2 * math.pi * math.e * 9)  # a value
    assert float(entropy(g)) == pytest.approx(exact, abs=0.04)
    assert float(entropy(2 * g) - entropy(g)) == pytest.approx(math.log(2), abs=1e-4)


def test_the_tail_generator_leaves_the_density():
    detector = of_divergence(TailGAN, Budget(task1=200, task2=150, batch=64), boundary=FROZEN, kernels=300)
    detector.fit(rows(300))
    samples = detector.samples(300)
    inside, outside = (detector.terms(samples[name])["density"].median() for name in ("G", "B"))
    assert outside > inside
    tail = detector.terms(samples["B"])["tail"].median()
    assert tail > detector.terms(samples["G"])["tail"].median()
    assert torch.equal(detector.density.log_sigma, detector.tail.log_sigma)


def test_task_2_does_not_change_the_density():
    detector = of_divergence(TailGAN, boundary=FROZEN, kernels=100)
    batches = detector.batches(rows(200))
    detector.fit_density(rows(200))
    before = copy.deepcopy(detector.density.state_dict())
    detector.train_boundary(batches)
    torch.testing.assert_close(detector.density.state_dict(), before, rtol=0, atol=0)


def test_what_a_user_may_get_wrong_is_one_line():
    with pytest.raises(UserError, match=r"^budget\.task1 is 0: rumi_gan trains"):
        made(RumiGAN, budget={"task1": 0}).check(10)
    with pytest.raises(UserError, match=r"^budget\.task1 is 0: minlgan trains"):
        of_divergence(MinLGAN, Budget(task1=0)).check(10)
    with pytest.raises(UserError, match=r"^there is 1 normal sample, and the kernel density of minlgan needs 2"):
        of_divergence(MinLGAN).check(1)
    with pytest.raises(UserError, match=r"^budget\.task2 is 0: tail_gan trains"):
        of_divergence(TailGAN, Budget(task2=0), boundary=FROZEN).check(10)
    with pytest.raises(UserError, match=r"^boundary.critic is cotrained, but the critic of tail_gan is its density"):
        of_divergence(TailGAN, boundary=Boundary(critic="cotrained"))
