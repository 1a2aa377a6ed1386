"""The recipe of all trainings of a fit: one for all networks, so that they can be compared."""

from __future__ import annotations

import math
from dataclasses import replace

from darts.advising.looking import DataSummary
from darts.data.options import DataOptions
from darts.data.sources import dataset_of
from darts.fitting.options import FitOptions
from darts.settings.options import shared_values
from darts.training.options import TrainingOptions

_RATE, _BATCH = 0.004, 64


def data_options(options: FitOptions) -> DataOptions:
    """Where the images are.

    Raises:
        UserError: There is no such folder, file or data set.
    """
    return DataOptions(
        dataset=dataset_of(options.data),
        data_dir=options.data_dir,
        workers=options.workers,
        memory=options.memory,
    )


def fit_recipe(
    options: FitOptions, summary: DataSummary, image_size: int, batch_size: int
) -> TrainingOptions:
    """The recipe, for one epoch; see `for_epochs`.

    AdamW at 0.004 for batches of 64, in proportion to the square root of the batch, because it
    trains cells, RegNets and EfficientNets alike within few steps. Drop path and auxiliary heads,
    which help only long trainings, are left out.
    """
    data = replace(
        data_options(options), image_size=image_size, skip_corrupt=bool(summary.unreadable)
    )
    return TrainingOptions(
        **shared_values(data, TrainingOptions),
        seed=options.seed,
        device=options.device,
        threads=options.threads,
        epochs=1,
        batch_size=batch_size,
        optimiser="adamw",
        learning_rate=float(f"{_RATE * math.sqrt(batch_size / _BATCH):.2g}"),
        weight_decay=0.05,
        decay_norms=False,
        compile=False,
        auxiliary=False,
        drop_path=0.0,
        test_every=0,
    )


def for_epochs(recipe: TrainingOptions, epochs: int) -> TrainingOptions:
    """The recipe for so many epochs: a fifth of them, at most five, warm up.

    >>> for_epochs(TrainingOptions(), 12).lr_warmup_epochs
    2
    """
    return replace(recipe, epochs=epochs, lr_warmup_epochs=min(5, epochs // 5))
