"""Create the backbone that the options name, with random or pretrained weights."""

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
from darts.models.weights.foreign import ForeignWeights, read_foreign
from darts.training.pretrained import is_run, load_pretrained, load_weights, trained_state
from genotypes import Genotype, load_genotype

# Statistics of ImageNet, for a backbone that was not pretrained.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Backbone:
    """A backbone with the statistics that normalise its images.

    Attributes:
        maps: The network, which returns feature maps.
        mean: Mean of each colour channel, in 0..1.
        std: Standard deviation of each colour channel, in 0..1.
    """

    maps: FeatureMaps
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD


def create_backbone(
    options: DetectionOptions, generator: torch.Generator | None = None
) -> Backbone:
    """Create the backbone of `options`, with the weights of `options.pretrained` if it is given.

    Args:
        options: Options of the detector.
        generator: Random stream of the initial weights.

    Raises:
        UserError: The options name no network or two, or `pretrained` does not fit the network.
        GenotypeError: There is no such genotype, or its file is wrong.
    """
    if options.pretrained is None:
        return Backbone(_create(options, backbone_model(options), {}, generator))
    if not is_run(options.pretrained):
        return _foreign_backbone(options, read_foreign(options.pretrained), generator)
    state = trained_state(options.pretrained)
    named = options.genotype is not None or options.model is not None
    model = backbone_model(options) if named else model_from_description(state["description"])
    maps = _create(options, model, {} if named else state["description"], generator)
    load_pretrained(maps, options.pretrained)
    print(f"loaded the weights of the backbone from {options.pretrained}", file=sys.stderr)
    return Backbone(maps, tuple(state["data"]["mean"]), tuple(state["data"]["std"]))


def _foreign_backbone(
    options: DetectionOptions, foreign: ForeignWeights, generator: torch.Generator | None
) -> Backbone:
    """A backbone with the weights of another program."""
    named = options.genotype is not None or options.model is not None
    model: Model = backbone_model(options) if named else foreign.config()
    sizes: dict[str, Any] = {}
    if isinstance(model, Genotype):
        sizes = foreign.cell_sizes()
    else:
        model = foreign.adapted(model)
        sizes = {"stem": model.setting}
    maps = _create(options, model, sizes, generator)
    origin = load_weights(maps, foreign.file.path, None, None)
    print(origin.sentence(), file=sys.stderr)
    mean, std = foreign.normalisation or (MEAN, STD)
    return Backbone(maps, mean, std)


def backbone_model(options: DetectionOptions) -> Model:
    """The model that --genotype or --model names.

    Raises:
        UserError: Neither is given, or both are.
    """
    if options.genotype is not None and options.model is not None:
        raise UserError(
            "--genotype and --model: a detector has one backbone; give only one of the two."
        )
    if options.model is not None:
        return find_model(options.model)
    if options.genotype is not None:
        return load_genotype(options.genotype)
    raise UserError(
        "No backbone is given. Use --genotype (python -m darts genotypes lists the zoo), --model "
        "(such as regnetx_400mf), or --pretrained with the directory of a run of evaluate.py."
    )


def _create(
    options: DetectionOptions,
    model: Model,
    description: dict[str, Any],
    generator: torch.Generator | None,
) -> FeatureMaps:
    """Create the network; a `description` fills in what the options leave open."""
    if not isinstance(model, Genotype):
        # A model from a description already has the stem with which it was trained.
        stem = None if description else choose_stem(options.stem, options.image_size)
        if options.channels is not None or options.layers is not None:
            raise UserError("--channels and --layers apply only to networks of genotypes.")
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
