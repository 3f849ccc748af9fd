import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from omasgan.training.seeding import seeded, stream, stream_seed

CPU = torch.device("cpu")
NAMES = ["task1", "task2", "task3", "j", "J", "G", "D", "", "task11"]


def draws(seed, name, n=4):
    return torch.randn(n, generator=stream(seed, name, CPU))


@pytest.fixture(autouse=True)
def global_state():
    torch.manual_seed(0)


def test_a_stream_is_the_same_in_every_process():
    # The start of `printf 0/task1 | sha256sum`; Python's own hash() differs from process to process.
    assert stream_seed(0, "task1") == 0xD6902901FF9CFCB7 >> 1


@given(st.integers(0, 2**63), st.text(max_size=20).filter(lambda name: name.isprintable()))
def test_a_seed_is_one_that_torch_takes(seed, name):
    assert 0 <= stream_seed(seed, name) < 2**63
    assert stream(seed, name, CPU).initial_seed() == stream_seed(seed, name)


def test_names_and_seeds_make_different_streams():
    seeds = [stream_seed(seed, name) for seed, name in itertools.product(range(20), NAMES)]
    assert len(set(seeds)) == len(seeds)
    assert stream_seed(1, "1/a") != stream_seed(11, "/a")


@pytest.mark.parametrize(("first", "second"), [((0, "task1"), (0, "task2")), ((0, "task1"), (1, "task1"))])
def test_streams_are_independent(first, second):
    a, b = draws(*first, n=10_000), draws(*second, n=10_000)
    assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 0.05


def test_a_stream_depends_on_nothing_but_seed_and_name():
    expected = draws(5, "task2")
    torch.randn(3)
    stream(5, "a new stage", CPU).seed()
    draws(5, "task1", n=100)
    assert torch.equal(draws(5, "task2"), expected)


def test_a_stream_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    draws(0, "task1")
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_draws_the_stream_whatever_came_before():
    with seeded(3, "G"):
        first = torch.nn.Linear(4, 4).weight
    torch.randn(7)
    with seeded(3, "G"):
        second = torch.nn.Linear(4, 4).weight
    with seeded(3, "D"):
        third = torch.nn.Linear(4, 4).weight
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    with seeded(3, "G"):
        assert torch.equal(torch.randn(4), draws(3, "G"))


def test_seeded_restores_the_global_generator():
    before = torch.get_rng_state()
    with seeded(3, "G"):
        torch.randn(4)
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_restores_the_global_generator_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), seeded(3, "G"):
        raise ZeroDivisionError
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_within_seeded_returns_to_the_outer_stream():
    with seeded(3, "G"):
        first = torch.randn(2)
        with seeded(3, "D"):
            torch.randn(5)
        second = torch.randn(2)
    with seeded(3, "G"):
        assert torch.equal(torch.cat([first, second]), torch.cat([torch.randn(2), torch.randn(2)]))
