"""What a study compares, as plain values and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from darts.correlation.options import CorrelationOptions
from darts.correlation.outcome import StudiedCell
from darts.correlation.retraining import retraining_sentence
from darts.correlation.sampling import CellSample
from darts.correlation.searches import StudiedSearch
from darts.judging.short_training import ShortTraining
from darts.nasbench.table import AccuracyTable
from darts.searching.protocols import PROTOCOLS


def study_setting(
    options: CorrelationOptions,
    sample: CellSample,
    cells: Sequence[StudiedCell],
    table: AccuracyTable | None,
    training: ShortTraining | None,
) -> dict[str, Any]:
    """What was compared, as plain values."""
    return {
        "protocol": asdict(options.one_shot),
        "cells": sample.sentence,
        "judged_cells": len(cells),
        "seed": options.seed,
        "truth": "retraining" if table is None else "table",
        "table": options.table,
        "dataset_of_the_table": None if table is None else table.dataset,
        "retraining": None if training is None else training.plain,
    }


def study_sentences(
    options: CorrelationOptions,
    searches: Sequence[StudiedSearch],
    sample: CellSample,
    cells: Sequence[StudiedCell],
    table: AccuracyTable | None,
    training: ShortTraining | None,
) -> tuple[str, ...]:
    """What was compared, in words."""
    protocol = options.one_shot
    images = "all" if not protocol.images else f"{protocol.images}"
    if protocol.name == "one-batch":
        images = "successive batches of" if protocol.successive else "the first batch of"
    training_images = ""
    if protocol.name == "reestimated":
        training_images = f", {protocol.statistics_images} training images for the statistics"
    lines = [
        f"Cells: {sample.sentence}, seed {options.seed}.",
        f"One-shot accuracy: protocol {protocol.name} ({PROTOCOLS[protocol.name]}); {images} "
        f"validation images in batches of {protocol.batch_size}{training_images}.",
    ]
    if table is not None:
        lines.append(f"True accuracy: test accuracy in {table.path.name}.")
        own = searches[0].options.dataset
        if own != table.dataset:
            lines.append(
                f"The supernets were trained on {own}, the cells of the table on {table.dataset}."
            )
    if training is not None:
        lines.append(retraining_sentence(training, options.retrainings))
        if failed := len(sample.genotypes) - len(cells):
            lines.append(f"Cells left out because a retraining failed: {failed}.")
    lines += [
        f"{one.path} is not finished: epoch {one.epochs} of {one.planned}."
        for one in searches
        if one.epochs < one.planned
    ]
    return tuple(lines)
