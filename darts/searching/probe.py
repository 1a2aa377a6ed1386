"""A throw-away copy of a search, to time it or to check it without leaving a trace in the run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from darts.data.dataset import Dataset, ImageTensor
from darts.methods.gradient import LabelledBatch
from darts.methods.method import Method
from darts.methods.relaxation import Progress
from darts.methods.stages import SearchStage
from darts.searching.assembly import Assembled, assemble
from darts.searching.options import SearchOptions
from darts.searching.staging import SEARCH_STREAMS, extra_streams
from darts.system.device import dtype_of
from darts.system.randomness import RandomStreams
from genotypes import SearchSpace

# The ceilings of a search act outside its supernet, and a latency would have to be measured.
_NO_COSTS = {
    "max_macs": None,
    "max_params": None,
    "max_latency": None,
    "cost_weight": 0.0,
    "latency_table": None,
}


@dataclass(frozen=True)
class SearchSetting:
    """Everything that decides what a search computes, and where.

    Attributes:
        options: All settings of the search.
        dataset: Gives the image size and the number of classes; no image is read.
        device: Where the search computes.
        space: The cells that are searched.
        method: The search method.
        stage: The first stage of the search.
    """

    options: SearchOptions
    dataset: Dataset
    device: torch.device
    space: SearchSpace
    method: Method
    stage: SearchStage | None = None


@dataclass(frozen=True)
class Probe:
    """A search with random weights and its own random streams; nothing in it belongs to a run.

    Attributes:
        parts: The parts of the search; its back end is PyTorch at first.
        streams: The random streams of these parts.
    """

    parts: Assembled
    streams: RandomStreams

    def sample_channels(self) -> None:
        """Resample the channels of the supernet, as a search does before each step."""
        self.parts.supernet.sample_channels(self.streams["channels"])


def build_probe(setting: SearchSetting, *, graphs: bool = False) -> Probe:
    """Assemble a search as the run would, apart from the run.

    Random numbers come from streams of its own, and the state of torch's global generators is put
    back.

    Args:
        setting: What the run computes.
        graphs: Whether iterations are recorded where the run would record them.
    """
    options = replace(
        setting.options,
        backend="torch",
        cuda_graphs=setting.options.cuda_graphs if graphs else "never",
        **_NO_COSTS,  # type: ignore[arg-type]
    )
    names = (*SEARCH_STREAMS, *extra_streams(setting.method, options, setting.space))
    streams = RandomStreams(0, names)
    with torch.random.fork_rng([setting.device] if setting.device.type == "cuda" else []):
        parts = assemble(
            options,
            setting.dataset,
            setting.device,
            streams,
            steps_per_epoch=1,
            space=setting.space,
            method=setting.method,
            stage=setting.stage,
            measured=False,
        )
    parts.architecture.progress = Progress(0, max(1, options.epochs))
    return Probe(parts, streams)


def random_batch(setting: SearchSetting, images: int, seed: int = 0) -> LabelledBatch:
    """A batch of noise on the device, in the number format and layout of a search's batches."""
    generator = torch.Generator().manual_seed(seed)
    size, options = setting.dataset.image_size, setting.options
    pixels = torch.randn((images, 3, size, size), generator=generator)
    dataset = setting.dataset
    labels = dataset.target.random_labels(images, dataset.num_classes, generator)
    pixels = pixels.to(setting.device, dtype_of(options.precision))
    return LabelledBatch(
        pixels.contiguous(memory_format=torch.channels_last), labels.to(setting.device)
    )


def stand_in_dataset(name: str, image_size: int, classes: int) -> Dataset:
    """A data set without images, for a probe of which only the sizes are known.

    >>> stand_in_dataset("cifar10", 32, 10).num_classes
    10
    """
    nothing = ImageTensor(torch.zeros(0, 3, 1, 1, dtype=torch.uint8), torch.zeros(0).long())
    return Dataset(
        name=name,
        classes=tuple(map(str, range(classes))),
        image_size=image_size,
        stored_size=image_size,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        measured=False,
        flip=True,
        train=nothing,
        test=nothing,
    )
