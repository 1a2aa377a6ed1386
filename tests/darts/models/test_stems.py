"""Stems: spatial sizes, channels and layers."""

import pytest
import torch
from torch import nn

from darts.errors import UserError
from darts.models.stems import CellStem, create_network_stem, create_search_stem


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("stem", "width", "size0", "size1", "reduces"),
    [
        (create_search_stem("cifar", 16), 48, 32, 32, False),
        (create_network_stem("cifar", 36), 108, 32, 32, False),
        (create_search_stem("imagenet", 16), 48, 8, 4, True),
        (create_network_stem("imagenet", 48), 48, 8, 4, True),
    ],
)
def test_states(stem: CellStem, width: int, size0: int, size1: int, reduces: bool) -> None:
    s0, s1 = stem(torch.zeros(2, 3, 32, 32))
    assert s0.shape == (2, width, size0, size0)
    assert s1.shape == (2, width, size1, size1)
    assert (stem.out_channels0, stem.out_channels1, stem.reduces) == (width, width, reduces)
    assert 32 // size1 == stem.multiple


def test_parameters() -> None:
    assert parameters(create_network_stem("cifar", 36)) == 27 * 108 + 2 * 108
    expected = 27 * 24 + 2 * 24 + 9 * 24 * 48 + 2 * 48 + 9 * 48 * 48 + 2 * 48
    assert parameters(create_search_stem("imagenet", 16)) == expected


@pytest.mark.parametrize("name", ["cifar", "imagenet"])
def test_states_end_in_a_norm(name: str) -> None:
    """In training both states have mean 0 and variance 1: no ReLU follows the last batch norm."""
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for state in create_search_stem(name, 4)(images):
        assert state.mean((0, 2, 3)).abs().max() < 1e-5
        assert state.var((0, 2, 3), correction=0).sub(1).abs().max() < 1e-2


def test_unknown_stem() -> None:
    with pytest.raises(UserError, match="no stem 'mnist'; the stems are cifar, imagenet"):
        create_network_stem("mnist", 16)
