"""The short retrainings of a study, on training images; held-out ones decide the accuracy."""

from __future__ import annotations

from typing import Any

from darts.correlation.options import CorrelationOptions
from darts.data.options import DataOptions
from darts.searching.options import SearchOptions
from darts.settings.options import PresetOptions, RunOptions, names_of, shared_values, tagged
from darts.settings.parsing import options_from
from darts.settings.recipes import read_recipe
from darts.training.options import ModelOptions, TrainingOptions, check_recipe, training_overlay
from genotypes import SearchSpace

_STAGES_RECIPE = "evaluate_nasbench201"


def truth_training(
    options: CorrelationOptions, search: SearchOptions, space: SearchSpace
) -> TrainingOptions:
    """The recipe of the retrainings: data and size of the search, the rest of the preset.

    The test images are replaced by held-out training images (`hold_out`), so they are not read. The
    seed of the search chooses the subset of images, the same for all retrainings.

    Raises:
        UserError: A setting is wrong.
    """
    own = {
        "channels": options.retrain_channels or search.channels,
        "layers": options.retrain_layers or search.layers,
        "epochs": options.retrain_epochs,
        "test_every": options.retrain_epochs,
        "hold_out": options.hold_out,
        "auxiliary": False,
        "drop_path": 0.0,
        "stem": search.stem,
        "seed": search.seed,
        "preset": options.retrain_preset,
        "device": options.device,
        "precision": options.precision,
        "threads": options.threads,
        "use": options.use,
    }
    if options.retrain_batch_size is not None:
        own["batch_size"] = options.retrain_batch_size
    recipe: dict[str, Any] = {}
    if space.stack == "stages":
        recipe = read_recipe(_STAGES_RECIPE)
        if options.retrain_preset != "paper":
            recipe.pop("batch_size", None)
    data = shared_values(search, DataOptions)
    found = options_from(TrainingOptions, {**recipe, **data, **own}, training_overlay)
    check_recipe(found)
    return found


def retraining_recipe(training: TrainingOptions) -> dict[str, Any]:
    """The settings that decide what a retraining finds, as plain values."""
    left_out = {
        *tagged(TrainingOptions, "where"),
        *names_of(PresetOptions, RunOptions, ModelOptions),
    }
    values = shared_values(training, TrainingOptions)
    return {name: values[name] for name in sorted(values) if name not in left_out}


def retraining_sentence(training: TrainingOptions, number: int) -> str:
    """What the true accuracies are."""
    trained = "after a training" if number == 1 else f"mean after {number} trainings"
    size = f"{_count(training.channels or 0, 'channel')}, {training.layers} cells"
    return (
        f"True accuracy: {trained} from scratch ({_count(training.epochs, 'epoch')}, {size}, "
        f"batches of {training.batch_size}), on every {_ordinal(training.hold_out)} training image "
        "of each class, which is held out; the test images are not used."
    )


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _ordinal(number: int) -> str:
    """A number as a word or with its ending.

    >>> _ordinal(2), _ordinal(3), _ordinal(11), _ordinal(22)
    ('second', 'third', '11th', '22nd')
    """
    words = {2: "second", 3: "third", 4: "fourth", 5: "fifth", 10: "tenth"}
    if number in words:
        return words[number]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"
