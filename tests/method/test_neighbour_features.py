import torch

from omasgan.method.memory_bank import MemoryBank
from omasgan.method.neighbour_features import RANKS, NeighbourFeatures
from tests.method.tensors import draws, nearest_by_definition


def test_a_sample_of_the_bank_is_not_its_own_neighbour():
    bank = draws(50, 0)
    neighbour_features = NeighbourFeatures(bank, real=True)
    assert neighbour_features.neighbours(bank).distances[:, 0].max() < 1e-2
    without_itself = [
        nearest_by_definition(bank[i : i + 1], torch.cat([bank[:i], bank[i + 1 :]]), 4) for i in range(50)
    ]
    torch.testing.assert_close(
        neighbour_features.neighbours(bank, in_bank=True).distances[:, :4], torch.cat(without_itself)
    )


def test_features_without_the_sample_tell_distances_and_density_but_not_where_it_is():
    bank, x = draws(60, 0, 5), draws(20, 1, 5)
    turn = torch.linalg.qr(draws(5, 2, 5)).Q

    def features(place):
        neighbour_features = NeighbourFeatures(place(bank), real=True, alone=True)
        neighbour_features.fit(place(bank))
        again = NeighbourFeatures.from_state_dict(neighbour_features.state_dict(), real=True, alone=True)
        assert torch.equal(again(place(x)), neighbour_features(place(x)))
        return neighbour_features, neighbour_features(place(x))

    neighbour_features, there = features(lambda rows: rows)
    torch.testing.assert_close(features(lambda rows: 3 * rows @ turn + 7)[1], there, rtol=1e-3, atol=1e-3)
    neighbours = neighbour_features.neighbours(x)
    means = [neighbours.distances[:, :n].mean(dim=1) for n in RANKS]
    values = torch.stack([*means, neighbours.density_scale], dim=1).log()
    torch.testing.assert_close(there * neighbour_features.scale + neighbour_features.shift, values)
    own = neighbour_features(bank, in_bank=True)
    torch.testing.assert_close(own.std(dim=0), torch.ones(len(RANKS) + 1), atol=1e-4, rtol=0)


def test_a_training_sample_is_no_part_of_a_generated_bank():
    neighbour_features, x = NeighbourFeatures(draws(50, 0), real=False), draws(20, 1)
    assert torch.equal(
        neighbour_features.neighbours(x, in_bank=True).distances, neighbour_features.neighbours(x).distances
    )


def test_the_features_are_the_sample_and_its_standardised_log_distances():
    bank = draws(60, 0)
    neighbour_features = NeighbourFeatures(bank, real=True)
    neighbour_features.fit(bank)
    features = neighbour_features(bank, in_bank=True)
    assert torch.equal(features[:, :3], bank)
    torch.testing.assert_close(features[:, 3:].mean(dim=0), torch.zeros(len(RANKS)), atol=1e-4, rtol=0)
    torch.testing.assert_close(features[:, 3:].std(dim=0), torch.ones(len(RANKS)), atol=1e-4, rtol=0)
    assert (neighbour_features(bank + 10)[:, 3:] > features[:, 3:].max(dim=0).values).all(), (
        "features of a far sample are large"
    )
    torch.testing.assert_close(
        torch.cat([neighbour_features(one) for one in (bank + 1).split(1)]),
        neighbour_features(bank + 1),
        rtol=1e-4,
        atol=1e-4,
    )


def test_copies_among_the_training_samples_do_not_set_the_scale():
    bank = draws(200, 0)
    with_copies = torch.cat([bank, bank[:10]])
    plain, copied = NeighbourFeatures(bank, real=True), NeighbourFeatures(with_copies, real=True)
    plain.fit(bank)
    copied.fit(with_copies)
    assert copied.scale[0] < 2 * plain.scale[0]


def test_neighbour_features_are_saved_with_their_bank():
    neighbour_features = NeighbourFeatures(draws(60, 0), real=True)
    neighbour_features.fit(draws(60, 0))
    other = NeighbourFeatures.from_state_dict(neighbour_features.state_dict(), real=True)
    assert torch.equal(other(draws(5, 1)), neighbour_features(draws(5, 1)))


def test_a_distance_counts_less_where_the_bank_is_sparse():
    dense, sparse = 0.1 * draws(300, 0), 2 * draws(300, 1) + 50
    neighbour_features = NeighbourFeatures(torch.cat([dense, sparse]), real=True)
    neighbour_features.fit(dense)
    there = neighbour_features.neighbours(
        torch.cat([dense.mean(dim=0, keepdim=True), sparse.mean(dim=0, keepdim=True)])
    )
    assert there.density_scale[1] > 10 * there.density_scale[0]
    torch.testing.assert_close(there.distance_term(3, 0), there.distances[:, :3].mean(dim=1))
    torch.testing.assert_close(there.distance_term(3, 1) * there.density_scale, there.distance_term(3, 0))
    # One cluster is twenty times as large as the other: over their density scales, their distances are alike.
    own = neighbour_features.neighbours(torch.cat([dense, sparse]), in_bank=True).distance_term(10, 1)
    torch.testing.assert_close(own[:300].mean(), own[300:].mean(), rtol=0.1, atol=0)


def test_a_bank_half_of_copies_does_not_blow_up_what_lies_near_them():
    continuous = draws(400, 0, 8)
    bank = torch.cat([torch.zeros(600, 8), continuous])
    neighbour_features = NeighbourFeatures(bank, real=True)
    neighbour_features.fit(bank)
    near_a_copy, outlier = torch.full((1, 8), 0.02), torch.full((1, 8), 4.0)
    there = neighbour_features.neighbours(torch.cat([near_a_copy, outlier]))
    assert there.distance_term(3, 0.5)[0] < there.distance_term(3, 0.5)[1]


def test_samples_that_do_not_find_themselves_end_the_short_type():
    crowd = 0.02 * draws(100, 1, 8) + 2
    bank = torch.cat([draws(20_000, 0, 8), crowd])[torch.randperm(20_100, generator=torch.Generator().manual_seed(3))]
    neighbour_features = NeighbourFeatures(bank, real=True, dtype=torch.bfloat16)
    neighbour_features.bank = MemoryBank(bank)
    neighbour_features.bank._prepare(torch.bfloat16)  # as if no probe had hit the crowd
    assert neighbour_features.bank.nearest(crowd, 1)[0].any()
    neighbour_features.fit(bank)
    assert not neighbour_features.neighbours(crowd).distances[:, 0].any()
    again = NeighbourFeatures.from_state_dict(neighbour_features.state_dict(), real=True, dtype=torch.bfloat16)
    assert not again.bank.is_short


def test_nothing_and_what_is_not_finite_can_be_looked_up():
    neighbour_features = NeighbourFeatures(draws(11, 0), real=False)
    neighbour_features.fit(draws(11, 0))
    assert neighbour_features.neighbours(draws(0, 1)).density_scale.shape == (0,)
    for value in (torch.nan, torch.inf, 1e20):
        neighbour_features.neighbours(torch.full((1, 3), value))
