"""Options of a retraining. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from darts.data.options import BalanceOptions, DataOptions, SplitOptions
from darts.errors import UserError
from darts.settings.options import (
    LoopOptions,
    PlaceOptions,
    PresetOptions,
    SeedOptions,
    StepOptions,
    option,
    shared_values,
)
from darts.settings.recipes import read_recipe
from genotypes import load_genotype


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which network is trained.

    Args:
        genotype: Cell to retrain: its name in the zoo, a YAML file, a cell of NAS-Bench-201 (its
            string, or nb201-NUMBER), or as papers print it: "Genotype(normal=[…], …)", or a
            Python, text or JSON file with one. FILE:NAME picks one of several.
        model: Another network instead of a genotype: regnetx_400mf, resnet50 … or a YAML file.
    """

    genotype: str | None = None
    model: str | None = None


@dataclass(frozen=True, kw_only=True)
class SizeOptions:
    """The size of a genotype's network.

    Args:
        stem: cifar keeps the resolution, imagenet divides it by 8, auto decides by the image size.
        channels: Channels of a genotype's first cell; by default 36 (stem cifar) or 48 (imagenet),
            and 16 in a network of stages (NAS-Bench-201).
        layers: Number of a genotype's cells; by default 20 (stem cifar) or 14 (imagenet), and 15 in
            a network of stages.
    """

    stem: Literal["auto", "cifar", "imagenet"] = "auto"
    channels: int | None = option(None, tunable=True)
    layers: int | None = option(None, tunable=True)


@dataclass(frozen=True, kw_only=True)
class PretrainedOptions:
    """Where the weights come from.

    Args:
        pretrained: Start from the weights of another run: its directory or checkpoint. The
            classifier is loaded only if the classes are the same. Without --genotype or --model,
            that run's network is used. Or a .pth, .pt or .safetensors file of torchvision's or
            timm's RegNets, ResNets, EfficientNets and FBNetV3, or of the authors of DARTS and
            PC-DARTS (with --genotype).
        pretrained_as: Name of the network of --pretrained in timm, if the file does not tell:
            tf_efficientnet_b0 and efficientnet_b0 have the same tensors but other padding.
    """

    pretrained: str | None = None
    pretrained_as: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """How a network is trained from scratch.

    Args:
        epochs: Epochs of training; the accuracy after the last one is the result.
        compile: Run the network's steps as one compiled graph (torch.compile): on, off, or auto,
            which compiles on CUDA only. A run keeps its choice; where nothing can be compiled, it
            continues without.
        batch_size: Images per step (the authors' code: 96; the paper: 128).
        learning_rate: Learning rate at the start of the schedule.
        schedule: cosine; linear as for ImageNet, which also ends at 0; or exponential.
        lr_decay: Factor of the exponential schedule.
        lr_decay_epochs: Epochs between two applications of that factor.
        lr_warmup_epochs: Epochs in which the learning rate first grows in equal steps.
        optimiser: sgd; nesterov for SGD with Nesterov momentum; rmsprop as in TensorFlow
            (EfficientNet, FBNetV3); or adamw.
        momentum: Momentum of SGD and RMSProp.
        weight_decay: Weight decay.
        decay_norms: Whether weight decay also acts on the parameters of batch norms.
        grad_clip: Largest norm of the gradient; 0 for no limit.
        label_smoothing: Share of the target that is spread over all classes.
        mixup: Mix pairs of images by shares sampled from Beta(mixup, mixup); 0 mixes none.
        ema: Decay of an exponential moving average of the weights, which is tested as well; 0.9998
            or so, 0 turns it off.
        ema_share: Share of the training's steps that the moving average remembers, instead of its
            decay; 0.03 or so, more for short trainings, 0 turns it off.
        teacher: Distil from this trained network: its run directory or checkpoint.
        distillation_weight: Weight of the divergence from the teacher; the labels have the rest.
        dropout: Probability of dropping an input of the classifier; by default the model's own.
        drop_path: Probability of dropping a path (stochastic depth); in networks of blocks, that
            of the last block.
        drop_path_schedule: linear grows from 0 over the epochs, constant does not.
        cutout: Side of the square that is cut out of each training image; 0 for none.
        test_every: Epochs between intermediate tests, which only show progress; 0 tests after the
            last epoch only.
    """

    epochs: int = 600
    compile: bool | Literal["auto"] = option("auto", resumable=True)
    batch_size: int = option(96, tunable=True)
    learning_rate: float = option(0.025, tunable=True)
    schedule: Literal["cosine", "linear", "exponential"] = option("cosine", tunable=True)
    lr_decay: float = option(0.97, tunable=True)
    lr_decay_epochs: float = option(2.4, tunable=True)
    lr_warmup_epochs: int = option(0, tunable=True)
    optimiser: Literal["sgd", "nesterov", "rmsprop", "adamw"] = option("sgd", tunable=True)
    momentum: float = option(0.9, tunable=True)
    weight_decay: float = option(3e-4, tunable=True)
    decay_norms: bool = option(True, tunable=True)
    grad_clip: float = option(5.0, tunable=True)
    label_smoothing: float = option(0.0, tunable=True)
    mixup: float = option(0.0, tunable=True)
    ema: float = option(0.0, tunable=True)
    ema_share: float = option(0.0, tunable=True)
    teacher: str | None = None
    distillation_weight: float = option(0.8, tunable=True)
    dropout: float | None = option(None, tunable=True)
    drop_path: float = option(0.3, tunable=True)
    drop_path_schedule: Literal["linear", "constant"] = option("linear", tunable=True)
    cutout: int = option(16, tunable=True)
    test_every: int = 10


