"""Scaled networks, trained and compared (EfficientNet)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.errors import UserError
from darts.scaling.options import ScalingOptions
from darts.settings.parsing import options_from
from darts.settings.signatures import takes
from darts.training.options import training_overlay

if TYPE_CHECKING:
    from darts.scaling.run import FinishedGrid, FinishedStudy


@takes(ScalingOptions)
def compare_scalings(
    model: str,
    budgets: Sequence[str | float],
    out: Path | str,
    *,
    strategies: Sequence[str] = ("compound", "width", "depth", "resolution"),
    seeds: int = 1,
    tolerance: float = 0.02,
    **settings: Any,
) -> FinishedStudy:
    """Train a network scaled to budgets in one dimension, and in all: which is the best?

    Settings are those of `python evaluate.py --help`, with underscores.

    >>> found = compare_scalings(  # doctest: +SKIP
    ...     "pcdarts_cifar10", ["6M", "11M"], "studies/cell", seeds=3, dataset="digits", epochs=5
    ... )
    >>> found.rows[0]["accuracy"], found.rows[0]["deviation"]  # doctest: +SKIP

    Args:
        model: Genotype or network: a name, or a file.
        budgets: Multiply-adds, such as "20M".
        out: Directory of the results; the same call continues it.
        strategies: What is scaled: compound, width, depth, resolution.
        seeds: Number of trainings of each network.
        tolerance: Largest deviation from a budget, as a share of it.
        settings: The other settings; channels, layers and image_size are the unscaled network's.

    Raises:
        UserError: A setting or the data is wrong, or a budget is infeasible.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    from darts.scaling.run import Place, StrategyStudy, run_study
    from darts.settings.quantities import parse_count

    if isinstance(budgets, str) or not budgets:
        raise UserError('budgets: give one or more in a list, such as ["20M"].')
    amounts = [
        parse_count(one, "budgets") if isinstance(one, str) else float(one) for one in budgets
    ]
    study = StrategyStudy(budgets=amounts, strategies=strategies, tolerance=tolerance)
    return run_study(_options(model, settings), study, Place(output=Path(out), seeds=seeds))


@takes(ScalingOptions)
def search_scaling(
    model: str,
    out: Path | str,
    *,
    seeds: int = 1,
    step: float = 0.1,
    tolerance: float = 0.1,
    **settings: Any,
) -> FinishedGrid:
    """Search a grid for alpha, beta and gamma, on held-out training images.

    Settings are those of `python evaluate.py --help`, with underscores.

    >>> found = search_scaling("resnet18", "grids/r18", dataset="digits")  # doctest: +SKIP
    >>> found.verdict.rows[0]["coefficients"]  # doctest: +SKIP

    Args:
        model: Genotype or network: a name, or a file.
        out: Directory of the results; the same call continues it.
        seeds: Number of trainings of each network.
        step: Step of the grid, from 1.
        tolerance: Largest distance of alpha · beta² · gamma² from 2.
        settings: The other settings; without `hold_out` every fifth training image is held out.

    Raises:
        UserError: A setting or the data is wrong, or the grid has no or too many points.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    from darts.scaling.run import Place, run_grid

    options = _options(model, {"hold_out": 5, **settings})
    return run_grid(options, Place(output=Path(out), seeds=seeds), step=step, tolerance=tolerance)


def _options(model: str, settings: dict[str, Any]) -> ScalingOptions:
    from darts.models.registry import find_model
    from darts.training.fitting import fit_training
    from genotypes import Genotype

    kind = "genotype" if isinstance(find_model(model), Genotype) else "model"
    named = {**settings, kind: str(model)}
    return options_from(ScalingOptions, named, training_overlay, fit_training)
