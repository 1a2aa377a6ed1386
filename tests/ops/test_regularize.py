"""Drop path and dropout: masks per sample or per element that keep the expected value."""

from collections.abc import Callable

import pytest
import torch

from ops.regularize import PartGenerator, drop_path, dropout


def test_samples_are_whole_or_gone_and_scaled() -> None:
    x = torch.rand(64, 3, 2, 2, generator=torch.Generator().manual_seed(1)) + 1
    out = drop_path(x, 0.25, torch.Generator().manual_seed(0))
    kept = out.flatten(1).ne(0).all(1)
    gone = out.flatten(1).eq(0).all(1)
    assert (kept ^ gone).all()
    assert kept.any()
    assert gone.any()
    torch.testing.assert_close(out[kept], x[kept] / 0.75)


def test_share_of_dropped_samples() -> None:
    out = drop_path(torch.ones(20_000, 1), 0.3, torch.Generator().manual_seed(0))
    # Five standard deviations: 5 * sqrt(0.3 * 0.7 / 20000) = 0.0162.
    assert abs(out.eq(0).double().mean().item() - 0.3) < 0.0162
    assert abs(out.mean().item() - 1) < 0.0162 / 0.7


def test_dropped_samples_get_no_gradient() -> None:
    x = torch.ones(16, 2, 3, 3, requires_grad=True)
    out = drop_path(x, 0.5, torch.Generator().manual_seed(0))
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach())


def test_probability_zero_draws_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))
    assert drop_path(x, 0.0, generator) is x
    assert torch.equal(generator.get_state(), state)


def test_reproducible() -> None:
    x = torch.ones(32, 1)
    first, second = (drop_path(x, 0.5, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("probability", [-0.1, 1.0, float("nan")])
def test_impossible_probability(probability: float) -> None:
    with pytest.raises(ValueError, match=r"in \[0, 1\)"):
        drop_path(torch.ones(2, 1), probability, torch.Generator())
    with pytest.raises(ValueError, match=r"in \[0, 1\)"):
        dropout(torch.ones(2, 1), probability, torch.Generator())


def test_dropout() -> None:
    x = torch.rand(200, 100, generator=torch.Generator().manual_seed(1)) + 1
    out = dropout(x, 0.2, torch.Generator().manual_seed(0))
    kept = out != 0
    torch.testing.assert_close(out[kept], x[kept] / 0.8)
    # Five standard deviations: 5 * sqrt(0.2 * 0.8 / 20000) = 0.0141.
    assert abs(kept.double().mean().item() - 0.8) < 0.0141
    assert not torch.equal(kept[0], kept[1])
    assert torch.equal(out, dropout(x, 0.2, torch.Generator().manual_seed(0)))
    assert dropout(x, 0.0, torch.Generator()) is x


@pytest.mark.parametrize("drop", [drop_path, dropout])
def test_parts_of_a_batch_are_dropped_as_the_whole(drop: Callable) -> None:
    x = torch.ones(12, 3)
    state = torch.Generator().manual_seed(7).get_state()
    whole_stream = PartGenerator.starting_at(state, 0, 1)
    whole = [drop(x, 0.5, whole_stream) for _ in range(3)]
    streams = [PartGenerator.starting_at(state, index, 4) for index in range(4)]
    for expected in whole:  # One layer after another.
        parts = [drop(x[:3], 0.5, stream) for stream in streams]
        assert torch.equal(torch.cat(parts), expected)
    assert all(torch.equal(stream.get_state(), whole_stream.get_state()) for stream in streams)
