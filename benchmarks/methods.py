"""Time and memory of an iteration of every search method, compared with plain PC-DARTS.

    python benchmarks/methods.py [--methods gdas drnas] [--space darts] [--backend auto] [--json]

Each method has its own parts and K, but the same supernet otherwise, the same batch and the same
images, so the numbers compare methods and not their published schedules. An iteration is what one
step of the search does after the warm-up; where alpha is trained only every few steps, the mean
over that many. Methods are timed in turn with PC-DARTS in one process; the ratio is the median of
the paired ratios. Peak memory is measured in a new process for each method.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.search_step import peak_resident, processor
from darts.data.dataset import Dataset, ImageTensor
from darts.methods.catalogue import DEFAULT, METHODS, find_method
from darts.methods.gradient import LabelledBatch
from darts.methods.relaxation import Progress
from darts.searching.assembly import Assembled, assemble, method_of
from darts.searching.options import SearchOptions
from darts.searching.staging import extra_streams, plan_stages, set_dropout
from darts.searching.task import SEARCH_STREAMS
from darts.system.device import keep_memory
from darts.system.randomness import RandomStreams
from genotypes import SPACES

OWN = ("k", "edge_normalisation", "arch_every", "weights_first", *SearchOptions().chosen_parts)
"""What a method brings into the comparison; all other settings are equal."""


def options_of(method: str, given: argparse.Namespace) -> SearchOptions:
    implied = find_method(method).implied(given.space)
    own = {name: value for name, value in implied.items() if name in OWN}
    if find_method(method).parts.get("stages"):
        # K of the first stage has to divide the channels.
        own["stages"] = find_method(method).presets["quick"]["stages"]
    return SearchOptions(
        method=method,
        layers=given.layers,
        channels=given.channels,
        batch_size=given.batch,
        backend=given.backend,
        device="cpu",
        space=given.space,
        **own,
    )


def random_images(size: int, count: int) -> Dataset:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    images = ImageTensor(pixels, torch.randint(10, (count,), generator=generator))
    classes = tuple(map(str, range(10)))
    grey = (0.5, 0.5, 0.5)
    return Dataset(
        name="random",
        classes=classes,
        image_size=size,
        stored_size=size,
        mean=grey,
        std=grey,
        measured=False,
        flip=True,
        train=images,
        test=images,
    )


class Candidate:
    """One method, ready to iterate."""

    def __init__(self, method: str, given: argparse.Namespace) -> None:
        options, space = options_of(method, given), SPACES[given.space]
        joined = method_of(options)
        names = (*SEARCH_STREAMS, *extra_streams(joined, options, space))
        stage = plan_stages(joined, options, space)[0]
        self.every, self.trains = options.arch_every, joined.trains_architecture
        self.parts: Assembled = assemble(
            options,
            random_images(given.size, given.batch),
            torch.device("cpu"),
            RandomStreams(0, names),
            steps_per_epoch=100,
            space=space,
            method=joined,
            stage=stage,
        )
        middle = stage.first + stage.epochs // 2
        self.parts.architecture.progress = Progress(stage.epochs // 2, stage.epochs)
        set_dropout(self.parts.supernet, joined, options, stage, middle)
        self.parts.supernet.train()
        generator = torch.Generator().manual_seed(2)
        size = (given.batch, 3, given.size, given.size)
        images = torch.randn(size, generator=generator)
        self.batch = LabelledBatch(
            images.contiguous(memory_format=torch.channels_last),
            torch.randint(10, (given.batch,), generator=generator),
        )

    def seconds(self) -> float:
        """Mean seconds of an iteration."""
        start = time.perf_counter()
        for number in range(self.every):
            last = number + 1 == self.every
            self.parts.iteration(self.batch, self.batch if last and self.trains else None)
        return (time.perf_counter() - start) / self.every


def peak_memory(method: str, given: argparse.Namespace) -> float:
    """Peak resident memory in GB of a new process that runs two iterations of a method."""
    settings = [f"--{name}={getattr(given, name)}" for name in SETTINGS]
    command = [sys.executable, __file__, *settings, "--memory-of", method]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


SETTINGS = ("space", "channels", "layers", "batch", "size", "backend", "threads")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--space", default="darts")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=32, help="height and width of the images")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="0: PyTorch's default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", choices=METHODS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    keep_memory()
    if given.memory_of:
        candidate = Candidate(given.memory_of, given)
        for _ in range(2):
            candidate.seconds()
        print(peak_resident())
        return
    plain = Candidate(DEFAULT, given)
    plain.seconds()
    base = 0.0 if given.no_memory else peak_memory(DEFAULT, given)
    rows = []
    for method in given.methods:
        candidate = Candidate(method, given)
        candidate.seconds()
        pairs = [(candidate.seconds(), plain.seconds()) for _ in range(given.repeats)]
        row = {
            "method": method,
            "k": candidate.parts.options.k,
            "backend": candidate.parts.options.backend,
            "seconds": statistics.median(own for own, _ in pairs),
            "of_pc_darts": statistics.median(own / other for own, other in pairs),
        }
        if not given.no_memory:
            row |= {"memory_gb": peak_memory(method, given)}
            row |= {"memory_of_pc_darts": row["memory_gb"] / base}
        rows.append(row)
        if not given.json:
            shown = (f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
            print("  ".join(shown), flush=True)
    machine = {
        "processor": processor(),
        "torch": torch.__version__,
        **{name: getattr(given, name) for name in (*SETTINGS, "repeats")},
        "threads": torch.get_num_threads(),
    }
    if given.json:
        print(json.dumps({"machine": machine, "methods": rows}, indent=1))
    else:
        print(machine)


if __name__ == "__main__":
    main()
