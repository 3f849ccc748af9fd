"""A detector on patches tells that an image is anomalous, and where."""

import pytest
import torch

from omasgan.configuration.checks import check
from omasgan.data.textures import textures
from omasgan.detectors.baselines import NearestNeighbour
from omasgan.detectors.patches import PatchDetector
from omasgan.detectors.represented import Represented
from omasgan.errors import UserError
from omasgan.pipeline import build
from omasgan.representations.patch_grid import PixelPatches
from omasgan.training.stage import Workspace

SMALL = {"size": 64, "patch_size": 6, "stride": 4, "components": 8, "drawn": 1500}


@pytest.fixture(scope="module")
def cloths():
    return textures(train_size=40, test_size=6, size=64)


def patch_detector(dataset, seed=0):
    workspace = Workspace(seed=seed)
    parts = {"pixel_patches": lambda *given: PixelPatches(*given, **SMALL)}
    return Represented(dataset.spec, workspace, parts, NearestNeighbour)


@pytest.fixture(scope="module")
def trained(cloths):
    detector = patch_detector(cloths)
    detector.fit(cloths.train.x)
    return detector


def test_the_score_of_an_image_does_not_depend_on_the_others(cloths, trained):
    x = cloths.test.x
    together = trained.terms(x)
    assert set(together) == {"score", "patch", "statistics"}
    for name, term in together.items():
        alone = torch.cat([trained.terms(one)[name] for one in x[:5].split(1)])
        torch.testing.assert_close(alone, term[:5], rtol=1e-5, atol=1e-5, msg=name)
    assert torch.equal(together["score"], together["patch"] + together["statistics"])


def test_saved_and_loaded_it_gives_the_same_scores_and_maps(cloths, trained):
    other = patch_detector(cloths, seed=1)
    other.load_state_dict(trained.state_dict())
    x = cloths.test.x[:4]
    assert torch.equal(other.score(x), trained.score(x))
    assert torch.equal(other.maps(x), trained.maps(x))


def test_anomalies_are_found_where_they_are(cloths, trained):
    """The hottest pixel of a map is on the defect, or within a patch of it."""
    reach = torch.nn.MaxPool2d(2 * SMALL["patch_size"] + 1, stride=1, padding=SMALL["patch_size"])
    maps, near = trained.maps(cloths.test.x), reach(cloths.masks.float())
    hits = [near[i].flatten()[maps[i].argmax()] > 0 for i in range(len(maps)) if cloths.test.y[i] > 0]
    assert maps.shape == (30, 64, 64)
    assert sum(map(bool, hits)) >= 0.75 * len(hits)
    assert maps[cloths.test.y == 0].amax(dim=(1, 2)).median() < maps[cloths.test.y > 0].amax(dim=(1, 2)).median()


def frames(size):
    """What a dead camera gives, frames of one shade and noise; uint8 (6, 3, size, size)."""
    shades = torch.tensor([0, 255, 128, 60, 200], dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, size, size)
    random = torch.Generator().manual_seed(0)
    return torch.cat([shades, torch.randint(0, 256, (1, 3, size, size), generator=random, dtype=torch.uint8)])


def test_blank_blurred_and_noisy_frames_are_above_all_good_images(cloths, trained):
    good = cloths.test.x[cloths.test.y == 0]
    blurred = torch.nn.functional.avg_pool2d(good.float(), 15, stride=1, padding=7, count_include_pad=False).byte()
    overexposed = (good.float() * 1.5 + 150).clamp(max=255).byte()
    highest = trained.score(good).max()
    for name, spoilt in {"frames": frames(64), "blurred": blurred, "overexposed": overexposed}.items():
        assert (trained.score(spoilt) > highest).all(), name


def test_an_anomaly_map_has_1_where_one_held_out_patch_in_a_thousand_is_higher(cloths, trained):
    low, high = trained.detector.map_range
    part = trained.detector.representation.patches(cloths.train.x[:16])
    scores = trained.detector.detector.score(trained.detector._rows(part))
    assert low < high
    assert (scores > high).double().mean() < 0.01 < (scores > low).double().mean()


def test_too_few_images_are_refused(cloths):
    detector = patch_detector(cloths)
    with pytest.raises(UserError, match=r"4 normal training images, .* needs more than 4: give more images"):
        detector.check(4)
    detector.check(5)


@pytest.mark.parametrize("name", ["omasgan", "nearest_embedding", "fgan"])
def test_any_detector_of_rows_works_on_patches(composed, cloths, name):
    chosen = [f"detector={name}", "representation=pixel_patches", "budget=smoke", "architecture.width=16"]
    values = [f"representation.pixel_patches.{key}={value}" for key, value in SMALL.items()]
    config = check(composed(*chosen, *values, "boundary.N=32", "boundary.Q=64"))
    detector = build.detector(config["detector"], cloths.spec, Workspace())
    detector.fit(cloths.train.x)
    assert isinstance(detector.detector, PatchDetector)
    assert detector.score(cloths.test.x).isfinite().all()
    assert detector.maps(cloths.test.x[:2]).shape == (2, 64, 64)


def test_patches_are_not_joined_with_other_representations(composed, cloths):
    config = check(composed("representation=[pixel_patches,pca]"))
    with pytest.raises(UserError, match="representation=pixel_patches gives no rows and cannot be joined"):
        build.detector(config["detector"], cloths.spec, Workspace())


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"size": 4}, "a patch must fit"), ({"scales": [0]}, "at least 1"), ({"components": 200}, "has 108 values")],
)
def test_patches_that_do_not_fit_are_refused(cloths, settings, message):
    with pytest.raises(UserError, match=message):
        PixelPatches(cloths.spec, Workspace(), **settings)


def test_the_distance_to_the_components_is_that_of_the_residual(cloths):
    """The last column of a scale, computed from squares, against the residual itself."""
    patches = PixelPatches(cloths.spec, Workspace(), size=64, scales=[1], patch_size=6, stride=29, components=8)
    patches.fit(cloths.train.x)
    grid = patches.patches(cloths.test.x[:3]).grid
    rows = torch.nn.functional.unfold(cloths.test.x[:3].float() / 255, 6, stride=29).transpose(1, 2)
    centred = rows - patches.filters["mean_1"]
    directions = patches.filters["directions_1"]
    residual = (centred - centred @ directions.T @ directions).square().sum(dim=2)
    torch.testing.assert_close(grid[:, -1].flatten(1), (residual + 1e-4).sqrt(), rtol=1e-3, atol=1e-4)
    whitened = centred @ directions.T / patches.filters["deviations_1"]
    torch.testing.assert_close(grid[:, :8].flatten(2).transpose(1, 2), whitened, rtol=1e-3, atol=1e-3)
