"""Compute mean and standard deviation of the colour channels of a set of images."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from darts.data.channels import ChannelStatistics
from darts.data.dataset import Dataset, ImageSet, ImageTensor

# The standard error of a channel's mean over this many photographs is below 0.006.
STREAMED_SAMPLE = 2000


def channel_statistics(images: ImageSet, indices: Tensor | None = None) -> ChannelStatistics:
    """Compute mean and standard deviation of each channel over all pixels, for values in 0..1.

    With n pixels x in 0..255, the mean is sum(x) / (255 n), and the standard deviation is
    sqrt(n sum(x²) - sum(x)²) / (255 n). The sums are exact integers; only the last step is in
    floating point. A constant channel gets a standard deviation of 1, so dividing by it is safe.

    >>> from darts.data.dataset import ImageTensor
    >>> black = ImageTensor(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.tensor([0]))
    >>> channel_statistics(black)
    ChannelStatistics(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    Args:
        images: The images.
        indices: Numbers of the images to use; by default all.
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
    # n * sum(x²) - sum(x)² may exceed 2^63, so it is computed with Python's integers.
    mean = tuple(t / (255 * pixels) for t in total.tolist())
    std = tuple(
        (pixels * s - t * t) ** 0.5 / (255 * pixels) or 1.0
        for t, s in zip(total.tolist(), squares.tolist(), strict=True)
    )
    return ChannelStatistics(mean, std)  # type: ignore[arg-type]


def with_statistics(dataset: Dataset, indices: Tensor | None = None) -> Dataset:
    """Return the data set with mean and std computed from its training images.

    A data set with published statistics is returned unchanged. Of images in files, at most 2,000
    are read, evenly spaced.

    Args:
        dataset: The data set.
        indices: Numbers of the training images to use; by default all. A search gives those that
            train the weights.
    """
    if not dataset.measured:
        return dataset
    if indices is None:
        indices = torch.arange(len(dataset.train))
    if not isinstance(dataset.train, ImageTensor):
        indices = indices[:: -(-len(indices) // STREAMED_SAMPLE)]
    mean, std = channel_statistics(dataset.train, indices)
    return replace(dataset, mean=mean, std=std)
