"""Numbers: odd images, extreme rates, bf16, the memory of many steps, and several threads."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tests.torture.contents import contents, first_difference
from tests.torture.faults import forker, said
from tests.torture.kinds import Effort, Kind, Tally

Pixels = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def _noise(draws: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    return draws.integers(0, 256, (len(labels), 8, 8, 3)).astype(np.uint8)


def _write(place: Path, train: int = 48, classes: int = 2, pixels: Pixels = _noise) -> None:
    draws = np.random.default_rng(0)
    parts = {}
    for name, count in (("train", train), ("test", max(train // 3, classes))):
        labels = np.arange(count) % classes
        parts |= {f"x_{name}": pixels(draws, labels), f"y_{name}": labels}
    np.savez(place / "data.npz", **parts)


def _flat(value: int) -> Pixels:
    return lambda draws, labels: np.full((len(labels), 8, 8, 3), value, np.uint8)


IMAGES: dict[str, dict[str, Any]] = {
    "noise": {},
    "black": {"pixels": _flat(0)},
    "white": {"pixels": _flat(255)},
    "one class": {"classes": 1},
    "two images": {"train": 2},
    "an image for each class": {"train": 12, "classes": 12},
}
BEGIN = {
    "search": "search --channels 4 --layers 3 --nodes 2 --k 2 --arch-warmup-epochs 0",
    "gdas": "search --method gdas --channels 4 --layers 3 --nodes 2 --arch-warmup-epochs 0",
    "evaluate": "evaluate --genotype darts_v2 --channels 4 --layers 3",
    "regnet": "evaluate --model ../tiny.yaml",
    "population": "space train --space regnetx --n 2 --macs 20k-60k --stem-width 8 --cutout 0",
}
RATES = (
    *("", "--precision bf16", "--learning-rate 1e-12", "--learning-rate 1e4"),
    *("--weight-decay 1e3", "--batch-size 1", "--batch-size 2 --precision bf16"),
)
CASES = tuple(itertools.product(BEGIN, IMAGES, RATES))
COMMON = "--dataset array:../data.npz --epochs 2 --device cpu --threads 1"


def extremes(effort: Effort) -> Tally:
    """A result whose numbers are finite, or one sentence."""
    tally = Tally()
    for number in range(effort.first, effort.first + effort.cases):
        # 41 has no common divisor with the number of cases: neighbours differ in everything.
        begin, images, rate = CASES[number * 41 % len(CASES)]
        place = effort.place / str(number)
        (place / "work").mkdir(parents=True)
        _write(place, **IMAGES[images])
        (place / "tiny.yaml").write_text(NETWORK)
        line = f"{BEGIN[begin]} {COMMON} {rate}"
        if "--batch-size" not in rate:
            line += " --batch-size 8"
        line += " --out run" if begin == "population" else " --preset smoke --run-dir run"
        ended = forker().run(line.split(), where=place / "work")
        what = f"{number} ({begin}, {images}, {rate})"
        errors = [one for one in ended.err.splitlines() if one.startswith("error: ")]
        if ended.code == 0 and not ended.traceback:
            missing = _missing_numbers(place / "work" / "run")
            if missing:
                tally.faults.append(f"{what}: {missing[:3]} of {len(missing)}")
            else:
                tally.done += 1
        elif ended.code == 2 and not ended.traceback and len(errors) == 1:
            tally.refused += 1
        else:
            tally.faults.append(f"{what}: {said(ended)}")
    return tally


def _missing_numbers(run: Path) -> list[str]:
    """Losses and accuracies that are no numbers."""
    found = []
    for file in run.rglob("metrics.jsonl"):
        for line in map(json.loads, file.read_text().splitlines()):
            found += [
                f"{name} of step {line['step']}"
                for name, value in line.items()
                if value is None and ("loss" in name or "accuracy" in name)
            ]
    return found


NETWORK = """
anynet:
  block: vr
  stem_width: 8
  stages:
  - {depth: 1, width: 8}
  - {depth: 1, width: 8}
