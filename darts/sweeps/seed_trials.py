"""The trials of several searches: the searches, and what compares their cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from darts.data.sources import open_dataset
from darts.data.subsets import search_halves
from darts.judging.short_training import ShortTraining
from darts.models.registry import describe_model
from darts.run_files import RunFiles
from darts.searching.loaded import load_searched
from darts.searching.options import SearchOptions
from darts.searching.protocols import OneShotProtocol
from darts.searching.subnetworks import cells_of
from darts.searching.trial import search_trial
from darts.sweeps.choice_options import ManySearchOptions
from darts.system.randomness import stream_seed
from darts.trials.attempt import ReportEpoch
from genotypes import Genotype, load_genotype


def run_of(seed: int) -> str:
    """The run directory of a search, below that of all searches.

    >>> run_of(3)
    'seeds/3'
    """
    return f"seeds/{seed}"


def search_key(seed: int) -> str:
    """The key of a search among all trials."""
    return f"seed {seed}"


def random_key(number: int) -> str:
    """The name of a random cell, which the keys of its trainings begin with."""
    return f"random cell {number}"


def one_shot_key(seed: int) -> str:
    """The key of the judgement of a search's cell inside its supernet."""
    return f"seed {seed}, inside its supernet"


def key_of(origin: str, number: int) -> str:
    """The key of a training, counted from 0, of a cell.

    >>> key_of(search_key(7), 0)
    'seed 7, training 1'
    """
    return f"{origin}, training {number + 1}"


def trainings_of(
    options: ManySearchOptions, cell: Genotype, origin: str
) -> dict[str, dict[str, Any]]:
    """The trials that train a cell, by their keys.

    Args:
        options: Number of trainings.
        cell: The cell.
        origin: Where it comes from, such as "seed 7" or "random cell 1".
    """
    named = cell.with_name(origin.replace(" ", "-"))
    model = describe_model(replace(named, provenance={}))
    keys = [key_of(origin, number) for number in range(options.choice_trainings)]
    return {key: {"model": model, "seed": stream_seed(options.seed, key)} for key in keys}


@dataclass(frozen=True)
class SeedTrials:
    """A trial function for all trials of several searches; the settings say which kind a trial is.

    Attributes:
        folder: The directory of all searches.
        place: Where searches run; see `darts.searching.trial.place_of_trials`.
        train: Runs the trials that have a `model`.
    """

    folder: str
    place: Mapping[str, Any]
    train: ShortTraining

    def __call__(self, settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
        """Search, train a cell, or judge a cell inside its supernet."""
        if "model" in settings:
            return self.train(settings, report)
        if "inside" in settings:
            return judge_inside(Path(self.folder) / settings["inside"], self.place)
        return search_trial(self.folder, self.place, settings, report)


def judge_inside(run: Path, place: Mapping[str, Any]) -> dict[str, Any]:
    """The accuracy of a search's cell with the weights that it inherits from the supernet.

    All validation images of the search are used, and batch norms have the statistics of each batch;
    see `darts.searching.subnetworks.SubnetworkScore`.

    Args:
        run: The directory of a finished search.
        place: Device, threads and files of the user's own.

    Returns:
        `accuracy` and `error` (%), and the number of `images`.

    Raises:
        UserError: The search has no checkpoint, or its supernet lacks an operation of the cell.
    """
    searched = load_searched(
        run, use=place["use"], device=place["device"], threads=place["threads"]
    )
    score = searched.score(OneShotProtocol(batch_size=max(2, searched.options.batch_size)))
    accuracy = score(cells_of(load_genotype(RunFiles(run).genotype))).accuracy
    images = len(searched.images.validation_indices)
    return {"accuracy": accuracy, "error": 100 - accuracy, "images": images}


def validation_images(options: SearchOptions) -> int:
    """The number of images on which a search validates its supernet.

    Raises:
        UserError: The data are wrong; see `open_dataset` and `search_halves`.
    """
    dataset = open_dataset(options, options.seed, test=False)
    share, generator = 1 - options.arch_fraction, torch.Generator().manual_seed(options.seed)
    return len(search_halves(dataset, share, generator, options.split)[1])
