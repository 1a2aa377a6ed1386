"""Settings that all candidates of a search share, and the interface of a kind of network."""

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
    """Settings that all candidates share.

    Attributes:
        resolution: Image size, unless a variable decides it.
        num_classes: Number of classes.
        stem: "imagenet", or "cifar" for images of about 32 pixels.
        model: Network or genotype for a space that does not describe one.
        channels: Channels of the first cell of a genotype, unless a variable decides it.
        layers: Number of cells of a genotype, unless a variable decides it.
    """

    resolution: int = 224
    num_classes: int = 1000
    stem: str = "imagenet"
    model: Model | None = None
    channels: int | None = None
    layers: int | None = None


class NetworkKind(Protocol):
    """A kind of network that the architecture of a space can describe.

    Attributes:
        needs: Settings that the space must decide.
        accepts: Settings that the space may decide.
    """

    @property
    def needs(self) -> tuple[str, ...]: ...

    @property
    def accepts(self) -> tuple[str, ...]: ...

    def costs(self, columns: ValueColumns, resolutions: np.ndarray) -> Costs:
        """Compute the costs of N candidates; infinite if a network cannot be built.

        Args:
            columns: Settings of the architectures.
            resolutions: Image sizes `[N]`.
        """
        ...

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the `model` of one candidate, and the training options that belong to it.

        Raises:
            UserError: Networks of this kind cannot be trained.
        """
        ...
