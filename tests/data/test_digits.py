import numpy as np
import torch
from sklearn.datasets import load_digits

from omasgan.data.digits import digits


def test_split_is_two_thirds_of_every_class_in_file_order():
    dataset, bunch = digits(), load_digits()
    assert len(dataset.train) + len(dataset.test) == len(bunch.target) == 1797
    for label in range(10):
        train, test = (part.x[part.y == label] for part in (dataset.train, dataset.test))
        assert len(train) == (bunch.target == label).sum() * 2 // 3
        restored = torch.cat([train, test]).squeeze(1).double() * 16 / 255
        np.testing.assert_array_equal(restored.round(), bunch.images[bunch.target == label])


def test_images_use_the_whole_range():
    dataset = digits()
    assert dataset.spec.shape == (1, 8, 8)
    assert dataset.train.x.dtype == torch.uint8
    assert (int(dataset.train.x.min()), int(dataset.train.x.max())) == (0, 255)
    assert dataset.class_names == tuple("0123456789")
