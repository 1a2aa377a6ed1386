"""Costs of named models for one image, and their latencies side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from darts.costs.count import count
from darts.costs.latency import measure_latency
from darts.models.classifier import Classifier
from darts.models.registry import create_network, family_of, network_from_description
from darts.models.staged_network import StagedNetwork
from darts.models.stages import StagesNetwork
from darts.system.device import resolve_device
from darts.system.threads import set_threads

# How often each model is timed; in turns, so that a temporarily slow machine affects all.
_TURNS = 2


@dataclass(frozen=True, kw_only=True)
class ModelCost:
    """The cost of a model.

    Attributes:
        table: Plain values: `model`, `params`, `macs`, `activations`, `resolution` …
        notes: Costs by other counting rules, by name.
        description: Rebuilds the network.
    """

    table: dict[str, Any]
    notes: Mapping[str, Any]
    description: Mapping[str, Any]


def cost_of_model(
    model: str,
    *,
    setting: str | None = None,
    channels: int | None = None,
    layers: int | None = None,
    classes: int | None = None,
    resolution: int | None = None,
    auxiliary: bool = False,
) -> ModelCost:
    """The cost of a model by its name or file; see `darts.models.registry.create_network`.

    >>> cost_of_model("regnetx_200mf").table["params"]
    2684792

    Raises:
        UserError: There is no such model, or it does not take such an option.
        GenotypeError: A file is wrong.
    """
    with torch.device("meta"):
        network: Classifier = create_network(
            model,
            num_classes=classes,
            channels=channels,
            layers=layers,
            stem=setting,
            auxiliary=auxiliary,
        )
    size, made = resolution or network.resolution, network.description
    counted = count(network, size, auxiliary=auxiliary)
    table = {
        "model": model,
        "params": counted.params,
        "macs": counted.macs,
        "activations": counted.activations,
        "resolution": size,
    }
    notes: Mapping[str, Any]
    if isinstance(network, StagedNetwork):
        closed = family_of(network.config).cost(
            network.config, resolution=size, num_classes=made["num_classes"]
        )
        notes = closed.published
    else:
        table |= {"channels": made["channels"], "layers": made["layers"], "auxiliary": auxiliary}
        notes = {"macs by the published rule": counted.published_macs}
        if isinstance(network, StagesNetwork):
            # NAS-Bench-201 also counts the additions of the classifier's biases.
            table["flops"] = counted.macs + made["num_classes"]
    return ModelCost(table=table, notes=notes, description=made)


def latencies(
    models: Sequence[ModelCost], batch: int, device: str = "auto", threads: int = 0
) -> list[float]:
    """Seconds of a forward pass of `batch` images, for each model: the median of turns.

    Args:
        models: The models.
        batch: Number of images.
        device: cpu, cuda …
        threads: CPU threads; 0 leaves the choice to torch.
    """
    place = resolve_device(device)
    set_threads(threads)
    times = []
    for _ in range(_TURNS):
        turn = []
        for one in models:
            # Rebuilt here, so that only one network is in memory at a time.
            network = network_from_description(one.description)
            side = one.table["resolution"]
            turn.append(measure_latency(network, (batch, 3, side, side), place, repeats=3))
        times.append(turn)
    return [float(value) for value in np.median(times, axis=0)]
