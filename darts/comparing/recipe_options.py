"""Options of a comparison under several recipes. Torch-free, so that `--help` is instant."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from darts.comparing.options import StudyOptions
from darts.comparing.recipes import Recipes, read_recipes
from darts.errors import UserError
from darts.run_files import RunFiles
from darts.settings.options import names_of
from darts.settings.suites import SUITE_PRESETS, AnyPreset, suite_network
from darts.training.options import training_overlay
from genotypes import Genotype, is_written, load_genotype


@dataclass(frozen=True, kw_only=True)
class RecipeStudyOptions(StudyOptions):
    """Cells that are trained from scratch under several recipes: does their order depend on it?

    Every network is trained by every recipe, which sets some options of the training; the others
    are the same for all. Source: DARTS-Bench-Suite (arXiv 2507.16533).

    Args:
        preset: Scale of the recipe: paper uses the published settings; quick and smoke make runs
            small; bench-wide, bench-deep and bench-single are the networks of DARTS-Bench-Suite,
            trained on the second half of the images.
        cells: Judged cells, separated by spaces: names in the zoo, YAML files, runs of a search, or
            cells of NAS-Bench-201. The words before the first flag are cells, too.
        recipes: Recipes, separated by spaces: bench-suite (the nine pairs of learning rate and
            weight decay of DARTS-Bench-Suite), YAML files, or settings such as lr=0.025,wd=3e-4.
        baseline: Networks of the first cell's cost that are trained as well: random-cells, or
            design spaces such as regnetx; none by default.
        population: Number of networks of each baseline.
        seeds: Number of trainings of every network under every recipe; with 2 or more the noise of
            a training is measured.
    """

    preset: AnyPreset = "paper"  # type: ignore[assignment]
    cells: str | None = None
    recipes: str | None = None
    population: int = 4

    @property
    def chosen(self) -> Recipes:
        """The recipes."""
        return read_recipes(self.recipes or "")

    @property
    def judged(self) -> tuple[Genotype, ...]:
        """The cells; equal names are numbered.

        Raises:
            GenotypeError: There is no such cell, or its file is wrong.
        """
        return load_cells(self.cells)

    def check(self) -> None:
        """Check the options.

        Raises:
            UserError: No study is possible with them.
        """
        if not self.cells:
            raise UserError("--recipes: which cells? For example: compare darts_v1 darts_v2 …")
        if len(self.chosen.each) < 2:
            raise UserError(
                "--recipes: at least two recipes are needed, such as bench-suite, or lr=0.025 "
                "lr=0.1. With one recipe, use compare --genotype."
            )
        self.check_numbers(("seeds", 1), ("population", 1))
        if len(self.judged) + self.population * len(self.baselines) < 2:
            raise UserError("--recipes: give two cells or more, or add --baseline random-cells.")
        if self.preset in SUITE_PRESETS:
            nodes = suite_network(self.preset)["nodes"]
            for cell in self.judged:
                if cell.rules.stack != "cells" or cell.nodes != nodes:
                    raise UserError(
                        f"--preset {self.preset}: its cells have {nodes} inner nodes and two "
                        f"inputs, but {cell.name} has not."
                    )


def load_cells(cells: str | None) -> tuple[Genotype, ...]:
    """The cells that words name; a run of a search stands for its cell.

    >>> [cell.name for cell in load_cells("darts_v1 darts_v2 darts_v1")]
    ['darts_v1', 'darts_v2', 'darts_v1 (2)']

    Raises:
        GenotypeError: There is no such cell, or its file is wrong.
    """
    found: list[Genotype] = []
    counts: dict[str, int] = {}
    for word in shlex.split(cells or ""):
        cell = load_genotype(_cell_file(word))
        counts[cell.name] = number = counts.get(cell.name, 0) + 1
        found.append(cell if number == 1 else cell.with_name(f"{cell.name} ({number})"))
    return tuple(found)


def _cell_file(word: str) -> str:
    if is_written(word):
        return word
    run = RunFiles(Path(word))
    return str(run.genotype) if run.genotype.is_file() else word


def recipe_study_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults: those of a retraining, the settings that all recipes share, and the preset's.

    Raises:
        UserError: The recipes are wrong, or set an option that is given as well.
    """
    recipes = read_recipes(settings["recipes"] or "")
    _check_conflict(settings, recipes)
    words = shlex.split(settings["cells"] or "")
    known = {**settings, "genotype": _cell_file(words[0]) if words else None}
    plain = training_overlay({**known, "preset": "paper"})
    implied = {**plain, **recipes.common}
    if settings["preset"] in SUITE_PRESETS:
        network = suite_network(settings["preset"])
        size = {"channels": network["channels"], "layers": network["layers"]}
        implied |= {**size, "stem": "cifar", "half": "second"}
    elif settings["preset"] != "paper":
        small = training_overlay(known)
        implied |= {name: one for name, one in small.items() if plain.get(name) != one}
    return {name: one for name, one in implied.items() if name in names_of(RecipeStudyOptions)}


def _check_conflict(settings: Mapping[str, Any], recipes: Recipes) -> None:
    defaults = {one.name: one.default for one in fields(RecipeStudyOptions)}
    for name in recipes.varied:
        if settings[name] != defaults[name]:
            raise UserError(
                f"--{name.replace('_', '-')} {settings[name]}: the recipes set it. Leave it out, "
                "or give it in every recipe."
            )
