"""What the parts of a joint search are worth: its candidates trained again, with several seeds.

- `averaging`: the best candidate with and without a moving average of the weights, and with and
  without distillation (FBNetV3, arXiv 2006.02049, §5 and A.5).
- `stages`: the best candidate that the predictor found by evolution (stage 3) and the best one that
  was trained in the rounds before (stage 2).
- `recipes`: the two best networks, each by its own recipe and by the other's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from darts.errors import UserError
from darts.files import user_path
from darts.joint.arm_options import ArmOptions
from darts.joint.arm_trials import shared_options, train_arms
from darts.joint.arms import Arm, ArmStudy, Contrast
from darts.joint.directory import SearchRecord
from darts.joint.problem import JointCandidate
from darts.joint.query import evolve_record, trained_genes
from darts.joint.transfer import stretched
from darts.joint.variables import Floats

_EMA_SHARE = 0.1
"""Share of the steps that an average remembers if the best recipe has none."""

Arms = tuple[list[Arm], list[Contrast]]


def train_ablation(
    record: SearchRecord, study: str, options: ArmOptions, folder: Path, teacher: str | None = None
) -> ArmStudy:
    """Train the arms of a study: averaging, stages or recipes.

    Args:
        record: A search with a finished first round.
        study: A key of `STUDIES`.
        options: Number of seeds, epochs, where trainings run.
        folder: Directory of the study.
        teacher: Trained network to distil from, for `averaging`.

    Raises:
        UserError: The search or the teacher does not allow the study, or see `train_arms`.
        TrialsInterrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    shared = shared_options(record, options)
    factor = shared.epochs / int(record.config["epochs"])
    arms, contrasts = STUDIES[study](record, teacher)
    arms = [
        replace(one, settings=stretched({**_schedule(record), **one.settings}, factor))
        for one in arms
    ]
    notes = [] if options.final else [_CHOSEN[study]]
    return train_arms(study, arms, contrasts, shared, options, folder, notes)


_CHOSEN = {
    "averaging": "The search chose this candidate by the same held-out images, with the averaged "
    "weights if its recipe averages.",
    "stages": "The search chose the best of stage 2 by its error on the same held-out images, that "
    "of stage 3 by a prediction. This still favours stage 2 when both are trained again.",
    "recipes": "The search chose both candidates, each with its own recipe, by the same held-out "
    "images: the comparison favours a network's own recipe.",
}


def _schedule(record: SearchRecord) -> dict[str, Any]:
    names = ("lr_decay_epochs", "lr_warmup_epochs")
    return {name: record.config[name] for name in names if name in record.config}


def averaging_arms(record: SearchRecord, teacher: str | None) -> Arms:
    """The best candidate with and without averaged weights and distillation.

    The average does not change the training, so both are measured on the same ones.
    """
    if teacher is None:
        raise UserError(
            "--study averaging: name a trained network to distil from: --teacher RUN, such as a "
            f"run of python evaluate.py --config {record.path / 'best.yaml'}"
        )
    best = record.problem.candidate(trained_genes(record)[0])
    settings = dict(best.options)
    config = {**record.config, **settings}
    if not config.get("ema") and not config.get("ema_share"):
        settings["ema_share"] = _EMA_SHARE
    distilled = {**settings, "teacher": str(user_path(teacher).resolve())}
    arms = [
        Arm(
            network="best candidate",
            recipe=name,
            model=best.model,
            settings=distilled if training == "distilled" else {**settings, "teacher": None},
            averaged=averaged,
            training=training,
        )
        for name, averaged, training in (
            ("neither", False, "plain"),
            ("averaged weights", True, "plain"),
            ("distillation", False, "distilled"),
            ("both", True, "distilled"),
        )
    ]
    contrasts = [
        Contrast("averaged weights, without distillation", 1, 0),
        Contrast("averaged weights, with distillation", 3, 2),
        Contrast("distillation, without averaged weights", 2, 0),
        Contrast("distillation, with averaged weights", 3, 1),
    ]
    return arms, contrasts


def stage_arms(record: SearchRecord, teacher: str | None) -> Arms:
    """The best candidate of the rounds, and the best that evolution found with the predictor."""
    trained = trained_genes(record)
    evolved = evolve_record(record, record.limits, int(record.config["seed"])).genes[0]
    rows = record.problem.space.rows(np.stack([trained[0], evolved]))
    if rows[0] == rows[1]:
        raise UserError(
            f"--study stages: in {record.path} evolution found the best trained candidate again, "
            "so there is nothing to compare."
        )
    arms = [
        _own(record, genes, name)
        for genes, name in ((trained[0], "best of stage 2"), (evolved, "best of stage 3"))
    ]
    return arms, [Contrast("best of stage 3 instead of stage 2", 1, 0)]


def swapped_arms(record: SearchRecord, teacher: str | None) -> Arms:
    """The two best networks, each by its own recipe and by the other's."""
    names = record.problem.space.targets("recipe")
    candidates = [record.problem.candidate(genes) for genes in trained_genes(record)]
    first = candidates[0]
    others = [
        one
        for one in candidates
        if _network(one, names) != _network(first, names)
        and _recipe(one, names) != _recipe(first, names)
    ]
    if not others:
        raise UserError(
            f"--study recipes: the trained candidates of {record.path} do not differ in network "
            "and recipe. Search a space with both, such as regnet+recipe."
        )
    both = (first, others[0])
    arms = [
        Arm(
            network=f"network {network + 1}",
            recipe=f"recipe {recipe + 1}",
            model=both[network].model,
            settings={**_sizes(both[network], names), **_recipe(both[recipe], names)},
        )
        for network in (0, 1)
        for recipe in (0, 1)
    ]
    contrasts = [
        Contrast("recipe 2 instead of 1, network 1", 1, 0),
        Contrast("recipe 1 instead of 2, network 2", 2, 3),
        Contrast("network 2 instead of 1, recipe 1", 2, 0),
        Contrast("network 2 instead of 1, recipe 2", 3, 1),
    ]
    return arms, contrasts


STUDIES: Mapping[str, Callable[[SearchRecord, str | None], Arms]] = MappingProxyType(
    {"averaging": averaging_arms, "stages": stage_arms, "recipes": swapped_arms}
)


def _own(record: SearchRecord, genes: Floats, name: str) -> Arm:
    candidate = record.problem.candidate(genes)
    return Arm(network=name, recipe="own", model=candidate.model, settings=candidate.options)


def _recipe(candidate: JointCandidate, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: candidate.options[name] for name in names}


def _sizes(candidate: JointCandidate, names: tuple[str, ...]) -> dict[str, Any]:
    """Options that belong to the network, such as its channels."""
    return {name: one for name, one in candidate.options.items() if name not in names}


def _network(candidate: JointCandidate, names: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    return candidate.model, _sizes(candidate, names)
