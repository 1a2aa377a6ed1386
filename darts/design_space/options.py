"""Options of a population. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from darts.errors import UserError
from darts.training.options import WHERE, TrainingOptions
from darts.trials.options import TrialOptions

Amount = str | float | None


@dataclass(frozen=True, kw_only=True)
class SpaceOptions:
    """Which networks a population has.

    Args:
        space: anynetx_a to anynetx_e, regnetx, or the same of other blocks (regnety, anynetv_a …).
        n: Number of networks.
        macs: Multiply-adds of each network: a window such as 360M-400M, or one number, such as
            400M, which means 5 % less to 5 % more.
        like: Instead of --macs, a genotype (name or file): as many multiply-adds as its network has
            with --channels and --layers, 5 % less to 5 % more.
        max_params: Most parameters of each network, such as 5.2M.
        max_activations: Most activations (outputs of convolutions) of each network.
        stages: Stages of each network.
        stem_width: Channels of the stem.
    """

    space: str = "regnetx"
    n: int = 100
    macs: Amount = None
    like: str | None = None
    max_params: Amount = None
    max_activations: Amount = None
    stages: int = 4
    stem_width: int = 32


@dataclass(frozen=True, kw_only=True)
class PopulationOptions(TrainingOptions, SpaceOptions, TrialOptions):
    """A population trained from scratch; the recipe is RegNet's for populations (§3, footnote 5).

    Nothing regularises but weight decay, which is the paper's; the last epoch counts.

    Args:
        out: Directory of the population; the same command goes on with what stands in it.
        dataset: Images to train and test on.
        channels: With --like: channels of the genotype's first cell.
        layers: With --like: number of its cells.
        stem: cifar keeps the resolution, imagenet divides it by 2, auto goes by the image size.
        seed: Draws the networks, and the seed of each one's training.
    """

    # What a population settles itself, or has no use for.
    fixed = frozenset(
        {
            "genotype",
            "model",
            "preset",
            "split",
            "pretrained",
            "auxiliary",
            "auxiliary_weight",
            "run_dir",
            "resume",
            "log_every",
            "checkpoint_every",
            "checkpoint",
            "test_only",
            "averaged",
        }
    )

    out: str | None = None
    dataset: str = "cifar10"
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 0.05
    weight_decay: float = 5e-5
    grad_clip: float = 0.0
    auxiliary: bool = False
    drop_path: float = 0.0
    cutout: int = 0
    test_every: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n < 1:
            raise UserError(f"--n: a population has at least one network, not {self.n}.")
        if self.epochs < 1:
            raise UserError(f"--epochs: at least one is needed, not {self.epochs}.")


# Where and how fast a population is trained may change from one call to the next, and so may how
# many networks it has; how they are trained may not.
_CHANGEABLE = ("out", "n", *WHERE, *(field.name for field in fields(TrialOptions)))


def recipe_of(options: PopulationOptions) -> dict[str, Any]:
    """What all networks of a population have in common, as plain values."""
    left_out = {*_CHANGEABLE, *options.fixed}
    names = (field.name for field in fields(options) if field.name not in left_out)
    return {name: getattr(options, name) for name in names}


def no_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A population's defaults follow from nothing else."""
    return {}
