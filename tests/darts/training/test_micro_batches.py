"""A retraining step with accumulated gradients, and with recomputed cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from darts.training.task import TrainingTask
from genotypes import load_genotype
from tests.darts.runs_support import training_options


def after_two_steps(tmp_path: Path, frozen: bool, **settings: Any) -> list[Tensor]:
    """All weights; `frozen` batch norms use their running statistics."""
    options = training_options(tmp_path, train_images=40, drop_path=0.5, **settings)
    task = TrainingTask(options, load_genotype("pcdarts_cifar10"))
    task.begin_epoch(1)
    if frozen:
        for module in task.network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    for _ in range(2):
        scalars = task.step()
    values = [parameter.detach() for parameter in task.network.parameters()]
    return [*values, *scalars.values(), task.streams["drop path"].get_state()]


def test_parts_give_the_step_of_the_whole_batch(tmp_path: Path) -> None:
    whole = after_two_steps(tmp_path, True, precision="fp64")
    parts = after_two_steps(tmp_path, True, precision="fp64", accumulate=5)
    both = after_two_steps(tmp_path, True, precision="fp64", accumulate=4, recompute_cells=True)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(both, whole, rtol=0, atol=1e-12)


def test_bfloat16_in_parts_with_cells_computed_again(tmp_path: Path) -> None:
    plain = after_two_steps(tmp_path, False, precision="bf16")
    again = after_two_steps(tmp_path, False, precision="bf16", recompute_cells=True)
    exact = after_two_steps(tmp_path, False)
    assert all(value.dtype == torch.float32 for value in plain[:-3])
    torch.testing.assert_close(again, plain, rtol=0, atol=0)
    distance = max((a - b).abs().max().item() for a, b in zip(plain, exact, strict=True))
    assert distance > 0
    torch.testing.assert_close(plain[:-3], exact[:-3], rtol=0, atol=0.05)
