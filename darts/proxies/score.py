"""Score one network: every score beside the parameters and multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from darts.costs.count import count
from darts.proxies.catalogue import SCORES, find_scores
from darts.proxies.subject import Batch, Subject
from darts.system.randomness import stream_seed

UNDEFINED = -1e8
"""The value of a score that is not a finite number: the lowest rank. NASLib's convention."""


@dataclass(frozen=True)
class NetworkScores:
    """The scores of a network.

    Attributes:
        params: Number of parameters.
        macs: Multiply-adds for one image.
        values: Score by name; `UNDEFINED` where it is NaN or infinite.
    """

    params: int
    macs: int
    values: Mapping[str, float]


def score_network(
    network: nn.Module, batch: Batch, names: Sequence[str] | None = None, *, seed: int = 0
) -> NetworkScores:
    """Score a network with its present weights, and leave it as it is, to the bit.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    >>> batch = Batch(torch.ones(2, 3, 2, 2), torch.tensor([0, 1]), 2)
    >>> scored = score_network(network, batch, ["l2_norm", "nwot"])
    >>> scored.params, scored.macs, scored.values["nwot"]
    (26, 24, -100000000.0)

    Args:
        network: A module that maps images to logits, or to a tuple that begins with them.
        batch: The images; they are moved to the device of the network.
        names: Names of the scores, see `darts.proxies.catalogue`; by default all.
        seed: Seed of the random numbers that `zen` and random operations draw.

    Raises:
        UserError: There is no such score, or the network does not take such images.
    """
    chosen = find_scores(names)
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    subject = Subject(network, batch.to(device), seed)
    # Modules of the user's own may draw from torch's global generators.
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.enable_grad():
        counted = count(network, batch.images.shape[-1])
        values = {name: _value(name, subject) for name in chosen}
    return NetworkScores(counted.params, counted.macs, values)


def _value(name: str, subject: Subject) -> float:
    torch.manual_seed(stream_seed(subject.seed, "score"))
    value = SCORES[name].load()(subject)
    return value if math.isfinite(value) else UNDEFINED
