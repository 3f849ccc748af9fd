import pytest
import torch

from omasgan.data.textures import textures
from omasgan.errors import UserError


def test_textures_have_defects_where_their_masks_say():
    data = textures(train_size=3, test_size=5, size=64)
    assert data.class_names == ("good", "scratch", "spot", "missing", "colour")
    assert data.train.x.shape == (3, 3, 64, 64)
    assert data.train.x.dtype == data.masks.dtype == torch.uint8
    assert data.test.y.tolist() == [number for number in range(5) for _ in range(5)]
    marked = data.masks.flatten(1).any(dim=1)
    assert marked.tolist() == (data.test.y > 0).tolist()
    assert data.masks.float().mean() < 0.05, "defects are small"


def test_textures_are_the_same_for_a_seed_and_differ_between_seeds():
    first, again, other = (textures(2, 1, 32, seed) for seed in (0, 0, 1))
    assert first.train.digest == again.train.digest != other.train.digest


@pytest.mark.parametrize("given", [{"size": 16}, {"train_size": 0}, {"test_size": 0}])
def test_too_small_a_set_is_refused(given):
    with pytest.raises(UserError, match="choose a size of at least 32, and at least 1 image"):
        textures(**given)
