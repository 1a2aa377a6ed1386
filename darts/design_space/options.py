"""Options of a population. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darts.data.options import DataOptions
from darts.errors import UserError
from darts.settings.options import (
    PlaceOptions,
    SeedOptions,
    StepOptions,
    TrackOptions,
    UseOptions,
    names_of,
    option,
    tagged,
    without_later,
)
from darts.training.options import RecipeOptions, SizeOptions
from darts.trials.options import TrialOptions

Amount = str | float | None
_SWITCHES = ("constrained", "tie_wa")


@dataclass(frozen=True, kw_only=True)
class SpaceOptions:
    """Which networks a population has.

    Args:
        space: anynetx_a to anynetx_e, regnetx, or another block type (regnety, anynetv_a …).
        n: Number of networks.
        macs: Multiply-adds of each network: a window such as 360M-400M, or one number such as 400M,
            which means 400M ± 5 %.
        like: Instead of --macs, a genotype (name or file): each network has as many multiply-adds
            as the genotype's network with --channels and --layers, ± 5 %.
        max_params: Maximum number of parameters of each network, such as 5.2M.
        max_activations: Maximum number of activations (outputs of convolutions) of each network.
        stages: Number of stages of each network.
        stem_width: Channels of the stem.
        constrained: RegNets with b = 1, d up to 40 and w_m from 2 (§4); the paper's caps also limit
            parameters and activations, see --max-params and --max-activations.
        depth: Instead of the space's own range of d, the blocks of a RegNet or of a stage: a value
            (20), several (16,20) or bounds (12-28).
        bottleneck: Bottleneck ratios b likewise: 1, or 1,2,4; 0.25 is an inverted bottleneck.
        group_width: Group widths g likewise.
        w0: Initial widths of RegNets likewise.
        wa: Slopes of RegNets likewise.
        wm: Width ratios of RegNets likewise.
        tie_wa: RegNets with w_a = w_0 (Fig. 9).
    """

    space: str = "regnetx"
    # A population may grow from one call to the next.
    n: int = option(100, where=True)
    macs: Amount = None
    like: str | None = None
    max_params: Amount = None
    max_activations: Amount = None
    stages: int = 4
    stem_width: int = 32
    constrained: bool = False
    depth: Amount = option(None, later=True)
    bottleneck: Amount = option(None, later=True)
    group_width: Amount = option(None, later=True)
    w0: Amount = option(None, later=True)
    wa: Amount = option(None, later=True)
    wm: Amount = option(None, later=True)
    tie_wa: bool = False


@dataclass(frozen=True, kw_only=True)
class PopulationOptions(
    SpaceOptions,
    SizeOptions,
    RecipeOptions,
    DataOptions,
    TrialOptions,
    TrackOptions,
    StepOptions,
    UseOptions,
    PlaceOptions,
    SeedOptions,
):
    """A population trained from scratch with RegNet's recipe for populations (§3, footnote 5).

    The only regularisation is the paper's weight decay; errors are those of the last epoch.

    Args:
        out: Directory of the population; the same command continues an unfinished one.
        dataset: Images to train and test on.
        channels: With --like: channels of the genotype's first cell.
        layers: With --like: number of the genotype's cells.
        stem: cifar keeps the resolution, imagenet halves it, auto decides by the image size.
        seed: Seed of the sampled networks and of their trainings.
        best_of: Train this many networks, as --n, then the best of them from scratch with
            --final-epochs and --final-seeds, by the same recipe (§5: the best of 25). Test images
            choose nothing, so --hold-out 5 is needed with it.
        final_epochs: Epochs of these trainings.
        final_seeds: Number of these trainings, at least 2.
    """

    out: str | None = option(None, where=True)
    dataset: str = "cifar10"
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 0.05
    weight_decay: float = 5e-5
    grad_clip: float = 0.0
    seed: int = 0
    drop_path: float = 0.0
    cutout: int = 0
    test_every: int = 1
    best_of: int | None = option(None, where=True)
    final_epochs: int = option(100, where=True)
    final_seeds: int = option(5, where=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n < 1:
            raise UserError(f"--n must be at least 1, not {self.n}.")
        for name, least in (("epochs", 1), ("final_epochs", 1), ("final_seeds", 2), ("best_of", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                flag = name.replace("_", "-")
                raise UserError(f"--{flag} must be at least {least}, not {value}.")
        if self.best_of is not None and not self.hold_out:
            raise UserError(
                "--best-of chooses a network, and test images choose nothing: add --hold-out 5, "
                "which sets aside every fifth training image of each class."
            )


def recipe_of(options: PopulationOptions) -> dict[str, Any]:
    """The settings that all networks of a population share, as plain values.

    Between two calls, the number of networks and where and how fast they are trained may change,
    but not how they are trained.
    """
    changeable = tagged(PopulationOptions, "where")
    names = (name for name in names_of(PopulationOptions) if name not in changeable)
    values = {name: getattr(options, name) for name in names}
    # Populations of earlier versions do not know these switches.
    values = {name: one for name, one in values.items() if one or name not in _SWITCHES}
    return without_later(values, PopulationOptions)


def no_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Population defaults do not depend on other settings."""
    return {}
