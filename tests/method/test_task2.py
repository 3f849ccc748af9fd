import pytest
import torch

from omasgan.method.settings import Boundary
from omasgan.method.task2 import Reference, distance_to_different
from omasgan.training.batches import Batches, Scaling
from omasgan.training.stage import Stage, Workspace


@pytest.mark.parametrize("n", [50, 200, 3000])
@pytest.mark.parametrize("norm", [1.0, 2.0])
def test_the_unit_is_how_far_normals_lie_apart_however_few_there_are(n, norm):
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(0))
    workspace = Workspace()
    batches = Batches(x, Scaling(x), workspace.device)
    boundary = Boundary(reference="real", unit="quantile", norm=norm, quantile=0.5, Q=1024)
    reference, stage = (
        Reference(torch.nn.Identity(), batches, boundary, 4, workspace),
        Stage("task2", 1, workspace, {}, {}),
    )
    reference.fill(stage)
    unit = reference.unit(stage)
    others = torch.cdist(batches.x, batches.x, p=norm).fill_diagonal_(torch.inf)
    assert unit == pytest.approx(float(others.amin(dim=1).median()), rel=0.5)


@pytest.mark.parametrize("unit", ["quantile", "sqrt_k"])
def test_the_unit_is_one_of_the_features(unit):
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    boundary = Boundary(reference="real", unit=unit)

    def measured(features):
        workspace = Workspace()
        reference = Reference(torch.nn.Identity(), Batches(x, Scaling(x), workspace.device), boundary, 4, workspace)
        stage = Stage("task2", 1, workspace, {}, {})
        reference.fill(stage)
        return reference.unit(stage, features)

    plain = measured(lambda x: x)
    assert measured(lambda x: x.repeat(1, 4)) == pytest.approx(2 * plain, rel=1e-3)


def test_few_samples_that_are_all_reference_samples_have_a_unit_of_features():
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    unequal = torch.rand(1, generator=torch.Generator().manual_seed(1))

    def features(x):  # as in arithmetic whose rounding depends on the other samples of a batch
        return 3 * x + 1e-4 * len(x) * unequal

    plain = distance_to_different(x, x, 2.0)
    torch.testing.assert_close(distance_to_different(x, x, 2.0, features), 3 * plain, rtol=0.01, atol=0.01)


def test_normals_that_are_all_alike_have_a_unit():
    x = torch.ones(20, 3)
    assert (distance_to_different(x, x, 2.0) > 0).all()
