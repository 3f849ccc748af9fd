"""The greedy choice of rows."""

import pytest
import torch

from omasgan.data.dataset import Spec
from omasgan.detectors.baselines import NearestNeighbour
from omasgan.detectors.patches import PatchDetector
from omasgan.representations.coreset import greedy_coreset
from omasgan.representations.patch_grid import PixelPatches
from omasgan.training.stage import Workspace


def covered(x, chosen):
    return torch.cdist(x, x[chosen]).amin(dim=1).amax()


def test_each_choice_is_the_farthest_row_from_those_before():
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    chosen = greedy_coreset(x, 20, first=7)
    assert chosen[0] == 7
    for step in range(1, 20):
        distances = torch.cdist(x, x[chosen[:step]]).amin(dim=1)
        torch.testing.assert_close(distances[chosen[step]], distances.max())


def test_it_covers_better_than_a_random_choice_and_finds_every_cluster():
    random = torch.Generator().manual_seed(0)
    x = torch.cat([torch.randn(400, 4, generator=random), torch.randn(4, 4, generator=random) + 20])
    chosen = greedy_coreset(x, 20)
    assert covered(x, chosen) < 0.9 * min(
        covered(x[:400], torch.randperm(400, generator=random)[:20]) for _ in range(20)
    )
    assert bool((chosen >= 400).any())


def test_equal_rows_are_chosen_once_each():
    assert sorted(greedy_coreset(torch.zeros(5, 2), 5).tolist()) == list(range(5))


@pytest.mark.parametrize(("coreset", "size"), [(1.0, 200), (0.1, 20)])
def test_a_detector_of_patches_learns_from_the_coreset(coreset, size):
    images = torch.randint(0, 256, (12, 1, 24, 24), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    patches = PixelPatches(Spec((1, 24, 24)), Workspace(), size=24, components=4, drawn=200, coreset=coreset)
    patches.fit(images)
    detector = PatchDetector(Spec((1, 24, 24)), Workspace(), patches, NearestNeighbour)
    detector.fit(images)
    assert len(detector.detector.train) == size
