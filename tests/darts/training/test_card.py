"""The summary of a network needs no data."""

from __future__ import annotations

from pathlib import Path

import pytest

from darts.cli import main
from darts.settings.parsing import options_from
from darts.training.card import network_card
from darts.training.choice import plan_training
from darts.training.options import TrainingOptions, training_overlay


def card(**settings: object) -> dict[str, str]:
    options = options_from(TrainingOptions, settings, training_overlay)
    plan = plan_training(options)
    lines = network_card(plan.options, plan.model).splitlines()
    return {line[:15].strip(): line[16:] for line in lines if line}


def test_without_data_the_card_comes_and_then_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts of the mobile setting (PC-DARTS, table 2) by both rules."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DARTS_DATA", str(tmp_path / "nowhere"))
    assert main(["evaluate", "--genotype", "pcdarts_imagenet"]) == 2
    printed = capsys.readouterr()
    for fact in (
        "48 channels, 14 cells",
        "5,342,464",
        "581,627,328",
        "597,056,448",
        "224x224 pixels, 1,000 classes",
        "3 = sep_conv_3x3(c[k-1]) + dil_conv_5x5(2)",
        "1 = dil_conv_5x5(0) + max_pool_3x3(c[k-1])",
    ):
        assert fact in printed.out
    assert "train/WNID/*.JPEG (1,281,167 images)" in printed.err
    assert not list(tmp_path.iterdir())


def test_own_data_decide_classes_and_size() -> None:
    shown = card(genotype="pcdarts_cifar10", preset="smoke", dataset="digits")
    assert shown["size"] == "8 channels, 3 cells"
    assert shown["for"] == "images of 8x8 pixels, 10 classes"
    assert "auxiliary head" not in shown
    shown = card(genotype="pcdarts_imagenet", classes=100, image_size=128, auxiliary=False)
    assert shown["for"] == "images of 128x128 pixels, 100 classes"
    # 900 fewer classes, each with 768 weights and a bias.
    assert shown["parameters"] == f"{5_342_464 - 900 * 769:,}"


def test_the_auxiliary_head_is_counted_separately() -> None:
    assert card(genotype="pcdarts_cifar10")["parameters"] == "3,634,678"
    assert card(genotype="pcdarts_cifar10")["auxiliary head"].startswith(f"{4111104 - 3634678:,} ")


def test_other_networks_have_one_too() -> None:
    shown = card(model="resnet50", dataset="imagenet")
    assert shown["parameters"] == "25,557,032"
