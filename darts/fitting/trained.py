"""Trained networks that join the field of a fit: at their own size, from their own weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from darts.costs.count import count
from darts.errors import UserError
from darts.fitting.field import PRETRAINED, Ceilings, Entrant, Latency
from darts.fitting.scaled import Scaled
from darts.models.image_spec import ImageSpec
from darts.models.registry import describe_model
from darts.settings.quantities import format_count, format_seconds
from darts.training.choice import plan_training
from darts.training.network import create_trainee
from darts.training.options import TrainingOptions


def trained_entrant(
    path: str, recipe: TrainingOptions, images: ImageSpec, ceilings: Ceilings, latency: Latency
) -> Entrant:
    """The network in a run or file, for other images; all but its classifier keeps its weights.

    Args:
        path: A run directory, a checkpoint, or whatever `evaluate.py --pretrained` takes.
        recipe: The recipe of the fit.
        images: What it will classify.
        ceilings: What it may cost.
        latency: Measures networks.

    Raises:
        UserError: The file is missing or damaged, or the network cannot take the images or
            exceeds a ceiling.
    """
    plan = plan_training(replace(recipe, pretrained=path))
    options = plan.options
    with torch.device("meta"):
        network = create_trainee(options, plan.model, images.num_classes, images.resolution)
    cost = count(network, images.resolution)
    scaled = Scaled(
        model=plan.model,
        channels=options.channels,
        layers=options.layers,
        macs=cost.macs,
        params=cost.params,
    )
    stem = images.stem if options.stem == "auto" else options.stem
    seconds = latency(scaled, replace(images, stem=stem))
    if scaled.macs > ceilings.macs:
        raise UserError(
            f"--pretrained {path}: its network has {format_count(scaled.macs)} multiply-adds at "
            f"{images.resolution} pixels, more than the ceiling of {format_count(ceilings.macs)}; "
            f"give --max-macs {format_count(1.05 * scaled.macs)}."
        )
    if ceilings.latency is not None and seconds > ceilings.latency:
        raise UserError(
            f"--pretrained {path}: its network takes {format_seconds(seconds)} for an image, more "
            f"than --max-latency {format_seconds(ceilings.latency)}."
        )
    return Entrant(
        name=f"pretrained-{Path(path).stem}",
        kind=PRETRAINED,
        model=describe_model(plan.model),
        channels=options.channels,
        layers=options.layers,
        macs=scaled.macs,
        params=scaled.params,
        latency=seconds,
        pretrained=path,
        stem=stem,
    )
