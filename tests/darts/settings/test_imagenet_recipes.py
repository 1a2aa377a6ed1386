"""The ImageNet recipes, figure by figure (PC-DARTS §4.3 and its code), and that they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from darts.data.augmentation import stored_size
from darts.data.manifest import Manifest
from darts.runs.schedules import cosine, linear, warm_up
from darts.searching.options import SearchOptions, search_overlay
from darts.searching.task import search_cells
from darts.settings.parsing import options_from
from darts.training.options import TrainingOptions, training_overlay


def search_recipe(**settings: object) -> SearchOptions:
    return options_from(SearchOptions, {"dataset": "imagenet", **settings}, search_overlay)


def test_the_search_is_the_papers() -> None:
    options = search_recipe()
    expected = {
        "method": "pc-darts", "k": 2, "channels": 16, "layers": 8, "nodes": 4, "stem": "imagenet",
        "image_size": 224, "epochs": 50, "arch_warmup_epochs": 35, "batch_size": 1024,
        "learning_rate": 0.5, "learning_rate_min": 0.0, "lr_warmup_epochs": 5, "momentum": 0.9,
        "weight_decay": 3e-4, "grad_clip": 5.0, "arch_learning_rate": 6e-3,
        "arch_weight_decay": 1e-3, "arch_betas": (0.5, 0.999), "arch_grad_clip": 5.0, "order": 1,
        "edge_normalisation": True, "sampling": "first", "cutout": 0, "color_jitter": 0.0,
        "split": "balanced", "seed": 2,
    }  # fmt: skip
    assert {name: getattr(options, name) for name in expected} == expected
    # 10 % of the images for the weights, 2.5 % for the architecture.
    assert options.train_fraction * (1 - options.arch_fraction) == pytest.approx(0.1)
    assert options.train_fraction * options.arch_fraction == pytest.approx(0.025)


def test_the_searchs_learning_rate() -> None:
    options = search_recipe()

    def rate(epoch: int) -> float:
        plain = cosine(options.learning_rate, 0.0, epoch, options.epochs)
        return warm_up(plain, options.learning_rate, epoch, options.lr_warmup_epochs)

    assert [rate(epoch) for epoch in range(5)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert rate(25) == pytest.approx(0.25)
    assert rate(49) == pytest.approx(9.866e-5 * 5, rel=1e-3)


def test_the_retraining_is_the_papers() -> None:
    options = options_from(TrainingOptions, {"genotype": "pcdarts_imagenet"}, training_overlay)
    expected = {
        "dataset": "imagenet", "stem": "imagenet", "image_size": 224, "channels": 48, "layers": 14,
        "epochs": 250, "batch_size": 1024, "learning_rate": 0.5, "schedule": "linear",
        "lr_warmup_epochs": 5, "momentum": 0.9, "weight_decay": 3e-5, "grad_clip": 5.0,
        "label_smoothing": 0.1, "auxiliary": True, "auxiliary_weight": 0.4, "drop_path": 0.0,
        "cutout": 0, "color_jitter": 0.4,
    }  # fmt: skip
    assert {name: getattr(options, name) for name in expected} == expected
    assert stored_size(224, "imagenet") == 256  # tests show the middle 224 of 256
    rates = [
        warm_up(linear(0.5, epoch, 250), 0.5, epoch, options.lr_warmup_epochs)
        for epoch in (0, 4, 5, 100, 244, 245, 249)
    ]
    late = [0.5 * (250 - epoch) / (245 * 5) for epoch in (245, 249)]
    early = [0.5 * (245 - epoch) / 245 for epoch in (5, 100, 244)]
    assert rates == pytest.approx([0.1, 0.5, *early, *late])


@pytest.mark.parametrize(("size", "stored"), [(224, 256), (96, 110)])
def test_photographs_are_searched_on(size: int, stored: int, shared: Path, tmp_path: Path) -> None:
    """The recipe on real photographs, but for the sizes that make it long."""
    folder = shared / "data/imagenette_small"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    options = search_recipe(
        data_dir=str(folder), image_size=size, classes=3, train_fraction=0.2, arch_fraction=0.5,
        batch_size=6, channels=4, layers=3, nodes=2, epochs=1, arch_warmup_epochs=0, workers=1,
        device="cpu", threads=1, memory=0.0, run_dir=str(tmp_path / "run"), backend="torch",
    )  # fmt: skip
    result = search_cells(options)
    assert stored_size(size, "imagenet") == stored
    parts = [entry.part for entry in Manifest.read(tmp_path / "run").entries]
    assert (parts.count("weights"), parts.count("architecture")) == (18, 18)
    assert result.genotype.provenance["searched_on"] == "imagenet"
