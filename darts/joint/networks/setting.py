"""What is fixed while a space is searched, and what a network of a space can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from darts.joint.costs import Costs
from darts.joint.space import ValueColumns
from darts.models.registry import Model


@dataclass(frozen=True, kw_only=True)
class NetworkSetting:
    """What all candidates have in common.

    Attributes:
        resolution: Side of the images, where no variable decides it.
        num_classes: Number of classes.
        stem: "imagenet", or "cifar" for images of about 32 pixels.
        model: The network or genotype of a space that has none of its own.
        channels: Of a genotype's first cell, where no variable decides it.
        layers: Number of a genotype's cells, likewise.
    """

    resolution: int = 224
    num_classes: int = 1000
    stem: str = "imagenet"
    model: Model | None = None
    channels: int | None = None
    layers: int | None = None


class NetworkKind(Protocol):
    """The networks that the architecture's values of a space describe.

    Attributes:
        needs: Values without which there is no network.
        accepts: All values that mean something.
    """

    @property
    def needs(self) -> tuple[str, ...]: ...

    @property
    def accepts(self) -> tuple[str, ...]: ...

    def costs(self, columns: ValueColumns, resolutions: np.ndarray) -> Costs:
        """Costs of N candidates for images of these sizes [N]; infinite where there is none."""
        ...

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What a training of one candidate must be told: `model` or `genotype`, and options.

        Raises:
            UserError: Such networks cannot be trained here.
        """
        ...
