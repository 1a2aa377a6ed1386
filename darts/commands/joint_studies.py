"""Commands of studies on a joint search: `joint ablate` and `joint transfer`."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.commands.shared import Arguments, add_trial_arguments, print_table

if TYPE_CHECKING:
    from darts.joint.arm_options import ArmOptions
    from darts.joint.arms import ArmStudy

_STORED = (
    "Trainings are stored in {folder}/trials.sqlite: to continue after an interruption, or to add "
    "{more}, repeat the command. Errors are those on the held-out training images of the search."
)


def joint_ablate_command(arguments: Sequence[str], prog: str) -> None:
    """Tell what a part of a search is worth: of its predictor without trainings, else with them."""
    parser = _parser(
        prog,
        "Tell what a part of a joint search is worth. predictor: predict the accuracies of some "
        "trained candidates from those of the others, with and without pretraining on costs; no "
        "training is repeated. averaging: the best candidate with and without averaged weights "
        "and distillation. stages: the best candidate of the evolution and the best one trained "
        "before. recipes: the two best networks, each by its own recipe and by the other's. "
        + _STORED.format(folder="RUN/ablation-STUDY", more="seeds"),
        [
            ("runs/…", "does the predictor need its pretraining?"),
            ("runs/… --study recipes", "two networks with each other's recipe"),
        ],
    )
    parser.add_argument(
        "--study",
        choices=("predictor", "averaging", "stages", "recipes"),
        default="predictor",
        help="by default predictor",
    )
    parser.add_argument("--folds", type=int, default=5, help="parts of the candidates")
    parser.add_argument("--teacher", metavar="RUN", help="trained network, for averaging")
    parsed = parser.parse_args(arguments)
    if parsed.study == "predictor":
        _ablate_predictor(parsed)
        return
    from darts.joint.studies import ablate

    command = f"{prog} {shlex.join(arguments)}"
    study, page = ablate(parsed.run, parsed.study, _options(parsed), parsed.teacher, command)
    _show(study, page, parsed.json)


def joint_transfer_command(arguments: Sequence[str], prog: str) -> None:
    """Train models by the recipe of a search and by their own; print the paired differences."""
    parser = _parser(
        prog,
        "Train each model by the best recipe of a joint search and by its own: the shipped one of "
        "its paper, for the same epochs and batches. "
        + _STORED.format(folder="RUN/transfer", more="seeds or models"),
        [("runs/… --models resnet18 darts_v2", "the found recipe on two other networks")],
    )
    parser.add_argument("--models", nargs="+", required=True, metavar="NAME", help="networks")
    parsed = parser.parse_args(arguments)
    from darts.joint.studies import transfer

    command = f"{prog} {shlex.join(arguments)}"
    study, page = transfer(parsed.run, parsed.models, _options(parsed), command)
    _show(study, page, parsed.json)


def _parser(prog: str, description: str, examples: Sequence[tuple[str, str]]) -> Arguments:
    parser = Arguments(uses_files=True, prog=prog, description=description, examples=examples)
    add = parser.add_argument
    add("run", type=Path, help="directory of a joint search")
    add("--seeds", type=int, default=3, help="repetitions")
    add("--seed", type=int, default=0, help="first seed")
    add("--epochs", type=int, help="epochs of each training; by default those of the search")
    add(
        "--final",
        action="store_true",
        help="train on all training images and judge by the test images, once, at the end",
    )
    add("--device", default="auto", help="cpu, cuda, cuda:N, mps, or auto")
    add("--threads", type=int, default=0, help="CPU threads; 0: as many as are worth it")
    add_trial_arguments(parser, "trainings")
    add("--json", action="store_true", help="print JSON instead of tables")
    return parser


def _options(parsed: Namespace) -> ArmOptions:
    from darts.joint.arm_options import ArmOptions
    from darts.settings.options import names_of
    from darts.settings.used_files import joined_names

    given: dict[str, Any] = {name: getattr(parsed, name) for name in names_of(ArmOptions)}
    return ArmOptions(**{**given, "use": joined_names(parsed.use)})


def _show(study: ArmStudy, page: Path, as_json: bool) -> None:
    from darts.runs.directory import finite

    if as_json:
        print(json.dumps(finite(study.as_dict()), indent=2, allow_nan=False))
        return
    print_table(study.rows())
    print()
    print_table(study.difference_rows())
    print(f"\n{study.sentence()}")
    for note in study.notes:
        print(f"note    {note}")
    print(f"report  {page}")


def _ablate_predictor(parsed: Namespace) -> None:
    from darts.joint.studies import ablate_prediction
    from darts.runs.directory import finite

    found, page = ablate_prediction(parsed.run, _options(parsed), parsed.folds, parsed.teacher)
    if parsed.json:
        print(json.dumps(finite(found.as_dict()), indent=2, allow_nan=False))
        return
    print_table(found.rows())
    print(f"\n{found.sentence()}\nreport  {page}")
