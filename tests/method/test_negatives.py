import pytest
import torch

from omasgan.errors import UserError
from omasgan.method.negatives import cut_paste, draw, interpolated
from omasgan.method.settings import Inference
from omasgan.training.batches import Batches, Scaling
from omasgan.training.stage import Workspace


class FakeStage:
    workspace = Workspace()

    def __init__(self):
        self.random = torch.Generator().manual_seed(0)

    def sample(self, generator, n, latent):
        return 10 + generator(torch.randn(n, latent, generator=self.random))


def test_a_sample_on_the_way_divides_it_by_its_share():
    random = torch.Generator().manual_seed(1)
    b, x = 5 + torch.rand(2000, 3, generator=random), torch.rand(2000, 3, generator=random)
    between = interpolated(b, x, Inference(mixing_min=0.3, mixing_max=0.7), FakeStage())
    shares = (between - x) / (b - x)
    torch.testing.assert_close(shares, shares[:, :1].expand(-1, 3), rtol=1e-3, atol=1e-4)
    assert 0.3 <= shares.min() < 0.31
    assert 0.69 < shares.max() <= 0.7001
    assert abs(shares.mean() - 0.5) < 0.02


def test_images_move_as_a_whole():
    b, x = torch.ones(4, 1, 2, 2), torch.zeros(4, 1, 2, 2)
    between = interpolated(b, x, Inference(mixing_min=0.5, mixing_max=0.5), FakeStage())
    assert torch.equal(between, torch.full((4, 1, 2, 2), 0.5))


def drawn(kind, x, n=4000):
    batches = Batches(x, Scaling(x), torch.device("cpu"))
    inference = Inference(negatives=kind, mixing_min=0.9, mixing_max=0.9)
    return draw(n, torch.nn.Identity(), 3, batches, inference, FakeStage()), batches.scaling(x)


def test_noise_has_the_mean_and_deviation_of_each_value_and_nothing_else_of_the_data():
    x = torch.randn(500, 1, generator=torch.Generator().manual_seed(0)) * torch.tensor([[1.0, -2.0]]) + 3
    noise, normal = drawn("noise", x)
    torch.testing.assert_close(noise.mean(dim=0), normal.mean(dim=0), rtol=0, atol=0.1)
    torch.testing.assert_close(noise.std(dim=0), normal.std(dim=0), rtol=0.1, atol=0)
    assert torch.corrcoef(normal.T)[0, 1] < -0.99
    assert abs(torch.corrcoef(noise.T)[0, 1]) < 0.1


def test_noise_of_images_lies_in_their_range():
    x = torch.randint(0, 256, (50, 1, 8, 8), dtype=torch.uint8)
    noise, _ = drawn("noise", x, 100)
    assert noise.shape == (100, 1, 8, 8)
    assert noise.abs().max() == 1


def test_mixup_takes_normal_samples_which_only_differ_from_them_when_they_are_mixed():
    x = torch.arange(15.0).reshape(5, 3)
    negatives, normal = drawn("mixup", x, 50)
    assert (negatives[:, None] == normal).all(dim=2).any(dim=1).all()
    with pytest.raises(UserError, match=r"negatives is mixup and inference.mixing_max 1"):
        Inference(negatives="mixup", mixing_max=1.0)
    with pytest.raises(UserError, match=r"negatives is boundary and inference.mixing_max 0"):
        Inference(mixing_min=0.0, mixing_max=0.0)
    with pytest.raises(UserError, match="would fade the rectangles"):
        Inference(negatives="cut_paste")


@pytest.mark.parametrize("side", [3, 8, 28])
def test_cut_paste_replaces_one_rectangle_by_one_of_another_image(side):
    random = torch.Generator().manual_seed(0)
    x, others = torch.zeros(300, 2, side, side), 1 + torch.rand(300, 2, side, side, generator=random)
    pasted = cut_paste(x, others, random)
    heights, moved = set(), 0
    for image, other in zip(pasted, others, strict=True):
        rows, columns = (image[0] > 0).any(dim=1).nonzero().flatten(), (image[0] > 0).any(dim=0).nonzero().flatten()
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        rectangle = image[:, top:bottom, left:right]
        assert (rectangle > 0).all()
        assert (image > 0).sum() == rectangle.numel()
        places = other.unfold(1, bottom - top, 1).unfold(2, right - left, 1)
        assert (places == rectangle[:, None, None]).all(dim=(0, 3, 4)).sum() == 1
        moved += not torch.equal(other[:, top:bottom, left:right], rectangle)
        heights.add(int(bottom - top))
    assert heights == set(range(max(1, side // 4), max(1, side // 4) + side // 2 - side // 4 + 1))
    assert moved > 150


def test_by_default_negatives_are_samples_of_b():
    x = torch.randn(50, 3)
    negatives, _ = drawn("boundary", x, 5)
    random = torch.Generator().manual_seed(0)
    torch.testing.assert_close(negatives, 10 + torch.randn(5, 3, generator=random))
