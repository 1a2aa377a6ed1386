"""Mean and standard deviation of the channels of a set of images."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from darts.data.channels import ChannelStatistics
from darts.data.dataset import Dataset, ImageSet, ImageTensor

# The standard error of a channel's mean over this many photographs is below 0.006.
STREAMED_SAMPLE = 2000


def channel_statistics(images: ImageSet, indices: Tensor | None = None) -> ChannelStatistics:
    """Mean and standard deviation of each channel over all pixels, on the scale 0..1.

    Exact: sums of uint8 values and of their squares are whole numbers, and the last step is taken
    in float64. A channel that never varies gets a deviation of 1, so that dividing by it is safe.
    """
    if indices is None:
        indices = torch.arange(len(images))
    total = torch.zeros(3, dtype=torch.int64)
    squares = torch.zeros(3, dtype=torch.int64)
    pixels = 0
    for batch in images.reader()(indices.split(128)):
        values = batch.to(torch.int32)
        total += values.sum((0, 2, 3), dtype=torch.int64).cpu()
        squares += values.square().sum((0, 2, 3), dtype=torch.int64).cpu()
        pixels += batch.shape[0] * batch.shape[2] * batch.shape[3]
    # N * sum(x^2) - sum(x)^2 is whole too and may pass 2^63: Python's integers do not mind.
    mean = tuple(t / (255 * pixels) for t in total.tolist())
    std = tuple(
        (pixels * s - t * t) ** 0.5 / (255 * pixels) or 1.0
        for t, s in zip(total.tolist(), squares.tolist(), strict=True)
    )
    return ChannelStatistics(mean, std)  # type: ignore[arg-type]


def with_statistics(dataset: Dataset, indices: Tensor | None = None) -> Dataset:
    """The data set with statistics of the training images `indices`, or of all of them.

    A data set with published statistics comes back as it is. In a search, `indices` are the images
    that train the weights. Of images that stay in files, at most 2,000 are read, evenly spaced.
    """
    if not dataset.measured:
        return dataset
    if indices is None:
        indices = torch.arange(len(dataset.train))
    if not isinstance(dataset.train, ImageTensor):
        indices = indices[:: -(-len(indices) // STREAMED_SAMPLE)]
    mean, std = channel_statistics(dataset.train, indices)
    return replace(dataset, mean=mean, std=std)
