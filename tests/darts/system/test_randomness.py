import pytest
import torch

from darts.errors import UserError
from darts.system.randomness import RandomStreams, stream_seed


def draw(streams, name, count=3):
    return torch.randint(2**31, (count,), generator=streams[name]).tolist()


def test_seed_is_the_hash_of_seed_and_name():
    # printf '2:weights' | sha256sum -> first 16 hex digits, halved
    assert stream_seed(2, "weights") == 0xBBEA0F7807FDDA0A >> 1
    assert 0 <= stream_seed(-1, "") < 2**63


def test_seeds_of_streams_are_those_on_record():
    """The seeds, not the random numbers, which may change between versions of torch."""
    streams = RandomStreams(2, ["weights", "order"])
    assert streams["weights"].initial_seed() == 6770326118923693317
    assert streams["order"].initial_seed() == 3775994083173732037


def test_another_stream_changes_nothing():
    few, many = RandomStreams(5, ["b"]), RandomStreams(5, ["a", "b", "c"])
    draw(many, "a")
    assert draw(few, "b") == draw(many, "b")
    assert list(many) == ["a", "b", "c"]
    assert len(many) == 3


def test_seeds_and_names_give_different_streams():
    draws = [draw(RandomStreams(seed, "ab"), name) for seed in (0, 1) for name in "ab"]
    assert len({tuple(values) for values in draws}) == 4


def test_global_generator_is_untouched():
    before = torch.get_rng_state()
    draw(RandomStreams(1, "a"), "a")
    assert torch.equal(before, torch.get_rng_state())


def test_a_loaded_state_continues_where_it_was_saved():
    streams = RandomStreams(7, ["a", "b"])
    # An odd number of normal draws leaves one cached in the generator.
    torch.randn(1, generator=streams["a"])
    saved = streams.state_dict()
    expected = torch.randn(5, generator=streams["a"]), draw(streams, "b")
    other = RandomStreams(0, ["b", "a"])
    other.load_state_dict(saved)
    assert torch.equal(torch.randn(5, generator=other["a"]), expected[0])
    assert draw(other, "b") == expected[1]


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], ["a", "x"]])
def test_other_names_are_refused_and_nothing_is_set(names):
    streams, fresh = RandomStreams(3, ["a", "b"]), RandomStreams(3, ["a", "b"])
    with pytest.raises(UserError, match="random streams"):
        streams.load_state_dict(RandomStreams(4, names).state_dict())
    assert draw(streams, "a") == draw(fresh, "a")


def test_names_are_told():
    with pytest.raises(UserError, match=r"missing: b; unknown: x, y"):
        RandomStreams(3, ["a", "b"]).load_state_dict(RandomStreams(3, "axy").state_dict())


def test_state_of_another_kind_of_generator_is_refused_and_nothing_is_set():
    streams, fresh = RandomStreams(3, ["a", "b"]), RandomStreams(3, ["a", "b"])
    states = {**RandomStreams(4, "ab").state_dict(), "b": torch.zeros(16, dtype=torch.uint8)}
    with pytest.raises(UserError, match="'b' comes from another kind"):
        streams.load_state_dict(states)
    assert draw(streams, "a") == draw(fresh, "a")
