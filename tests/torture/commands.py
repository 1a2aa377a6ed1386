"""All commands with durable state, at the smallest size at which they do all they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from darts.methods.catalogue import METHODS
from tests.darts.detection.support import TINY, draw_few
from tests.darts.joint.small import DESCRIBED

PRELOAD = (
    *("torch", "torch._dynamo", "torch.utils.tensorboard", "matplotlib.figure", "sklearn.datasets"),
    *("darts.api", "darts.cli", "darts.data.named", "darts.searching.task", "darts.training.task"),
    *("darts.design_space.train", "darts.design_space.report", "darts.comparing.run"),
    *("darts.sweeps.run", "darts.sweeps.many_seeds", "darts.joint.search", "darts.scaling.study"),
    *("darts.detection.task", "darts.fitting.run", "darts.pages", "darts.report.page"),
    *("darts.correlation.study", "pycocotools.cocoeval", "scipy.stats"),
)


@dataclass(frozen=True, kw_only=True)
class Durable:
    """A command that keeps state in `run`, below its working directory.

    Attributes:
        begin: The command line.
        resume: The command line that continues; None: the same.
        data: Writes what the command reads into a folder beside the working directory.
        prepare: See `Forker.run`.
        leave: See `contents`.
    """

    begin: str
    resume: str | None = None
    data: Callable[[Path], object] | None = None
    prepare: str | None = None
    leave: str = r"(environment|backend)\.json$"


SMALL = (
    "--preset smoke --dataset array:../data/tiny.npz --batch-size 8 --epochs 2 --device cpu "
    "--threads 1 --run-dir run"
)
SEARCH = f"{SMALL} --channels 8 --layers 3 --nodes 2 --arch-warmup-epochs 0 --log-every 1"
_RESUME = "--resume run"


def images(folder: Path, train: int = 48, test: int = 16, side: int = 8) -> None:
    """Write `tiny.npz`: two classes that differ in brightness."""
    draws = np.random.default_rng(0)

    def part(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 2
        pixels = draws.integers(0, 120, (count, side, side, 3)) + 120 * labels[:, None, None, None]
        return pixels.astype(np.uint8), labels

    (x, y), (x_test, y_test) = part(train), part(test)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "tiny.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)


def _shapes(folder: Path) -> None:
    draw_few(folder / "shapes")
    (folder / "tiny.yaml").write_text(TINY)


def _space(folder: Path) -> None:
    images(folder)
    (folder / "space.yaml").write_text(yaml.safe_dump(DESCRIBED))


def still_fit() -> None:
    """Let a fit measure nothing and see a still clock, so that it repeats itself."""
    from dataclasses import replace
    from typing import Any

    from darts.fitting import run
    from darts.fitting.plan import Field, PlannedRung
    from tests.darts.fitting.conftest import still_instruments

    made: Any = run.make_plan

    def make_plan(*arguments: Any, **named: Any) -> Any:
        rungs = (
            PlannedRung(networks=3, epochs=1, trainings=1, seconds=1.0),
            PlannedRung(networks=2, epochs=2, trainings=2, seconds=1.0),
        )
        field = Field(zoo=1, random=1, regnet=1, efficientnet=0)
        plan = made(*arguments, **named)
        return replace(plan, rungs=rungs, field=field, ceiling=200_000, batch_size=16)

    changed: Any = run
    changed.make_plan = make_plan
    changed._MOST_EPOCHS = 2
    changed.Instruments = lambda **_: still_instruments()


def _commands() -> Iterator[tuple[str, Durable]]:
    for method in METHODS:
        begin = f"search --method {method} {SEARCH}"
        if method == "p-darts":  # It has three stages.
            begin = begin.replace("--epochs 2", "--epochs 3")
        if method == "snas":  # It gives the architecture a tenth of the images.
            begin = begin.replace("--batch-size 8", "--batch-size 4")
        yield f"search {method}", Durable(begin=begin, resume=f"search {_RESUME}")
    for name, more in {
        "second order": "--order 2",
        "random channels": "--sampling random --k 4",
        "ceilings": "--max-macs 3M --cost-weight 0.1 --target-layers 4",
        "stages": "--stages growing:added_layers=0/1,kept=8/4,skip_dropout=0/0",
        "nasbench201": "--space nasbench201 --relaxation softmax",
        "checkpoint at every step": "--checkpoint-every 1",
    }.items():
        begin = f"search {SEARCH} {more}"
        if "nasbench201" in more:
            begin = begin.replace("--nodes 2 ", "")
        yield f"search, {name}", Durable(begin=begin, resume=f"search {_RESUME}")
    training = f"evaluate --genotype darts_v2 {SMALL} --channels 4 --layers 3 --log-every 1"
    for name, more in {
        "plain": "",
        "tricks": (
            "--optimiser rmsprop --mixup 0.2 --ema 0.9 --auto-augment randaugment --drop-path 0.3 "
            "--label-smoothing 0.1 --dropout 0.2 --checkpoint-every 1"
        ),
    }.items():
        yield (
            f"evaluate, {name}",
            Durable(begin=f"{training} {more}", resume=f"evaluate {_RESUME}"),
        )
    yield (
        "compare",
        Durable(
            begin=(
                "evaluate --genotype darts_v2 --dataset array:../data/tiny.npz --channels 4 "
                "--layers 3 --epochs 1 --batch-size 16 --cutout 0 --threads 1 --device cpu "
                "--stem-width 16 --baseline regnetx random-cells --population 2 "
                "--latency-batch 0 --run-dir run"
            ),
            resume=f"compare {_RESUME}",
        ),
    )
    yield (
        "space train",
        Durable(
            begin=(
                "space train --space regnetx --n 3 --macs 20k-60k --stem-width 8 --dataset "
                "array:../data/tiny.npz --epochs 2 --batch-size 16 --cutout 0 --device cpu "
                "--threads 1 --executor in-process --out run"
            ),
        ),
    )
    sweep = (
        "--dataset array:../data/tiny.npz --preset smoke --space nasbench201 --batch-size 8 "
        "--channels 4 --k 2 --epochs 1 --arch-warmup-epochs 0 --device cpu --threads 1"
    )
    yield (
        "sweep",
        Durable(
            begin=(
                "sweep --methods pc-darts gdas --seeds 0..1 --retrain 1 --retrain-with channels=4 "
                f"hold-out=2 --random-cells 1 --out run {sweep}"
            )
        ),
    )
    yield (
        "search --seeds",
        Durable(
            begin=f"search --seeds 2 --choice-trainings 1 {SEARCH} --channels 4 --k 2",
            resume=f"search {_RESUME}",
        ),
    )
    yield (
        "joint search",
        Durable(
            begin=(
                "joint search --space ../data/space.yaml --preset smoke --dataset "
                "array:../data/tiny.npz --rounds 2 --candidates 3 --pool 40 --epochs 1 "
                "--max-macs 4M --device cpu --threads 1 --run-dir run"
            ),
            resume=f"joint search {_RESUME}",
            data=_space,
        ),
    )
    yield (
        "scale study",
        Durable(
            begin=(
                "scale study darts_v2 --budgets 200k --strategies compound width -o run --dataset "
                "array:../data/tiny.npz --channels 4 --layers 3 --epochs 1 --batch-size 16 "
                "--no-auxiliary --threads 1 --device cpu --cutout 0 --seeds 2"
            ),
        ),
    )
    yield (
        "detect",
        Durable(
            begin=(
                "detect --preset smoke --model ../data/tiny.yaml --data-dir ../data/shapes "
                "--image-size 64 --batch-size 4 --workers 0 --device cpu --threads 1 --log-every 1 "
                "--run-dir run"
            ),
            resume=f"detect {_RESUME} --workers 0",
            data=_shapes,
        ),
    )
    yield (
        "fit",
        Durable(
            begin="fit ../data/tiny.npz --budget 60s --device cpu --threads 1 --out run",
            prepare="tests.torture.commands:still_fit",
            data=lambda folder: images(folder, train=120, test=30),
        ),
    )


COMMANDS: Mapping[str, Durable] = dict(_commands())
