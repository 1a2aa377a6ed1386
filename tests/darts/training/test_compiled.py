"""A compiled training step equals the plain one: numbers, masks, state; it also works without.

Most tests only trace the step (back ends "eager" and "aot_eager" of torch.compile) and generate no
code, which takes seconds instead of minutes.
"""

from __future__ import annotations

import copy
import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from darts.models.anynet.config import AnyNetConfig, Stage
from darts.models.mbconv.config import MBConvConfig, MBConvStage
from darts.models.registry import create_network
from darts.training import task as trainer
from darts.training.compiled import StepMasks, compiled, wants_compiling
from darts.training.options import training_overlay
from darts.training.task import TrainingTask
from darts.training.trial import train_briefly
from genotypes import load_genotype
from ops.regularize import PartGenerator
from tests.darts.runs_support import assert_same, training_options

REGNET = AnyNetConfig(
    stages=(Stage(depth=2, width=8), Stage(depth=1, width=16)), stem="cifar", stem_width=8
)
MOBILE = MBConvConfig(
    stages=(MBConvStage(depth=2, width=8, stride=2, expansion=2.0, se_ratio=0.25),),
    stem="cifar",
    stem_width=8,
    head_width=16,
    dropout=0.2,
)
CELL = load_genotype("pcdarts_cifar10")


def network_of(model: Any, generator: torch.Generator) -> nn.Module:
    sizes = {"channels": 4, "layers": 2, "auxiliary": True} if model is CELL else {}
    network = create_network(model, num_classes=5, stem="cifar", generator=generator, **sizes)
    if model is REGNET:
        network.dropout = 0.4
    return network.double().to(memory_format=torch.channels_last)


def one_step(forward: Any, network: nn.Module, images: torch.Tensor, drop_path: float) -> list:
    """Outputs, gradients, buffers and the state of the generator."""
    noise = PartGenerator.starting_at(torch.Generator().manual_seed(1).get_state(), 1, 2)
    network.zero_grad()
    logits, auxiliary = forward(images, drop_path, noise)
    total = logits.square().sum() if auxiliary is None else (logits.sum() + auxiliary.sum())
    total.backward()
    outputs = [logits.detach(), logits.new_zeros(()) if auxiliary is None else auxiliary.detach()]
    gradients = [p.grad.clone() for p in network.parameters() if p.grad is not None]
    buffers = [buffer.clone() for buffer in network.buffers()]
    return [*outputs, *gradients, *buffers, noise.get_state()]


@pytest.mark.parametrize(
    ("model", "compiler"), [(CELL, "aot_eager"), (REGNET, "eager"), (MOBILE, "eager")],
    ids=["cell", "regnet", "mobile"],
)  # fmt: skip
def test_a_compiled_step_is_the_same_step(
    model: Any, compiler: str, generator: torch.Generator
) -> None:
    network = network_of(model, generator)
    plain = copy.deepcopy(network).train()
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64, generator=generator)
    images = images.contiguous(memory_format=torch.channels_last)
    forward = compiled(network, torch.zeros_like(images), nullcontext, compiler)
    assert forward is not None
    assert_same(network.state_dict(), plain.state_dict())
    assert all(parameter.grad is None for parameter in network.parameters())
    with torch.compiler.set_stance("fail_on_recompile"):
        for drop_path in (0.0, 0.1, 0.3):
            ours = one_step(forward, network, images, drop_path)
            theirs = one_step(plain, plain, images, drop_path)
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)
            assert ours[-1].equal(theirs[-1])


def test_masks_without_probability_are_ones_that_nothing_is_drawn_for(
    generator: torch.Generator,
) -> None:
    images = torch.zeros(3, 3, 32, 32)
    masks = StepMasks(network_of(REGNET, generator).train(), images)
    before = generator.get_state()
    drawn = masks.draw(0.0, generator)
    # 3 masks of blocks for 3 images, all ones; then those of dropout 0.4, 16 features per image.
    assert drawn[:9].eq(1).all()
    torch.testing.assert_close(drawn[9:].unique(), torch.tensor([0.0, 1 / 0.6]))
    assert len(drawn) == 9 + 3 * 16
    again = torch.Generator()
    again.set_state(before)
    assert drawn[9:].ne(0).equal(torch.rand(48, generator=again) < 0.6)


def steps(task: TrainingTask, number: int) -> list[dict[str, float]]:
    return [{k: v.item() for k, v in task.step().items()} for _ in range(number)]


