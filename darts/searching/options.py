"""Options of a search. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from darts.costs.options import CostOptions
from darts.data.options import BalanceOptions, DataOptions, SplitOptions
from darts.methods.catalogue import MethodName, find_method
from darts.methods.parts import PARTS
from darts.searching.spaces import implied_by_space
from darts.settings.options import (
    LoopOptions,
    PlaceOptions,
    PresetOptions,
    SeedOptions,
    StepOptions,
    option,
)
from darts.settings.recipes import read_recipe
from darts.settings.suites import SUITE_PRESETS, AnyPreset, suite_search
from genotypes import find_space


@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """What is searched, and by which method.

    Args:
        method: Search method: its parts, and the settings of its authors (python -m darts methods).
        space: Cells to search: a name (python -m darts spaces lists them), or a YAML file.
        k: The mixed operations get 1/k of the channels; 1 is plain DARTS.
        edge_normalisation: Weight edges by a softmax of beta over each node's incoming edges.
        sampling: Which channels the mixed operations get: first takes the first ones and shuffles,
            random samples them at each step.
        order: Gradient of the architecture: 1 uses the present weights, 2 the weights after one
            virtual step (DARTS).
    """

    method: MethodName = "pc-darts"
    space: str = "darts"
    k: int = 4
    edge_normalisation: bool = True
    sampling: Literal["first", "random"] = "first"
    order: Literal[1, 2] = 1


@dataclass(frozen=True, kw_only=True)
class PartOptions:
    """Parts of the method, in place of its own.

    Args:
        relaxation: How alpha becomes weights: NAME or NAME:key=value,key=value, as
            `python -m darts methods parts` lists them; empty takes the method's. The next seven
            options work in the same way; none removes what the method has.
        gradient: How the validation loss is differentiated; empty follows --order.
        perturbation: What changes the weights of the operations in the weight step.
        regulariser: Terms of the loss, joined by +.
        skips: What keeps skip connections from winning, joined by +.
        stages: Stages of a progressive search.
        stopping: Rule that ends the search early.
        selection: How the genotype is chosen.
    """

    relaxation: str = ""
    gradient: str = ""
    perturbation: str = ""
    regulariser: str = ""
    skips: str = ""
    stages: str = ""
    stopping: str = ""
    selection: str = ""

    @property
    def chosen_parts(self) -> dict[str, str]:
        """By kind of part, what the user has chosen instead of the method's own."""
        return {kind: getattr(self, kind) for kind in PARTS}


@dataclass(frozen=True, kw_only=True)
class SupernetOptions:
    """The supernet.

    Args:
        channels: Channels of the first cell.
        layers: Number of cells; a network of three stages has the same number in each.
        nodes: Number of inner nodes per cell.
        stem: cifar keeps the resolution, imagenet divides it by 8, auto chooses by the image size.
        drop_path: Probability that the output of an edge is dropped for an image, in the last
            epoch; it rises linearly from 0 (RobustDARTS).
    """

    channels: int = 16
    layers: int = 8
    nodes: int = 4
    stem: Literal["auto", "cifar", "imagenet"] = "auto"
    drop_path: float = 0.0


@dataclass(frozen=True, kw_only=True)
class WeightOptions:
    """How the weights are trained.

    Args:
        epochs: Number of epochs.
        batch_size: Images per step; the architecture step uses the same number of other images.
        learning_rate: Initial learning rate of the weights (cosine schedule).
        learning_rate_min: Final learning rate of the weights.
        lr_warmup_epochs: Epochs in which the learning rate first rises in equal steps.
        momentum: Momentum of the weights' SGD.
        nesterov: Use Nesterov momentum for the weights.
        weight_decay: Weight decay of the weights.
        weight_decay_end: Weight decay in the last epoch; it changes linearly. By default constant.
        grad_clip: Largest norm of the weights' gradient; 0 means no limit.
        weights_first: Train the weights before alpha and beta in each iteration.
    """

    epochs: int = 50
    batch_size: int = 256
    learning_rate: float = 0.1
    learning_rate_min: float = 0.0
    lr_warmup_epochs: int = 0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 3e-4
    weight_decay_end: float | None = None
    grad_clip: float = 5.0
    weights_first: bool = False


