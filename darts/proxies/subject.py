"""What is scored, and what scores share: private copies of the network, weights, gradients, logits.

A score never touches the network that it is given. It works on a copy, so weights, buffers, modes,
`requires_grad`, gradients and hooks of the original stay as they are, also after an error.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from darts.models.classifier import Classifier
from darts.models.derived import Network
from darts.models.stages import StagesNetwork
from darts.system.randomness import stream_seed
from ops.regularize import hand_generator

Layer = nn.Conv2d | nn.Linear
"""A layer whose weights the scores sum over. Biases and batch norms are left out, as in NASLib."""


@dataclass(frozen=True, eq=False)
class Batch:
    """The images that a network is scored with.

    Attributes:
        images: `[B, 3, H, W]`.
        labels: The class of each image, `[B]`.
        num_classes: Number of classes of the data set.
    """

    images: Tensor
    labels: Tensor
    num_classes: int

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return Batch(self.images.to(device), self.labels.to(device), self.num_classes)


@dataclass(frozen=True, eq=False)
class Subject:
    """A network with the images that it is scored with. Gradients are computed once for all scores.

    >>> batch = Batch(torch.ones(2, 3), torch.tensor([0, 1]), 2)
    >>> subject = Subject(nn.Linear(3, 2).eval(), batch)
    >>> subject.copy().training, subject.network.training
    (True, False)

    Attributes:
        network: Maps images to logits `[B, classes]`, or to a tuple that begins with them.
        batch: The images, on the device of the network.
        seed: Seed of all random numbers that a score draws.
    """

    network: nn.Module
    batch: Batch
    seed: int = 0

    def generator(self, name: str) -> torch.Generator:
        """A new generator on the CPU, always in the same state for a name."""
        return torch.Generator().manual_seed(stream_seed(self.seed, f"score {name}"))

    def copy(self) -> nn.Module:
        """A copy of the network in training mode, to be changed at will.

        Batch norms use the statistics of the batch. Dropout is off, so that a score is a function
        of weights and images. An auxiliary head is left out: it is no part of the network that is
        judged. All parameters require gradients.
        """
        copied = copy.deepcopy(self.network).train().requires_grad_(True)
        for parameter in copied.parameters():
            parameter.grad = None
        for part in copied.modules():
            if isinstance(part, _DropoutNd):
                part.eval()
            if isinstance(part, Classifier):
                part.dropout, part.auxiliary_head = 0.0, None
            if isinstance(part, (Network, StagesNetwork)):
                part.recompute = False
        hand_generator(copied, self.generator("noise"))
        return copied

    @cached_property
    def weight_gradients(self) -> list[Tensor]:
        """The gradient of the mean cross-entropy with respect to each of `weights_of`."""
        copied = self.copy()
        return gradients(self.loss(copied), weights_of(copied))

    @cached_property
    def image_gradients(self) -> Tensor:
        """J `[B, 3HW]`: the gradient of the sum of all logits with respect to the pixels.

        In training mode an image also acts on the logits of the others, through the batch norms.
        """
        copied = self.copy().requires_grad_(False)
        images = self.batch.images.detach().clone().requires_grad_(True)
        return gradients(logits_of(copied, images).sum(), [images])[0].flatten(1)

    def loss(self, copied: nn.Module) -> Tensor:
        """The mean cross-entropy of a copy."""
        return functional.cross_entropy(logits_of(copied, self.batch.images), self.batch.labels)


def without_batch_norms(network: nn.Module) -> nn.Module:
    """Replace every batch norm in a copy by the identity, and return the copy."""
    for part in list(network.modules()):
        for name, child in part.named_children():
            if isinstance(child, _BatchNorm):
                setattr(part, name, nn.Identity())
    return network


def weight_layers(network: nn.Module) -> list[Layer]:
    """The convolutions and linear layers, in module order.

    >>> len(weight_layers(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 2))))
    2
    """
    return [part for part in network.modules() if isinstance(part, (nn.Conv2d, nn.Linear))]


def weights_of(network: nn.Module) -> list[Tensor]:
    """The weights of all `weight_layers`."""
    return [layer.weight for layer in weight_layers(network)]


def logits_of(network: nn.Module, images: Tensor) -> Tensor:
    """Logits `[B, classes]`, also of a network that returns a tuple whose first entry they are."""
    output = network(images)
    logits: Tensor = output[0] if isinstance(output, (tuple, list)) else output
    return logits


def gradients(value: Tensor, inputs: list[Tensor], *, differentiable: bool = False) -> list[Tensor]:
    """The gradient of a scalar with respect to each input; zero where it does not depend on it."""
    found = torch.autograd.grad(value, inputs, create_graph=differentiable, allow_unused=True)
    return [
        torch.zeros_like(x) if gradient is None else gradient
        for x, gradient in zip(inputs, found, strict=True)
    ]
