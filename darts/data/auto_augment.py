"""AutoAugment and RandAugment, of torchvision, drawn from a generator that is passed.

Sources: AutoAugment (arXiv 1805.09501), whose published policies torchvision holds, and RandAugment
(arXiv 1909.13719). Departure: they act on whole images, before the crop and not after it, because
the crop is one gather for the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from darts.data.augmentation import Transform
from darts.system.share import WHOLE, Share

AutoAugmentation = Literal["none", "randaugment", "autoaugment"]


class AutoAugment:
    """Changes each image by a policy of its own draws, then goes on with another transform.

    torchvision draws from the process's generator. That one is put aside for as long, and seeded
    for each image by a number drawn from the generator that is passed: so images repeat, whatever
    the process draws elsewhere, and do not depend on the other images of their batch.

    Args:
        policy: A transform of torchvision for uint8 images `[3, H, W]`.
        then: What follows.
    """

    def __init__(self, policy: Any, then: Transform) -> None:
        self.policy, self.then = policy, then

    def __call__(self, images: Tensor, generator: torch.Generator, share: Share = WHOLE) -> Tensor:
        seeds = torch.randint(2**62, (share.whole(len(images)),), generator=generator)
        with _own_randomness() as usual:
            changed = []
            for image, seed in zip(images, share.of(seeds).tolist(), strict=True):
                usual.manual_seed(seed)
                changed.append(self.policy(image))
        return self.then(torch.stack(changed), generator, share)


def create_auto_augment(kind: AutoAugmentation, dataset: str, then: Transform) -> Transform:
    """`then`, after the policy: RandAugment's two operations of strength 9, or AutoAugment's.

    AutoAugment's is the one found on CIFAR-10, SVHN or, for all other data sets, ImageNet.
    """
    if kind == "none":
        return then
    from darts.system.torchvision_compat import torchvision

    transforms = torchvision.transforms
    if kind == "randaugment":
        return AutoAugment(transforms.RandAugment(num_ops=2, magnitude=9), then)
    policies = transforms.AutoAugmentPolicy
    found_on = {
        "cifar10": policies.CIFAR10,
        "cifar100": policies.CIFAR10,
        "svhn": policies.SVHN,
    }.get(dataset, policies.IMAGENET)
    return AutoAugment(transforms.AutoAugment(found_on), then)


@contextmanager
def _own_randomness() -> Iterator[torch.Generator]:
    """The process's CPU generator, whose state is given back afterwards."""
    usual = torch.default_generator
    state = usual.get_state()
    try:
        yield usual
    finally:
        usual.set_state(state)