def test_a_compiled_run_goes_on_exactly_and_tests_other_batches(tmp_path: Path) -> None:
    """With accumulation, averaged weights and mixup; the last test batch is smaller."""
    settings = {"drop_path": 0.5, "ema": 0.5, "mixup": 0.2, "accumulate": 2, "test_images": 33}
    options = training_options(tmp_path / "run", compile=True, **settings)
    task = TrainingTask(options, REGNET, compiler="eager")
    assert (task.title, task.options.compile) == ("training (compiled)", True)
    task.begin_epoch(1)
    with torch.compiler.set_stance("fail_on_recompile"):
        steps(task, 2)
        state = copy.deepcopy(task.state_dict())
        task.test()
        expected = steps(task, 2)
    names = [*state["network"], *state["average"]]
    assert names == 2 * list(create_network(REGNET, num_classes=10).state_dict())
    other = TrainingTask(options, REGNET, compiler="eager")
    other.load_state_dict(state)
    other.begin_epoch(1)
    assert steps(other, 2) == expected
    assert_same(other.state_dict(), task.state_dict())


@pytest.mark.parametrize("obstacle", ["no tools", "cells again"])
def test_where_nothing_can_be_compiled_a_run_goes_on_without(
    obstacle: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from torch._inductor import config

    model: Any = REGNET if obstacle == "no tools" else CELL
    settings = {"recompute_cells": obstacle == "cells again", "drop_path": 0.5}
    plain = TrainingTask(training_options(tmp_path / "run", **settings), model)
    options = training_options(tmp_path / "run", compile=True, **settings)
    with caplog.at_level(logging.WARNING), config.patch({"cpp.cxx": ("no-such-compiler",)}):
        task = TrainingTask(options, model)
    [line] = [r.getMessage() for r in caplog.records if r.name == "darts.training.compiled"]
    assert line.startswith("The network is trained without being compiled: ")
    assert ("no-such-compiler" if obstacle == "no tools" else "--recompute-cells") in line
    assert (task.title, task.options.compile) == ("training", False)
    for each in (task, plain):
        each.begin_epoch(1)
    assert steps(task, 1) == steps(plain, 1)
    assert_same(task.state_dict(), plain.state_dict())


def test_what_is_compiled_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only full retrainings on CUDA are compiled, no trials and no small presets."""
    wishes: list[Any] = []

    def noting(wish: Any, device: torch.device) -> bool:
        wishes.append(wish)
        return False

    assert wants_compiling("auto", torch.device("cuda", 0))
    assert not wants_compiling("auto", torch.device("cpu"))
    assert wants_compiling(True, torch.device("cpu"))
    assert not wants_compiling(False, torch.device("cuda", 0))
    monkeypatch.setattr(trainer, "wants_compiling", noting)
    options = training_options(tmp_path, compile="auto", epochs=1, train_images=20)
    task = TrainingTask(options, REGNET)
    train_briefly(options, REGNET, task.dataset, lambda line: None)
    TrainingTask(training_options(tmp_path), REGNET)
    assert wishes == ["auto", False, False]


def test_on_and_off_are_what_yaml_takes_them_for(tmp_path: Path) -> None:
    from darts.settings.parsing import parse_options
    from darts.training.options import TrainingOptions

    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("compile: off\n")
    for flags, expected in (
        (["--compile", "on"], True),
        (["--compile=off"], False),
        (["--compile", "auto"], "auto"),
        (["--config", str(recipe)], False),
        ([], "auto"),
    ):
        options = parse_options(
            TrainingOptions, flags, prog="evaluate.py", overlay=training_overlay
        )
        assert options.compile == expected


def test_a_resumed_run_may_be_compiled_or_not(tmp_path: Path) -> None:
    from darts.errors import UserError
    from darts.searching.options import SearchOptions, search_overlay
    from darts.settings.parsing import parse_options
    from darts.training.options import TrainingOptions

    (tmp_path / "config.yaml").write_text("compile: true\ndataset: digits\n")
    resume = ["--resume", str(tmp_path)]
    for flags, expected in (([], True), (["--compile", "off"], False)):
        options = parse_options(
            TrainingOptions, resume + flags, prog="evaluate.py", overlay=training_overlay
        )
        assert options.compile is expected
    with pytest.raises(UserError, match="only --device, --threads") as refused:
        parse_options(SearchOptions, [*resume, "--compile", "off"], prog="", overlay=search_overlay)
    assert refused.value.args[0].count("--compile") == 1
