"""Advice for a data set: settings with reasons, expected time and memory, and the commands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from darts.advising.command_lines import repeat_search, repeat_training
from darts.advising.looking import DataSummary, look
from darts.advising.machine import SearchRate, TrainingRate, measure_search, measure_training
from darts.advising.probe import probed_speed
from darts.advising.rules import (
    RULES,
    affordable_macs,
    alpha_rate,
    own_size,
    photograph_size,
    retraining_size,
    search_batch,
    search_ceiling,
    search_epochs,
    search_rate,
    search_size,
    training_batch,
    training_epochs,
    training_rate,
)
from darts.costs.options import TYPICAL
from darts.data.dataset import Dataset
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.errors import UserError
from darts.models.registry import find_model
from darts.report.formatting import duration, size
from darts.report.notebook import Figures, Summarised
from darts.report.tables import aligned
from darts.searching.options import SearchOptions
from darts.settings.options import PHOTOGRAPH_SIZE, shared_values
from darts.system.randomness import stream_seed
from darts.training.options import TrainingOptions
from genotypes import random_genotype

_NIGHT = 8 * 3600.0
_LEAST_IMAGES = 20
# The cell that stands for the one that will be found; where a ceiling keeps searched cells at the
# mean cost of random ones, some of those do.
_CELL = "pcdarts_cifar10"
_RANDOM_CELLS, _NODES = 5, 4
_SECONDS = 3.0
# From this many pixels on, an auxiliary head fits and cutout leaves something of the image.
_LARGE_ENOUGH = 32
RUN_DIR = "RUN_DIR"


@dataclass(frozen=True, kw_only=True)
class AdvisedSetting:
    """A setting with its reason.

    Attributes:
        name: What it is.
        value: What is advised.
        rule: The rule that chose it; see `darts.advising.rules.RULES`.
    """

    name: str
    value: str
    rule: str

    @property
    def reason(self) -> str:
        """The rule and where it comes from."""
        rule = RULES[self.rule]
        return f"{rule.says} ({rule.source})"


@dataclass(frozen=True, kw_only=True)
class AdvisedRun:
    """A run with what it will cost here.

    Attributes:
        command: The command.
        seconds: Expected duration.
        memory: Expected memory of the process, in bytes.
        settings: Its settings with their reasons.
    """

    command: str
    seconds: float
    memory: int
    settings: tuple[AdvisedSetting, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class Advice(Summarised):
    """Advice for a data set.

    Attributes:
        summary: The data.
        image_size: Side of the images in pixels.
        search: The search of a cell.
        training: The training of the found cell.
    """

    summary: DataSummary
    image_size: int
    search: AdvisedRun
    training: AdvisedRun

    def figures(self) -> Figures:
        """Image size, and the expected times."""
        return [
            ("data", self.summary.dataset),
            ("image size", f"{self.image_size} pixels"),
            ("search", f"{self.search.command} (about {duration(self.search.seconds)})"),
            ("training", f"{self.training.command} (about {duration(self.training.seconds)})"),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        found = asdict(self)
        for name in ("search", "training"):
            settings = getattr(self, name).settings
            found[name]["settings"] = [{**asdict(one), "reason": one.reason} for one in settings]
        return found

    def text(self) -> str:
        """The advice for people."""
        lines = [*self.summary.sentences(), ""]
        for title, run in (
            ("A search of a cell", self.search),
            ("The training of the found cell", self.training),
        ):
            cost = f"about {duration(run.seconds)} and {size(run.memory)} of memory here"
            lines += [f"{title}: {cost}", ""]
            lines += [
                f"  {line}" for line in aligned([(one.name, one.value) for one in run.settings])
            ]
            lines += ["", f"  {run.command}", ""]
        lines.append("Reasons")
        rules = dict.fromkeys(one.rule for r in (self.search, self.training) for one in r.settings)
        for name in rules:
            lines.append(f"- {name}: {RULES[name].says} ({RULES[name].source})")
        lines += [
            "",
            "One short search is a lottery. To let searched, published and random cells, RegNets",
            f"and EfficientNets compete: python -m darts fit {self.summary.dataset} --budget 2h",
        ]
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class AdviceOptions:
    """What advice is asked for.

    Attributes:
        data: Where the images are.
        image_size: Side of the images in pixels; None: chosen.
        device: Where to train.
        threads: CPU threads; 0 leaves the choice to torch.
        seed: Seed of all random choices.
        start_seconds: Seconds that the start of a command takes before it opens the data.
    """

    data: DataOptions
    image_size: int | None = None
    device: str = "auto"
    threads: int = 0
    seed: int = 0
    start_seconds: float = 0.0


def advise_on(options: AdviceOptions) -> Advice:
    """Look at the data, measure this machine, and advise.

    Raises:
        UserError: The data are missing, faulty or too few.
    """
    summary = look(options.data)
    images = summary.train_images
    if images < _LEAST_IMAGES or len([count for count in summary.train_counts if count]) < 2:
        raise UserError(
            f"{summary.dataset}: a search needs {_LEAST_IMAGES} training images or more of two "
            f"classes or more; there are {images} of {len(summary.classes)}."
        )
    image_size = options.image_size or _image_size(options, summary)
    place: dict[str, Any] = {"device": options.device, "threads": options.threads}
    data = replace(options.data, image_size=None if image_size == summary.size else image_size)
    data = replace(data, skip_corrupt=bool(summary.unreadable))
    search = _search_options(data, summary, image_size, place)
    searched = measure_search(search, closing=True)
    training = _training_options(data, summary, image_size, place)
    dataset = open_dataset(data, options.seed, "cpu")
    rate = _typical_rate(training, search, dataset)
    steps = max(1, images // training.batch_size)
    epoch = steps * training.batch_size * rate.image_seconds
    epochs = training_epochs(images, steps, epoch)
    training = replace(training, epochs=epochs)
    return Advice(
        summary=summary,
        image_size=image_size,
        search=_search_advice(search, searched, summary, options.start_seconds),
        training=_training_advice(training, rate, summary, options.start_seconds),
    )


def _image_size(options: AdviceOptions, summary: DataSummary) -> int:
    own = own_size(summary.size, summary.sides[1])
    if own is not None:
        return own
    recipe = TrainingOptions(device=options.device, threads=options.threads, drop_path=0.0)
    recipe = replace(recipe, auxiliary=False, cutout=0)
    speed = probed_speed(recipe, 1.0)
    affordable = affordable_macs(summary.train_images, _NIGHT, speed)
    return photograph_size(summary.sides[1], affordable)


def _typical_rate(
    training: TrainingOptions, search: SearchOptions, dataset: Dataset
) -> TrainingRate:
    """A training step of a network of the cells that the search will probably find."""
    if search.max_macs != TYPICAL:
        cells = [find_model(_CELL)]
    else:
        stream = torch.Generator().manual_seed(stream_seed(training.seed, "stand-ins"))
        cells = [random_genotype(_NODES, stream, f"random-{n}") for n in range(_RANDOM_CELLS)]
    seconds = _SECONDS / len(cells)
    rates = [
        measure_training(
            training, cell, dataset, "cells", seconds=seconds, closing=cell is cells[0]
        )
        for cell in cells
    ]
    mean = sum(rate.image_seconds for rate in rates) / len(rates)
    return replace(rates[0], image_seconds=mean, memory=max(rate.memory for rate in rates))


def _search_options(
    data: DataOptions, summary: DataSummary, image_size: int, place: Mapping[str, Any]
) -> SearchOptions:
    images = summary.train_images
    channels, layers, k = search_size(images)
    batch = search_batch(images)
    steps = max(1, images // 2 // batch)
    epochs, warmup = search_epochs(steps)
    return SearchOptions(
        **shared_values(data, SearchOptions),
        **place,
        k=k,
        channels=channels,
        layers=layers,
        max_macs=search_ceiling(images),
        batch_size=batch,
        epochs=epochs,
        arch_warmup_epochs=warmup,
        learning_rate=search_rate(batch),
        arch_learning_rate=alpha_rate((epochs - warmup) * steps),
    )


def _training_options(
    data: DataOptions, summary: DataSummary, image_size: int, place: Mapping[str, Any]
) -> TrainingOptions:
    """The recipe of the training; its epochs follow from the measured speed."""
    large = image_size >= _LARGE_ENOUGH
    channels, layers = retraining_size(summary.train_images, image_size >= PHOTOGRAPH_SIZE)
    batch = training_batch(summary.train_images)
    usual = 16 if image_size < PHOTOGRAPH_SIZE else 0
    long = summary.train_images >= 10_000
    return TrainingOptions(
        **{**shared_values(data, TrainingOptions), "cutout": usual if large else 0},
        **place,
        channels=channels,
        layers=layers,
        batch_size=batch,
        learning_rate=training_rate(batch),
        auxiliary=large and long,
        drop_path=0.3 if long else 0.1,
    )


def _search_advice(
    options: SearchOptions, rate: SearchRate, summary: DataSummary, start: float
) -> AdvisedRun:
    # The architecture's images are classified once, after the last epoch: a third of a step each.
    validation = rate.steps * rate.weight_seconds / 3
    seconds = rate.setup_seconds + rate.seconds(options.epochs, options.arch_warmup_epochs)
    rows = [
        ("K", options.k, "channels and K"),
        ("channels", options.channels, "channels and K"),
        ("ceiling on the cost", options.max_macs or "none", "ceiling on the cost"),
        ("cells", options.layers, "cells"),
        ("batch", options.batch_size, "batch size of the search"),
        ("epochs", options.epochs, "epochs of the search"),
        ("learning rate", options.learning_rate, "learning rate of the search"),
        ("learning rate of alpha", options.arch_learning_rate, "learning rate of alpha"),
    ]
    return AdvisedRun(
        command=repeat_search(options),
        seconds=start + seconds + validation,
        memory=rate.memory,
        settings=_settings(options.image_size or summary.size, rows),
    )


def _training_advice(
    options: TrainingOptions, rate: TrainingRate, summary: DataSummary, start: float
) -> AdvisedRun:
    steps = max(1, summary.train_images // options.batch_size)
    tests = math.ceil(options.epochs / options.test_every) if options.test_every else 1
    images = options.epochs * steps * options.batch_size + tests * summary.test_images / 3
    rows = [
        ("channels", options.channels, "size of the trained network"),
        ("cells", options.layers, "size of the trained network"),
        ("batch", options.batch_size, "batch size of the training"),
        ("epochs", options.epochs, "epochs of the training"),
        ("learning rate", options.learning_rate, "learning rate of the training"),
    ]
    command = repeat_training(options)
    return AdvisedRun(
        command=f"{command} --genotype {RUN_DIR}/genotype.yaml",
        seconds=start
        + rate.setup_seconds
        + images * rate.image_seconds
        + options.epochs * rate.closing_seconds,
        memory=rate.memory,
        settings=_settings(options.image_size or summary.size, rows),
    )


def _settings(
    image_size: int | None, rows: list[tuple[str, Any, str]]
) -> tuple[AdvisedSetting, ...]:
    first = AdvisedSetting(name="image size", value=str(image_size), rule="image size")
    others = [AdvisedSetting(name=name, value=f"{value}", rule=rule) for name, value, rule in rows]
    return (first, *others)
