"""The commands that train and analyse populations again, for their page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from darts.advising.command_lines import flags_of
from darts.design_space.options import PopulationOptions
from darts.design_space.population import Population
from darts.errors import UserError
from darts.settings.options import names_of


def repeat_populations(populations: Sequence[Population], output: Path) -> list[tuple[str, str]]:
    """A command that trains each population again, and the one that analyses them.

    A population with another origin than `space train` has no such command.

    Args:
        populations: The populations.
        output: Directory of the analysis.
    """
    steps = []
    places = [f"{Path(one.name).name}-again" for one in populations]
    for population, place in zip(populations, places, strict=True):
        networks = len(population) + population.missing
        command = training_command(population.recipe, networks, place)
        if command is None:
            return []
        steps.append((f"Train {population.name}", command))
    words = ["python -m darts space analyse", *map(shlex.quote, places)]
    words += ["-o", shlex.quote(f"{output.resolve().name}-again")]
    return [*steps, ("Analyse", " ".join(words))]


def training_command(recipe: Mapping[str, Any], networks: int, out: str) -> str | None:
    """The command that trains a population with this recipe; None if it has no such recipe.

    >>> training_command({"space": "regnetx", "dataset": "digits", "epochs": 2}, 9, "again")
    'python -m darts space train --dataset digits --epochs 2 --space regnetx --n 9 --out again'
    """
    if "space" not in recipe or "dataset" not in recipe:
        return None
    known = {name: recipe[name] for name in names_of(PopulationOptions) if name in recipe}
    try:
        options = PopulationOptions(**known, n=networks, out=out)
    except (TypeError, UserError):
        return None  # The recipe of another version.
    flags = flags_of(options, PopulationOptions(), ("space", "dataset", "n"))
    return " ".join(["python -m darts space train", *flags])
