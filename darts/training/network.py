"""The network of a retraining: built for its images, loaded, moved to its device."""

from __future__ import annotations

import sys
from typing import Any

import torch

from darts.data.dataset import Dataset
from darts.errors import UserError
from darts.models.classifier import Classifier
from darts.models.registry import Model, create_network
from darts.models.stems import choose_stem
from darts.system import distributed
from darts.system.device import dtype_of
from darts.training.options import TrainingOptions
from darts.training.pretrained import Origin, load_weights
from genotypes import Genotype
from ops.chains import prepare_chains
from ops.sync_norm import synchronise_norms


def create_trainee(
    options: TrainingOptions,
    model: Model,
    num_classes: int,
    image_size: int,
    generator: torch.Generator | None = None,
) -> Classifier:
    """The network of `model` for images of this size, with fresh weights, in training mode.

    Channels, layers and the auxiliary head are options of cells; other networks have their own.

    Raises:
        UserError: The network cannot take the images; the message says which size it needs.
    """
    cells: dict[str, Any] = {}
    if isinstance(model, Genotype):
        cells = {name: getattr(options, name) for name in ("channels", "layers", "auxiliary")}
    network = create_network(
        model,
        num_classes=num_classes,
        stem=choose_stem(options.stem, image_size),
        generator=generator,
        **cells,
    )
    network.train().check_image_size(image_size, image_size)
    return network


def prepare_trainee(
    options: TrainingOptions,
    model: Model,
    dataset: Dataset,
    device: torch.device,
    generator: torch.Generator,
) -> tuple[Classifier, Origin | None]:
    """The network on its device, with pretrained weights if `options` name some, and their origin.

    Raises:
        UserError: The network does not fit the images, the options or the pretrained weights.
    """
    network = create_trainee(options, model, dataset.num_classes, dataset.image_size, generator)
    origin = None
    if options.pretrained is not None and options.resume is None:
        origin = load_weights(network, options.pretrained, dataset.classes, options.pretrained_as)
        print(origin.sentence(), file=sys.stderr)
    if options.recompute_cells:
        if not isinstance(model, Genotype):
            raise UserError("--recompute-cells: only networks of genotypes have cells.")
        network.recompute = True  # type: ignore[assignment]
    if options.sync_norm and distributed.world() > 1:
        synchronise_norms(network)
    network.to(device, dtype_of(options.precision)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if device.type == "cpu" and options.precision != "bf16":
        prepare_chains(dtype_of(options.precision))  # Compile now, not within the first step.
    if options.dropout is not None:
        network.dropout = options.dropout
    return network, origin
