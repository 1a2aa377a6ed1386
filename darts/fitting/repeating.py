"""The commands that repeat each step of a fit, with exactly its settings."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from darts.fitting.field import Entrant
from darts.fitting.files import FitFiles
from darts.fitting.halving import training_key
from darts.fitting.options import FitOptions
from darts.fitting.plan import Plan
from darts.fitting.recipe import for_epochs
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.parsing import options_from
from darts.system.randomness import stream_seed
from darts.training.options import TrainingOptions, training_overlay

_NOT_REPEATED = ("resume", "run_dir", "log_every")


def repeat_training(options: TrainingOptions) -> str:
    """The command of a training.

    >>> repeat_training(TrainingOptions(model="resnet50", dataset="digits", epochs=3))
    'python evaluate.py --dataset digits --epochs 3 --model resnet50'
    """
    named = {name: getattr(options, name) for name in ("genotype", "model", "dataset")}
    usual = options_from(TrainingOptions, named, training_overlay)
    return " ".join(["python evaluate.py", *_flags(options, usual, tuple(named))])


def repeat_search(options: SearchOptions) -> str:
    """The command of a search.

    >>> repeat_search(SearchOptions(dataset="digits", k=2))
    'python search.py --dataset digits --k 2'
    """
    named = {"dataset": options.dataset, "method": options.method}
    usual = options_from(SearchOptions, named, search_overlay)
    return " ".join(["python search.py", *_flags(options, usual, ("dataset",))])


def _flags(options: Any, usual: Any, always: Sequence[str]) -> list[str]:
    """The flags of what differs from the usual settings."""
    found: list[str] = []
    for one in fields(options):
        value = getattr(options, one.name)
        if one.name in _NOT_REPEATED or value is None:
            continue
        if value == getattr(usual, one.name) and one.name not in always:
            continue
        flag = one.name.replace("_", "-")
        if isinstance(value, bool) and one.type == "bool":
            found.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found.append(f"--{flag} {shlex.quote(text)}")
    return found


def steps_of(
    options: FitOptions,
    plan: Plan,
    recipe: TrainingOptions,
    searches: Sequence[SearchOptions],
    winner: Entrant,
    rung: int,
    final_epochs: int,
    files: FitFiles,
) -> list[tuple[str, str]]:
    """Each step in words with its command.

    Args:
        options: What the fit was asked for.
        plan: Its plan.
        recipe: The recipe of all its trainings.
        searches: The options of each search.
        winner: The network that won.
        rung: The winner's last rung, from 1.
        final_epochs: Epochs of the final training.
        files: The files of the fit.
    """
    key = "genotype" if "genotype" in winner.model else "model"
    own = {**winner.recipe, key: str(files.winner)}
    name = training_key(rung, winner.name, 0)
    short = replace(
        for_epochs(recipe, plan.rungs[rung - 1].epochs),
        **own,
        hold_out=plan.every,
        seed=stream_seed(options.seed, name),
    )
    steps = [("All of it, or what is missing of it", repeat_fit(options))]
    steps += [(f"The search with seed {one.seed}", repeat_search(one)) for one in searches]
    steps.append((f"The winner's training in rung {rung}", repeat_training(short)))
    final = replace(for_epochs(recipe, final_epochs), **own)
    steps.append(("The final training", repeat_training(final)))
    shown = shlex.quote(str(files.final))
    for form, path in (("onnx", files.onnx), ("torch-export", files.program)):
        steps.append(
            (
                f"The export ({form})",
                f"python -m darts export --checkpoint {shown} --format {form} -o "
                f"{shlex.quote(str(path))}",
            )
        )
    image = "IMAGE.jpg"
    steps.append(("To classify an image", f"python -m darts predict {image} --checkpoint {shown}"))
    return steps


def repeat_fit(options: FitOptions) -> str:
    """The command of the whole fit.

    >>> repeat_fit(FitOptions(data="my photos", budget=90))
    "python -m darts fit 'my photos' --budget 90s"
    """
    words = ["python -m darts fit", shlex.quote(options.data), f"--budget {options.budget:g}s"]
    for one in fields(FitOptions):
        value = getattr(options, one.name)
        if one.name in ("data", "budget") or value == one.default:
            continue
        for each in value if isinstance(value, tuple) else (value,):
            words.append(f"--{one.name.replace('_', '-')} {shlex.quote(str(each))}")
    return " ".join(words)
