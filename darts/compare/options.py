"""Options of a comparison. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from dataclasses import dataclass

from darts.errors import UserError
from darts.training.options import TrainingOptions
from darts.trials.options import TrialOptions

RANDOM_CELLS = "random-cells"


@dataclass(frozen=True, kw_only=True)
class CompareOptions(TrainingOptions, TrialOptions):
    """A genotype's network against others of its cost; all are trained from scratch alike.

    Args:
        baseline: Populations to compare with, separated by spaces: design spaces (regnetx, regnety,
            anynetx_a to anynetx_e …) and random-cells, random genotypes of the same cell space.
        population: Networks of each baseline, at least 2; 32 find a good RegNet.
        seeds: Trainings of the genotype's network; a baseline's networks are trained once each.
        macs: Scale the genotype's network by its channels to about so many multiply-adds: 40M.
        tolerance: By how much the baselines' multiply-adds may differ from the genotype's.
        stem_width: Channels of the stem of design spaces' networks.
        latency_batch: Images of a batch whose time is measured; 0 measures none.
        auxiliary: Train a genotype's network with its auxiliary head; RegNets have none.
        drop_path: Probability of dropping a path at the end; for all networks.
    """

    # What a comparison settles itself, or has no use for.
    fixed = frozenset(
        {"pretrained", "checkpoint", "test_only", "averaged", "log_every", "checkpoint_every"}
    )

    baseline: str = "regnetx"
    population: int = 32
    seeds: int = 1
    macs: str | float | None = None
    tolerance: float = 0.05
    stem_width: int = 32
    latency_batch: int = 1
    auxiliary: bool = False
    drop_path: float = 0.0

    @property
    def baselines(self) -> tuple[str, ...]:
        """The populations' names, each once."""
        return tuple(dict.fromkeys(self.baseline.replace(",", " ").split()))

    def check(self) -> None:
        """Raise UserError for options that make no comparison."""
        if not self.baselines:
            raise UserError("--baseline: compare with what? For example regnetx.")
        for name, least in (("population", 2), ("seeds", 1), ("latency_batch", 0)):
            if (value := getattr(self, name)) < least:
                flag = name.replace("_", "-")
                raise UserError(f"--{flag} is a whole number of at least {least}, not {value}.")
        if not 0 < self.tolerance < 1:
            raise UserError(f"--tolerance is a share such as 0.05, not {self.tolerance}.")