@dataclass(frozen=True, kw_only=True)
class AuxiliaryOptions:
    """The auxiliary head of a genotype's network.

    Args:
        auxiliary: Add the auxiliary head to a genotype's network, two thirds down.
        auxiliary_weight: Weight of the auxiliary head's loss.
    """

    auxiliary: bool = option(True, tunable=True)
    auxiliary_weight: float = option(0.4, tunable=True)


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions:
    """A trained network that is only tested.

    Args:
        checkpoint: Trained weights to test with --test-only: a checkpoint or a run directory.
        test_only: Only test the network in --checkpoint, or the file in --pretrained.
        averaged: With --test-only, test the moving average of the weights.
    """

    checkpoint: str | None = None
    test_only: bool = False
    averaged: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(
    ModelOptions,
    PretrainedOptions,
    SizeOptions,
    RecipeOptions,
    BalanceOptions,
    AuxiliaryOptions,
    CheckpointOptions,
    SplitOptions,
    DataOptions,
    StepOptions,
    LoopOptions,
    PlaceOptions,
    SeedOptions,
    PresetOptions,
):
    """A retraining from scratch; the defaults are PC-DARTS' on CIFAR-10 (§4.2, train.py).

    With --baseline, a comparison with networks of the same cost: see python -m darts compare.

    Args:
        dataset: As for a search; by default the data set that the genotype was searched on, else
            cifar10.
    """

    dataset: str | None = None  # type: ignore[assignment]
    seed: int = 0


def training_of(options: Any, **changes: Any) -> TrainingOptions:
    """The retraining that the options of another command describe.

    What they have in common with a retraining is taken over; everything else is the default.

    Args:
        changes: Settings that differ.
    """
    return TrainingOptions(**{**shared_values(options, TrainingOptions), **changes})


def check_recipe(options: RecipeOptions) -> None:
    """Validate the numbers of a recipe before anything is read or written.

    Raises:
        UserError: A number is out of range; the message names the option and its range.
    """
    shares = {
        "label_smoothing": options.label_smoothing,
        "drop_path": options.drop_path,
        "dropout": options.dropout or 0.0,
        "ema": options.ema,
        "ema_share": options.ema_share,
    }
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise UserError(
                f"--{name.replace('_', '-')}: must be at least 0 and below 1, not {value}."
            )
    if options.ema and options.ema_share:
        raise UserError("--ema, --ema-share: give the decay or the share of the steps, not both.")
    if not 0 <= options.distillation_weight <= 1:
        weight = options.distillation_weight
        raise UserError(f"--distillation-weight: must be from 0 to 1, not {weight}.")
    if options.mixup < 0:
        raise UserError(f"--mixup: must be at least 0, not {options.mixup}.")
    for name in ("lr_decay", "lr_decay_epochs"):
        if getattr(options, name) <= 0:
            raise UserError(
                f"--{name.replace('_', '-')}: must be above 0, not {getattr(options, name)}."
            )


TRAINING_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {},
    "quick": {
        "log_every": 10,
        "compile": False,
        "channels": 16,
        "layers": 5,
        "epochs": 30,
        "batch_size": 64,
        "auxiliary": False,
        "drop_path": 0.1,
        "cutout": 0,
    },
    "smoke": {
        "log_every": 5,
        "compile": False,
        "channels": 8,
        "layers": 3,
        "epochs": 2,
        "batch_size": 32,
        "auxiliary": False,
        "drop_path": 0.1,
        "cutout": 0,
        "train_images": 320,
        "test_images": 100,
    },
}


_FAMILY_RECIPES: Mapping[str, str] = {
    "regnet": "evaluate_regnet",
    "resnet": "evaluate_regnet",
    "resnext": "evaluate_regnet",
    "efficientnet": "evaluate_efficientnet",
    "fbnetv3": "evaluate_fbnetv3",
}


def imagenet_recipe(model: str | None) -> str:
    """The shipped recipe of a network's training on ImageNet: that of its paper.

    >>> imagenet_recipe("regnetx_400mf"), imagenet_recipe("FBNetV3-G"), imagenet_recipe(None)
    ('evaluate_regnet', 'evaluate_fbnetv3', 'evaluate_imagenet')

    Args:
        model: The option `model`; None for a genotype.
    """
    name = "" if model is None else model.lower()
    found = (recipe for family, recipe in _FAMILY_RECIPES.items() if name.startswith(family))
    return next(found, "evaluate_imagenet")


def training_overlay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults that follow from a retraining's genotype and preset: its data set and the recipe."""
    dataset = settings["dataset"]
    genotype = None if settings["genotype"] is None else load_genotype(settings["genotype"])
    if dataset is None and genotype is not None:
        dataset = genotype.provenance.get("searched_on")
    dataset, preset = dataset or "cifar10", TRAINING_PRESETS[settings["preset"]]
    recipe = {}
    if dataset == "imagenet":
        recipe = read_recipe(imagenet_recipe(settings["model"]))
        recipe = {name: value for name, value in recipe.items() if name != "model"}
    if genotype is not None and genotype.rules.stack == "stages":
        recipe = read_recipe("evaluate_nasbench201")
        preset = {**preset, "layers": 3, "drop_path": 0.0} if preset else preset
    return {**recipe, **preset, "dataset": dataset}