@dataclass(frozen=True, kw_only=True)
class ArchitectureOptions:
    """How alpha and beta are trained.

    Args:
        arch_fraction: Fraction of the training images that trains alpha and beta.
        arch_warmup_epochs: Epochs before alpha and beta are trained.
        arch_every: Steps of the weights per step of alpha and beta.
        arch_learning_rate: Learning rate of alpha and beta (Adam).
        arch_weight_decay: Weight decay of alpha and beta.
        arch_betas: Adam's two decay rates for alpha and beta.
        arch_grad_clip: Largest norm of the architecture's gradient; 0 means no limit.
        arch_init_mean: Mean of the initial alpha.
        arch_init_std: Standard deviation of the initial alpha and beta.
    """

    arch_fraction: float = 0.5
    arch_warmup_epochs: int = 15
    arch_every: int = 1
    arch_learning_rate: float = 6e-4
    arch_weight_decay: float = 1e-3
    arch_betas: tuple[float, float] = (0.5, 0.999)
    arch_grad_clip: float = 0.0
    arch_init_mean: float = 0.0
    arch_init_std: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What computes the cells.

    Args:
        backend: What computes the cells: torch, native (C++ kernels for the CPU, compiled on first
            use) or triton (CUDA); auto takes kernels where possible. A run keeps its choice.
        cuda_graphs: Record each kind of iteration as a CUDA graph and replay it: always, never, or
            auto (on CUDA with order 1).
    """

    backend: Literal["auto", "torch", "native", "triton"] = "auto"
    cuda_graphs: Literal["auto", "always", "never"] = "auto"


@dataclass(frozen=True, kw_only=True)
class DiagnosisOptions:
    """What is measured on the way.

    Args:
        validate_every: Epochs between validations on the architecture's images. The last epoch is
            always validated; 0 validates only that one.
        eigenvalue_every: Epochs between measurements of the dominant eigenvalue of the validation
            loss in alpha, which rises before a search collapses; 0 for never. One takes about as
            long as 20 to 200 steps.
        alignment_every: Epochs between measurements of how much the cells agree about alpha
            (Lambda-DARTS), each about as long as a step; 0 for never.
        table: File of known accuracies of NAS-Bench-201 that are shown for the cell of every epoch
            (python -m darts benchmark nasbench201 --help). The search does not use them.
    """

    validate_every: int = 0
    eigenvalue_every: int = 0
    alignment_every: int = 0
    table: str | None = option(None, where=True, resumable=True)


@dataclass(frozen=True, kw_only=True)
class SearchOptions(
    MethodOptions,
    PartOptions,
    SupernetOptions,
    WeightOptions,
    ArchitectureOptions,
    EngineOptions,
    DiagnosisOptions,
    CostOptions,
    BalanceOptions,
    SplitOptions,
    DataOptions,
    StepOptions,
    LoopOptions,
    PlaceOptions,
    SeedOptions,
    PresetOptions,
):
    """Settings of a search; the defaults are PC-DARTS on CIFAR-10 (§4.2 and the authors' code).

    Args:
        preset: Scale of the recipe: paper uses the published settings; quick and smoke make runs
            small; bench-wide, bench-deep and bench-single are the supernets and searches of
            DARTS-Bench-Suite (the final network has their size).
    """

    preset: AnyPreset = "paper"  # type: ignore[assignment]
    dataset: str = "cifar10"


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
    """The settings that the data set, the method, the space and the preset imply."""
    recipe = read_recipe("search_imagenet") if settings["dataset"] == "imagenet" else {}
    method, preset = find_method(settings["method"]), settings["preset"]
    space = find_space(settings.get("space", "darts"))
    shape = implied_by_space(space, preset)
    implied = {**method.settings, **shape, **method.spaces.get(space.name, {})}
    if preset in SUITE_PRESETS:
        return {**recipe, **implied, **suite_search(preset, method.name, space)}
    small = {} if preset == "paper" else {**SEARCH_PRESETS[preset], **shape}
    smaller = dict(method.presets.get(preset, {}))
    if space.stack == "stages":
        smaller.pop("stages", None)  # They may add single cells.
    if settings.get("selection") not in (None, "strongest"):
        smaller.pop("max_macs", None)  # Other selections may not keep a ceiling.
    return {**recipe, **implied, **small, **smaller}
