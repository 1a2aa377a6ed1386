"""Are cells of small searches better than random cells of the same cost? A search, varied.

    python benchmarks/small_search.py run --dataset array:cifar10.npz --out DIR
        [--variations plain one-shot …] [--seeds 0 1 2 3 4] [--random 24] [--zoo NAME …]
    python benchmarks/small_search.py show --out DIR

A variation is a plain short search (K = 4, no ceiling) with something changed; `preset` has what
the quick preset sets. Each cell that is found, and each random cell, becomes a network of 5 cells
whose even number of channels brings it closest to `--macs`, and is trained for 8 epochs on 2,000
images by one recipe. It is tested on training images that are held out from everything
(`--hold-out 5`): the test images are for whoever wants to check the winner. Random cells are also
trained for 4 epochs on 1,500 of the 2,000 images and judged on the other 500, which shows what
choosing the best of n cells by short trainings is worth.

Everything is appended to DIR/results.jsonl as it comes. Several processes may share DIR. `--again`
takes up what a killed process had begun: searches from their checkpoint, trainings from their
beginning. Even numbers of channels are a coarse grid, so `show` also corrects accuracies for the
remaining differences of cost: by the slope of accuracy over the logarithm of multiply-adds among
the random cells.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from darts.costs.cells import network_cost
from darts.judging.short_training import ShortTraining
from darts.models.image_spec import ImageSpec
from darts.models.registry import describe_model
from darts.nasbench.baseline import best_weights
from darts.searching.options import SearchOptions, search_overlay
from darts.searching.trial import place_of_trials, search_trial, settings_of_trial
from darts.settings.parsing import options_from
from darts.statistics.estimates import difference, estimate
from darts.training.options import TrainingOptions, training_overlay
from darts.training.trial import opened_dataset, train_briefly
from genotypes import Genotype, find_space, load_genotype, random_genotype

PIXELS, LAYERS, RANDOM = 16, 5, "random"
_VARIED = 0.08  # Deviation of the logarithm of costs below which no slope is fitted.
# The network of the retraining has 8 channels where its cell is as dear as most.
_CEILING = {
    "max_macs": "2M",
    "target_channels": 8,
    "target_layers": LAYERS,
    "target_resolution": PIXELS,
}
_PRESET = {"k": 1, "max_macs": "typical"}
VARIATIONS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "preset": _PRESET,
    "preset-nodes-2": {**_PRESET, "nodes": 2},
    "preset-nodes-3": {**_PRESET, "nodes": 3},
    "preset-no-edge-normalisation": {**_PRESET, "edge_normalisation": False},
    "no-pools": {"space": "darts-no-pools"},
    "low-rate": {"arch_learning_rate": 6e-4},
    "warm-up": {"arch_warmup_epochs": 8},
    "ceiling": _CEILING,
    "ceiling-k-1": {**_CEILING, "k": 1},
    "ceiling-no-pools": {**_CEILING, "space": "darts-no-pools"},
    "projection": {"selection": "projection:interval=1"},
    "long": {"epochs": 36, "arch_warmup_epochs": 9},
    "batch-32": {"batch_size": 32},
    "strong-decay": {"weight_decay": 3e-3},
    "k-1": {"k": 1},
    "k-2": {"k": 2},
    "no-edge-normalisation": {"edge_normalisation": False},
    "one-shot": {"method": "random", "epochs": 36},
    "evolution": {"method": "spos", "epochs": 36},
    **{name: {"method": name} for name in ("darts-v1", "drnas", "sdarts-rs", "beta-darts")},
    **{name: {"method": name} for name in ("darts-minus", "darts-pt")},
    "gdas": {"method": "gdas", "epochs": 36},
}
RETRAINING = {
    "train_images": 2000,
    "test_images": 4000,
    "layers": LAYERS,
    "epochs": 8,
    "batch_size": 64,
    "learning_rate": 0.05,
    "auxiliary": False,
    "drop_path": 0.0,
    "cutout": 0,
    "test_every": 0,
    "seed": 0,
}
_SHORT, _SET_ASIDE = {"epochs": 4}, 4
SEARCH = {
    "preset": "quick",
    "train_images": 3200,
    "test_images": 100,
    "epochs": 12,
    "arch_warmup_epochs": 3,
    "k": 4,
    "max_macs": None,
}


class Study:
    """Searches and retrainings that are shared out among processes.

    Args:
        out: The directory.
        data: Settings of the images, common to searches and retrainings.
        macs: Multiply-adds of the retrained networks.
    """

    def __init__(self, out: Path, data: Mapping[str, Any], macs: float) -> None:
        self.out, self.data, self.macs = out, data, macs
        (out / "begun").mkdir(parents=True, exist_ok=True)

    def begin(self, name: str) -> bool:
        """Whether nobody has begun this work yet."""
        try:
            os.close(os.open(self.out / "begun" / name, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def write(self, **line: Any) -> None:
        # One write of a whole line to a file opened for appending: lines do not mix.
        with (self.out / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def search(self, variation: str, seed: int) -> None:
        """Search a cell, and retrain it."""
        run = self.out / f"{variation}-{seed}"
        if self.begin(f"search-{variation}-{seed}"):
            start = time.process_time()
            settings = {**self.data, **SEARCH, **VARIATIONS[variation]}
            options = options_from(SearchOptions, {**settings, "seed": seed}, search_overlay)
            found = search_trial(
                str(self.out),
                place_of_trials(options, "cpu"),
                settings_of_trial(options, run.name),
                lambda _: None,
            )
            seconds = round(time.process_time() - start)
            accuracy = found["validation_accuracy"]
            self.write(search=variation, seed=seed, supernet=accuracy, processor_seconds=seconds)
        if (run / "result.json").exists():
            self.retrain(variation, seed, load_genotype(run / "genotype.yaml"))

    def random(self, count: int) -> None:
        """Retrain random cells."""
        generator = torch.Generator().manual_seed(1234)
        for number in range(count):
            cell = random_genotype(4, generator, f"random-{number}", find_space("darts"))
            self.retrain(RANDOM, number, cell)
            self.train_shortly(number, cell)

    def train_shortly(self, number: int, genotype: Genotype) -> None:
        """Train a random cell as a choice among cells does, on a part of the same images."""
        if not self.begin(f"short-{RANDOM}-{number}"):
            return
        start = time.process_time()
        training = ShortTraining(self._recipe(genotype, **_SHORT), _SET_ASIDE)
        found = training({"model": describe_model(genotype), "seed": 1}, lambda _: None)
        seconds = round(time.process_time() - start)
        self.write(short=RANDOM, seed=number, accuracy=found["accuracy"], processor_seconds=seconds)

    def retrain(self, variation: str, seed: int, genotype: Genotype) -> None:
        """Train the network of a cell, with the same images and seed for all cells."""
        if not self.begin(f"retraining-{variation}-{seed}"):
            return
        options = self._recipe(genotype)
        dataset = opened_dataset(options)
        start = time.process_time()
        result = train_briefly(replace(options, seed=0), genotype, dataset, lambda _: None)
        self.write(
            retraining=variation,
            seed=seed,
            accuracy=100 - result["test_error"],
            macs=result["macs"],
            params=result["params"],
            channels=options.channels,
            processor_seconds=round(time.process_time() - start),
            genotype=genotype.as_dict(),
        )

    def _recipe(self, genotype: Genotype, **changes: Any) -> TrainingOptions:
        settings = {**self.data, **RETRAINING, "channels": self._channels(genotype), **changes}
        return options_from(TrainingOptions, settings, training_overlay)

    def _channels(self, genotype: Genotype) -> int:
        images = ImageSpec.of(PIXELS, 10)

        def distance(channels: int) -> float:
            cost = network_cost(
                genotype,
                channels=channels,
                layers=LAYERS,
                stem=images.stem,
                resolution=images.resolution,
                num_classes=images.num_classes,
            )
            return abs(float(np.log(cost.macs / self.macs)))

        return min(range(2, 33, 2), key=distance)

    def unfinished(self) -> list[str]:
        """Names of the work that was begun and has no result."""
        done = set()
        for line in self.lines():
            kind = next(kind for kind in ("search", "retraining", "short") if kind in line)
            done.add(f"{kind}-{line[kind]}-{line['seed']}")
        return sorted(path.name for path in (self.out / "begun").iterdir() if path.name not in done)

    def lines(self) -> Iterator[dict[str, Any]]:
        file = self.out / "results.jsonl"
        if file.exists():
            yield from map(json.loads, file.read_text(encoding="utf-8").splitlines())

    def show(self) -> None:
        """Print each variation beside the random cells, also corrected for cost."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for line in self.lines():
            if "retraining" in line:
                groups.setdefault(line["retraining"], []).append(line)
        known = groups.get(RANDOM, [])
        if len(known) < 3:
            print("Too few random cells are retrained yet.")
            return
        logs = [np.log(one["macs"] / self.macs) for one in known]
        slope = 0.0
        if np.std(logs) >= _VARIED:
            slope = float(np.polyfit(logs, [one["accuracy"] for one in known], 1)[0])
        corrected = {
            name: [one["accuracy"] - slope * float(np.log(one["macs"] / self.macs)) for one in all_]
            for name, all_ in groups.items()
        }
        varied = f"{slope:.2f} points for each e-fold of multiply-adds"
        print(varied if slope else "The random cells cost nearly the same: no correction.")
        for name, all_ in groups.items():
            plain = estimate([one["accuracy"] for one in all_])
            costs = [one["macs"] / 1e6 for one in all_]
            text = f"{name:22} n {plain.n:2}  {plain.mean:.2f} ± {plain.deviation or 0:.2f} %"
            text += f"  {min(costs):.2f}-{max(costs):.2f} M"
            gap = None if name == RANDOM else difference(corrected[name], corrected[RANDOM])
            if gap is not None:
                text += (
                    f"  corrected, minus random {gap.middle:+.2f} [{gap.low:.2f}, {gap.high:.2f}]"
                )
            print(text)
        self._show_choice(known)
        if left := self.unfinished():
            print("begun and not finished:", *left)

    def _show_choice(self, random: list[dict[str, Any]]) -> None:
        """Print what the best of n random cells by short trainings achieves, exactly."""
        short = {line["seed"]: line["accuracy"] for line in self.lines() if "short" in line}
        both = [(short[one["seed"]], one["accuracy"]) for one in random if one["seed"] in short]
        both.sort(key=lambda pair: pair[0])
        for n in (2, 4, 8):
            if n <= len(both):
                expected = float(best_weights(len(both), n) @ [accuracy for _, accuracy in both])
                print(
                    f"best of {n} of {len(both)} random cells by short trainings {expected:.2f} %"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("run", "show"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--variations", nargs="*", choices=VARIATIONS, default=list(VARIATIONS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--random", type=int, default=24, help="number of random cells")
    parser.add_argument("--zoo", nargs="*", default=[], help="known cells to retrain beside them")
    parser.add_argument("--macs", type=float, default=2e6)
    parser.add_argument("--again", action="store_true", help="take up unfinished work")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = {
        "dataset": options.dataset,
        "image_size": PIXELS,
        "hold_out": 5,
        "device": "cpu",
        "threads": 1,
    }
    study = Study(options.out, data, options.macs)
    if options.action == "show":
        study.show()
        return
    if options.again:
        for name in study.unfinished():
            (study.out / "begun" / name).unlink()
    study.random(options.random)
    for name in options.zoo:
        study.retrain(name, 0, load_genotype(name))
    for seed in options.seeds:
        for variation in options.variations:
            study.search(variation, seed)


if __name__ == "__main__":
    main()
