"""What a fit measures of the machine: at most a minute of real training steps.

Three kinds of networks are timed at two sizes each, and a step of a search. The image size of
photographs is chosen first, by the speed of one network on random images.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace

from darts.advising.looking import DataSummary
from darts.advising.machine import (
    Rates,
    SearchRate,
    TrainingRate,
    measure_search,
    measure_training,
)
from darts.advising.probe import PROBE_BATCH, PROBE_SIZE, probed_speed
from darts.advising.rules import affordable_macs, own_size, photograph_size
from darts.errors import UserError
from darts.fitting.options import FitOptions
from darts.fitting.plan import EVERY, Machine
from darts.fitting.planning import check_data, field_batch, search_settings, usual_macs
from darts.fitting.recipe import fit_recipe
from darts.fitting.scaled import scale_to, smallest
from darts.judging.set_aside import set_aside
from darts.models.image_spec import ImageSpec
from darts.models.registry import find_model
from darts.searching.options import SearchOptions
from darts.settings.options import shared_values
from darts.system.load import busy_delay
from ops.partial import ChannelError

MODELS = {"cells": "darts_v2", "regnet": "regnetx_200mf", "efficientnet": "efficientnet_b0"}
"""The network that stands for each family when the machine is measured."""
_FINAL_SHARE = 0.4
# Seconds that one step of a measured network may take.
_STEP = 0.8


def measure_machine(options: FitOptions, summary: DataSummary) -> Machine:
    """Measure how fast this machine trains networks on these images.

    Raises:
        UserError: The data cannot be used, or no network can take the images.
    """
    check_data(summary)
    print("measuring this machine, at most a minute", file=sys.stderr, flush=True)
    seconds = min(1.5, options.budget / 200)
    size = options.image_size or _image_size(options, summary, seconds)
    training = summary.train_images - summary.train_images // EVERY
    recipe = fit_recipe(options, summary, size, field_batch(training))
    dataset = set_aside(recipe, EVERY)
    images = ImageSpec.of(size, dataset.num_classes)
    largest = options.macs_ceiling or usual_macs(size, summary.train_images)
    rates: list[TrainingRate] = []
    for family, name in MODELS.items():
        model = find_model(name)
        try:
            small = smallest(model, images, largest / 24)
        except UserError:
            continue
        options_of = replace(recipe, channels=small.channels, layers=small.layers)
        rate = measure_training(options_of, small.model, dataset, family, seconds=seconds)
        rates.append(rate)
        most = rate.macs * _STEP / (recipe.batch_size * rate.image_seconds)
        with suppress(UserError):
            large = scale_to(model, images, min(largest, most))
            if large.macs > 1.5 * rate.macs:
                options_of = replace(recipe, channels=large.channels, layers=large.layers)
                rates.append(
                    measure_training(options_of, large.model, dataset, family, seconds=seconds)
                )
    if not rates:
        raise UserError(f"No network can take images of {size} pixels: give another --image-size.")
    search = _search(options, summary, size, training, seconds)
    return Machine(image_size=size, rates=Rates(rates), search=search, delay=busy_delay())


def _image_size(options: FitOptions, summary: DataSummary, seconds: float) -> int:
    own = own_size(summary.size, summary.sides[1])
    if own is not None:
        return own
    recipe = fit_recipe(options, summary, PROBE_SIZE, PROBE_BATCH)
    speed = probed_speed(recipe, seconds)
    affordable = affordable_macs(summary.train_images, _FINAL_SHARE * options.budget, speed)
    return photograph_size(summary.sides[1], affordable)


def search_options(
    options: FitOptions, summary: DataSummary, image_size: int, settings: dict[str, object]
) -> SearchOptions:
    """The options of a search that never sees the set-aside images."""
    recipe = fit_recipe(options, summary, image_size, 2)
    shared = shared_values(recipe, SearchOptions)
    names = ("dataset", "data_dir", "workers", "memory", "image_size", "skip_corrupt")
    places = ("seed", "device", "threads")
    return SearchOptions(
        **{name: shared[name] for name in (*names, *places)},
        hold_out=EVERY,
        **settings,  # type: ignore[arg-type]
    )


def _search(
    options: FitOptions, summary: DataSummary, size: int, training: int, seconds: float
) -> SearchRate | None:
    """A step of a search; None if the data or the images allow none."""
    settings = search_settings(training, 20, 10, "auto")
    try:
        return measure_search(search_options(options, summary, size, settings), seconds=2 * seconds)
    except (UserError, ChannelError):
        return None
