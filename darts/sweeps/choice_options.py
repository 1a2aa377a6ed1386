"""Options of several searches and the choice among their cells. Torch-free."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from typing import Literal

from darts.errors import UserError
from darts.searching.options import SearchOptions
from darts.settings.options import names_of, option, shared_values
from darts.settings.seeds import seeds_in
from darts.trials.options import ExecutorOptions


@dataclass(frozen=True, kw_only=True)
class ChoiceOptions:
    """Several searches, and the choice of one of their cells.

    Args:
        seeds: Search several times and choose one cell: a number of searches, whose seeds follow
            --seed (4), a list (0,5,7) or a range (0..4) of seeds. By default one search.
        random_cells: Number of random cells of about the same cost that compete with the searched
            ones; the result then says whether the searches beat chance. A random cell that wins is
            the chosen one.
        choose: What chooses the cell: retrain trains each cell from scratch for a few epochs, on a
            part of the training images, and compares accuracies on the others; one-shot compares
            the cells inside their supernets; validation compares the supernets, the best of which
            are often collapsed. Test images choose nothing.
        choice_epochs: Epochs of each short training; by default half of the search's.
        choice_trainings: Short trainings of each cell, with different seeds; with one, the noise is
            not known.
        choice_hold_out: Every Nth training image of each class is set aside from the short
            trainings, and compares the cells.
        retry_failed: Repeat searches and short trainings that failed earlier.
    """

    seeds: int | str | None = None
    random_cells: int = 0
    choose: Literal["retrain", "one-shot", "validation"] = "retrain"
    choice_epochs: int | None = None
    choice_trainings: int = 3
    choice_hold_out: int = 5
    retry_failed: bool = option(False, where=True, resumable=True)


@dataclass(frozen=True, kw_only=True)
class ManySearchOptions(SearchOptions, ChoiceOptions, ExecutorOptions):
    """Settings of `search.py`: one search, or with `seeds` several."""

    @property
    def search(self) -> SearchOptions:
        """The settings of one search."""
        return SearchOptions(**shared_values(self, SearchOptions))

    def searches(self) -> dict[int, SearchOptions]:
        """The settings of each search by its seed."""
        plain = replace(self.search, run_dir=None, resume=None)
        return {seed: replace(plain, seed=seed) for seed in self._seeds()}

    def _seeds(self) -> tuple[int, ...]:
        least = 1 if self.random_cells else 2
        too_few = (
            "give 1 search or more."
            if least == 1
            else "a choice needs 2 searches or more, or one and --random-cells 8."
        )
        return seeds_in(self.seeds, self.seed, least=least, too_few=too_few, what="searches")

    @property
    def epochs_of_choice(self) -> int:
        """Epochs of each short training."""
        return max(1, self.epochs // 2) if self.choice_epochs is None else self.choice_epochs

    def check_choice(self) -> None:
        """Check the settings of several searches.

        Raises:
            UserError: A setting is out of range, needs `seeds`, or this is one of several
                processes of torchrun.
        """
        if self.seeds is None:
            self._check_single()
            return
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UserError(
                "--seeds: torchrun shares one search among processes. Start several searches "
                "without it; --executor processes runs them side by side."
            )
        least = {
            "choice_epochs": 1,
            "choice_trainings": 1,
            "choice_hold_out": 2,
            "random_cells": 0,
        }
        for name, smallest in least.items():
            value = getattr(self, name)
            if value is not None and value < smallest:
                flag = name.replace("_", "-")
                raise UserError(f"--{flag}: must be {smallest} or more, not {value}.")
        if self.random_cells and self.choose != "retrain":
            raise UserError(
                f"--random-cells: random cells have no supernet, which --choose {self.choose} "
                "compares. Leave out --choose, or --random-cells."
            )
        self._seeds()

    def _check_single(self) -> None:
        defaults = {one.name: one.default for one in fields(ManySearchOptions)}
        for name in names_of(ChoiceOptions, ExecutorOptions):
            if getattr(self, name) != defaults[name]:
                flag = name.replace("_", "-")
                raise UserError(f"--{flag} belongs to several searches: add --seeds 4.")
