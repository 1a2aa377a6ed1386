"""Set-aside images are training images, and the others are trained on."""

from __future__ import annotations

import torch

from darts.data import sources
from darts.judging.set_aside import without_tests


def test_set_aside_images_are_disjoint_training_images() -> None:
    dataset = sources.open_dataset(sources.DataOptions(dataset="digits"))
    divided = without_tests(dataset, 5)
    assert len(divided.train) + len(divided.test) == len(dataset.train)
    counts = dataset.train.labels.bincount()
    assert divided.test.labels.bincount().tolist() == (counts // 5).tolist()
    every = torch.arange(len(dataset.train))
    images = {row.numpy().tobytes() for row in dataset.train.fetch(every)}
    aside = {row.numpy().tobytes() for row in divided.test.fetch(torch.arange(len(divided.test)))}
    assert aside <= images
