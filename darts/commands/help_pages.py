"""How to begin with each large command: what `--help` shows before everything else. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from darts.data.catalogue import KNOWN
from darts.settings.help_page import HelpPage
from darts.settings.recipes import list_configs
from genotypes import SPACES, list_genotypes


def known_values() -> Mapping[str, Sequence[str]]:
    """Names of cells, spaces and data sets, for the completion in a shell."""
    return {
        "config": list_configs(),
        "dataset": [*KNOWN, "folder:", "csv:", "array:"],
        "genotype": list_genotypes(),
        "space": list(SPACES),
    }


SEARCH = HelpPage(
    json=True,
    values=known_values,
    summary="Search a cell: which operations connect the nodes of a small network that is repeated "
    "to make a large one. The settings are those of PC-DARTS on CIFAR-10; the result is a "
    "directory with the cell, its pictures and a page.",
    examples=(
        ("--dataset digits --preset quick", "a first cell in about two minutes; no download"),
        (
            "--dataset folder:photos --preset quick --image-size 64 --seeds 4 --random-cells 8",
            "four searches on your own images, and a choice among their cells and random ones",
        ),
        ("--resume runs/…", "continue a search that was stopped"),
    ),
    first=(
        "dataset", "preset", "method", "space", "epochs", "batch_size", "seed", "seeds",
        "random_cells", "max_macs", "device", "run_dir", "resume",
    ),
)  # fmt: skip

EVALUATE = HelpPage(
    json=True,
    values=known_values,
    summary="Train the network of a cell from scratch and test it; or test a trained one; or, with "
    "--baseline, compare it with networks of the same cost.",
    examples=(
        (
            "--genotype runs/…/genotype.yaml --dataset digits --preset quick",
            "train the network of a searched cell",
        ),
        (
            "--genotype pcdarts_cifar10 --baseline random-cells --population 8",
            "is it better than random cells? Also regnetx and others: python -m darts compare",
        ),
        ("--test-only --checkpoint runs/…", "test a trained network"),
    ),
    first=(
        "genotype", "model", "dataset", "preset", "epochs", "batch_size", "seed", "seeds",
        "pretrained", "checkpoint", "test_only", "device", "run_dir", "resume",
    ),
    further=(
        (
            "--baseline SPACE …",
            "Compare with networks of the same cost: random-cells, regnetx, anynetx_a …; the "
            "options are then those of python -m darts compare.",
        ),
    ),
)  # fmt: skip

COMPARE = HelpPage(
    json=True,
    values=known_values,
    summary="Compare the network of a genotype with populations of networks of the same cost, all "
    "trained alike from scratch. With --recipes, compare several cells under several recipes "
    "(compare --recipes bench-suite --help).",
    examples=(
        (
            "--genotype darts_v2 --population 8 --dataset digits --preset quick",
            "a cell among eight RegNets of its cost",
        ),
        (
            "--genotype runs/…/genotype.yaml --baseline random-cells anynetx_a",
            "a searched cell among random cells and AnyNets",
        ),
        ("--resume runs/…", "continue a comparison that was stopped"),
    ),
    first=(
        "genotype", "model", "baseline", "population", "tolerance", "dataset", "preset", "epochs",
        "executor", "parallel", "device", "run_dir", "resume",
    ),
)  # fmt: skip

RECIPES = HelpPage(
    json=True,
    examples=(
        (
            "darts_v1 darts_v2 pcdarts_cifar10 --recipes bench-suite --dataset digits",
            "three published cells under the recipes of DARTS-Bench-Suite",
        ),
        ("--resume runs/…", "continue a study that was stopped"),
    ),
)

DETECT = HelpPage(
    json=True,
    summary="Train a detector on data in COCO's format, with the network of a cell or any other as "
    "its backbone; or test a trained one.",
    examples=(
        ("--dataset shapes --model regnetx_200mf --preset quick", "drawn shapes; no download"),
        (
            "--data-dir coco --pretrained runs/…",
            "your own data, with the backbone of a run of evaluate.py",
        ),
        (
            "--test-only --checkpoint runs/… --val-images photos --run-dir found",
            "find objects in images without annotations",
        ),
    ),
    first=(
        "dataset", "data_dir", "genotype", "model", "pretrained", "head", "preset", "epochs",
        "batch_size", "image_size", "checkpoint", "test_only", "device", "run_dir", "resume",
    ),
)  # fmt: skip

POPULATION = HelpPage(
    summary="Train a population of networks sampled from a design space, or continue one.",
    examples=(
        (
            "--space regnetx --macs 4M --n 20 --out populations/x --dataset digits --epochs 10",
            "twenty RegNets of about four million multiply-adds",
        ),
        (
            "--space anynetx_a --like pcdarts_cifar10 --n 50 --out populations/a",
            "fifty networks of the cost of a cell's network",
        ),
        (
            "--space regnety --macs 4M --out populations/y --dataset digits --executor processes",
            "several networks at the same time, each on cores or a GPU of its own",
        ),
    ),
    first=(
        "space", "n", "macs", "like", "out", "dataset", "epochs", "batch_size", "best_of",
        "executor", "parallel", "seed", "device",
    ),
)  # fmt: skip

JOINT = HelpPage(
    summary="Search a network and its training recipe together, as FBNetV3 does: train rounds of "
    "candidates, learn to predict their accuracy, and choose the best within ceilings.",
    examples=(
        ("--space recipe --model regnetx_200mf --dataset digits --preset quick", "a recipe alone"),
        (
            "--space regnet+recipe --max-macs 50M --dataset cifar10 --preset quick",
            "network and recipe, of at most fifty million multiply-adds",
        ),
        ("--resume runs/…", "continue a search that was stopped"),
    ),
    first=(
        "space", "genotype", "model", "dataset", "preset", "max_macs", "max_params", "rounds",
        "candidates", "epochs", "executor", "parallel", "seed", "device", "run_dir", "resume",
    ),
)  # fmt: skip

CORRELATE = HelpPage(
    summary="Compare the one-shot accuracies of supernets with the true accuracies of cells.",
    examples=(
        ("runs/a runs/b --table nasbench201.csv -o correlation", "against a table of accuracies"),
        ("runs/a runs/b --retrainings 2 -o correlation", "against trainings made here"),
    ),
)
