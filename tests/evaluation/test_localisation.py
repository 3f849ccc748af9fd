import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from omasgan.data import image_masks
from omasgan.evaluation.localisation import UNKNOWN, aupro, localisation


def test_the_overlap_of_two_regions_computed_by_hand():
    """Regions of 1 and of 3 pixels, 6 normal pixels; thresholds from the highest score down."""
    mask = np.array([[[1, 0, 1, 1, 1], [0, 0, 0, 0, 0]]], dtype=np.uint8)
    scores = np.array([[[0.9, 0.8, 0.95, 0.5, 0.1], [0.0, 0.0, 0.0, 0.0, 0.0]]])
    # false-positive rate 0: overlaps 1 and 1/3, mean 2/3; after the pixel of 0.8, 1/6; then 0.5: mean (1 + 2/3) / 2; at
    # 0.1: mean 1, all at the rate 1/6; then level at 1
    expected = (1 / 6 * 2 / 3 + (0.3 - 1 / 6) * 1) / 0.3
    steps = (1 / 6 * (2 / 3 + 2 / 3) / 2 + (0.3 - 1 / 6) * 1) / 0.3
    assert aupro(mask, scores) == pytest.approx(steps) == pytest.approx(expected)


def test_with_regions_of_one_size_it_is_a_partial_roc_curve():
    random = np.random.default_rng(0)
    masks = np.zeros((20, 16, 16), dtype=np.uint8)
    for mask in masks[:10]:
        mask[4:7, 5:9] = 1
    scores = random.normal(size=masks.shape) + masks
    assert aupro(masks, scores, most_false=1.0) == pytest.approx(roc_auc_score(masks.ravel(), scores.ravel()))
    found = localisation(masks, scores)
    assert found.pixel_auroc == pytest.approx(roc_auc_score(masks.ravel(), scores.ravel()))
    assert found.images == 20


def test_a_small_region_counts_as_much_as_a_large_one():
    mask = np.zeros((1, 20, 20), dtype=np.uint8)
    mask[0, :10, :10], mask[0, 15, 15] = 1, 1
    large_found, small_found = (mask * 0.0 for _ in range(2))
    large_found[0, :10, :10], small_found[0, 15, 15] = 1, 1
    assert aupro(mask, large_found) == pytest.approx(aupro(mask, small_found))


def test_images_without_a_mask_do_not_count():
    masks = np.zeros((3, 4, 4), dtype=np.uint8)
    masks[0, 1, 1], masks[2] = 1, UNKNOWN
    scores = np.random.default_rng(0).normal(size=masks.shape)
    assert localisation(masks, scores) == localisation(masks[:2], scores[:2])
    assert localisation(masks[2:], scores[2:]) is None
    assert localisation(masks[1:2], scores[1:2]) is None, "no anomalous pixel"


def test_the_readers_of_masks_and_their_metrics_mean_the_same_by_unknown():
    assert image_masks.UNKNOWN == UNKNOWN
