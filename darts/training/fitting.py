"""The recipe of a retraining fits itself to the network and to the data at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

import torch

from darts.data.facts import announce, data_facts
from darts.data.folders import LARGE
from darts.data.options import DataOptions
from darts.files import user_path
from darts.models.registry import Model, create_network
from darts.models.stems import choose_stem
from darts.run_files import RunFiles
from darts.settings.adapting import (
    DataFacts,
    Fitting,
    fit_batch,
    fit_cutout,
    fit_numbers_of_images,
    fit_warm_up,
    images_used,
)
from darts.settings.options import PHOTOGRAPH_SIZE, PlaceOptions, SeedOptions, names_of
from darts.settings.origins import Origins
from darts.settings.ranges import check_ranges
from darts.system import distributed
from darts.training.choice import plan_training
from darts.training.options import TrainingOptions, training_of
from genotypes import Genotype

Options = TypeVar("Options", bound=PlaceOptions)

_WARM_UP = 0.2
"""Share of a short training that a warm-up gets which was longer than the training."""


def fit_training(options: Options, origins: Origins) -> Options:
    """Fit what the user did not set to the data and the network, and say what was changed.

    It serves every command that trains networks from scratch: its options need those of a
    retraining that it has.

    Raises:
        UserError: What the user set does not fit; or the data or the network are wrong.
    """
    training = training_of(options)
    if training.test_only:
        return _as_trained(options, training, origins)
    if not _is_complete(training):
        return options
    model = None if _names_no_model(training) else plan_training(training).model
    fitting = fitted_training(options, origins, model)
    announce(fitting)
    return fitting.options


def _as_trained(options: Options, training: TrainingOptions, origins: Origins) -> Options:
    """Test on the data of the run in --checkpoint, unless the user names a data set."""
    names = set(names_of(DataOptions, SeedOptions)) & set(names_of(type(options)))
    kept = settings_of_run(training.checkpoint, names - {"workers", "memory", "download"}, origins)
    if kept and (run := _run_of(training.checkpoint)).images.is_file():
        kept["subset"] = str(run.path)
    return replace(options, **kept)


def settings_of_run(
    checkpoint: str | None, names: Iterable[str], origins: Origins
) -> dict[str, Any]:
    """The settings that a run was made with and the user has not set; none if the data are named.

    Args:
        checkpoint: The run directory, or a checkpoint in it.
        names: The settings.
        origins: What the user set.

    Raises:
        UserError: The config of the run has a number out of range.
    """
    if checkpoint is None or origins.is_users("dataset"):
        return {}
    try:
        saved = _run_of(checkpoint).read_config()
    except (OSError, ValueError):
        saved = None
    if not isinstance(saved, dict) or not isinstance(saved.get("dataset"), str):
        return {}
    kept = {name: saved[name] for name in names if name in saved and not origins.is_users(name)}
    check_ranges(kept)
    return kept


def _run_of(checkpoint: str | None) -> RunFiles:
    given = user_path(checkpoint or "")
    return RunFiles(given if given.is_dir() else given.parent)


def fitted_training(options: Options, origins: Origins, model: Model | None) -> Fitting[Options]:
    """The same without a word; `model` is the network, None if there is not a single one."""
    fitting = Fitting(options, origins)
    training = training_of(options)
    facts = data_facts(training, training.seed)
    facts = _fit_image_size(fitting, model, facts)
    _fit_drop_connect(fitting, training)
    fit_numbers_of_images(fitting, facts)
    parts = distributed.world() * training.accumulate
    fit_batch(fitting, images_used(fitting, facts), "the training part", max(parts, 1))
    fit_cutout(fitting, facts.size)
    fit_warm_up(fitting, "lr_warmup_epochs", _WARM_UP)
    if isinstance(model, Genotype):
        _fit_auxiliary(fitting, model, facts.size)
    return fitting


def _names_no_model(options: TrainingOptions) -> bool:
    return options.model is None and options.genotype is None and options.pretrained is None


def _is_complete(options: TrainingOptions) -> bool:
    """Whether it is a new training; of what has no data set, the command itself complains."""
    return options.dataset is not None and options.resume is None


def _fit_image_size(fitting: Fitting[Any], model: Model | None, facts: DataFacts) -> DataFacts:
    """The size that a named network was published for, for photographs; else one that it takes.

    A network that takes no images as small as these gets larger ones.
    """
    if model is None or isinstance(model, Genotype) or fitting.origins.is_users("image_size"):
        return facts
    size, because = facts.size, ""
    photographs = size >= PHOTOGRAPH_SIZE and size != model.resolution
    if photographs and facts.size == LARGE:
        size = model.resolution
        because = f"the network was published for images of {size} pixels"
    smallest = model.smallest_image
    if choose_stem(fitting.value("stem"), size) == "cifar":
        smallest = model.for_small_images().smallest_image
    if size < smallest:
        size = smallest
        because = f"the network takes no images of {facts.size} pixels, as {facts.name} has"
    if because:
        fitting.require("image_size", size, because, "")
    return replace(facts, size=size)


def _fit_drop_connect(fitting: Fitting[Any], training: TrainingOptions) -> None:
    """FBNetV3-F and -G take E's recipe with more stochastic depth (arXiv 2006.02049, A.5)."""
    name = (training.model or "").lower().replace("-", "_")
    if training.dataset != "imagenet" or fitting.origins.is_users("drop_path"):
        return
    if name in ("fbnetv3_f", "fbnetv3_g") and training.drop_path == 0.1:
        fitting.require("drop_path", 0.2, f"the paper raises it for {training.model}", "")


def _fit_auxiliary(fitting: Fitting[Any], model: Genotype, size: int) -> None:
    """No auxiliary head where the feature map is too small for it.

    Raises:
        UserError: The user asked for the head.
    """
    if not fitting.value("auxiliary"):
        return
    stem = choose_stem(fitting.value("stem"), size)
    with torch.device("meta"):
        network: Any = create_network(
            model,
            num_classes=2,
            stem=stem,
            channels=fitting.value("channels"),
            layers=fitting.value("layers"),
            auxiliary=True,
        )
    if network.auxiliary_head is None:
        return
    smallest = network.auxiliary_head.smallest * network.image_multiple
    if size < smallest:
        fitting.require(
            "auxiliary",
            False,
            f"its head needs images of at least {smallest} pixels, these have {size}",
            f"Give --no-auxiliary, or larger images: --image-size {smallest}.",
        )
