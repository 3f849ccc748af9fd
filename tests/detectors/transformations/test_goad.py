import copy

import pytest
import torch
from torch import nn

from omasgan.data.dataset import Spec
from omasgan.detectors.transformations.goad import GOAD, log_probabilities, triplet_loss
from omasgan.detectors.transformations.transformations import AffineMaps
from omasgan.errors import UserError
from omasgan.networks.mlp import MLP
from omasgan.training.augmentation import NoAugmentation
from omasgan.training.settings import Budget
from omasgan.training.stage import Workspace

ROWS = (4,)
MAPS = 6


class Normed(MLP):
    """A perceptron with batch norm, whose embeddings differ between train and eval mode."""

    def encoder(self, shape, outputs):
        return nn.Sequential(nn.Linear(shape[0], 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, outputs))


def rows(n, seed=0):
    """Points near a line."""
    random = torch.Generator().manual_seed(seed)
    along = torch.randn(n, 1, generator=random)
    return along * torch.tensor([1.0, 2.0, -1.0, 0.5]) + 0.05 * torch.randn(n, *ROWS, generator=random)


def detector(steps=100, batch=48, seed=0, **settings):
    settings = {"features": 8, "maps": MAPS, "map_outputs": 5, "lr": 1e-2, **settings}
    budget = Budget(task1=steps, batch=batch)
    return GOAD(Spec(ROWS), Workspace(seed=seed), Normed(), NoAugmentation(), budget, **settings)


@pytest.fixture(scope="module")
def trained():
    goad = detector()
    goad.fit(rows(200))
    return goad


def embedded(seed=0):
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(5, MAPS, 8, generator=random, dtype=torch.float64)
    return z, torch.randn(MAPS, 8, generator=random, dtype=torch.float64)


def test_probabilities_are_the_softmax_of_minus_the_squared_distances():
    z, c = embedded()
    distances = (z[:, :, None] - c).square().sum(dim=3)
    torch.testing.assert_close(log_probabilities(z, c, 0.0), torch.log_softmax(-distances, dim=2))
    torch.testing.assert_close(log_probabilities(z, c, 9.0), torch.log_softmax(-distances.clamp_min(9), dim=2))


def test_a_common_shift_or_rotation_of_embeddings_and_centres_changes_no_probability():
    z, c = embedded()
    shift = torch.arange(8.0, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    torch.testing.assert_close(
        log_probabilities((z + shift) @ turn, (c + shift) @ turn, 0.0), log_probabilities(z, c, 0.0)
    )
    torch.testing.assert_close(triplet_loss((z + shift) @ turn, 0.1), triplet_loss(z, 0.1))


def test_the_triplet_loss_is_its_definition():
    z, _ = embedded()
    c, losses = z.mean(dim=0), []
    for one in z:
        for t in range(MAPS):
            d = (one[t] - c).square().sum(dim=1)
            others = torch.cat([d[:t], d[t + 1 :]]).min()
            losses.append((d[t] + 0.5 - others).clamp_min(0))
    torch.testing.assert_close(triplet_loss(z, 0.5), torch.stack(losses).mean())
    apart = z + 100 * torch.eye(MAPS, 8, dtype=torch.float64)
    assert triplet_loss(apart, 0.5) == 0
    same = torch.zeros(3, MAPS, 8)
    assert triplet_loss(same, 0.5) == 0.5, "only the margin is left where all centres are the same"


def test_the_centres_are_the_means_of_embeddings_in_eval_mode(trained):
    train = rows(200)
    with torch.no_grad():
        x = trained.transformations.every(trained.scaling(train))
        evaluated = trained.encoder(x).view(200, MAPS, 8).double().mean(dim=0)
        as_in_training = copy.deepcopy(trained.encoder).train()(x).view(200, MAPS, 8).double().mean(dim=0)
    torch.testing.assert_close(trained.centres, evaluated, rtol=1e-4, atol=1e-5)
    assert (trained.centres - as_in_training).abs().max() > 1e-3


def test_the_score_is_minus_the_sum_of_log_probabilities_of_the_right_transformations(trained):
    x = rows(7, seed=1)
    with torch.no_grad():
        z = trained.encoder(trained.transformations.every(trained.scaling(x))).view(7, MAPS, 8).double()
    log_P = log_probabilities(z, trained.centres, 0.0)
    expected = -sum(log_P[:, t, t] for t in range(MAPS))
    torch.testing.assert_close(trained.score(x), expected, rtol=1e-4, atol=1e-5)


def test_transforms_lie_nearest_to_their_own_centre_and_points_off_the_line_are_anomalous(trained):
    z = trained.outputs(trained.embeddings, rows(50, seed=1))
    nearest = log_probabilities(z, trained.centres, 0.0).argmax(dim=2)
    assert (nearest == torch.arange(MAPS)).float().mean() > 0.8
    off = torch.tensor([[2.0, -2.0, 2.0, 1.0], [-2.0, 2.0, 2.0, -1.0], [0.0, 3.0, 3.0, 0.0]])
    assert trained.score(off).min() > trained.score(rows(50, seed=1)).median()


@pytest.mark.parametrize(("batch", "samples"), [(48, 8), (13, 2), (5, 2)])
def test_a_step_has_all_transforms_of_as_many_samples_as_the_batch_allows_and_of_at_least_two(batch, samples):
    goad, seen = detector(steps=1, batch=batch), []
    goad.encoder.register_forward_hook(lambda layer, given, made: seen.append(len(made)))
    goad.train_encoder(rows(20))
    assert seen == [samples * MAPS]


def test_affine_maps_are_affine_differ_and_keep_the_scale():
    maps = AffineMaps(50, 20, 30, torch.Generator().manual_seed(0), torch.device("cpu"))
    x, y = torch.randn(2, 100, 50, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(maps.every(0.3 * x + 0.7 * y), 0.3 * maps.every(x) + 0.7 * maps.every(y))
    transforms = maps.every(x).view(100, 20, 30)
    torch.testing.assert_close(transforms[3, 4], maps.W[4] @ x[3] + maps.b[4])
    assert len(maps.b.unique(dim=0)) == len(maps) == 20
    assert (transforms - maps.b).std() == pytest.approx(1, abs=0.05)


def test_a_detector_of_another_seed_restores_the_maps(trained):
    other, x = detector(seed=1), rows(5, seed=1)
    assert not torch.equal(other.transformations.W, trained.transformations.W)
    other.load_state_dict(trained.state_dict())
    assert torch.equal(other.score(x), trained.score(x))


def test_no_steps_and_images_without_the_transformations_are_refused():
    with pytest.raises(UserError, match=r"budget\.task1 is 0: goad trains"):
        detector(steps=0).fit(rows(10))
    with pytest.raises(UserError, match=r"detector=goad .* 8 x 16 pixels"):
        GOAD(Spec((1, 8, 16)), Workspace(), MLP(), NoAugmentation(), Budget())
