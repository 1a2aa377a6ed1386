"""Small data sets in memory and on disk."""

import numpy as np
import pytest
import torch
from PIL import Image

from darts.data.dataset import ImageTensor


@pytest.fixture
def make_images():
    """Create random images in memory; image i has the label i % classes."""

    def make(count, size=8, classes=3, channels=3, seed=0):
        generator = torch.Generator().manual_seed(seed)
        shape = (count, channels, size, size)
        pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        return ImageTensor(pixels, torch.arange(count) % classes)

    return make


@pytest.fixture
def write_folder():
    """Write root/CLASS/0.png …: lossless images of random pixels, by class; returns them."""

    def write(root, counts, size=(12, 12), suffix="png", seed=0):
        random = np.random.default_rng(seed)
        written = {}
        for name, count in counts.items():
            (root / name).mkdir(parents=True)
            written[name] = random.integers(0, 256, (count, size[1], size[0], 3), np.uint8)
            for number, pixels in enumerate(written[name]):
                Image.fromarray(pixels).save(root / name / f"{number:03}.{suffix}")
        return written

    return write
