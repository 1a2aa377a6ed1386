"""A family of networks: all that the toolkit needs to know of it, in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from darts.models.staged_config import StagedConfig
from darts.models.staged_cost import StagedCost
from darts.models.staged_network import StagedNetwork

_Config = TypeVar("_Config", bound=StagedConfig)


@dataclass(frozen=True, kw_only=True)
class Family(Generic[_Config]):
    """Networks that one kind of config describes.

    One line in `darts.models.registry.FAMILIES` makes a family known to every command: its
    networks are found by name or file, built, trained, counted, scaled, compared and exported.

    Attributes:
        config: The dataclass of a network's plain values.
        network: The module, built as `network(config, num_classes=…, generator=…)`.
        names: Lists the names of the published models.
        find: Returns the config of a name, or None.
        cost: Computes the cost in closed form: `cost(config, resolution=…, num_classes=…)`. It
            equals `darts.costs.count.count` of the module; a test should compare the two.
        scaled: Scales a network: `scaled(config, width=…, depth=…, resolution=…)`, factors of width
            and depth and the new resolution in pixels, rounded to what the network needs. Factors
            of 1 change nothing but the resolution.
    """

    config: type[_Config]
    network: type[StagedNetwork]
    names: Callable[[], tuple[str, ...]]
    find: Callable[[str], _Config | None]
    cost: Callable[..., StagedCost[int]]
    scaled: Callable[..., _Config]

    @property
    def key(self) -> str:
        """The key of such a network's config in files, checkpoints and descriptions."""
        return self.network.key

    def create(self, config: _Config, *, num_classes: int, generator: Any = None) -> StagedNetwork:
        """The network of a config, with fresh weights.

        Args:
            generator: Random stream of the initial weights; by default torch's global one.
        """
        build: Callable[..., StagedNetwork] = self.network
        return build(config, num_classes=num_classes, generator=generator)
