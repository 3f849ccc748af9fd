import copy
import math

import pytest
import torch

from omasgan.data.dataset import Spec
from omasgan.detectors.negatives.cvae_negatives import ClusterPriors, CVAENegatives
from omasgan.detectors.negatives.ognet import OGNet
from omasgan.errors import UserError
from omasgan.networks.dcgan import DCGAN
from omasgan.networks.mlp import MLP
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget
from omasgan.training.stage import Workspace

SHAPE = (1, 8, 8)


def rows(n, seed=0):
    """Two clusters."""
    random = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=random) + 8 * (torch.arange(n) % 2)[:, None]


def images(n, seed=0):
    return torch.randint(0, 256, (n, *SHAPE), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


def cvae(budget=None, seed=0, **settings):
    budget = budget or Budget(task1=20, j=20, batch=32)
    architecture = MLP(latent=4, width=16, depth=2)
    return CVAENegatives(
        Spec((3,)), Workspace(seed=seed), architecture, NoAugmentation(), budget, **{"clusters": 2, **settings}
    )


def ognet(folder=None, budget=None, spec=SHAPE, **settings):
    budget = budget or Budget(task1=8, task3=4, batch=16)
    workspace = Workspace(folder=folder, checkpoint_every=3)
    architecture = DCGAN(latent=4, width=8, discriminator_norm="batch", spectral_norm=False)
    return OGNet(Spec(spec), workspace, architecture, NoAugmentation(), budget, **settings)


def test_the_negatives_come_from_the_shell():
    detector = cvae(shell_min=1.5, shell_max=2.5)
    z = detector.shell_latents(500, torch.Generator().manual_seed(0))
    rho = (z[:, None] - detector.priors.means).norm(dim=2) / math.sqrt(4)
    nearest = (rho - 2).abs().min(dim=1).values
    assert (nearest <= 0.5 + 1e-5).all(), "each lies in the shell of one cluster"


def test_the_divergence_to_the_prior_of_a_cluster_is_that_of_gaussians():
    priors = ClusterPriors(3, 4)
    random = torch.Generator().manual_seed(1)
    mu, log_variance = torch.randn(5, 4, generator=random), torch.randn(5, 4, generator=random)
    codes = torch.tensor([0, 1, 2, 1, 0])
    posterior = torch.distributions.Normal(mu, (log_variance / 2).exp())
    prior = torch.distributions.Normal(priors.means[codes], torch.ones(5, 4))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(dim=1)
    torch.testing.assert_close(priors.kl(mu, log_variance, codes), expected)


def test_the_condition_is_a_cluster_of_the_samples_and_no_label():
    """The trap of this method: with the classes as conditions, labels of the normal classes would be used."""
    found = []
    for _ in range(2):
        detector = cvae()
        found.append(detector.codes(detector.batches(rows(60))))
    assert torch.equal(*found), "the seed decides"
    assert len(found[0][::2].unique()) == 1
    assert found[0][0] != found[0][1]


def test_the_classifier_takes_the_decoded_shell_for_abnormal():
    detector = cvae(Budget(task1=200, j=200, batch=32), lr=1e-2)
    detector.fit(rows(100))
    negatives = detector.negatives(100, torch.Generator().manual_seed(2))
    assert detector.f(negatives).median() > detector.f(detector.scaling(rows(100))).median()


def test_wrong_settings_of_cvae_negatives_are_one_line():
    with pytest.raises(UserError, match=r"^shell_min is 3 and shell_max 2.5: shell_min must be at most shell_max$"):
        cvae(shell_min=3.0)
    with pytest.raises(
        UserError, match=r"^there are 4 normal samples for 10 clusters: set detector.detector.clusters lower$"
    ):
        cvae(clusters=10).check(4)
    with pytest.raises(UserError, match=r"^budget\.j is 0: cvae_negatives trains"):
        cvae(Budget(j=0)).check(100)


def test_the_old_generator_is_that_of_its_step_and_survives_a_stop(tmp_path):
    """The trap of this method: which generator is old. It is a fixed step, and a resumed run has the same one."""
    whole = ognet(old=0.5)
    whole.fit(images(32))
    short = ognet(budget=Budget(task1=4, task3=1, batch=16), old=0.0)  # its G after four steps of the same stream
    short.fit(images(32))
    for one, other in zip(whole.G_old.parameters(), short.G.parameters(), strict=True):
        assert torch.equal(one, other)

    (tmp_path / "checkpoints").mkdir()
    stopped = ognet(tmp_path, old=0.5)
    stopped.train_both(stopped.batches(images(32)))
    resumed = ognet(tmp_path, old=0.5)
    resumed.fit(images(32))
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)


def test_phase_two_changes_only_the_discriminator():
    detector = ognet()
    detector.train_both(detector.batches(images(32)))
    before = copy.deepcopy(detector.state_dict()["networks"])
    detector.train_discriminator(detector.batches(images(32)))
    after = detector.state_dict()["networks"]
    for name in ("G", "G_old"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)
    assert any(not torch.equal(after["D"][key], value) for key, value in before["D"].items())


def test_the_score_is_the_discriminator_of_the_reconstruction():
    detector = ognet()
    detector.fit(images(32))
    x = detector.scaling(images(5, seed=1))
    torch.testing.assert_close(
        detector.score(images(5, seed=1)), -detector.D(detector.G(x)).double(), rtol=1e-4, atol=1e-5
    )


def test_ognet_refuses_rows_in_one_line():
    with pytest.raises(UserError, match=r"^detector=ognet is for images, but gets rows of 5 numbers"):
        ognet(spec=(5,))
    with pytest.raises(UserError, match=r"^budget\.task3 is 0: ognet trains"):
        ognet(budget=Budget(task3=0)).check(10)
