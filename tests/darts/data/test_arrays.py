import numpy as np
import pytest
import torch

from darts.data.arrays import open_array
from darts.errors import UserError


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "x_train": random.integers(0, 256, (6, 8, 8, 3), np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": random.integers(0, 256, (3, 8, 8, 3), np.uint8),
        "y_test": np.array([2, 1, 0], np.uint8),
    }


@pytest.fixture
def save(tmp_path):
    def write(arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return write


def test_a_round_trip(arrays, save):
    source = open_array(save(arrays))
    assert source.classes == ("0", "1", "2")
    assert source.size == 8
    pixels = source.train.fetch(torch.arange(6)).permute(0, 2, 3, 1).numpy()
    assert (pixels == arrays["x_train"]).all()
    assert source.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert source.test.labels.tolist() == [2, 1, 0]
    assert source.test.labels.dtype == torch.int64


@pytest.mark.parametrize("with_axis", [True, False])
def test_grey_images(arrays, save, with_axis):
    for key in ("x_train", "x_test"):
        arrays[key] = arrays[key][..., :1] if with_axis else arrays[key][..., 0]
    images = open_array(save(arrays)).train
    assert images.pixels.shape == (6, 1, 8, 8)
    batch = images.fetch(torch.arange(6))
    assert batch.shape == (6, 3, 8, 8)
    assert (batch[:, 2].numpy() == arrays["x_train"].reshape(6, 8, 8)).all()


def test_classes_can_be_named(arrays, save):
    source = open_array(save(arrays | {"classes": np.array(["ant", "bee", "cat"])}))
    assert source.classes == ("ant", "bee", "cat")


def test_oblong_images_have_no_size_of_their_own(arrays, save):
    for key in ("x_train", "x_test"):
        arrays[key] = arrays[key][:, :6]
    assert open_array(save(arrays)).size is None


FAULTS = {
    "x_train is of type float32": lambda a: a | {"x_train": a["x_train"].astype(np.float32)},
    r"x_test has the shape \(3, 8, 8, 4\)": lambda a: (
        a | {"x_test": np.zeros((3, 8, 8, 4), np.uint8)}
    ),
    r"x_train has the shape \(6, 8\)": lambda a: a | {"x_train": a["x_train"][:, :, 0, 0]},
    r"x_train has the shape \(0, 8, 8, 3\)": lambda a: a | {"x_train": a["x_train"][:0]},
    "x_train and x_test hold images of different shapes, 8x8x3 and 4x8x3": lambda a: (
        a | {"x_test": a["x_test"][:, :4]}
    ),
    "y_train is float64": lambda a: a | {"y_train": a["y_train"] / 2},
    r"y_test is uint8 of shape \(3, 1\)": lambda a: a | {"y_test": a["y_test"][:, None]},
    "y_train has 5 labels for 6 images in x_train": lambda a: a | {"y_train": a["y_train"][:5]},
    "y_train has the label -1": lambda a: a | {"y_train": a["y_train"] - 1},
    "y_test has the label 3; .*0 to 2": lambda a: a | {"y_test": np.array([0, 1, 3])},
    r"class 0 \(label 0\) has no training image": lambda a: a | {"y_train": a["y_train"] + 1},
    "y_train has the label 2; the 2 classes": lambda a: a | {"classes": np.array(["ant", "bee"])},
    r"class dog \(label 3\) has no training image": lambda a: (
        a | {"classes": np.array(["ant", "bee", "cat", "dog"])}
    ),
    "only one class": lambda a: a | {"y_train": a["y_train"] * 0, "y_test": a["y_test"] * 0},
    "lacks y_test; .* has x_train, y_train, x_test": lambda a: (
        {key: a[key] for key in ("x_train", "y_train", "x_test")}
    ),
    "cannot be read as an .npz": lambda a: a | {"y_train": np.array([None] * 6)},
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_is_named_with_file_and_key(arrays, save, message):
    with pytest.raises(UserError, match=rf"data\.npz.*{message}"):
        open_array(save(FAULTS[message](arrays)))


def test_damaged_files(arrays, save, tmp_path):
    path = save(arrays)
    whole = path.read_bytes()
    plain = tmp_path / "plain.npy"
    np.save(plain, arrays["x_train"])
    for content in (whole[: len(whole) // 2], b"no archive", b"", plain.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"data\.npz cannot be read as an \.npz"):
            open_array(path)
    damaged = bytearray(whole)
    damaged[200] ^= 255  # a pixel: the checksum of the archive notices
    path.write_bytes(damaged)
    with pytest.raises(UserError, match=r"data\.npz cannot be read as an \.npz"):
        open_array(path)
    path.unlink()
    with pytest.raises(UserError, match="there is no such file"):
        open_array(path)
