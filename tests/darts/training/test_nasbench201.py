"""Training cells of NAS-Bench-201: the benchmark's recipe, presets, comparison."""

from __future__ import annotations

import pytest

from darts.comparing.options import CompareOptions, compare_overlay
from darts.settings.parsing import options_from
from darts.training.options import TrainingOptions, training_overlay
from genotypes.nasbench201 import genotype_of

CELL = genotype_of(["skip_connect"] * 6).name


def options(**settings: object) -> TrainingOptions:
    return options_from(TrainingOptions, {"genotype": CELL, **settings}, training_overlay)


def test_the_recipe_is_that_of_the_benchmark() -> None:
    paper = options()
    assert (paper.dataset, paper.epochs, paper.batch_size) == ("cifar10", 200, 256)
    assert (paper.optimiser, paper.learning_rate, paper.weight_decay) == ("nesterov", 0.1, 5e-4)
    assert (paper.channels, paper.layers, paper.auxiliary) == (16, 15, False)
    assert (paper.cutout, paper.drop_path, paper.grad_clip) == (0, 0.0, 0.0)


@pytest.mark.parametrize("preset", ["quick", "smoke"])
def test_presets_have_stages_of_one_cell(preset: str) -> None:
    assert options(preset=preset).layers == 3
    compared = options_from(CompareOptions, {"genotype": CELL, "preset": preset}, compare_overlay)
    assert (compared.layers, compared.auxiliary) == (3, False)


def test_what_the_user_says_counts() -> None:
    assert options(layers=6, optimiser="sgd").optimiser == "sgd"
