"""torchvision's policies with random numbers from a given generator."""

from __future__ import annotations

import pytest
import torch

from darts.data.auto_augment import create_auto_augment
from darts.system.share import Share
from darts.system.torchvision_compat import torchvision

KINDS = ("randaugment", "autoaugment")


class Keep:
    """Returns its input unchanged."""

    def __call__(self, images, generator, share=None):
        return images


def images(count: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(256, (count, 3, 12, 12), generator=generator, dtype=torch.uint8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", KINDS)
def test_it_draws_from_the_passed_generator_alone(kind: str) -> None:
    transform = create_auto_augment(kind, "cifar10", Keep())
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        results.append(transform(images(), generator()))
        assert torch.get_rng_state().equal(before)
    assert results[0].equal(results[1])
    assert results[0].dtype == torch.uint8
    assert not results[0].equal(images())
    assert not results[0].equal(transform(images(), generator(1)))


@pytest.mark.parametrize("kind", KINDS)
def test_each_image_has_its_own_draws_and_shares_make_up_the_whole(kind: str) -> None:
    transform = create_auto_augment(kind, "digits", Keep())
    alike = images(1).expand(8, -1, -1, -1)
    changed = transform(alike, generator())
    assert len({image.numpy().tobytes() for image in changed}) > 3
    whole = transform(images(), generator())
    halves = [
        transform(images().chunk(2)[index], generator(), Share(index, 2)) for index in range(2)
    ]
    assert torch.cat(halves).equal(whole)


def test_the_policy_is_that_of_the_data_set() -> None:
    policies = torchvision.transforms.AutoAugmentPolicy
    for dataset, policy in (
        ("cifar100", policies.CIFAR10),
        ("svhn", policies.SVHN),
        ("imagenet", policies.IMAGENET),
    ):
        assert create_auto_augment("autoaugment", dataset, Keep()).policy.policy == policy
    keep = Keep()
    assert create_auto_augment("none", "cifar10", keep) is keep
