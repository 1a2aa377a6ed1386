"""Options of a search that minds what its network will cost. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Metric = Literal["macs", "params", "latency"]


@dataclass(frozen=True, kw_only=True)
class CostOptions:
    """What the derived network may cost, and how the search goes about it.

    Args:
        max_macs: Ceiling of the derived network's multiply-adds, such as 600M. The search weighs
            the expected cost by itself, and the genotype is the strongest under the ceiling.
        max_params: Ceiling of its parameters, such as 5M.
        max_latency: Ceiling of its latency for one image on this device, such as 20ms.
        cost_weight: Fixed weight of the logarithm of the expected cost in the architecture's loss;
            0 minds only the ceilings.
        cost: Which cost that is.
        cost_temperature: How far log strengths are from decided when the cost is expected: small
            follows the cell that would be derived now, 1 the softmax of alpha and beta.
        latency_table: Measured latencies (latency.json of another search); by default this device
            is measured.
        target_channels: Channels of the network that costs are reckoned for; by default the
            retraining's, 36 (stem cifar) or 48 (imagenet).
        target_layers: Its cells; by default 20 or 14.
        target_stem: Its stem; by default the search's.
        target_resolution: Its image size; by default the data's, and 224 for imagenet.
    """

    max_macs: str | float | None = None
    max_params: str | float | None = None
    max_latency: str | float | None = None
    cost_weight: float = 0.0
    cost: Metric = "macs"
    cost_temperature: float = 0.1
    latency_table: str | None = None
    target_channels: int | None = None
    target_layers: int | None = None
    target_stem: Literal["cifar", "imagenet"] | None = None
    target_resolution: int | None = None
