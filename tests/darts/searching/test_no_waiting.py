"""No step reads a number off the device, which would make the host wait for it.

Seen on the CPU: `item()`, `float(tensor)`, `bool(tensor)` and masks become one of a few operators;
`tolist()` and copies do not. Optimisers are left out: they differ by device
(`darts.runs.optimisers`).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from darts.runs.loop import Means
from darts.searching.task import SearchTask
from darts.training.task import TrainingTask
from genotypes import load_genotype
from tests.darts.runs_support import search_options, training_options

WAITS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::unique_consecutive", "aten::equal")


class Watch(TorchDispatchMode):
    """Notes where operators ran that need a number or a size from the device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        masks = func._schema.name == "aten::index" and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if masks or func._schema.name in WAITS:
            frames = traceback.extract_stack()
            if not any("torch/optim" in frame.filename for frame in frames):
                ours = [f for f in frames if "/darts/" in f.filename or "/ops/" in f.filename]
                where = ours[-1] if ours else frames[-2]
                self.found.append(f"{func._schema.name} at {where.filename}:{where.lineno}")
        return func(*args, **(kwargs or {}))


@contextmanager
def nothing_waits() -> Iterator[None]:
    with Watch() as watch:
        yield
    assert watch.found == []


@pytest.mark.parametrize("reading", [torch.Tensor.item, float, bool])
def test_the_watch_sees_what_waits(reading: Any) -> None:
    with Watch() as watch:
        reading(torch.ones(()))
        torch.arange(3)[torch.tensor([True, False, True])]
    assert len(watch.found) == 2


@pytest.mark.parametrize("settings", [{}, {"sampling": "random"}, {"order": 2}], ids=str)
def test_no_step_of_a_search_waits(settings: dict, tmp_path: Path) -> None:
    task = SearchTask(
        search_options(tmp_path / "run", backend="torch", nodes=2, batch_size=4, **settings)
    )
    task.begin_epoch(1)  # With architecture steps.
    means = Means()
    for _ in range(2):
        with nothing_waits():
            means.add(task.step())


def test_no_step_of_a_retraining_waits(tmp_path: Path) -> None:
    options = training_options(tmp_path / "run", drop_path=0.3, batch_size=4)
    task = TrainingTask(options, load_genotype("pcdarts_cifar10"))
    task.begin_epoch(1)
    means = Means()
    for _ in range(2):
        with nothing_waits():
            means.add(task.step())
