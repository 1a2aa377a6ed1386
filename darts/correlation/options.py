"""Options of the study. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darts.errors import UserError
from darts.searching.protocols import OneShotProtocol, ProtocolName
from darts.settings.options import PlaceOptions, SeedOptions, UseOptions, option
from darts.trials.options import TrialOptions

CELLS_OF_A_TABLE, CELLS_TO_RETRAIN = 200, 16


@dataclass(frozen=True, kw_only=True)
class CorrelationOptions(TrialOptions, UseOptions, PlaceOptions, SeedOptions):
    """The order of cells by accuracy inside trained supernets, against their true order.

    The true accuracies come from a table of NAS-Bench-201, or from short retrainings on training
    images that are held out. The test images are used by neither.

    Args:
        runs: Run directories of searches; usually given as words before the options.
        table: Table of NAS-Bench-201 with the true accuracies, see `benchmark nasbench201`; without
            it the cells are retrained.
        cells: Number of sampled cells; by default 200, or 16 if they are retrained.
        once_per_class: Sample classes of cells that compute the same function, and take one cell of
            each.
        connected: Sample only cells with a path from input to output.
        protocol: How a cell is judged inside a supernet: batch, reestimated, running or one-batch.
        images: Number of validation images of the search that judge a cell; 0 for all.
        batch_size: Images in a batch of the supernet.
        statistics_images: Training images on which reestimated estimates the statistics of a cell.
        successive: With one-batch, successive cells are judged on successive batches.
        retrainings: Retrainings of each cell, with different seeds; their mean counts, and from two
            on their own rank correlation is shown as the ceiling.
        retrain_epochs: Epochs of each retraining; by default half of the search's.
        retrain_channels: Channels of retrained networks; by default those of the supernet.
        retrain_layers: Cells of retrained networks; by default those of the supernet.
        retrain_batch_size: Images per step of a retraining; by default that of a retraining, or of
            the search if that is smaller. The learning rate follows it.
        hold_out: Every Nth training image of each class is held out of the retrainings and decides
            their accuracy.
        output: Directory of the study; by default RUN/correlation of the first run. The same
            command continues an interrupted study there.
        device: Where to compute; auto for the best device present.
        precision: Number format of the retrainings; supernets keep their own.
    """

    runs: tuple[str, ...] = ()
    table: str | None = None
    cells: int | None = None
    once_per_class: bool = False
    connected: bool = False
    protocol: ProtocolName = "batch"
    images: int = 0
    batch_size: int = 256
    statistics_images: int = 1024
    successive: bool = False
    retrainings: int = 1
    retrain_epochs: int | None = None
    retrain_channels: int | None = None
    retrain_layers: int | None = None
    retrain_batch_size: int | None = None
    hold_out: int = 5
    output: str | None = option(None, where=True)
    seed: int = 0

    @property
    def count(self) -> int:
        """Number of sampled cells."""
        if self.cells is not None:
            return self.cells
        return CELLS_TO_RETRAIN if self.table is None else CELLS_OF_A_TABLE

    @property
    def one_shot(self) -> OneShotProtocol:
        """How cells are judged inside a supernet."""
        return OneShotProtocol(
            name=self.protocol,
            images=self.images,
            batch_size=self.batch_size,
            statistics_images=self.statistics_images,
            successive=self.successive,
            seed=self.seed,
        )

    def check(self) -> None:
        """Check the options.

        Raises:
            UserError: No study is possible with them.
        """
        if not self.runs:
            raise UserError("Which searches? Give the run directory of one or more.")
        if len(set(self.runs)) < len(self.runs):
            raise UserError("A run directory is given twice; give each once.")
        if self.count < 3:
            raise UserError(f"--cells {self.cells}: a rank correlation needs at least 3 cells.")
        for name in ("retrainings", "retrain_epochs"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise UserError(f"--{name.replace('_', '-')} {value}: give at least 1.")
        if self.table is None and self.hold_out < 2:
            raise UserError(
                f"--hold-out {self.hold_out}: retrained cells are judged on held-out training "
                "images; give 2 or more, 5 for every fifth."
            )
        _ = self.one_shot


def correlation_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of a study do not depend on other settings."""
    return {}
