"""Options of a search. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from darts.costs.options import CostOptions
from darts.data.options import DataOptions, SplitOptions
from darts.methods.catalogue import CATALOGUE, MethodName
from darts.settings.options import (
    LoopOptions,
    PlaceOptions,
    PresetOptions,
    SeedOptions,
    StepOptions,
)
from darts.settings.recipes import read_recipe


@dataclass(frozen=True, kw_only=True)
class SearchOptions(
    CostOptions,
    SplitOptions,
    DataOptions,
    PresetOptions,
    SeedOptions,
    PlaceOptions,
    StepOptions,
    LoopOptions,
):
    """A search; the defaults are PC-DARTS on CIFAR-10 (§4.2 and the authors' code).

    Args:
        method: pc-darts, or darts for k = 1 without edge normalisation.
        k: One Kth of the channels goes through the mixed operations; 1 is plain DARTS.
        edge_normalisation: Weigh edges by a softmax of beta over each node's incoming edges.
        sampling: first takes the first channels and shuffles; random draws channels each step.
        channels: Channels of the first cell.
        layers: Number of cells.
        nodes: Inner nodes of a cell.
        stem: cifar keeps the resolution, imagenet divides it by 8, auto goes by the image size.
        epochs: Epochs of the search.
        arch_warmup_epochs: Epochs before alpha and beta begin to move.
        batch_size: Images of a step; the architecture step takes as many more.
        learning_rate: Learning rate of the weights at the start of the cosine.
        learning_rate_min: Learning rate at the end of the cosine.
        lr_warmup_epochs: Epochs in which the learning rate first grows in equal steps.
        momentum: Momentum of the weights' SGD.
        weight_decay: Weight decay of the weights.
        grad_clip: Largest norm of the weights' gradient; 0 for no limit.
        arch_learning_rate: Learning rate of alpha and beta (Adam).
        arch_weight_decay: Weight decay of alpha and beta.
        arch_betas: Adam's two averaging constants for alpha and beta.
        arch_grad_clip: Largest norm of the architecture's gradient; 0 for no limit.
        order: 1 takes the weights as they are, 2 looks one virtual step ahead (DARTS).
        arch_fraction: Share of the training images that the architecture step uses.
        backend: What evaluates the cells: torch, native kernels, compiled on first use (on a CPU,
            with a C++ compiler), or triton (on CUDA); auto takes kernels where it can. A run keeps
            its choice.
        cuda_graphs: On CUDA, record an iteration once and replay it: always, never, or auto, which
            does so for order 1.
        validate_every: Epochs between validations on the architecture's images; the last epoch is
            always validated, 0 validates it alone.
    """

    dataset: str = "cifar10"
    method: MethodName = "pc-darts"
    k: int = 4
    edge_normalisation: bool = True
    sampling: Literal["first", "random"] = "first"
    channels: int = 16
    layers: int = 8
    nodes: int = 4
    stem: Literal["auto", "cifar", "imagenet"] = "auto"
    epochs: int = 50
    arch_warmup_epochs: int = 15
    batch_size: int = 256
    learning_rate: float = 0.1
    learning_rate_min: float = 0.0
    lr_warmup_epochs: int = 0
    momentum: float = 0.9
    weight_decay: float = 3e-4
    grad_clip: float = 5.0
    arch_learning_rate: float = 6e-4
    arch_weight_decay: float = 1e-3
    arch_betas: tuple[float, float] = (0.5, 0.999)
    arch_grad_clip: float = 0.0
    order: Literal[1, 2] = 1
    arch_fraction: float = 0.5
    backend: Literal["auto", "torch", "native", "triton"] = "auto"
    cuda_graphs: Literal["auto", "always", "never"] = "auto"
    validate_every: int = 0


SEARCH_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "quick": {
        "log_every": 10,
        "channels": 8,
        "layers": 5,
        "epochs": 12,
        "arch_warmup_epochs": 3,
        "batch_size": 64,
        "arch_learning_rate": 6e-3,
    },
    "smoke": {
        "log_every": 5,
        "channels": 8,
        "layers": 3,
        "nodes": 3,
        "epochs": 2,
        "arch_warmup_epochs": 1,
        "batch_size": 32,
        "train_images": 320,
        "test_images": 100,
    },
}


def search_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the data set, the method and the preset imply."""
    recipe = read_recipe("search_imagenet") if settings["dataset"] == "imagenet" else {}
    implied = CATALOGUE[settings["method"]].settings
    return {**recipe, **implied, **SEARCH_PRESETS[settings["preset"]]}
