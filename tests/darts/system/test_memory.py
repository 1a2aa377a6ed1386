"""Activations kept for the backward pass, and the advice if they need too much memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from darts.errors import UserError
from darts.runs.checkpoints import load_checkpoint
from darts.searching.task import SearchTask, search_cells
from darts.system.memory import Remedy, advice, common_remedies, kept_bytes
from darts.training.task import TrainingTask, train_network
from genotypes import load_genotype
from tests.darts.runs_support import search_options, training_options


def test_kept_bytes_by_hand() -> None:
    net = nn.Sequential(nn.Linear(10, 20), nn.Sigmoid(), nn.Linear(20, 5))
    x = torch.zeros(3, 10)
    # The first layer keeps its input, the sigmoid its output, which is the last layer's input.
    assert kept_bytes(lambda: net(x).sum(), net) == 4 * (3 * 10 + 3 * 20)


def test_half_the_images_at_once_keep_half() -> None:
    remedies = common_remedies(256, 2, 128, 2.0**23)
    assert [remedy.flag for remedy in remedies] == ["--accumulate 4", "--batch-size 128"]
    text = advice(128, 2.0**23, [*remedies, Remedy("--worse", 2.0**24, "no help")])
    assert "about 1.0 GiB of activations, for 128 images" in text
    assert text.count("about 512 MiB less") == 2
    assert "--worse" not in text


def failing(self: Any) -> Any:
    raise torch.OutOfMemoryError("Tried to allocate 20.00 MiB. See documentation for …")


def saved(message: str) -> dict[str, float]:
    """MiB that each flag of a message would save."""
    found = re.findall(r"  (--\S+).*about (\d+) MiB less", message)
    return {flag: float(amount) for flag, amount in found}


def test_a_search_says_what_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SearchTask, "step", failing)
    options = search_options(tmp_path / "run", k=1, batch_size=80, backend="torch")
    with pytest.raises(UserError, match="out of memory in step 1") as caught:
        search_cells(options)
    message = str(caught.value)
    assert "--accumulate 2 " in message
    assert "--batch-size 40 " in message
    assert "--k 2 " in message
    assert "(Tried to allocate 20.00 MiB.)" in message
    amounts = saved(message)
    whole = float(re.findall(r"about (\d+) MiB of", message)[0])
    assert amounts["--accumulate"] == pytest.approx(whole / 2, abs=1)
    # Activations shrink with K, but not those before and after the mixed operations.
    assert 0.2 * whole < amounts["--k"] < 0.6 * whole
    assert amounts["--recompute-cells"] > 0.5 * whole
    assert load_checkpoint(tmp_path / "run")["step"] == 0


def test_a_retraining_says_what_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingTask, "step", failing)
    options = training_options(tmp_path / "run", accumulate=2)
    with pytest.raises(UserError, match="out of memory") as caught:
        train_network(options, load_genotype("pcdarts_cifar10"))
    message = str(caught.value)
    assert "for 10 images at once" in message
    assert "--accumulate 4 " in message
    assert "--recompute-cells " in message
    assert "--k" not in message
