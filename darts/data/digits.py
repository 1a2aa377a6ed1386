"""The handwritten digits of scikit-learn, with which a first run needs no download."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from darts.data.catalogue import KNOWN
from darts.data.dataset import ImageTensor
from darts.data.source import Source
from darts.data.splits import hold_out


def open_digits() -> Source:
    """Open 1,797 grey images `[1, 8, 8]` of ten digits (Alpaydin and Kaynak, UCI, 1998).

    Their values 0..16 are scaled to 0..255. The data set has no test set, so every fifth image of
    each class, in file order, is held out: 1,442 training and 355 test images for every seed.

    >>> source = open_digits()
    >>> len(source.train), len(source.test)
    (1442, 355)
    """
    table = _table()
    images = table[:, :-1].reshape(-1, 8, 8)
    pixels = torch.from_numpy(np.rint(images * (255 / 16)).astype(np.uint8))[:, None]
    labels = torch.from_numpy(table[:, -1].astype(np.int64))
    classes = tuple(str(digit) for digit in range(10))
    train, test = hold_out(labels)
    whole = ImageTensor(pixels, labels)
    return Source(
        classes=classes,
        train=whole.subset(train),
        test=whole.subset(test),
        flip=KNOWN["digits"].flip,
        size=KNOWN["digits"].size,
    )


def _table() -> np.ndarray:
    """The 64 pixels and the label of each image, `[1797, 65]`."""
    # The file that `sklearn.datasets.load_digits` reads; importing sklearn takes a second.
    package = find_spec("sklearn")
    for folder in (package and package.submodule_search_locations) or ():
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    # Elsewhere in other versions.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target])
