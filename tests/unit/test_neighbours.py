import torch

from omasgan.neighbours import CHUNK, RANKS, Sight, nearest_distances


def draws(n, seed, k=3):
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed))


def test_nearest_distances_are_those_of_the_definition():
    x, bank = draws(CHUNK + 5, 0), draws(40, 1)
    expected = torch.linalg.vector_norm(x[:, None] - bank[None], dim=2).sort(dim=1).values[:, :7]
    torch.testing.assert_close(nearest_distances(x, bank, 7), expected)


def test_a_sample_of_the_bank_is_not_its_own_neighbour():
    bank = draws(50, 0)
    sight = Sight(bank, real=True)
    assert sight.distances(bank, 1).max() < 1e-2
    without_itself = [nearest_distances(bank[i : i + 1], torch.cat([bank[:i], bank[i + 1 :]]), 4) for i in range(50)]
    torch.testing.assert_close(sight.distances(bank, 4, of_bank=True), torch.cat(without_itself))


def test_a_training_sample_is_no_part_of_a_generated_bank():
    sight, x = Sight(draws(50, 0), real=False), draws(20, 1)
    assert torch.equal(sight.distances(x, 3, of_bank=True), sight.distances(x, 3))


def test_j_sees_the_sample_and_its_distances_in_units_of_the_normals_own():
    bank = draws(60, 0)
    sight = Sight(bank, real=True)
    sight.fit(bank)
    seen = sight(bank, of_bank=True)
    assert torch.equal(seen[:, :3], bank)
    torch.testing.assert_close(seen[:, 3:].mean(dim=0), torch.zeros(len(RANKS)), atol=1e-4, rtol=0)
    torch.testing.assert_close(seen[:, 3:].std(dim=0), torch.ones(len(RANKS)), atol=1e-4, rtol=0)
    assert (sight(bank + 10)[:, 3:] > seen[:, 3:].max(dim=0).values).all(), "what is far looks far"
    torch.testing.assert_close(
        torch.cat([sight(one) for one in (bank + 1).split(1)]), sight(bank + 1), rtol=1e-4, atol=1e-4
    )


def test_copies_among_the_training_samples_do_not_set_the_scale():
    bank = draws(200, 0)
    with_copies = torch.cat([bank, bank[:10]])
    plain, copied = Sight(bank, real=True), Sight(with_copies, real=True)
    plain.fit(bank)
    copied.fit(with_copies)
    assert copied.scale[0] < 2 * plain.scale[0]


def test_a_sight_is_saved_with_its_bank():
    sight = Sight(draws(60, 0), real=True)
    sight.fit(draws(60, 0))
    other = Sight(torch.zeros(60, 3), real=True)
    other.load_state_dict(sight.state_dict())
    assert torch.equal(other(draws(5, 1)), sight(draws(5, 1)))
