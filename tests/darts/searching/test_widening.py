"""A stage that changes nothing continues the search to the last bit."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from darts.runs.checkpoints import load_checkpoint
from darts.searching.task import search_cells
from tests.darts.runs_support import assert_same, search_options

SETTINGS = {"epochs": 4, "train_images": 60, "arch_warmup_epochs": 0, "k": 2, "momentum": 0.9}


def test_a_stage_with_the_same_width_and_candidates_goes_on_as_before(tmp_path: Path) -> None:
    for name, stages in (("whole", ""), ("staged", "widening:k=2/2,kept=8/8")):
        search_cells(search_options(tmp_path / name, stages=stages, **SETTINGS))
    one, other = (load_checkpoint(tmp_path / name)["task"] for name in ("whole", "staged"))
    for part in ("supernet", "architecture", "weight_optimiser", "architecture_optimiser"):
        assert_same(one[part], other[part], part)
    losses = []
    for name in ("whole", "staged"):
        lines = map(json.loads, (tmp_path / name / "metrics.jsonl").read_text().splitlines())
        losses.append([line["loss"] for line in lines if line["kind"] == "step"])
    assert losses[0] == losses[1]


def test_a_wider_stage_starts_from_the_weights_and_alpha_of_the_one_before(tmp_path: Path) -> None:
    still = {"learning_rate": 1e-9, "learning_rate_min": 1e-9, "arch_learning_rate": 1e-12}
    settings = {**SETTINGS, "epochs": 2, **still}
    options = search_options(
        tmp_path / "run", nodes=3, stages="widening:k=4/2,kept=8/3", **settings
    )
    search_cells(options)
    state = load_checkpoint(tmp_path / "run")["task"]
    alpha = state["architecture"]["alpha.normal"]
    assert state["stage"]["index"] == 1
    assert all(len(names) == 3 for *_, names in state["stage"]["restricted"])
    assert (alpha.abs().lt(1e-9).sum(1) == 5).all()  # Those of dropped candidates became 0.
    name = "cells.0.fan_outs.0.rectified.sep_conv_3x3.first.depthwise.weight"
    convolution = state["supernet"][name]
    width = convolution.shape[0]
    assert width % 4 == 0
    blocks = convolution.view(width // 4, 4, 9)
    same = torch.cdist(blocks, blocks).lt(1e-6).sum(dim=(1, 2))
    assert (same > 4).all()  # Two channels became four: some are equal.
