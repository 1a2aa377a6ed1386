"""A trained network from its checkpoint, and what it says of one image file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from darts.data.transforms import load_image
from darts.models import network_from_description
from darts.training.pretrained import trained_state


@dataclass(frozen=True)
class Trained:
    """A network in evaluation mode, and the card of the data set that it was trained on."""

    network: nn.Module
    card: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.card["classes"])


def load_trained(checkpoint: Path | str, device: torch.device) -> Trained:
    """The network of a retraining's checkpoint, or of its run directory.

    Raises:
        UserError: The file is missing, damaged, or of another kind of run.
    """
    state = trained_state(checkpoint)
    network = network_from_description(state["description"])
    network.load_state_dict(state["network"])
    return Trained(network.to(device).eval(), state["data"])


@torch.no_grad()
def predict(trained: Trained, image: Path | str, best: int = 5) -> list[tuple[str, float]]:
    """The most probable classes of an image file, with their probabilities, the best one first.

    Raises:
        UserError: The file cannot be read as an image.
    """
    device = next(trained.network.parameters()).device
    logits, _ = trained.network(load_image(image, trained.card).to(device))
    values, labels = logits.float().softmax(dim=1)[0].topk(min(best, len(trained.classes)))
    return [
        (trained.classes[label], value)
        for value, label in zip(values.tolist(), labels.tolist(), strict=True)
    ]
