"""Options of a comparison. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darts.data.options import BalanceOptions, DataOptions, SplitOptions
from darts.errors import UserError
from darts.settings.options import (
    PlaceOptions,
    PresetOptions,
    RunOptions,
    SeedOptions,
    StepOptions,
    TrackOptions,
    UseOptions,
    names_of,
)
from darts.training.options import (
    AuxiliaryOptions,
    ModelOptions,
    RecipeOptions,
    SizeOptions,
    training_overlay,
)
from darts.trials.options import TrialOptions

RANDOM_CELLS = "random-cells"


@dataclass(frozen=True, kw_only=True)
class StudyOptions(
    SizeOptions,
    RecipeOptions,
    BalanceOptions,
    AuxiliaryOptions,
    SplitOptions,
    DataOptions,
    TrialOptions,
    TrackOptions,
    StepOptions,
    RunOptions,
    UseOptions,
    PlaceOptions,
    SeedOptions,
    PresetOptions,
):
    """Networks of about the same cost that are trained alike from scratch.

    Args:
        population: Number of networks of each baseline.
        macs: Scale the networks of genotypes by their channels to about this many multiply-adds,
            e.g. 40M.
        tolerance: Largest relative difference between the multiply-adds of the baselines and those
            of the judged network.
        stem_width: Channels of the stem in networks of design spaces.
        dataset: As for a search; by default the data set that the genotype was searched on, else
            cifar10.
    """

    baseline: str = ""
    population: int = 32
    seeds: int = 1
    macs: str | float | None = None
    tolerance: float = 0.05
    stem_width: int = 32
    dataset: str | None = None  # type: ignore[assignment]
    seed: int = 0

    @property
    def baselines(self) -> tuple[str, ...]:
        """The populations' names, each once."""
        return tuple(dict.fromkeys(self.baseline.replace(",", " ").split()))

    def check_numbers(self, *bounds: tuple[str, int]) -> None:
        """Check that each named option has at least its bound, and the tolerance.

        Raises:
            UserError: One is too small, or the tolerance is no share.
        """
        for name, least in bounds:
            if (value := getattr(self, name)) < least:
                flag = name.replace("_", "-")
                raise UserError(
                    f"--{flag} must be a whole number of at least {least}, not {value}."
                )
        if not 0 < self.tolerance < 1:
            raise UserError(
                f"--tolerance must be between 0 and 1, such as 0.05, not {self.tolerance}."
            )


@dataclass(frozen=True, kw_only=True)
class CompareOptions(ModelOptions, StudyOptions):
    """A genotype's network, compared to others of its cost; all are trained alike from scratch.

    With --recipes, several cells are compared under several recipes instead: see
    python -m darts compare --recipes bench-suite --help.

    Args:
        baseline: What to compare with, separated by spaces: populations, that is design spaces
            (regnetx, regnety, anynetx_a to anynetx_e …) and random-cells, random genotypes of the
            same cell space; and single networks (regnetx_600mf, efficientnet_b0, resnet50 …).
        population: Number of networks of each baseline, at least 2; 32 suffice to find a good
            RegNet.
        seeds: Number of trainings of the genotype's network and of each single network of the
            baseline; each network of a population is trained once.
        macs: Scale the network's channels to about this many multiply-adds, e.g. 40M.
        tolerance: Largest relative difference between the multiply-adds of the baselines and those
            of the genotype's network.
        latency_batch: Batch size of the latency measurement; 0: do not measure.
        auxiliary: Train networks of cells with their auxiliary head; RegNets have none.
        drop_path: Probability of dropping a path in the last epoch, for all networks.
    """

    baseline: str = "regnetx"
    latency_batch: int = 1
    auxiliary: bool = False
    drop_path: float = 0.0

    def check(self) -> None:
        """Check the options.

        Raises:
            UserError: No comparison is possible with them.
        """
        if not self.baselines:
            raise UserError("--baseline names no population: give one such as regnetx.")
        self.check_numbers(("population", 2), ("seeds", 1), ("latency_batch", 0))


def compare_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults of a retraining, without the auxiliary head and drop path of searched cells."""
    implied = {**training_overlay(settings), "auxiliary": False, "drop_path": 0.0}
    return {name: value for name, value in implied.items() if name in names_of(CompareOptions)}
