"""Synthetic run directories, as searches and retrainings write them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from genotypes import load_genotype, random_genotype, save_genotype

STEPS_PER_EPOCH = 10


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _tables(epoch: int, epochs: int, seed: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    drift = max(epoch - epochs * 0.3, 0) / epochs
    operations = torch.randn(14, 8, generator=generator) * (0.02 + 2.5 * drift)
    edges = torch.randn(14, generator=generator) * (0.02 + 2 * drift)
    blocks = [block.softmax(0) for block in edges.split([2, 3, 4, 5])]
    return {"operations": operations.softmax(1).tolist(), "edges": torch.cat(blocks).tolist()}


def make_search(path: Path, epochs: int = 3, tables: bool = True) -> Path:
    """A finished search on digits; reports are faster without the tables of alpha and beta."""
    path.mkdir(parents=True)
    config = {"dataset": "digits", "method": "pc-darts", "k": 4, "seed": 2, "epochs": epochs}
    config["arch_warmup_epochs"] = int(0.3 * epochs)
    (path / "config.yaml").write_text(yaml.safe_dump(config | {"data_dir": None, "order": 1}))
    lines: list[dict[str, Any]] = []
    generator = torch.Generator().manual_seed(0)
    genotype = load_genotype("pcdarts_cifar10").with_name(path.name)
    for epoch in range(epochs):
        share = (epoch + 1) / epochs
        rate = 0.05 * (1 + math.cos(math.pi * epoch / epochs))
        for step in range(epoch * STEPS_PER_EPOCH + 5, (epoch + 1) * STEPS_PER_EPOCH + 1, 5):
            noise = torch.randn((), generator=generator).item() * 0.1
            lines.append(
                {
                    "kind": "step",
                    "step": step,
                    "epoch": epoch,
                    "loss": 2.3 * math.exp(-2 * share) + noise,
                    "accuracy": min(100, 95 * share + 20 * noise),
                    "learning_rate": rate,
                    "images_per_second": 800.0,
                }
            )
        line = {
            "kind": "epoch",
            "step": (epoch + 1) * STEPS_PER_EPOCH,
            "epoch": epoch,
            "train_loss": 2.3 * math.exp(-2 * share),
            "train_accuracy": 95 * share,
            "learning_rate": rate,
            "seconds": 61.0 * (epoch + 1),
        }
        if tables:
            seeds = {"normal": 1, "reduce": 2}
            line["architecture"] = {k: _tables(epoch, epochs, seed) for k, seed in seeds.items()}
        if epoch + 1 == epochs or epoch % 5 == 4:
            line |= {"validation_loss": 2.5 * math.exp(-2 * share), "validation_accuracy": 90.25}
        lines.append(line)
        if epoch + 1 == epochs:
            genotype = load_genotype("pcdarts_imagenet").with_name(path.name)
        elif epoch % 6 == 5:
            genotype = random_genotype(4, generator, path.name)
        save_genotype(genotype, path / "genotypes" / f"epoch-{epoch + 1:03d}.yaml")
    _write(path / "metrics.jsonl", lines)
    save_genotype(genotype, path / "genotype.yaml")
    result = {
        "genotype": genotype.as_dict(),
        "epoch": epochs,
        "validation_accuracy": 90.25,
        "seconds": 61.0 * epochs,
        "peak_memory": 3 * 2**29,
        "parameters": 299_578,
    }
    (path / "result.json").write_text(json.dumps(result))
    environment = [{"python": "3.9"}, {"python": "3.11", "packages": {"torch": "2.13.0"}}]
    (path / "environment.json").write_text(json.dumps(environment))
    return path


def make_retraining(path: Path, epochs: int = 4, seed: int = 0, accuracy: float = 97.5) -> Path:
    """A finished retraining of a published genotype on digits."""
    path.mkdir(parents=True)
    config = {"dataset": "digits", "genotype": "darts_v2", "seed": seed, "epochs": epochs}
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    lines: list[dict[str, Any]] = [
        {
            "kind": "epoch",
            "step": (epoch + 1) * STEPS_PER_EPOCH,
            "epoch": epoch,
            "train_loss": 2 / (epoch + 1),
            "train_accuracy": 99.0 - 50 / (epoch + 1),
            "test_loss": 2.1 / (epoch + 1),
            "test_accuracy": accuracy - 20 * (1 - (epoch + 1) / epochs),
            "learning_rate": 0.025 * (1 - epoch / epochs),
            "seconds": 30.0 * (epoch + 1),
        }
        for epoch in range(epochs)
    ]
    _write(path / "metrics.jsonl", lines)
    result = {
        "genotype": load_genotype("darts_v2").as_dict(),
        "test_accuracy": accuracy,
        "test_images": 360,
        "seconds": 3725.0,
        "peak_memory": 200 * 2**20,
    }
    (path / "result.json").write_text(json.dumps(result))
    return path


@pytest.fixture
def search_run(tmp_path: Path) -> Path:
    return make_search(tmp_path / "a-search")


@pytest.fixture
def retraining_run(tmp_path: Path) -> Path:
    return make_retraining(tmp_path / "a-retraining")


@pytest.fixture
def plain_search_run(tmp_path: Path) -> Path:
    return make_search(tmp_path / "a-search", tables=False)
