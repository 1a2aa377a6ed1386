import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from darts.data import digits
from darts.data.catalogue import KNOWN
from darts.data.digits import open_digits


def test_the_digits_are_scikit_learns():
    source, bunch = open_digits(), load_digits()
    assert source.classes == tuple("0123456789")
    assert (len(source.train), len(source.test)) == (KNOWN["digits"].train, KNOWN["digits"].test)
    assert (len(source.train), len(source.test)) == (1442, 355)
    # The first image of the file is a training image: a zero, with the value 13 in row 0.
    first = source.train.fetch(torch.tensor([0]))[0]
    assert first.shape == (3, 8, 8)
    assert first[0, 0, 3] == round(13 * 255 / 16)
    assert (first[1].numpy() == np.rint(bunch.images[0] * 255 / 16)).all()
    pixels = torch.cat([source.train.pixels, source.test.pixels])
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_every_fifth_image_of_a_class_is_for_testing():
    source, bunch = open_digits(), load_digits()
    expected = [
        index
        for index in range(1797)
        if (bunch.target[: index + 1] == bunch.target[index]).sum() % 5 == 0
    ]
    pixels = np.rint(bunch.images[expected] * 255 / 16)
    assert (source.test.pixels[:, 0].numpy() == pixels).all()
    assert source.test.labels.tolist() == bunch.target[expected].tolist()


def test_where_its_file_is_elsewhere_scikit_learn_reads_it(monkeypatch: pytest.MonkeyPatch):
    expected = open_digits()
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    source = open_digits()
    assert source.train.pixels.equal(expected.train.pixels)
    assert source.test.labels.equal(expected.test.labels)