"""

LOOPS = {
    "search": f"{BEGIN['search']} --preset smoke",
    "gdas": f"{BEGIN['gdas']} --preset smoke",
    "darts-v2": f"{BEGIN['search']} --preset smoke --order 2",
    "evaluate": f"{BEGIN['evaluate']} --preset smoke --mixup 0.2 --ema 0.9 --drop-path 0.2",
    "regnet": f"{BEGIN['regnet']} --preset smoke",
}
STEPS = 10_000
MOST = 16
"""MiB by which the memory of the last quarter may exceed that of the second one."""


def memory(effort: Effort) -> Tally:
    """`STEPS` steps of each loop, with all that a run does beside its steps."""
    tally = Tally()
    names = list(LOOPS)
    for number in range(effort.first, effort.first + effort.cases):
        name = names[number % len(names)]
        place = effort.place / str(number)
        (place / "work").mkdir(parents=True)
        (place / "tiny.yaml").write_text(NETWORK)
        # Half of the images of a search are those of the architecture.
        images = 1000 if LOOPS[name].startswith("search") else 500
        _write(place, train=images)
        flags = "--dataset array:../data.npz --batch-size 1 --device cpu --threads 1"
        flags += f" --train-images {images} --test-images 20 --epochs {STEPS // 500}"
        line = f"{LOOPS[name]} {flags} --log-every 100 --run-dir run"
        sizes: list[float] = []
        ended = forker().run(
            line.split(),
            where=place / "work",
            timeout=3_600,
            meanwhile=lambda pid, sizes=sizes: _watch(pid, sizes),
        )
        if ended.code != 0:
            tally.faults.append(f"{number} ({name}): {said(ended)}")
            continue
        steps = json.loads((place / "work/run/metrics.jsonl").read_text().splitlines()[-1])["step"]
        quarter = max(len(sizes) // 4, 1)
        second, last = median(sizes[quarter : 2 * quarter]), median(sizes[-quarter:])
        print(f"  {name}: {steps} steps, {second:.1f} and {last:.1f} MiB", flush=True)
        if last - second > MOST or steps < STEPS:
            tally.faults.append(f"{number} ({name}): {steps} steps, {second} and {last} MiB")
        else:
            tally.done += 1
    return tally


def _watch(pid: int, sizes: list[float]) -> None:
    """Collect the resident memory of a process in MiB until it ends."""
    page = os.sysconf("SC_PAGE_SIZE") / 2**20
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return
        if state == "Z":
            return
        sizes.append(resident * page)
        time.sleep(0.5)


_LARGE = "--preset smoke --channels 16 --layers 3 --arch-warmup-epochs 0"
THREADED = {
    "search": f"search {_LARGE} --backend torch",
    "native search": f"search {_LARGE} --backend native",
    "second-order search": f"search {_LARGE} --backend torch --order 2",
    "evaluate": "evaluate --genotype darts_v2 --preset smoke --channels 16 --layers 3",
    "regnet": "evaluate --model regnetx_200mf --preset smoke",
}


def threads(effort: Effort) -> Tally:
    """With two threads a run repeats itself bit for bit; whether 1 and 4 give the same is said."""
    tally = Tally()
    names = list(THREADED)
    for number in range(effort.first, effort.first + effort.cases):
        name, place = names[number % len(names)], effort.place / str(number)
        found: dict[int, list[Any]] = {}
        for count in (1, 2, 2, 4):
            work = place / "work"
            work.mkdir(parents=True)
            _write(place, train=96, pixels=_large_noise)
            line = (
                f"{THREADED[name]} --dataset array:../data.npz --train-images 96 --test-images 32 "
                f"--batch-size 32 --epochs 1 --device cpu --threads {count} --run-dir run"
            )
            ended = forker().run(line.split(), where=work)
            if ended.code != 0:
                tally.faults.append(f"{number} ({name}, {count} threads): {said(ended)}")
                break
            found.setdefault(count, []).append(contents(work)["run/checkpoint.pt"])
            shutil.rmtree(work)
        else:
            same = {n: first_difference(found[1][0], found[n][0]) is None for n in (2, 4)}
            print(
                f"  {name}: the bits of 1 thread also with 2: {same[2]}, 4: {same[4]}", flush=True
            )
            difference = first_difference(*found[2])
            if difference is None:
                tally.done += 1
            else:
                tally.faults.append(f"{number} ({name}): {difference}")
    return tally


def _large_noise(draws: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Images whose tensors are large enough for several threads."""
    return draws.integers(0, 256, (len(labels), 32, 32, 3)).astype(np.uint8)


KINDS: tuple[Kind, ...] = (
    Kind("memory", "10,000 steps of each loop", memory, len(LOOPS), grows=False),
    Kind("extremes", "odd images, extreme rates, bf16", extremes, len(CASES) // 3, grows=False),
    Kind("threads", "1, 2, 2 and 4 threads", threads, len(THREADED), grows=False),
)
