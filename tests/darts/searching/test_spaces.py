"""A search in a space that is named or described by a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darts.methods.catalogue import METHODS
from darts.report.page import write_report
from darts.searching.assembly import method_of
from darts.searching.drawing import draw_epoch
from darts.searching.options import SEARCH_PRESETS, SearchOptions, search_overlay
from darts.searching.spaces import searched_space
from darts.searching.staging import plan_stages
from darts.searching.task import SearchTask, search_cells
from darts.settings.parsing import options_from
from genotypes import SPACES, GenotypeError, find_space, load_genotype
from genotypes.nasbench201 import operations_of
from genotypes.nasbench201_cost import StagesSize
from tests.darts.runs_support import search_options
from tests.genotypes.test_spaces import OWN


def settings(space: str, preset: str) -> tuple[int, int]:
    options = options_from(SearchOptions, {"space": space, "preset": preset}, search_overlay)
    return options.nodes, options.layers


def test_a_space_implies_nodes_and_layers() -> None:
    assert settings("darts", "paper") == (4, 8)
    assert settings("darts", "smoke") == (3, 3)
    assert settings("s1", "smoke") == (4, 3)
    assert settings("nasbench201", "paper") == (3, 15)
    assert settings("nasbench201", "quick") == (3, 3)
    with pytest.raises(GenotypeError, match="no search space 's5'"):
        settings("s5", "paper")


@pytest.mark.parametrize("preset", SEARCH_PRESETS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_divides_its_cells_into_stages(method: str, preset: str) -> None:
    given = {"space": "nasbench201", "preset": preset, "method": method}
    options = options_from(SearchOptions, given, search_overlay)
    assert options.nodes == 3
    assert options.layers == (15 if preset == "paper" else 3)
    stages = plan_stages(method_of(options), options)
    assert all((options.layers + stage.added_layers) % 3 == 0 for stage in stages)


def test_an_own_space_stays_with_its_run_and_genotype(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    space = find_space(file)
    small = {"nodes": 2, "epochs": 1, "arch_warmup_epochs": 0}
    result = search_cells(search_options(tmp_path / "run", space=str(file), **small))
    file.unlink()
    assert result.genotype.rules == space
    assert load_genotype(tmp_path / "run" / "genotype.yaml") == result.genotype
    assert searched_space(str(file), str(tmp_path / "run")) == space
    resumed = options_from(SearchOptions, {"resume": str(tmp_path / "run")}, search_overlay)
    assert SearchTask(resumed).space == space
    assert write_report(tmp_path / "run").is_file()


def test_a_known_space_is_named_in_the_config_only(tmp_path: Path) -> None:
    small = {"space": "s3", "nodes": 2, "epochs": 1, "arch_warmup_epochs": 0}
    result = search_cells(search_options(tmp_path / "run", **small))
    assert result.genotype.rules == SPACES["s3"]
    assert not (tmp_path / "run" / "space.yaml").exists()


@pytest.mark.parametrize("name", ["s1", "s4"])
def test_restricted_spaces_are_searched_within_a_ceiling(name: str, tmp_path: Path) -> None:
    small = {"space": name, "epochs": 1, "arch_warmup_epochs": 0, "nodes": 4, "train_images": 160}
    free = search_cells(search_options(tmp_path / "free", **small))
    ceiling = 0.9 * free.derived["macs"]
    result = search_cells(search_options(tmp_path / "run", max_macs=str(int(ceiling)), **small))
    assert result.genotype.rules == SPACES[name]
    assert result.derived["ceilings_kept"]
    assert result.derived["macs"] <= ceiling < free.derived["macs"]


def test_stages_that_widen_carry_unfused_operations_over(tmp_path: Path) -> None:
    small = {"space": "nasbench201", "method": "drnas-progressive", "preset": "smoke", "nodes": 3}
    result = search_cells(search_options(tmp_path / "run", **small, arch_warmup_epochs=0))
    assert result.genotype.rules == SPACES["nasbench201"]


@pytest.mark.parametrize("ceiling", [{}, {"max_macs": "4M"}])
def test_nasbench201_is_searched(ceiling: dict[str, str], tmp_path: Path) -> None:
    small = {"space": "nasbench201", "nodes": 3, "epochs": 1, "arch_warmup_epochs": 0}
    result = search_cells(search_options(tmp_path / "run", **small, **ceiling), on_epoch=draw_epoch)
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    options = search_options(tmp_path / "other")
    size = StagesSize(channels=options.channels, cells=1)
    assert stored["parameters"] == size.supernet_parameters(options.k)
    operations = operations_of(result.genotype)
    assert result.derived["macs"] == StagesSize(resolution=8).macs(operations)
    assert result.derived["params"] == StagesSize().parameters(operations)
    assert result.derived["ceilings_kept"]
    files = {path.name for path in (tmp_path / "run" / "cells").iterdir()}
    assert files == {"normal.gv", "normal.svg", "normal.png", "epoch-001-normal.svg"}
    page = write_report(tmp_path / "run").read_text()
    assert "normal cell" in page
    assert "reduction cell" not in page


def test_a_space_with_other_outputs_and_pools_is_searched(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(f"{OWN}output: last\nnormalised_pools: false\n")
    small = {"nodes": 2, "epochs": 1, "arch_warmup_epochs": 0}
    result = search_cells(search_options(tmp_path / "run", space=str(file), **small))
    assert result.genotype.normal_concat == result.genotype.reduce_concat == (3,)
