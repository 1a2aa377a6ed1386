"""Which backbone the options mean, fresh or with the weights of a retraining."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import torch

from darts.detection.options import DetectionOptions
from darts.errors import UserError
from darts.models.features import FeatureMaps
from darts.models.registry import Model, create_network, find_model, model_from_description
from darts.models.stems import choose_stem
from darts.training.pretrained import load_pretrained, trained_state
from genotypes import Genotype, load_genotype

# Of ImageNet, where the backbone says nothing else.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Backbone:
    """A backbone, and mean and deviation (in 0..1) of the channels that it wants to see."""

    maps: FeatureMaps
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD


def create_backbone(
    options: DetectionOptions, generator: torch.Generator | None = None
) -> Backbone:
    """The backbone of `options`, with the weights of `options.pretrained`.

    Raises:
        UserError: No network is named, or two; or `pretrained` does not fit.
        GenotypeError: There is no such genotype, or its file is wrong.
    """
    if options.pretrained is None:
        return Backbone(_create(options, backbone_model(options), {}, generator))
    state = trained_state(options.pretrained)
    named = options.genotype is not None or options.model is not None
    model = backbone_model(options) if named else model_from_description(state["description"])
    maps = _create(options, model, {} if named else state["description"], generator)
    load_pretrained(maps, options.pretrained)
    print(f"backbone's weights of {options.pretrained} loaded", file=sys.stderr)
    return Backbone(maps, tuple(state["data"]["mean"]), tuple(state["data"]["std"]))


def backbone_model(options: DetectionOptions) -> Model:
    """The model that --genotype or --model names."""
    if options.genotype is not None and options.model is not None:
        raise UserError("--genotype and --model: a detector has one backbone; give one of the two.")
    if options.model is not None:
        return find_model(options.model)
    if options.genotype is not None:
        return load_genotype(options.genotype)
    raise UserError(
        "Which backbone? Give --genotype (python -m darts genotypes lists the zoo), --model (such "
        "as regnetx_400mf), or --pretrained with a run of evaluate.py."
    )


def _create(
    options: DetectionOptions,
    model: Model,
    description: dict[str, Any],
    generator: torch.Generator | None,
) -> FeatureMaps:
    """The network of `model`; what the options leave open, a `description` may know."""
    if not isinstance(model, Genotype):
        # The model of a description already has the stem that it was trained with.
        stem = None if description else choose_stem(options.stem, options.image_size)
        if options.channels is not None or options.layers is not None:
            raise UserError("--channels and --layers: only networks of genotypes take them.")
        return create_network(model, features_only=True, stem=stem, generator=generator)
    stem = choose_stem(options.stem, options.image_size)
    if options.stem == "auto":
        stem = description.get("stem", stem)
    return create_network(
        model,
        features_only=True,
        channels=options.channels or description.get("channels"),
        layers=options.layers or description.get("layers"),
        stem=stem,
        generator=generator,
    )
