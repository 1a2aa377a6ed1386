"""Time to prepare batches for a search: batched augmentation on the device against a DataLoader.

    python benchmarks/input_path.py [--batch 64] [--threads 2] [--workers 2] [--steps 20] [--json]

It compares three ways on random 32x32 images with crop, flip, normalisation and cutout:
- ours: `darts.data.loader.BatchLoader` augments whole batches on the device;
- torchvision: torchvision transforms single images in the workers of a DataLoader, with one
  iterator per epoch;
- a new iterator each step: the same DataLoader, but each batch is `next(iter(loader))`, as in the
  search loop of the PC-DARTS code.
The last column is the time of both batches relative to one bilevel iteration of the paper's
supernet (K = 4, C = 16, 8 cells).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from cells.topology import Topology
from darts.data.augmentation import Augmentation
from darts.data.dataset import ImageTensor
from darts.data.loader import BatchLoader
from darts.methods.architecture import Architecture
from darts.methods.gradient import Bilevel, LabelledBatch
from darts.searching.steps import ArchitectureStep, WeightStep
from darts.searching.supernet import Supernet
from darts.system.device import device_name, resolve_device, synchronise
from darts.system.torchvision_compat import torchvision
from genotypes import SPACES

MEAN, STD = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)


class PerImage(Dataset):
    """A data set in torchvision's style: each item is one Pillow image after its transforms."""

    def __init__(self, pixels: torch.Tensor, labels: torch.Tensor) -> None:
        transforms = torchvision.transforms
        self.images = [transforms.functional.to_pil_image(image) for image in pixels]
        self.labels = labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = self.transform(self.images[index])
        row, column = torch.randint(32, (2,)).tolist()
        top, left = max(row - 8, 0), max(column - 8, 0)
        image[:, top : row + 8, left : column + 8] = 0.0
        return image, self.labels[index]


def ours(images: ImageTensor, batch: int, device: torch.device) -> Callable[[], object]:
    transform = Augmentation(mean=MEAN, std=STD, crop_padding=4, flip=True, cutout=16)
    loader = BatchLoader(
        images.to(device),
        torch.arange(len(images)),
        batch,
        device,
        transform,
        torch.Generator().manual_seed(0),
        torch.Generator().manual_seed(1),
    )
    return loader.next_batch


def endless(loader: DataLoader) -> Iterator[object]:
    while True:
        yield from loader


def milliseconds(work: Callable[[], object], steps: int, device: torch.device) -> list[float]:
    work()
    taken = []
    for _ in range(steps):
        start = time.perf_counter()
        work()
        synchronise(device)
        taken.append(1e3 * (time.perf_counter() - start))
    return taken


def bilevel_milliseconds(batch: int, device: torch.device) -> float:
    generator = torch.Generator().manual_seed(0)
    topology = Topology(4)
    architecture = Architecture(topology, generator=generator).to(device)
    supernet = Supernet(topology, SPACES["darts"].operations, channels=16, layers=8, k=4)
    supernet.to(device).to(memory_format=torch.channels_last)
    weights = torch.optim.SGD(supernet.parameters(), lr=0.01, momentum=0.9)
    adam = torch.optim.Adam(architecture.parameters(), lr=6e-4)
    problem = Bilevel(supernet, architecture, weights, functional.cross_entropy)
    step, search = WeightStep(problem, 5.0), ArchitectureStep(problem, adam)
    images = torch.randn(batch, 3, 32, 32, device=device).to(memory_format=torch.channels_last)
    data = LabelledBatch(images, torch.zeros(batch, dtype=torch.int64, device=device))

    def iteration() -> None:
        search(data, data)
        step(data)

    return statistics.median(milliseconds(iteration, 3, device))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = resolve_device(arguments.device)
    generator = torch.Generator().manual_seed(0)
    shape = (arguments.images, 3, 32, 32)
    pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, (arguments.images,), generator=generator)
    loader = DataLoader(
        PerImage(pixels, labels),
        arguments.batch,
        shuffle=True,
        num_workers=arguments.workers,
        drop_last=True,
    )
    batches = endless(loader)
    timed = {
        "ours": ours(ImageTensor(pixels, labels), arguments.batch, device),
        "torchvision": lambda: next(batches),
        "a new iterator each step": lambda: next(iter(loader)),
    }
    step = bilevel_milliseconds(arguments.batch, device)
    rows = {}
    for name, work in timed.items():
        taken = milliseconds(work, arguments.steps, device)
        rows[name] = {
            "min_ms": min(taken),
            "median_ms": statistics.median(taken),
            "share_of_iteration": 2 * statistics.median(taken) / step,
        }
    if arguments.json:
        print(json.dumps({"bilevel_ms": step, "rows": rows}))
        return
    print(
        f"{device_name(device)}, {torch.get_num_threads()} threads, {arguments.workers} workers, "
        f"torch {torch.__version__}, batch {arguments.batch}, {arguments.steps} repeats; "
        f"one bilevel iteration takes {step:.0f} ms"
    )
    print(f"{'batch from':26}  min ms  median ms  share of an iteration (two batches)")
    for name, row in rows.items():
        share = 100 * row["share_of_iteration"]
        print(f"{name:26}  {row['min_ms']:6.2f}  {row['median_ms']:9.2f}  {share:6.2f} %")


if __name__ == "__main__":
    main()
