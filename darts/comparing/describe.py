"""The recipe and the caveats of a comparison, in sentences."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from darts.comparing.candidates import ComparedNetwork
from darts.comparing.options import CompareOptions, StudyOptions
from darts.design_space.population import Population
from darts.targets.target import LearningTask

# With fewer networks, the interval of a percentile covers most of the scale.
_FEW = 20
_OPTIMISERS = {
    "sgd": "SGD",
    "nesterov": "SGD with Nesterov momentum",
    "rmsprop": "RMSProp",
    "adamw": "AdamW",
}
# Options that are mentioned only if they differ from their defaults.
_SELDOM = frozenset(
    (
        *("lr_decay", "lr_decay_epochs", "lr_warmup_epochs", "decay_norms", "label_smoothing"),
        *("mixup", "ema", "ema_share", "teacher", "distillation_weight", "dropout"),
        *(
            "class_weights",
            "class_sampling",
            "drop_path_schedule",
            "augment",
            "flip",
            "color_jitter",
            "image_size",
        ),
        *("precision", "grad_clip"),
    )
)


def recipe_sentence(options: CompareOptions, judged: ComparedNetwork) -> str:
    """One sentence on how all networks were trained."""
    repeats = f"each training has its own seed, derived from {options.seed}"
    if options.seeds > 1:
        repeats += f" ({judged.label}: {options.seeds} trainings)"
    parts = ", ".join(recipe_parts(options))
    return (
        f"All networks: {parts}; the same images for all; {repeats}; test errors of the last epoch."
    )


def recipe_parts(options: StudyOptions, left_out: Container[str] = ()) -> list[str]:
    """The settings of a training in words, less those in `left_out`."""
    images = f"{options.train_images:,} images of " if options.train_images else ""
    if options.half:
        images += f"the {options.half} half of "
    epochs = f"{options.epochs} epoch{'s' * (options.epochs != 1)} on "
    words = {
        "epochs": (epochs if "epochs" not in left_out else "") + f"{images}{options.dataset}",
        "optimiser": _OPTIMISERS[options.optimiser],
        "batch_size": f"batch {options.batch_size}",
        "learning_rate": f"learning rate {options.learning_rate:g} ({options.schedule})",
        "momentum": f"momentum {options.momentum:g}",
        "weight_decay": f"weight decay {options.weight_decay:g}",
        "cutout": f"cutout {options.cutout}" if options.cutout else "no cutout",
        "drop_path": f"drop path {options.drop_path:g}" if options.drop_path else "no drop path",
        "auxiliary": "auxiliary head for cells" if options.auxiliary else "no auxiliary head",
    }
    words |= {
        field.name: f"{field.name.replace('_', ' ')} {value}"
        for field in fields(StudyOptions)
        if field.name in _SELDOM and (value := getattr(options, field.name)) != field.default
    }
    return [text for name, text in words.items() if name == "epochs" or name not in left_out]


def setting_notes(
    options: CompareOptions,
    judged: ComparedNetwork,
    test_images: int,
    populations: Sequence[Population],
) -> list[str]:
    """Caveats for the reader of the outcome."""
    notes = []
    if options.seeds == 1:
        notes.append(
            f"{judged.label} was trained once: how much its error varies between seeds is not "
            f"known. The intervals cover only the chance in the choice of {test_images:,} test "
            "images; use --seeds 3 to measure the variation."
        )
    if options.auxiliary or options.drop_path:
        notes.append(
            "The recipe is not neutral: drop path and auxiliary heads were designed for searched "
            "cells."
        )
    for population in populations:
        if population.missing:
            notes.append(
                f"{population.name}: {population.missing} of "
                f"{population.missing + len(population)} trainings failed and are left out."
            )
        if len(population) < _FEW:
            advice = ""
            if population.name.startswith("regnet"):
                advice = (
                    "; about 32 random RegNets are needed to find a good one (arXiv 2003.13678, "
                    "Fig. 9)"
                )
            notes.append(
                f"{population.name}: {len(population)} networks give wide intervals{advice}."
            )
    if populations:
        notes.append(
            "The best network of a population was selected among many on the same test images, so "
            "that its error is optimistic."
        )
    return notes


def measure_notes(
    target: LearningTask,
    trained: Mapping[str, Sequence[Mapping[str, Any]]],
    others: Mapping[str, Sequence[Mapping[str, Any]]],
) -> tuple[str, ...]:
    """What a reader should know about the measure, and the measures beside the main one.

    Args:
        target: What the networks learn.
        trained: The results of the trainings of each named network, the judged one first.
        others: The results of the networks of each population, by its name; empty ones failed.
    """
    notes = []
    if target.key != "accuracy":
        notes.append(
            f"Images have several labels: the error is 100 % less the {target.measure}. With one "
            "training, the interval treats it as a share of the test images, which is a rough "
            "estimate; use --seeds 3."
        )
    words = {"test_balanced_error": "Balanced error", "test_f1_error": "100 % less macro F1"}
    for key, word in words.items():
        means = [f"{name} {np.mean(one):.2f} %" for name, one in _values(trained, key)]
        means += [f"median of {name} {np.median(one):.2f} %" for name, one in _values(others, key)]
        if means:
            notes.append(f"{word}: {'; '.join(means)}.")
    return tuple(notes)


def _values(
    results: Mapping[str, Sequence[Mapping[str, Any]]], key: str
) -> Iterator[tuple[str, list[float]]]:
    """The known values of a measure by name."""
    for name, found in results.items():
        if known := [result[key] for result in found if key in result]:
            yield name, known
