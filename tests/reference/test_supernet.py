"""The literal supernet, compared with published parameter counts and cases by hand."""

import pytest
import torch
from torch import Tensor

from tests.reference.supernet import (
    OPERATIONS,
    MixedOperation,
    ReferenceSupernet,
    Tables,
    channel_shuffle,
)


def uniform_tables(nodes: int = 4) -> Tables:
    edges = nodes * (nodes + 3) // 2
    incoming = [n + 2 for n in range(nodes) for _ in range(n + 2)]
    table = (
        torch.full((edges, 8), 1 / 8, dtype=torch.float64),
        torch.tensor([1 / n for n in incoming], dtype=torch.float64),
    )
    return {"normal": table, "reduce": table}


def one_hot(name: str) -> Tensor:
    return torch.eye(8, dtype=torch.float64)[OPERATIONS.index(name)]


@pytest.mark.parametrize(
    ("k", "stem", "classes", "expected"),
    [
        (4, "cifar", 10, 299_578),
        (2, "cifar", 10, 671_482),
        (1, "cifar", 10, 1_930_618),
        (2, "imagenet", 1000, 956_512),
    ],
)
def test_parameters(k: int, stem: str, classes: int, expected: int) -> None:
    with torch.device("meta"):
        net = ReferenceSupernet(k=k, stem=stem, num_classes=classes)
    assert sum(p.numel() for p in net.parameters()) == expected


@pytest.mark.parametrize(
    ("groups", "order"),
    [
        (4, [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]),
        (2, [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15]),
        (1, list(range(16))),
    ],
)
def test_channel_shuffle(groups: int, order: list[int]) -> None:
    x = torch.arange(16.0).view(1, 16, 1, 1)
    assert channel_shuffle(x, groups).flatten().tolist() == order


def test_identity_edge_only_shuffles() -> None:
    x = torch.arange(16.0, dtype=torch.float64).view(1, 16, 1, 1).expand(2, 16, 4, 4)
    edge = MixedOperation(16, 4, 1).double()
    assert torch.equal(edge(x, one_hot("skip_connect")), channel_shuffle(x, 4))


def test_bypass_of_a_strided_edge_is_max_pooled() -> None:
    x = torch.rand(1, 4, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = MixedOperation(4, 2, 2).double()(x, one_hot("none"))
    windows = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
    # Two groups of [processed | bypassed]: 0, 2, 1, 3.
    assert torch.equal(out[:, [0, 2]], torch.zeros(1, 2, 2, 2, dtype=torch.float64))
    assert torch.equal(out[:, [1, 3]], windows[:, 2:])


def test_sampled_channels_stay_in_place() -> None:
    x = torch.rand(1, 4, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    edge = MixedOperation(4, 2, 1).double()
    out = edge(x, one_hot("none"), torch.tensor([3, 1, 0, 2]))
    expected = x * torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64).view(1, 4, 1, 1)
    assert torch.equal(out, expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_sampling_the_first_channels_is_the_fixed_form_without_its_shuffle(stride: int) -> None:
    x = torch.rand(2, 8, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = torch.linspace(-1, 1, 8, dtype=torch.float64)
    edge = MixedOperation(8, 4, stride).double().eval()
    sampled = edge(x, weights, torch.arange(8))
    torch.testing.assert_close(channel_shuffle(sampled, 4), edge(x, weights), rtol=0, atol=0)


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize(("stem", "size"), [("cifar", 8), ("imagenet", 32)])
def test_forward(k: int, stem: str, size: int) -> None:
    net = ReferenceSupernet(channels=8, layers=3, nodes=3, k=k, num_classes=5, stem=stem).double()
    images = torch.randn(
        2, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    logits = net(images, uniform_tables(3))
    assert logits.shape == (2, 5)
    assert logits.isfinite().all()


def test_edge_weights_scale_whole_edges() -> None:
    """Without edge normalisation the weights of edges are 1, which differs from 1/n."""
    images = torch.randn(
        4, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    net = ReferenceSupernet(channels=4, layers=3, nodes=3, k=2).double().eval()
    tables = uniform_tables(3)
    ones = {kind: (operations, torch.ones(9)) for kind, (operations, _) in tables.items()}
    weighted, unit = net(images, tables), net(images, ones)
    net.edge_normalisation = False
    assert torch.equal(net(images, tables), unit)
    assert not torch.allclose(weighted, unit)
