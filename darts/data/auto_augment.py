"""AutoAugment and RandAugment of torchvision, with random numbers from a given generator.

Sources: AutoAugment (arXiv 1805.09501), whose published policies are in torchvision, and
RandAugment (arXiv 1909.13719). Departure: they are applied before the crop instead of after it,
because the crop is one operation on the whole batch.
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
    """Applies a policy of torchvision to each image, then another transform to the batch.

    torchvision draws from the global generator of the process. While a batch is augmented, that
    generator is seeded for each image with a number from the given generator; its state is restored
    afterwards. So the result is reproducible, whatever else the process draws, and does not depend
    on the other images of the batch.

    Args:
        policy: A transform of torchvision for uint8 images `[3, H, W]`.
        then: The transform that follows.
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
    """Return a transform that applies the policy `kind` and then `then`.

    RandAugment applies two operations of magnitude 9. AutoAugment uses the policy found on CIFAR-10
    for CIFAR-10 and CIFAR-100, the one found on SVHN for SVHN, and the one found on ImageNet for
    all other data sets.

    Args:
        kind: "none", "randaugment" or "autoaugment".
        dataset: Name of the data set, which selects the policy of AutoAugment.
        then: The transform that follows.
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
    """Yield the global CPU generator and restore its state afterwards."""
    usual = torch.default_generator
    state = usual.get_state()
    try:
        yield usual
    finally:
        usual.set_state(state)
