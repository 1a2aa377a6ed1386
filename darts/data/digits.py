"""Handwritten digits that come with scikit-learn, so that the first run needs no download."""

from __future__ import annotations

import numpy as np
import torch

from darts.data.catalogue import KNOWN
from darts.data.dataset import ImageTensor
from darts.data.source import Source
from darts.data.splits import hold_out


def open_digits() -> Source:
    """1,797 grey images [1, 8, 8] of ten digits (Alpaydin and Kaynak, UCI repository, 1998).

    Their values 0..16 are brought to 0..255. They come without a test set: every fifth image of
    each class, in file order, is set aside whatever the seed, which gives 1,442 and 355 images.
    """
    from sklearn.datasets import load_digits  # heavy, and needed for this data set alone

    bunch = load_digits()
    pixels = torch.from_numpy(np.rint(bunch.images * (255 / 16)).astype(np.uint8))[:, None]
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    classes = tuple(str(digit) for digit in range(10))
    train, test = hold_out(labels, classes)
    whole = ImageTensor(pixels, labels)
    return Source(
        classes=classes,
        train=whole.subset(train),
        test=whole.subset(test),
        flip=KNOWN["digits"].flip,
        size=KNOWN["digits"].size,
    )
