"""The supernets of DARTS-Bench-Suite: their sizes, numbers of parameters, and searches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cells.topology import Topology
from darts.errors import UserError
from darts.methods.architecture import Architecture
from darts.methods.catalogue import METHODS
from darts.methods.skips import AuxiliarySkip
from darts.searching.assembly import method_of
from darts.searching.checks import check_search
from darts.searching.options import SearchOptions, search_overlay
from darts.searching.staging import plan_stages
from darts.searching.supernets import create_supernet
from darts.settings.parsing import options_from
from darts.settings.suites import SUITE_PRESETS, suite_network
from genotypes import SPACES, load_genotype
from tests.darts.runs_support import search_options
from tests.darts.searching.test_supernet import Twins

# The multiplier of the suite's code is 4: its single cell of eight nodes returns the last four
# only, so that its classifier has 4 · 52 · 10 weights less than ours.
LAST_FOUR = 4 * 52 * 10


def supernet(preset: str, space: str, *, skip: bool = False) -> Any:
    network = suite_network(preset)
    architecture = Architecture(
        Topology(network["nodes"]),
        space=SPACES[space],
        generator=torch.Generator(),
        auxiliary=AuxiliarySkip() if skip else None,
    )
    sizes = {"channels": network["channels"], "layers": network["layers"], "num_classes": 10}
    with torch.device("meta"):
        return create_supernet(
            architecture,
            k=1,
            stem="cifar",
            sampling="first",
            backend="torch",
            device="cpu",
            **sizes,
        )


@pytest.mark.parametrize(
    ("preset", "space", "skip", "parameters"),
    [
        ("bench-wide", "darts", False, 1_399_168),
        ("bench-wide", "darts-no-skip", False, 1_347_328),
        ("bench-wide", "darts", True, 1_451_008),
        ("bench-deep", "darts", False, 991_392),
        ("bench-deep", "darts-no-skip", False, 983_552),
        ("bench-deep", "darts", True, 999_232),
        ("bench-single", "darts", False, 1_002_960 + LAST_FOUR),
        ("bench-single", "darts-no-skip", False, 959_696 + LAST_FOUR),
        ("bench-single", "darts", True, 1_046_224 + LAST_FOUR),
    ],
)
def test_parameters_of_the_supernets(preset: str, space: str, skip: bool, parameters: int) -> None:
    built = supernet(preset, space, skip=skip)
    assert sum(one.numel() for one in built.parameters()) == parameters


def test_where_the_supernets_reduce() -> None:
    reductions = {
        preset: [n for n, kind in enumerate(supernet(preset, "darts").kinds) if kind == "reduce"]
        for preset in SUITE_PRESETS
    }
    assert reductions == {"bench-wide": [1, 2], "bench-deep": [6, 12], "bench-single": [0]}


@pytest.mark.parametrize("backend", ["torch", "native"])
def test_a_single_cell_of_eight_nodes_equals_the_literal_form(backend: str) -> None:
    twins = Twins(k=1, nodes=8, layers=1, channels=4, backend=backend)
    fused, literal = twins.step()
    torch.testing.assert_close(fused, literal, rtol=1e-9, atol=1e-9)
    for ours, theirs in zip(*(one.parameters() for one in twins.architectures), strict=True):
        if ours.grad is not None:  # No cell reads the alpha of normal cells.
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-9)
    assert sum(one.grad is not None for one in twins.architectures[0].parameters()) == 2


def options(**settings: Any) -> SearchOptions:
    return options_from(SearchOptions, settings, search_overlay)


@pytest.mark.parametrize(
    ("method", "preset", "wanted"),
    [
        # epochs, warm-up, batch size, learning rate, that of alpha, K
        ("darts-v1", "bench-wide", (100, 0, 96, 0.025, 3e-4, 1)),
        ("sdarts-rs", "bench-deep", (100, 0, 64, 0.025, 3e-4, 1)),
        ("fair-darts", "bench-single", (100, 0, 96, 0.025, 3e-4, 1)),
        ("drnas", "bench-wide", (100, 0, 96, 0.1, 6e-4, 1)),
        ("gdas", "bench-wide", (300, 0, 480, 0.025, 3e-4, 1)),
        ("gdas", "bench-deep", (300, 0, 320, 0.025, 3e-4, 1)),
        ("pc-darts", "bench-wide", (100, 15, 96, 0.025, 3e-4, 4)),
    ],
)
def test_searches_of_the_suite(method: str, preset: str, wanted: tuple) -> None:
    found = options(method=method, preset=preset)
    assert wanted == (
        found.epochs,
        found.arch_warmup_epochs,
        found.batch_size,
        found.learning_rate,
        found.arch_learning_rate,
        found.k,
    )
    assert (found.half, found.split, found.stem) == ("first", "paper", "cifar")
    network = suite_network(preset)
    assert (found.target_channels, found.target_layers) == (network["channels"], found.layers)
    # The suite's channels cannot be divided by PC-DARTS's K = 4.
    assert found.channels == (20 if method == "pc-darts" else network["channels"])


@pytest.mark.parametrize("preset", SUITE_PRESETS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_the_presets(method: str, preset: str) -> None:
    found = options(method=method, preset=preset)
    check_search(found)
    assert plan_stages(method_of(found), found, SPACES["darts"])[0].first == 0


def test_a_method_outside_the_suite_keeps_its_own_settings() -> None:
    own, suite = options(method="spos"), options(method="spos", preset="bench-deep")
    assert (suite.channels, suite.layers, suite.half) == (7, 18, "first")
    assert (suite.epochs, suite.batch_size) == (own.epochs, own.batch_size)


@pytest.mark.parametrize("space", ["nasbench201", "s1"])
def test_spaces_of_other_cells_are_refused(space: str) -> None:
    with pytest.raises(UserError, match=r"--preset bench-single: .*--space darts"):
        options(preset="bench-single", space=space)
    with pytest.raises(UserError, match="--layers: must be 3 or more, or 1 for a single"):
        check_search(options(layers=2))


def test_a_single_cell_is_searched(tmp_path: Path) -> None:
    from darts.searching.task import search_cells

    settings = {"dataset": "digits", "train_images": 40, "epochs": 1, "batch_size": 10}
    run = search_options(
        tmp_path / "run", preset="bench-single", method="gdas", channels=4, nodes=2, **settings
    )
    result = search_cells(run)
    derived = json.loads((tmp_path / "run" / "result.json").read_text())["derived"]
    assert (derived["target"]["channels"], derived["target"]["layers"]) == (26, 1)
    assert load_genotype(str(tmp_path / "run" / "genotype.yaml")) == result.genotype
