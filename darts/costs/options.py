"""Options of a search that limits or penalises the cost of its network. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TYPICAL = "typical"
"""Instead of an amount: the mean cost of random cells."""

Metric = Literal["macs", "params", "latency"]


@dataclass(frozen=True, kw_only=True)
class CostOptions:
    """Ceilings of the derived network's cost, and the penalty that the search uses.

    Args:
        max_macs: Maximum multiply-adds of the derived network, such as 600M, or typical: the mean
            of random cells of the space. The search adjusts the weight of the expected cost
            automatically; the genotype is the strongest one within the ceiling.
        max_params: Maximum number of parameters of the derived network, such as 5M, or typical.
        max_latency: Maximum latency of the derived network for one image on this device, such as
            20ms.
        cost_weight: Fixed weight of the logarithm of the expected cost in the architecture's loss;
            0 uses only the ceilings.
        cost: Cost that --cost-weight applies to.
        cost_temperature: Temperature of the expected cost: near 0, the cost of the cell derived
            now; 1, the average under softmax(alpha)·softmax(beta).
        latency_table: File with measured latencies (latency.json of another search); by default
            the search measures this device.
        target_channels: Channels of the network whose cost counts; by default those of retraining:
            36 (stem cifar) or 48 (stem imagenet).
        target_layers: Number of cells of this network; by default 20 (stem cifar) or 14 (stem
            imagenet).
        target_stem: Stem of this network; by default that of the search.
        target_resolution: Image size of this network; by default that of the data set, and 224 for
            imagenet.
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
