"""A run keeps the paths that it needs, from whatever folder it is resumed or tested."""

from __future__ import annotations

from pathlib import Path

import pytest

import darts
from darts.cli import main
from darts.settings.paths import with_absolute_paths
from darts.training.options import TrainingOptions

SMALL = {"preset": "smoke", "epochs": 1, "channels": 4, "train_images": 64, "device": "cpu"}


def test_names_stay_and_files_get_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cell.txt").write_text("")
    (tmp_path / "photos").mkdir()
    plain = TrainingOptions(genotype="darts_v1", dataset="cifar10", cache="auto", data_dir="~/data")
    assert with_absolute_paths(plain) == plain
    found = with_absolute_paths(
        TrainingOptions(genotype="cell.txt:DARTS", dataset="folder:photos", data_dir="data")
    )
    assert found.genotype == f"{tmp_path}/cell.txt:DARTS"
    assert found.dataset == f"folder:{tmp_path}/photos"
    assert found.data_dir == f"{tmp_path}/data"
    long = TrainingOptions(genotype="Genotype(" + "x" * 5000)
    assert with_absolute_paths(long) == long


def test_a_checkpoint_is_tested_on_its_own_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    result = darts.evaluate(
        genotype="darts_v1", dataset="digits", layers=3, hold_out=5, run_dir="run", **SMALL
    )
    monkeypatch.chdir("/")
    capsys.readouterr()
    assert main(["evaluate", "--test-only", "--checkpoint", str(tmp_path / "run")]) == 0
    assert f"{result.scores.accuracy:.2f} %" in capsys.readouterr().out
