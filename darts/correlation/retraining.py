"""The short retrainings of a study, which give the true accuracies without a table."""

from __future__ import annotations

from darts.correlation.options import CorrelationOptions
from darts.judging.recipe import short_recipe
from darts.judging.short_training import ShortTraining
from darts.searching.options import SearchOptions
from genotypes import SearchSpace


def truth_training(
    options: CorrelationOptions, search: SearchOptions, space: SearchSpace
) -> ShortTraining:
    """How cells are retrained: on the images and at the size of the search.

    Raises:
        UserError: A setting is wrong.
    """
    named = {
        "epochs": options.retrain_epochs,
        "channels": options.retrain_channels,
        "layers": options.retrain_layers,
        "batch_size": options.retrain_batch_size,
    }
    changes = {name: value for name, value in named.items() if value is not None}
    place = {"device": options.device, "precision": options.precision, "threads": options.threads}
    recipe = short_recipe(search, space, {**changes, **place}, options.seed)
    return ShortTraining(recipe, options.hold_out)


def retraining_sentence(training: ShortTraining, number: int) -> str:
    """What the true accuracies are."""
    recipe = training.recipe
    trained = "after a training" if number == 1 else f"mean after {number} trainings"
    size = f"{_count(recipe.channels or 0, 'channel')}, {recipe.layers} cells"
    return (
        f"True accuracy: {trained} from scratch ({_count(recipe.epochs, 'epoch')}, {size}, "
        f"batches of {recipe.batch_size}), on every {_ordinal(training.every)} training image "
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
