"""Train a population: each network is one trial of a durable experiment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from darts.data.dataset import Dataset
from darts.design_space.options import PopulationOptions, recipe_of
from darts.design_space.sampling import Sample, sample_population
from darts.design_space.stored_population import POPULATION_FILE
from darts.errors import UserError
from darts.models.image_spec import ImageSpec
from darts.system.randomness import stream_seed
from darts.training.options import check_recipe, training_of
from darts.training.trial import opened_dataset, train_trial
from darts.trials.executors import find_executor, run_trials, trial_resources
from darts.trials.schema import Status
from darts.trials.store import TrialStore
from darts.trials.tracking import TrialTracking


def train_missing(options: PopulationOptions) -> dict[Status, int]:
    """Train the networks of the population that `options.out` still lacks.

    Each network has its own training seed, derived from the population's seed and its number, so
    that errors are independent samples, as the bootstrap and the Kolmogorov-Smirnov test assume.
    All networks are trained on the same images.

    Returns:
        Number of trials by status.

    Raises:
        UserError: A setting or the data are wrong, `options.out` holds another experiment or is in
            use, or the executor does not start.
        TrialsInterrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    if options.out is None:
        raise UserError("--out is missing: give the directory of the population.")
    if options.macs is None and options.like is None:
        raise UserError("--macs or --like is needed: what may a network of the population cost?")
    check_recipe(options)
    find_executor(options.executor)
    here = options.executor == "in-process"
    # Worker processes use their own device; this one only needs to know the images.
    dataset = opened_dataset(training_of(options), None if here else "cpu")
    images = ImageSpec.of(dataset.image_size, dataset.num_classes, options.stem)
    drawn = sample_population(
        options, images, options.seed, channels=options.channels, layers=options.layers
    )
    with TrialStore(Path(options.out) / POPULATION_FILE) as store:
        store.configure({**recipe_of(options), "images": _described(dataset, images)})
        if (held := len(store.rows())) > options.n:
            raise UserError(
                f"{options.out} holds a population of {held} networks: --n must be at least {held}."
            )
        store.add_all(_trials(options, drawn))
        if options.retry_failed:
            store.retry_failed()
        device, resources = trial_resources(options, options.device)
        return run_trials(
            store,
            partial(train_trial, training_of(options, auxiliary=False, device=device)),
            executor=options.executor,
            resources=resources,
            title=options.space,
            tracking=TrialTracking(Path(options.out), options),
        )


def _trials(options: PopulationOptions, drawn: Sequence[Sample]) -> dict[str, dict[str, Any]]:
    return {
        f"{options.space.lower()}-{index:04d}": {
            "index": index,
            "seed": stream_seed(options.seed, f"trial {index}"),
            "model": {"anynet": network.config.as_dict()},
            "regnet": network.regnet and network.regnet.as_dict(),
            "params": network.cost.params,
            "macs": network.cost.macs,
            "activations": network.cost.activations,
        }
        for index, network in enumerate(drawn)
    }


def _described(dataset: Dataset, images: ImageSpec) -> dict[str, Any]:
    """Properties of the data, so that a changed data set is noticed."""
    return {
        "resolution": images.resolution,
        "stem": images.stem,
        "classes": list(dataset.classes),
        "train_images": len(dataset.train),
        "test_images": len(dataset.test),
    }
