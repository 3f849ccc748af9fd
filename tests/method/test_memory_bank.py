import pytest
import torch

from omasgan.method.memory_bank import BLOCK, CHUNK, TILE, MemoryBank
from tests.method.tensors import draws, nearest_by_definition


@pytest.mark.parametrize("size", [11, 8 * BLOCK, TILE + BLOCK + 3, 2 * TILE])
@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_nearest_distances_are_those_of_the_definition(size, dtype):
    x, bank = draws(CHUNK + 5, 0, 20), draws(size, 1, 20) + 3
    torch.testing.assert_close(MemoryBank(bank, dtype).nearest(x, 11)[0], nearest_by_definition(x, bank, 11))


def test_a_short_type_that_cannot_tell_neighbours_is_not_used():
    centres = 10 * draws(20, 0, 2)
    bank = (centres[:, None] + 0.1 * draws(2000, 1, 2).unflatten(0, (20, -1))).flatten(0, 1)
    search = MemoryBank(bank, torch.bfloat16)
    torch.testing.assert_close(
        search.nearest(bank[:50], 5)[0], nearest_by_definition(bank[:50], bank, 5), rtol=1e-3, atol=1e-4
    )
    assert MemoryBank(draws(3000, 0, 64), torch.bfloat16).tiles[0].dtype == torch.bfloat16, "where it can, it is"


def test_images_are_rows_to_a_bank_and_the_nearest_are_found_one_by_one_too():
    bank, x = draws(300, 0, 48).unflatten(1, (3, 4, 4)), draws(6, 1, 48).unflatten(1, (3, 4, 4))
    search = MemoryBank(bank)
    expected = nearest_by_definition(x.flatten(1), bank.flatten(1), 2)
    torch.testing.assert_close(torch.cat([search.nearest(one, 2)[0] for one in x.split(1)]), expected)


def test_the_places_are_those_of_the_distances():
    x, bank = draws(30, 0), draws(TILE + 9, 1)
    distances, places = MemoryBank(bank).nearest(x, 5)
    torch.testing.assert_close(torch.linalg.vector_norm(x[:, None] - bank[places], dim=2), distances)
