"""The images of a search: one half trains the weights, the other half alpha and beta."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch
from torch import Tensor

from darts.data.loader import BatchLoader, evaluation_batches
from darts.data.sources import open_dataset
from darts.data.statistics import with_statistics
from darts.data.subsets import search_halves, write_manifest
from darts.data.transforms import evaluation_transform, random_crops, training_transform
from darts.runs.directory import RunDirectory
from darts.searching.options import SearchOptions
from darts.system import distributed
from darts.system.device import dtype_of
from darts.system.randomness import RandomStreams, stream_seed
from darts.targets.target import Tally

STATISTICS_IMAGES = 1024
"""Images on which the statistics of batch norms are re-estimated for a cell."""


class SearchImages:
    """The data set of a search, divided, with a loader for each half.

    Attributes:
        dataset: The data set, with the statistics of the images that train the weights.
        weight_indices: The images that train the weights.
        validation_indices: The images that train alpha and beta.
        training: Batches for the weights.
        validation: Batches for alpha and beta.
        steps_per_epoch: Batches of an epoch of `training`.
    """

    def __init__(
        self, options: SearchOptions, device: torch.device, streams: RandomStreams
    ) -> None:
        self.options, self.device = options, device
        with distributed.one_first():
            dataset = open_dataset(options, options.seed, device, run=options.resume, test=False)
        ours, theirs = search_halves(
            dataset, 1 - options.arch_fraction, streams["split"], options.split
        )
        self.dataset = with_statistics(dataset, ours)
        self.weight_indices, self.validation_indices = ours, theirs
        self.training = self._loader(ours, "training", streams)
        self.validation = self._loader(theirs, "validation", streams)
        self.steps_per_epoch = self.training.steps_per_epoch

    def _loader(self, indices: Tensor, name: str, streams: RandomStreams) -> BatchLoader:
        return BatchLoader(
            self.dataset.train,
            indices,
            self.options.batch_size,
            self.device,
            training_transform(self.dataset, self.options),
            streams[f"{name} order"],
            streams[f"{name} noise"],
            epoch_order=self.dataset.epoch_order(self.options, indices),
            crops=random_crops(self.dataset),
            dtype=dtype_of(self.options.precision),
            share=distributed.share(),
        )

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """This process's share of the architecture's images, in order and not augmented."""
        return evaluation_batches(
            self.dataset.train,
            max(1, self.options.batch_size // distributed.world()),
            self.device,
            evaluation_transform(self.dataset),
            indices=self.validation_indices[distributed.rank() :: distributed.world()],
            dtype=dtype_of(self.options.precision),
        )

    def statistics_batches(self, count: int = STATISTICS_IMAGES) -> Iterator[tuple[Tensor, Tensor]]:
        """Some of the images that train the weights, not augmented, for statistics of batch norms.

        They are the same in every call and every process: `count` of them in an order that the seed
        decides, in full batches; the last ones are left out.
        """
        size = self.options.batch_size
        seed = stream_seed(self.options.seed, "statistics images")
        order = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(self.weight_indices), generator=order)[:count]
        chosen = chosen[: max(1, len(chosen) // size) * size]
        return evaluation_batches(
            self.dataset.train,
            size,
            self.device,
            evaluation_transform(self.dataset),
            indices=self.weight_indices[chosen],
            dtype=dtype_of(self.options.precision),
        )

    def announce(self, *, silent: bool) -> None:
        """Say on standard error which images do what."""
        if silent or not distributed.is_main():
            return
        data, ours, theirs = self.dataset, len(self.weight_indices), len(self.validation_indices)
        print(
            f"data: {data.name}, {data.num_classes} classes, {data.image_size}x{data.image_size} "
            f"pixels; {ours:,} images train the weights, {theirs:,} the architecture.",
            file=sys.stderr,
        )

    def class_weights(self) -> Tensor | None:
        """Weights of the classes in the loss: those of the images that train the weights."""
        return self.dataset.class_weights(self.options, self.device, self.weight_indices)

    def tally(self) -> Tally:
        """A new tally of scores on these images."""
        return self.dataset.target.tally(self.dataset.classes)

    def record(self, run: RunDirectory) -> None:
        """Write down which image files train the weights, and which the architecture."""
        write_manifest(
            self.dataset,
            run.images,
            self.options.seed,
            weights=self.weight_indices,
            architecture=self.validation_indices,
        )
