"""Studies on the directory of a joint search, each with its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from darts.errors import UserError, closest
from darts.joint.ablation import PredictorAblation, ablate_predictor
from darts.joint.arm_options import ArmOptions
from darts.joint.arm_report import write_arm_report
from darts.joint.arms import ArmStudy
from darts.joint.directory import read_search
from darts.joint.recipe_ablation import train_ablation
from darts.joint.report import write_ablation_report
from darts.joint.transfer import train_transfer

PREDICTOR = "predictor"
"""The study that trains nothing."""

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "averaging": "Averaged weights and distillation",
        "stages": "Stage 3 against stage 2",
        "recipes": "Two networks with each other's recipe",
    }
)
"""Titles of the studies that train."""


def ablate(
    run: Path | str,
    study: str,
    options: ArmOptions,
    teacher: Path | str | None = None,
    command: str = "",
) -> tuple[ArmStudy, Path]:
    """Train the arms of a study on a search, and write its page.

    Args:
        run: Directory of the search.
        study: A key of `TITLES`.
        options: Number of seeds, epochs, where trainings run.
        teacher: Trained network to distil from, for `averaging`.
        command: The command, for the page.

    Raises:
        UserError: There is no such study, or the search or the teacher does not allow it.
        TrialsInterrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    if study not in TITLES:
        known = (PREDICTOR, *TITLES)
        raise UserError(
            f"There is no study {study!r} of a joint search.{closest(study, known)} "
            f"Choose from {', '.join(known)}."
        )
    record = read_search(run)
    folder = record.path / f"ablation-{study}{_final(options)}"
    named = None if teacher is None else str(teacher)
    found = train_ablation(record, study, options, folder, named)
    return found, write_arm_report(found, TITLES[study], command, folder)


def ablate_prediction(
    run: Path | str, options: ArmOptions, folds: int = 5, teacher: Path | str | None = None
) -> tuple[PredictorAblation, Path]:
    """Judge the predictor of a search with and without pretraining, and write the page.

    Raises:
        UserError: Too few candidates are trained, or an option is for trainings only.
    """
    if options.epochs or teacher or options.final:
        raise UserError("--study predictor trains nothing: leave out --epochs, --teacher, --final.")
    record = read_search(run)
    found = ablate_predictor(record, folds=folds, seeds=options.seeds, seed=options.seed)
    return found, write_ablation_report(record, found, record.path / "ablation")


def transfer(
    run: Path | str, models: Sequence[str], options: ArmOptions, command: str = ""
) -> tuple[ArmStudy, Path]:
    """Train models by the recipe of a search and by their own, and write the page.

    Raises:
        UserError: A model or the search is wrong.
        TrialsInterrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    record = read_search(run)
    folder = record.path / f"transfer{_final(options)}"
    found = train_transfer(record, models, options, folder)
    return found, write_arm_report(found, "The found recipe on other networks", command, folder)


def _final(options: ArmOptions) -> str:
    return "-final" if options.final else ""
