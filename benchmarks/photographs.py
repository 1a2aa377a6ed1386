"""Images per second from a folder of photographs, with the augmentation of search or retraining.

    python benchmarks/photographs.py --data FOLDER [--workers 1] [--jitter 0.4] [--json]

FOLDER has photographs in `train/CLASS/`, such as Imagenette. It compares four ways to make batches
`[B, 3, 224, 224]` that are ready for a network:
- torchvision: ImageFolder, RandomResizedCrop, horizontal flip (and ColorJitter) on single images in
  the workers of a DataLoader;
- files: ours; workers decode the files and cut the crops, the main process mirrors and colours
  whole batches;
- cache: ours, the crops are cut from decoded photographs in a memory-mapped file by a thread;
- memory: ours, the same from decoded photographs in memory.
The ways take turns, so that other load on the machine affects all of them equally. A pass first
uses up the batches that its workers have prepared during the turns of the others. The output has
the median and the extremes, and the processor time of all processes per image, which depends less
on other load. Torchvision uses `--workers` processes, cache and memory use `--threads` threads;
equal values compare equal numbers of cores. The images of the folder are repeated until an epoch is
long enough.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import ConcatDataset, DataLoader

from darts.data.crops import RandomCrops
from darts.data.dataset import ImageSet
from darts.data.folders import open_folder
from darts.data.loader import BatchLoader
from darts.data.photographs import PhotographAugmentation
from darts.data.pixels import Decoding
from darts.data.streaming import ImageFiles
from darts.data.whole_images import cached_whole, in_memory
from darts.system.device import device_name, resolve_device, synchronise
from darts.system.torchvision_compat import torchvision

WHOLE = Decoding(whole=True)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def theirs(root: Path, repeats: int, batch: int, workers: int, jitter: float) -> DataLoader:
    transforms = torchvision.transforms
    chain = [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip()]
    if jitter:
        chain.append(transforms.ColorJitter(jitter, jitter, jitter, jitter / 2))
    chain += [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    folder = torchvision.datasets.ImageFolder(root / "train", transforms.Compose(chain))
    return DataLoader(
        ConcatDataset([folder] * repeats),
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def endless(loader: DataLoader, device: torch.device) -> Iterator[Any]:
    while True:
        for images, labels in loader:
            # The layout of our batches, which convolutions prefer.
            yield images.to(device).contiguous(memory_format=torch.channels_last), labels.to(device)


def ours(
    images: ImageSet, repeats: int, batch: int, device: torch.device, jitter: float
) -> Callable[[], Any]:
    transform = PhotographAugmentation(
        mean=MEAN, std=STD, size=224, flip=True, color_jitter=jitter, crop=False
    )
    loader = BatchLoader(
        images.to(device),
        torch.arange(len(images)).repeat(repeats),
        batch,
        device,
        transform,
        torch.Generator().manual_seed(0),
        torch.Generator().manual_seed(1),
        crops=RandomCrops(size=224, decoding=WHOLE),
    )
    return loader.next_batch


def processor_seconds(processes: Iterable[Any]) -> float:
    """Processor time that these processes have used so far (Linux only)."""
    total = 0.0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


class Way:
    """One way to get batches, with its rates and its processor time so far."""

    def __init__(self, next_batch: Callable[[], Any], device: torch.device) -> None:
        self.next_batch, self.device = next_batch, device
        others = set(multiprocessing.active_children())
        next_batch()
        self.workers = set(multiprocessing.active_children()) - others
        self.rates: list[float] = []
        self.images, self.seconds = 0, 0.0

    def take(self, batches: int, batch: int, prepared: int) -> None:
        """Run one pass; the clock starts after the batches that were prepared before the pass."""
        busy = time.process_time()
        for _ in range(prepared):
            self.next_batch()
        start = time.perf_counter()
        for _ in range(batches):
            self.next_batch()
        synchronise(self.device)
        self.rates.append(batches * batch / (time.perf_counter() - start))
        self.seconds += time.process_time() - busy
        self.images += (prepared + batches) * batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with train/CLASS/*")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--batches", type=int, default=16, help="batches per pass")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=40, help="of the images per epoch")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jitter", type=float, default=0.0, help="retraining uses 0.4")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = resolve_device(arguments.device)
    batch, repeats, jitter = arguments.batch, arguments.repeats, arguments.jitter
    found = open_folder(arguments.data, arguments.workers, str(arguments.data)).train
    assert isinstance(found, ImageFiles)
    files = replace(found.resized(256), decoding=WHOLE)
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        mapped = cached_whole(files, arguments.data, Path(scratch))
        made = time.perf_counter() - start
        loader = endless(theirs(arguments.data, repeats, batch, arguments.workers, jitter), device)
        made_by = {
            "torchvision": lambda: next(loader),
            "files": ours(files, repeats, batch, device, jitter),
            "cache": ours(mapped, repeats, batch, device, jitter),
            "memory": ours(in_memory(files), repeats, batch, device, jitter),
        }
        ways = {name: Way(next_batch, device) for name, next_batch in made_by.items()}
        before = {name: processor_seconds(way.workers) for name, way in ways.items()}
        for _ in range(arguments.passes):
            for way in ways.values():
                way.take(arguments.batches, batch, 2 * arguments.workers)
        rows = {}
        for name, way in ways.items():
            working = processor_seconds(way.workers) - before[name]
            median = statistics.median(way.rates)
            rows[name] = {
                "median": median,
                "min": min(way.rates),
                "max": max(way.rates),
                "times_torchvision": median / statistics.median(ways["torchvision"].rates),
                "processor_ms": 1e3 * (way.seconds + working) / way.images,
            }
    if arguments.json:
        print(json.dumps({"rows": rows, "cache_made_per_second": len(files) / made}))
        return
    print(
        f"{device_name(device)}, torch {torch.__version__}, {arguments.threads} threads, "
        f"{arguments.workers} workers, batch {batch}, jitter {jitter}, {arguments.passes} passes "
        f"of {arguments.batches} batches"
    )
    print(f"{'images/s':12}  median     min     max  times torchvision  processor ms an image")
    for name, row in rows.items():
        print(
            f"{name:12}  {row['median']:6.0f}  {row['min']:6.0f}  {row['max']:6.0f}  "
            f"{row['times_torchvision']:17.2f}  {row['processor_ms']:21.2f}"
        )
    print(f"cache made at {len(files) / made:.0f} images/s ({len(files)} images)")


if __name__ == "__main__":
    main()
