"""Mixup equals the formula."""

from __future__ import annotations

import pytest
import torch

from darts.targets.single import SINGLE
from darts.training.mixing import draw_share, mix


def test_images_and_targets_are_mixed_alike() -> None:
    images = torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1, 1)
    targets = SINGLE.soft(torch.tensor([0, 2, 2]), 3, torch.float32)
    mixed, soft = mix(images, targets, 0.75)
    assert mixed.flatten().tolist() == pytest.approx([0.75 + 1.0, 1.5 + 0.25, 3.0 + 0.5])
    assert soft.tolist() == [[0.75, 0.0, 0.25], [0.25, 0.0, 0.75], [0.0, 0.0, 1.0]]
    alone, hard = mix(images, targets, 1.0)
    assert alone.equal(images)
    assert hard.equal(targets)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_have_the_moments_of_the_beta_distribution(alpha: float) -> None:
    generator = torch.Generator().manual_seed(1)
    shares = torch.tensor([draw_share(alpha, generator) for _ in range(3000)])
    variance = 1 / (4 * (2 * alpha + 1))
    assert shares.mean().item() == pytest.approx(0.5, abs=4 * (variance / 3000) ** 0.5)
    assert shares.var().item() == pytest.approx(variance, rel=0.1)
    assert ((shares >= 0) & (shares <= 1)).all()


def test_shares_come_from_the_stream_alone() -> None:
    generator = torch.Generator().manual_seed(1)
    first = draw_share(0.2, generator)
    torch.manual_seed(99)
    assert draw_share(0.2, torch.Generator().manual_seed(1)) == first
    assert draw_share(0.2, generator) != first
