from types import SimpleNamespace

import torch

from omasgan.method.anomaly_discriminator import interpolated
from omasgan.method.settings import Inference


def stage(seed=0):
    return SimpleNamespace(random=torch.Generator().manual_seed(seed))


def test_a_sample_on_the_way_divides_it_by_its_share():
    random = torch.Generator().manual_seed(1)
    b, x = 5 + torch.rand(2000, 3, generator=random), torch.rand(2000, 3, generator=random)
    between = interpolated(b, x, Inference(mixing_min=0.3, mixing_max=0.7), stage())
    shares = (between - x) / (b - x)
    torch.testing.assert_close(shares, shares[:, :1].expand(-1, 3), rtol=1e-3, atol=1e-4)
    assert 0.3 <= shares.min() < 0.31
    assert 0.69 < shares.max() <= 0.7001
    assert abs(shares.mean() - 0.5) < 0.02


def test_images_move_as_a_whole():
    b, x = torch.ones(4, 1, 2, 2), torch.zeros(4, 1, 2, 2)
    between = interpolated(b, x, Inference(mixing_min=0.5, mixing_max=0.5), stage())
    assert torch.equal(between, torch.full((4, 1, 2, 2), 0.5))
