"""Differentiable architecture search: PC-DARTS and baselines.

From Python, the functions of this module do what the commands do:

| function | what it does |
|---|---|
| `fit`, `advise` | a network for one's own images within a time budget; settings for them |
| `search`, `evaluate`, `detect` | search a cell; train a network from scratch; train a detector |
| `classify_images` | name what images show, with a trained run or an exported file |
| `compare`, `compare_recipes` | judge a network among others of its cost, or by several recipes |
| `sweep` | many searches |
| `train_population`, `analyse_populations`, `rank_schedules`, `time_population` | populations |
| `search_jointly`, `evolve_candidate` | architecture and recipe; the best under a ceiling |
| `transfer_recipe`, `ablate_search` | a found recipe elsewhere; what parts of a search are worth |
| `compare_scalings`, `search_scaling` | scaled networks at equal cost; a grid of coefficients |
| `draw_activation_maps` | where in images a network sees their class |
| `look_up_cells`, `correlate`, `score_models` | known and one-shot accuracies, scores of cells |
| `backends` | which back ends work here, and how fast |
| `load_genotype`, `create_network`, `load_pretrained` | genotypes, networks, trained networks |

`help(darts.search)` describes a function and its settings. Results have a short `repr`, and show
their cells in notebooks.

>>> import darts
>>> darts.load_genotype("pcdarts_cifar10").nodes
4
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darts.api import (
        ablate_search,
        advise,
        analyse_populations,
        backends,
        classify_images,
        compare,
        compare_recipes,
        compare_scalings,
        correlate,
        detect,
        draw_activation_maps,
        evaluate,
        evolve_candidate,
        fit,
        look_up_cells,
        rank_schedules,
        score_models,
        search,
        search_jointly,
        search_scaling,
        sweep,
        time_population,
        train_population,
        transfer_recipe,
    )
    from darts.models.registry import create_network
    from darts.training.pretrained import load_pretrained
    from genotypes import load_genotype

__all__ = [
    "ablate_search",
    "advise",
    "analyse_populations",
    "backends",
    "classify_images",
    "compare",
    "compare_recipes",
    "compare_scalings",
    "correlate",
    "create_network",
    "detect",
    "draw_activation_maps",
    "evaluate",
    "evolve_candidate",
    "fit",
    "load_genotype",
    "load_pretrained",
    "look_up_cells",
    "rank_schedules",
    "score_models",
    "search",
    "search_jointly",
    "search_scaling",
    "sweep",
    "time_population",
    "train_population",
    "transfer_recipe",
]

# Imported on first use: torch takes seconds to import, and `--help` must not wait for it.
_HOMES = {
    "create_network": "darts.models.registry",
    "load_genotype": "genotypes",
    "load_pretrained": "darts.training.pretrained",
}


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(_HOMES.get(name, "darts.api")), name)
    raise AttributeError(f"module 'darts' has no attribute {name!r}")
