"""Advice for a search that runs out of memory."""

from __future__ import annotations

import copy
from contextlib import suppress

import torch
from torch import Tensor

from darts.data.dataset import Dataset
from darts.methods.architecture import Architecture
from darts.models.stems import choose_stem
from darts.searching.options import SearchOptions
from darts.searching.supernets import create_supernet
from darts.system import distributed
from darts.system.device import precision_context
from darts.system.memory import (
    SAMPLE,
    Remedy,
    advice,
    common_remedies,
    kept_bytes,
    recompute_remedy,
)
from ops.partial import ChannelError


def search_memory_advice(
    options: SearchOptions, architecture: Architecture, dataset: Dataset
) -> str:
    """The settings that save memory, and about how much each would save."""
    images = options.batch_size // distributed.world() // options.accumulate
    present = _image_bytes(options, architecture, dataset, options.k, options.recompute_cells)
    remedies = common_remedies(options.batch_size, options.accumulate, images, present)
    with suppress(ChannelError):  # K may not divide the channels.
        k = 2 * options.k
        fewer = _image_bytes(options, architecture, dataset, k, options.recompute_cells)
        remedies.append(Remedy(f"--k {k}", fewer, "the mixed operations get fewer channels"))
    if not options.recompute_cells:
        least = _image_bytes(options, architecture, dataset, options.k, True)
        remedies.append(recompute_remedy(least))
    return advice(images, present, remedies)


def _image_bytes(
    options: SearchOptions,
    architecture: Architecture,
    dataset: Dataset,
    k: int,
    recompute: bool,
) -> float:
    """Bytes that a weight step keeps per image, counted on the CPU."""
    size, cpu = dataset.image_size, torch.device("cpu")
    net = create_supernet(
        architecture,
        channels=options.channels,
        layers=options.layers,
        k=k,
        num_classes=dataset.num_classes,
        stem=choose_stem(options.stem, size),
        backend="torch",
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.recompute = recompute
    tables = copy.deepcopy(architecture).cpu().float().fixed_tables()

    def evaluate() -> Tensor:
        with precision_context(options.precision, cpu):
            return net(torch.zeros(SAMPLE, 3, size, size), tables)

    return kept_bytes(evaluate, net) / SAMPLE
