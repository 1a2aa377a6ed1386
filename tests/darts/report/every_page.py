"""A small page of every kind, from results that are made up, so that nothing has to run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from darts.comparing.outcome import Comparison, Contender, judge_contender
from darts.comparing.recipe_report import write_recipe_report
from darts.comparing.report import write_comparison_report
from darts.design_space.analysis import analyse
from darts.design_space.population import Population
from darts.design_space.report import write_analysis
from darts.fitting.files import FitFiles
from darts.fitting.options import FitOptions
from darts.fitting.page import write_fit_report
from darts.joint.arm_report import write_arm_report
from darts.joint.arms import Arm, ArmStudy, Difference, MeasuredArm
from darts.report.page import write_comparison, write_report
from darts.scaling.report import ScalingDescription, write_scaling_report
from darts.statistics.estimates import estimate
from darts.sweeps.choice_page import write_choice_report
from darts.sweeps.options import SweepOptions
from darts.sweeps.repeats_page import write_repeats_report
from darts.sweeps.sweep_outcome import outcome_of
from darts.sweeps.sweep_report import write_sweep_report
from genotypes import load_genotype
from tests.darts.comparing.test_recipe_outcome import judged
from tests.darts.fitting.conftest import summary
from tests.darts.fitting.test_outcome import outcome, standing
from tests.darts.report.conftest import make_retraining, make_search
from tests.darts.sweeps.recorded import CONVS, POOLS, SKIPS, SPACE, record, result

SEARCHED = load_genotype("pcdarts_cifar10")


def search(folder: Path) -> Path:
    return write_report(make_search(folder, epochs=4))


def training(folder: Path) -> Path:
    return write_report(make_retraining(folder))


def several(folder: Path) -> Path:
    runs = [make_search(folder / "search", epochs=2, tables=False)]
    for number in range(8):
        runs.append(make_retraining(folder / f"training-{number}", accuracy=90 + number / 2))
    return write_comparison(runs, folder / "comparison.html")


def detection(folder: Path) -> Path:
    run = make_retraining(folder)
    config = {"dataset": "shapes", "model": "regnetx_200mf", "nms_threshold": 0.5, "epochs": 4}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "result.json").write_text(json.dumps({"ap": 35.2, "ap50": 58.0, "seconds": 60.0}))
    Image.new("RGB", (520, 264), "#886655").save(run / "detections.png")
    return write_report(run)


def repeats(folder: Path) -> Path:
    """Three trainings of one genotype."""
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"dataset": "digits", "seeds": 3}))
    runs = []
    for seed in range(3):
        make_retraining(folder / "seeds" / str(seed), seed=seed, accuracy=96.0 + seed)
        found = {"test_accuracy": 96.0 + seed, "test_balanced_accuracy": 95.0, "seconds": 40.0}
        runs.append({"seed": seed, "run": f"seeds/{seed}", **found})
    accuracy = {"n": 3, "mean": 97.0, "deviation": 1.0}
    (folder / "result.json").write_text(
        json.dumps(
            {
                "genotype": SEARCHED.as_dict(),
                "test_accuracy": 97.0,
                "parameters": 8082,
                "macs": 260_864,
                "seconds": 120.0,
                "repeats": {
                    "sentence": "97.00 % test accuracy ± 1.00 points.",
                    "rows": [["", "mean", "n"], ["test accuracy (%)", "97.00", "3"]],
                    "measures": {"test_accuracy": accuracy},
                    "runs": runs,
                    "failed": [{"seed": 3, "error": "The loss is infinite."}],
                },
            }
        )
    )
    return write_repeats_report(folder)


def seeds(folder: Path) -> Path:
    """Two searches, of which one is chosen."""
    folder.mkdir()
    config = {"dataset": "digits", "method": "pc-darts", "k": 4, "seeds": 2}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    edge = {"kind": "normal", "source": 0, "target": 2, "choices": {"sep_conv_3x3": 2}}
    other = {**edge, "source": 1, "choices": {"skip_connect": 1, "not kept": 1}}
    found = [
        {"seed": seed, "error": "", "cell": letter, "warnings": [], "genotype": cell.as_dict()}
        for seed, letter, cell in ((0, "A", SEARCHED), (1, "B", load_genotype("darts_v1")))
    ]
    difference = {"low": 0.5, "middle": 2.0, "high": 3.5}
    (folder / "result.json").write_text(
        json.dumps(
            {
                "genotype": SEARCHED.as_dict(),
                "seconds": 10.0,
                "sentences": ["Two seeds share 1.0 of 16 edges.", "Chosen: the cell of seed 0."],
                "rows": [["seed", "cell", "accuracy"], ["0", "A", "90"], ["1", "B", "88"]],
                "seeds": found,
                "random_cells": [],
                "agreement": {
                    "seeds": [0, 1],
                    "kept": 16.0,
                    "shared": 1.0,
                    "by_chance": 0.5,
                    "edges": [edge, other],
                },
                "choice": {
                    "rule": "retrain",
                    "seed": 0,
                    "warning": "Few images.",
                    "within_noise": False,
                    "candidates": [{"seeds": [0], "random": None, "mean": 90.0}],
                    "difference": difference,
                },
            }
        )
    )
    return write_choice_report(folder)


def sweep(folder: Path) -> Path:
    plan = SweepOptions(
        out=str(folder), methods=["darts-v1", "gdas"], seeds=(0, 1), settings={**SPACE}
    )
    cells = ((SKIPS, 90.0), (SKIPS, 92.0), (CONVS, 80.0), (POOLS, 85.0))
    names = product(("darts-v1", "gdas"), (0, 1))
    results = {name: result(*cell) for name, cell in zip(names, cells, strict=True)}
    return write_sweep_report(outcome_of(record(plan, results)))


def scaling(folder: Path) -> Path:
    rows = [
        {
            "strategy": strategy,
            "name": name,
            "macs": macs,
            "params": macs // 100,
            "accuracy": 90 + gain + macs / 10**6,
            "deviation": 0.4,
            "seeds": 3,
            **dict.fromkeys(("depth", "channels", "resolution"), 8),
            **({"advantage": 1 - gain, "error": 0.3, "off": 0.01} if macs > 10**6 else {}),
        }
        for strategy, gain in (("compound", 1), ("width", 0))
        for name, macs in (("base", 10**6), ("2M", 2 * 10**6), ("4M", 4 * 10**6))
    ]
    folder.mkdir()
    (folder / "study.json").write_text(json.dumps(rows))
    ScalingDescription(title="a cell", command="python -m darts scale study").write(folder)
    return write_scaling_report(folder)


def grid(folder: Path) -> Path:
    rows = [
        {
            "coefficients": [[1.0, 1.1, 1.3], [1.2, 1.1, 1.2]],
            "depth": 3,
            "width": 1.5,
            "resolution": 8,
            "macs": 520_320 + number,
            "accuracy": 90.0 - number,
            "deviation": 0.5,
            "seeds": 2,
        }
        for number in range(3)
    ]
    folder.mkdir()
    (folder / "grid.json").write_text(json.dumps({"rows": rows, "error": 0.4, "equals": 1}))
    ScalingDescription(title="a cell", command="python -m darts scale grid").write(folder)
    return write_scaling_report(folder)


def populations(count: int) -> list[Population]:
    generator = np.random.default_rng(0)
    return [
        Population(
            name=name,
            errors=base + generator.gamma(1.5, 1.5, count),
            properties={"params": generator.uniform(1e5, 9e5, count)},
            recipe={"space": name, "dataset": "digits", "epochs": 2},
        )
        for name, base in (("regnetx", 30.0), ("anynetx_a", 34.0))
    ]


def population(folder: Path) -> Path:
    return write_analysis(analyse(populations(12)), folder)


def comparison(folder: Path) -> Path:
    """A cell among a population, and beside a named network."""
    folder.mkdir()
    costs = {"params": 2e5, "macs": 4e6}
    single = [
        Contender(name=name, errors=np.array(errors), properties=costs, test_images=400)
        for name, errors in (("pcdarts_cifar10", [31.0, 32.0]), ("resnet18", [30.0, 30.5]))
    ]
    found = judge_contender(single[0], populations(8)[:1], 0)
    written = Comparison(
        contender=single[0],
        judgements=found,
        recipe="2 epochs on digits.",
        notes=("Named networks keep their own size.",),
        setting={"dataset": "digits"},
        named=(single[1],),
    )
    return write_comparison_report(written, folder, SEARCHED)


def recipes(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"recipes": "lr=0.1 lr=0.2"}))
    return write_recipe_report(judged([[10, 12, 30], [14, 12, 30]]), folder)


def arms(folder: Path) -> Path:
    """The page of `joint transfer` and `joint ablate`."""
    measured = tuple(
        MeasuredArm(
            arm=Arm(network=network, recipe=recipe, model=SEARCHED, settings={}),
            errors={0: 20.0 + gain, 1: 21.0 + gain},
            params=1000,
            macs=2000,
            failures={},
        )
        for network, recipe, gain in (("resnet18", "found", 0.0), ("resnet18", "own", 2.0))
    )
    study = ArmStudy(
        name="transfer",
        arms=measured,
        differences=(Difference("found minus own", estimate([-2.0, -2.5])),),
        judged_on="100 held-out training images",
        training="Two epochs",
        notes=("Few images.",),
    )
    return write_arm_report(study, "Transfer", "python -m darts joint transfer", folder)


def fit(folder: Path) -> Path:
    final = make_retraining(folder / "final") / "result.json"
    final.write_text(json.dumps(json.loads(final.read_text()) | {"epoch": 4}))
    options = FitOptions(data="digits", budget=300, out=str(folder))
    found = outcome(standing("random-1", 2, 80.0, 82.0), standing("searched-0", 1, 70.0))
    image = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
    wrong = {"picture": image, "name": "test image 3", "truth": "9", "guess": "4"}
    test = replace(
        found.test,
        recalls=(80.0,) * 10,
        counts=(10,) * 10,
        confusion=tuple(tuple(8 if a == b else int(b == 1) for b in range(10)) for a in range(10)),
        worst=({**wrong, "probability": 0.9},),
    )
    return write_fit_report(replace(found, test=test), options, summary(), FitFiles(folder))


PAGES: Mapping[str, Callable[[Path], Path]] = {
    one.__name__: one
    for one in (
        *(search, training, several, detection, repeats, seeds, sweep, scaling, grid),
        *(population, comparison, recipes, arms, fit),
    )
}
"""What writes the page of each kind into a new folder."""
