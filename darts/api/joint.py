"""Joint search of architecture and recipe, and the studies on its directory (FBNetV3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.errors import UserError
from darts.joint.arm_options import ArmOptions
from darts.joint.options import JointOptions, joint_overlay
from darts.settings.options import names_of
from darts.settings.parsing import options_from
from darts.settings.signatures import check_names, takes

if TYPE_CHECKING:
    from darts.joint.ablation import PredictorAblation
    from darts.joint.answers import EvolvedCandidate
    from darts.joint.arms import ArmStudy
    from darts.joint.search import JointSearchResult


@takes(JointOptions)
def search_jointly(**settings: Any) -> JointSearchResult:
    """Search architecture and recipe; settings as of `python -m darts joint search --help`.

    >>> found = search_jointly(  # doctest: +SKIP
    ...     space="regnet+recipe-small", dataset="digits", preset="smoke", max_macs="20M"
    ... )
    >>> found.evolved.scores[0]  # doctest: +SKIP

    Raises:
        UserError: A setting, the space, the data or the run directory is wrong.
        Interrupted: SIGINT or SIGTERM came; `resume` continues.
    """
    from darts.training.fitting import fit_training

    return run_joint(options_from(JointOptions, settings, joint_overlay, fit_training))


def run_joint(options: JointOptions) -> JointSearchResult:
    """Search jointly with these options and write the report."""
    from darts.joint.checks import check_values
    from darts.joint.report import write_joint_report
    from darts.joint.search import run_joint_search
    from darts.joint.space_file import find_joint_space
    from darts.training.choice import plan_training
    from darts.training.options import training_of

    model = None
    if options.resume is None:
        check_values(find_joint_space(options.space))
        if options.genotype is not None or options.model is not None:
            model = plan_training(training_of(options)).model
    result = run_joint_search(options, model)
    write_joint_report(result.run_dir)
    return result


def evolve_candidate(
    run: Path | str,
    *,
    max_macs: str | float | None = None,
    max_params: str | float | None = None,
    min_macs: str | float | None = None,
    target_macs: str | float | None = None,
    cost_exponent: float = -0.07,
    seed: int = 0,
) -> EvolvedCandidate:
    """The best candidate under a ceiling, by the predictor of a joint search; trains nothing.

    >>> best = evolve_candidate("runs/joint", max_macs="400M")  # doctest: +SKIP
    >>> best.accuracy, best.values, best.recipe  # doctest: +SKIP

    Args:
        run: Directory of a joint search.
        max_macs: Ceiling such as "50M"; a number means millions; None: that of the search.
        max_params: Ceiling of the parameters.
        min_macs: Floor of the multiply-adds.
        target_macs: Maximise accuracy · (multiply-adds / target) ** exponent instead.
        cost_exponent: That exponent.
        seed: Seed of the evolution.

    Raises:
        UserError: It is no joint search, or no candidate is within the limits.
    """
    from darts.joint.answers import evolve_within
    from darts.joint.directory import limits_of, read_search
    from darts.joint.query import trade_off_of

    record = read_search(run)
    ceiling = record.config["max_macs"] if max_macs is None else max_macs
    limits = limits_of(min_macs, ceiling, max_params)
    return evolve_within(record, limits, seed, trade_off_of(target_macs, cost_exponent))


@takes(ArmOptions)
def ablate_search(
    run: Path | str,
    study: str = "predictor",
    *,
    folds: int = 5,
    teacher: Path | str | None = None,
    **settings: Any,
) -> PredictorAblation | ArmStudy:
    """What a part of a joint search is worth: `predictor`, `averaging`, `stages` or `recipes`.

    `predictor` trains nothing. The others train what is missing in `RUN/ablation-STUDY`.

    >>> found = ablate_search("runs/joint", "recipes", seeds=3)  # doctest: +SKIP
    >>> found.sentence(), found.differences  # doctest: +SKIP

    Args:
        run: Directory of a joint search.
        study: The part.
        folds: Parts of the candidates, for `predictor`.
        teacher: Trained network to distil from, for `averaging`.
        settings: Fields of `darts.joint.arm_options.ArmOptions`: `seeds`, `epochs`, `final` …

    Raises:
        UserError: A setting is wrong, or the search or the teacher does not allow the study.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    from darts.joint.studies import PREDICTOR, ablate, ablate_prediction

    options = _arm_options(settings)
    if study == PREDICTOR:
        return ablate_prediction(run, options, folds, teacher)[0]
    return ablate(run, study, options, teacher)[0]


@takes(ArmOptions)
def transfer_recipe(run: Path | str, models: str | Sequence[str], **settings: Any) -> ArmStudy:
    """Train models by the best recipe of a joint search and by their own.

    >>> found = transfer_recipe("runs/joint", ["resnet18", "darts_v2"])  # doctest: +SKIP
    >>> found.sentence(), found.differences  # doctest: +SKIP

    Args:
        run: Directory of a joint search; trainings are stored in `RUN/transfer`.
        models: Networks: names or files.
        settings: Fields of `darts.joint.arm_options.ArmOptions`: `seeds`, `epochs`, `final` …

    Raises:
        UserError: A setting, a model or the search is wrong.
        TrialsInterrupted: SIGINT or SIGTERM came; the same call continues.
    """
    from darts.joint.studies import transfer

    named = [models] if isinstance(models, str) else list(models)
    if not named:
        raise UserError("models: name one network or more.")
    return transfer(run, named, _arm_options(settings))[0]


def _arm_options(settings: Mapping[str, Any]) -> ArmOptions:
    from darts.settings.used_files import joined_names, use_files

    check_names(settings, *names_of(ArmOptions))
    used = joined_names(settings.get("use"))
    use_files(used)
    return ArmOptions(**{**settings, "use": used})
