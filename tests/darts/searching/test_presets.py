"""Every method of the catalogue searches, and goes on exactly where a kill has stopped it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from darts.methods.catalogue import METHODS
from darts.searching.assembly import method_of
from darts.searching.checks import check_search
from darts.searching.options import SearchOptions, search_overlay
from darts.searching.staging import plan_stages
from darts.searching.task import SearchTask, search_cells
from darts.settings.parsing import build
from genotypes import SPACES
from tests.darts.runs_support import assert_same_run, search_options

TINY = {
    "train_images": 40,
    "arch_fraction": 0.5,
    "arch_warmup_epochs": 0,
    "batch_size": 10,
    "channels": 8,
    "nodes": 2,
    "layers": 3,
    "checkpoint_every": 1,
    "log_every": 1,
}


class Killed(BaseException):
    """Stands in for SIGKILL: nothing of the toolkit may catch it."""


MIXTURES = [
    {"relaxation": "gumbel:temperature=5,final_temperature=0.5", "gradient": "single-level"},
    {"relaxation": "hard-gumbel", "weights_first": True, "k": 2},
    {"relaxation": "reinmax", "regulariser": "beta-decay+entropy"},
    {"relaxation": "dirichlet", "regulariser": "dirichlet-kl"},
    {"relaxation": "sigmoid", "regulariser": "zero-one:norm=l1"},
    {
        "relaxation": "binary-paths:mode=two",
        "arch_every": 2,
        "arch_betas": (0.0, 0.999),
        "arch_weight_decay": 0.0,
    },
    {"perturbation": "adversarial:steps=2", "regulariser": "lambda:strength=0.5"},
    {"perturbation": "random", "regulariser": "freezing:window=1,threshold=0.2"},
    {"selection": "projection:interval=1,epochs=2", "epochs": 2},
    {"skips": "dropout:rate=0.5", "drop_path": 0.4, "recompute_cells": True, "epochs": 2},
    {"space": "s4", "nodes": 4, "drop_path": 0.4},
    {"stopping": "fixed-epoch:epochs=2", "epochs": 4},
]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_searches_and_survives_kills(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survives_kills({"method": method}, tmp_path, monkeypatch)


@pytest.mark.parametrize("parts", MIXTURES, ids=str)
def test_a_mixture_of_parts_searches_and_survives_kills(
    parts: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survives_kills({"method": "pc-darts", **parts}, tmp_path, monkeypatch)


def survives_kills(chosen: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    settings: dict[str, Any] = {"preset": "smoke", **TINY, **chosen}
    result = search_cells(search_options(whole, **settings))
    assert result.genotype.nodes == settings["nodes"]

    step, done = SearchTask.step, 0

    def killed_at_times(self: SearchTask) -> Any:
        nonlocal done
        done += 1
        if done in (2, 4):
            raise Killed
        return step(self)

    monkeypatch.setattr(SearchTask, "step", killed_at_times)
    options = search_options(broken, **settings)
    for _ in range(2):
        with pytest.raises(Killed):
            search_cells(options)
        options = replace(options, run_dir=None, resume=str(broken))
    assert search_cells(options).genotype == replace(result.genotype, name="broken")
    assert_same_run(whole, broken)


@pytest.mark.parametrize("space", ["darts", "s1", "darts-no-none", "nasbench201"])
@pytest.mark.parametrize("preset", ["paper", "quick", "smoke"])
@pytest.mark.parametrize("method", METHODS)
def test_the_settings_of_a_method_work_at_every_scale(method: str, preset: str, space: str) -> None:
    settings = {"dataset": "digits", "method": method, "preset": preset, "space": space}
    options = build(SearchOptions, {**settings, **search_overlay(settings)})
    check_search(options)
    if (method, preset) == ("pc-darts", "quick"):
        assert (options.k, options.max_macs) == (1, "typical")
    assert plan_stages(method_of(options), options, SPACES[space])[0].first == 0


def test_a_ceiling_of_the_preset_gives_way_to_a_selection_that_keeps_none() -> None:
    settings = {"dataset": "digits", "preset": "quick", "selection": "projection"}
    options = build(
        SearchOptions, {**settings, **search_overlay(settings | {"method": "pc-darts"})}
    )
    check_search(options)
    assert options.max_macs is None
