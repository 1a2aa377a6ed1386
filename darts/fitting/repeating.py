"""The commands that repeat each step of a fit, with exactly its settings."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields, replace

from darts.advising.command_lines import repeat_search, repeat_training
from darts.fitting.field import Entrant
from darts.fitting.files import FitFiles
from darts.fitting.halving import training_key
from darts.fitting.options import FitOptions
from darts.fitting.plan import Plan
from darts.fitting.recipe import for_epochs
from darts.searching.options import SearchOptions
from darts.system.randomness import stream_seed
from darts.training.options import TrainingOptions


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
