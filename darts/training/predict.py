"""A trained network from its checkpoint or an ONNX file, and its prediction for images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from darts.data.transforms import load_image
from darts.errors import UserError, state_of
from darts.models.registry import network_from_description
from darts.targets.kinds import target_of_kind
from darts.targets.target import LearningTask
from darts.training.pretrained import trained_state


class Labeller(Protocol):
    """What classifies images, with the description of the data that it was trained on.

    Attributes:
        card: Description of the data set, see `Dataset.card`.
        classes: Names of the classes, in the order of the logits.
        target: What the network has learnt: one class for each image, or several.
    """

    @property
    def card(self) -> Mapping[str, Any]: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def target(self) -> LearningTask: ...

    def logits(self, images: Tensor) -> Tensor:
        """Logits `[B, classes]` of normalised images `[B, 3, S, S]`, on the CPU."""


class OfCard:
    """The names and the task in a `card`, for the kinds of `Labeller`."""

    card: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        return tuple(self.card["classes"])

    @property
    def target(self) -> LearningTask:
        """What the network has learnt: one class for each image, or several."""
        return target_of_kind(self.card.get("task"))


@dataclass(frozen=True)
class Trained(OfCard):
    """A trained network.

    Attributes:
        network: The network, in evaluation mode.
        card: Description of the data set that it was trained on, see `Dataset.card`.
    """

    network: nn.Module
    card: Mapping[str, Any]

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Logits `[B, classes]` of normalised images `[B, 3, S, S]`, on the CPU."""
        device = next(self.network.parameters()).device
        logits, _ = self.network(images.to(device))
        return logits.float().cpu()


def load_trained(
    checkpoint: Path | str, device: torch.device, *, averaged: bool | None = False
) -> Trained:
    """The network of a retraining's checkpoint, or of its run directory.

    Args:
        averaged: Whether to load the averaged weights; None loads them if there are any.

    Raises:
        UserError: The file is missing, damaged or from another kind of run, or it has no averaged
            weights.
    """
    state = trained_state(checkpoint)
    average = state.get("average")
    if averaged and average is None:
        raise UserError(f"{checkpoint} has no averaged weights: it was trained without --ema.")
    with state_of(checkpoint):
        network = network_from_description(state["description"])
        weights = state["network"] if average is None or averaged is False else average
        network.load_state_dict(weights)
    return Trained(network.to(device).eval(), state["data"])


def predict(trained: Labeller, image: Path | str, best: int = 5) -> list[tuple[str, float]]:
    """The `best` most probable classes of an image file with their probabilities, best first.

    If images may have several labels, these are all labels with a probability above 0.5, which may
    be none.

    Raises:
        UserError: The file cannot be read as an image.
    """
    return best_classes(trained, load_image(image, trained.card), best)[0]


def best_classes(labeller: Labeller, images: Tensor, best: int) -> list[list[tuple[str, float]]]:
    """What `predict` returns, for each of some images `[B, 3, S, S]`."""
    logits, classes = labeller.logits(images), labeller.classes
    if logits.ndim != 2 or logits.shape[1] != len(classes):
        raise UserError(
            f"The network has {logits.shape[-1]} outputs for {len(classes)} classes: its file was "
            "changed, or is damaged."
        )
    return [
        [(classes[label], float(row[label])) for label in labeller.target.named(row, best)]
        for row in labeller.target.probabilities(logits)
    ]
