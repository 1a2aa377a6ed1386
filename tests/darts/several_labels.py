"""A small data set of images with several labels, for tests."""

from pathlib import Path

import numpy as np


def several_labels(folder: Path, train: int = 40, test: int = 12) -> str:
    """An archive of 8 x 8 pixels in which each of three labels lights one colour; its name."""
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", train), ("test", test)):
        labels = random.random((count, 3)) < (0.6, 0.4, 0.2)
        labels[:3] = np.eye(3)
        pixels = random.integers(0, 100, (count, 8, 8, 3))
        arrays[f"x_{part}"] = (pixels + 120 * labels[:, None, None, :]).astype(np.uint8)
        arrays[f"y_{part}"] = labels.astype(np.uint8)
    np.savez(folder / "several.npz", **arrays, classes=np.array(["red", "green", "blue"]))
    return f"array:{folder / 'several.npz'}"
